"""A pytest plugin: how `-n` deals the tests out.

A file's tests stay together, so that what it sets up is set up once. All files that use the machine as a whole (Docker
Engine, a browser, an installation with its supervisor) are one group: two of them would take each other's containers.

Groups that take long come first, so that no process is still busy with one when the others have nothing left.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

MACHINE = (
    "tests/browser/",
    "tests/builds/test_artifacts.py",
    "tests/builds/test_docker.py",
    "tests/builds/test_firewall.py",
    "tests/builds/test_executor_contract.py",
    "tests/builds/test_images.py",
    "tests/builds/test_images_on_engine.py",
    "tests/builds/test_lifecycle.py",
    "tests/builds/test_network.py",
    "tests/builds/test_registry.py",
    "tests/builds/test_sandbox.py",
    "tests/builds/test_phases_shell.py",
    "tests/builds/test_service_role.py",
    "tests/builds/test_source_builds.py",
    "tests/deploy/",
)
# Those that take longest, and then longer than other files of as many tests: they start servers and kill processes.
LONG = (
    "machine",
    "tests/compat/test_git_http.py",
    "tests/compat/test_git_refusals.py",
    "tests/codeservices/test_storage.py",
    "tests/repos/test_odd_pages.py",
    "tests/codeservices/test_doors_writer.py",
    "tests/codeservices/test_doors_api.py",
    "tests/codeservices/test_doors_admin.py",
    "tests/codeservices/test_doors.py",
    "tests/compat/test_fetch_cache.py",
    "tests/codeservices/test_admin.py",
    "tests/builds/test_logs_api.py",
    "tests/compat/test_boto3_iam_flows.py",
    "tests/builds/test_source_remote.py",
    "tests/repos/test_mirrors.py",
    "tests/compat/test_boto3_codecommit.py",
    "tests/compat/test_boto3_roles.py",
    "tests/compat/test_boto3_sns.py",
    "tests/compat/test_git_push.py",
    "tests/compat/test_git_bad_input.py",
    "tests/compat/test_git_fetch.py",
    "tests/compat/test_git_life.py",
    "tests/compat/test_trigger_endpoint.py",
    "tests/compat/test_upkeep_race.py",
    "tests/builds/test_storage_kill.py",
    "tests/codeservices/test_audit_drain.py",
    "tests/codeservices/test_doors_leaks.py",
    "tests/codeservices/test_doors_s3.py",
    "tests/codeservices/test_every_operation.py",
    "tests/codeservices/test_migrations_iam.py",
    "tests/codeservices/test_migrations_objects.py",
    "tests/codeservices/test_migrations_repos.py",
    "tests/codeservices/test_policy_property.py",
    "tests/codeservices/s3/test_uploads.py",
)


def group(nodeid: str) -> str:
    """What a test is dealt out together with: its file, or "machine"."""
    path = nodeid.partition("::")[0]
    return "machine" if path.startswith(MACHINE) else path


class ByGroup(LoadScopeScheduling):
    """xdist's scheduler of whole scopes, with our groups as scopes, in the order of the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByGroup:
    config.option.loadscopereorder = False
    return ByGroup(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first: the groups of LONG, then those of many tests.

    A test that uses the machine and stands in no such file would run beside them: whoever adds one is told.
    """
    for item in items:
        uses_it = item.get_closest_marker("docker") or item.get_closest_marker("browser")
        if uses_it and group(item.nodeid) != "machine" and not item.get_closest_marker("faults"):
            raise pytest.UsageError(f"{item.nodeid} uses the machine as a whole: name its file in tests/groups.py.")
    groups = {item: group(item.nodeid) for item in items}
    sizes = Counter(groups.values())
    rank = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: (rank.get(groups[item], len(LONG)), -sizes[groups[item]], groups[item]))
