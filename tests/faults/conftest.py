"""The installation of the tests that kill its parts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.installation import Installation, installed


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """One for all of them."""
    with installed() as made:
        yield made
