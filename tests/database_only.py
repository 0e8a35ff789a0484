"""A pytest plugin, `-p tests.database_only`: what could differ on a second kind of database, to run it there.

That is whatever asks the database in a way of its own: locks and conflicts, several at once, order and pages, searches,
values in JSON, constraints, times, transactions, migrations; and a walk through each door that reads and writes a row
of every model: test_doors.py, test_doors_api.py, test_admin.py and s3/ in tests/codeservices/, compat/test_git_life.py.

A test runs on both unless it touches no database or its file stands below, under the reason why it says nothing new
there. A new file is in no list; one that asks the database something of its own does not belong in them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server"}

# Who may: decided before the database is asked. That each door opens, for whom it does, is walked on both.
_WHO_MAY = (
    "codeservices/test_doors_admin.py",
    "codeservices/test_doors_leaks.py",
    "codeservices/test_doors_s3.py",
    "codeservices/test_doors_writer.py",
    "codeservices/test_every_operation.py",
    "codeservices/test_simulate.py",
    "codeservices/test_views_simulator.py",
    "compat/test_boto3_simulate.py",
)
# What pages say of objects that git reads, and commits that git makes: the same few rows every time.
_GIT_ONLY = (
    "repos/test_edits.py",
    "repos/test_kept.py",
    "repos/test_odd_pages.py",
    "repos/test_picks.py",
    "repos/test_signatures.py",
    "repos/test_views_archive.py",
    "repos/test_views_blame.py",
    "repos/test_views_browse.py",
    "repos/test_views_changed_files.py",
    "repos/test_views_changed_lines.py",
    "repos/test_views_commit.py",
    "repos/test_views_compare.py",
    "repos/test_views_edit.py",
    "repos/test_views_file.py",
    "repos/test_views_find.py",
    "repos/test_views_folder.py",
    "repos/test_views_graph.py",
    "repos/test_views_history.py",
)
# Forms and their words, about rows that the walk writes through the same forms. Lists that search or sort stay.
_FORMS = (
    "builds/test_badge.py",
    "builds/test_views_artifacts.py",
    "builds/test_views_caches.py",
    "builds/test_views_credentials.py",
    "builds/test_views_project_form.py",
    "builds/test_views_projects.py",
    "codeservices/test_aws_views.py",
    "codeservices/test_views_credentials.py",
    "codeservices/test_views_policies.py",
    "codeservices/test_views_roles.py",
    "repos/test_views_branches.py",
    "repos/test_views_deleted.py",
    "repos/test_views_imports.py",
    "repos/test_views_triggers.py",
)
# What other people's programs make of answers that come from git or from one row. Those with lists and pages stay.
_CLIENTS = (
    "compat/test_aws_command_line.py",
    "compat/test_boto3_codecommit_branches.py",
    "compat/test_boto3_codecommit_merges.py",
    "compat/test_boto3_codecommit_read.py",
    "compat/test_boto3_codecommit_triggers.py",
    "compat/test_boto3_commits.py",
    "compat/test_boto3_iam_flows.py",
)
# What comes into a container and out of it, and bytes that lie outside the database.
_BYTES = (
    "builds/test_registry.py",
    "builds/test_source_objects.py",
    "builds/test_source_own.py",
    "builds/test_source_remote.py",
    "builds/test_source_rules.py",
    "builds/test_source_submodules.py",
    "builds/test_storage_of_builds.py",
    "codeservices/test_storage.py",
)
_LEFT_OUT = {_TESTS / name for name in _WHO_MAY + _GIT_ONLY + _FORMS + _CLIENTS + _BYTES}
# Whole builds in real containers: one file of them is enough to see that all parts meet.
_IN_CONTAINERS = _TESTS / "builds/test_source_builds.py"


def pytest_configure() -> None:
    """Refuse a list that names what is no more, and with it perhaps what it became."""
    if missing := sorted(str(path) for path in _LEFT_OUT | {_IN_CONTAINERS} if not path.exists()):
        raise pytest.UsageError(f"tests/database_only.py names files that are not there: {', '.join(missing)}.")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Files that are left out are not even read; a file that is named on the command line is."""
    return True if collection_path in _LEFT_OUT else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what touches no database, and builds in containers but for one file."""
    chosen, left_out = [], []
    for item in items:
        touches = item.get_closest_marker("django_db") or _FIXTURES & set(getattr(item, "fixturenames", ()))
        elsewhere = item.get_closest_marker("docker") and item.path != _IN_CONTAINERS
        (chosen if touches and not elsewhere else left_out).append(item)
    items[:] = chosen
    config.hook.pytest_deselected(items=left_out)
