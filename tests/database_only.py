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
# What pages say of objects that git reads, and repositories that are odd to it: the same rows of the database, page
# after page. What a page asks of its own (comments, signatures, what was kept) is asked in other files.
_GIT_ONLY = (
    "test_odd_pages.py",
    "test_views_archive.py",
    "test_views_blame.py",
    "test_views_browse.py",
    "test_views_commit.py",
    "test_views_compare.py",
    "test_views_file.py",
    "test_views_find.py",
    "test_views_graph.py",
    "test_views_history.py",
)
_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect everything else."""
    chosen, left_out = [], []
    for item in items:
        touches = item.get_closest_marker("django_db") or _FIXTURES & set(getattr(item, "fixturenames", ()))
        (chosen if touches and item.path.name not in _ALIKE + _GIT_ONLY else left_out).append(item)
    items[:] = chosen
    config.hook.pytest_deselected(items=left_out)
