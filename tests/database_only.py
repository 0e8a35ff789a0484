"""A pytest plugin, `-p tests.database_only`: only the tests that touch the database, to run them on a second kind."""

from __future__ import annotations

import pytest

# The doors of test_doors.py and test_doors_api.py once more for another person: nothing new to a database.
_ALIKE = ("test_doors_writer.py",)
_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect everything else."""
    chosen, left_out = [], []
    for item in items:
        touches = item.get_closest_marker("django_db") or _FIXTURES & set(getattr(item, "fixturenames", ()))
        (chosen if touches and item.path.name not in _ALIKE else left_out).append(item)
    items[:] = chosen
    config.hook.pytest_deselected(items=left_out)
