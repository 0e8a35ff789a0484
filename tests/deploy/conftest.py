"""The installation of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.installation import Installation, installed


@pytest.fixture(scope="package")
def installation() -> Iterator[Installation]:
    """One for all of them, which goes with the last: at the end of the run the other processes would wait for it."""
    with installed() as made:
        yield made
