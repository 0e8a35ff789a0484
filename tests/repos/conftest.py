"""Fixtures for reading repositories."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repos.plumbing import Plumbing


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Plumbing]:
    """An empty bare repository to fill object by object."""
    plumbing = Plumbing(tmp_path / "made.git")
    yield plumbing
    plumbing.repository.close()


@pytest.fixture
def stored(db):
    """A repository of the console called "demo", to fill object by object."""
    from tests import factories

    repository = factories.repository("demo")
    with repository.git as git:
        yield Plumbing(git.path)
