"""A pytest plugin, `-p tests.database_only`: only the tests that touch the database, to run them on a second kind."""

from __future__ import annotations

import pytest

# Every address and operation for every person: who may is decided before the database is asked, and what is asked then
# has tests of its own.
_ALIKE = (
    "test_doors.py",
    "test_doors_admin.py",
    "test_doors_api.py",
    "test_doors_leaks.py",
    "test_doors_s3.py",
    "test_doors_writer.py",
)
# Repositories that are odd to git: the same rows of the database, page after page.
_GIT_ONLY = ("test_odd_pages.py",)
_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect everything else."""
    chosen, left_out = [], []
    for item in items:
        touches = item.get_closest_marker("django_db") or _FIXTURES & set(getattr(item, "fixturenames", ()))
        (chosen if touches and item.path.name not in _ALIKE + _GIT_ONLY else left_out).append(item)
    items[:] = chosen
    config.hook.pytest_deselected(items=left_out)
