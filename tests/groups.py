"""A pytest plugin: how `-n` deals the tests out.

A file's tests stay together, so that what it sets up is set up once. All files that use the machine as a whole (Docker
Engine, a browser, an installation with its supervisor) are one group: two of them would take each other's containers.
"""

from __future__ import annotations

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


def group(nodeid: str) -> str:
    """What a test is dealt out together with: its file, or "machine"."""
    path = nodeid.partition("::")[0]
    return "machine" if path.startswith(MACHINE) else path


class ByGroup(LoadScopeScheduling):
    """xdist's scheduler of whole scopes, with our groups as scopes; the largest is dealt first."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByGroup:
    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that uses the machine and stands in no such file would run beside them: tell whoever adds one."""
    for item in items:
        uses_it = item.get_closest_marker("docker") or item.get_closest_marker("browser")
        if uses_it and group(item.nodeid) != "machine" and not item.get_closest_marker("faults"):
            raise pytest.UsageError(f"{item.nodeid} uses the machine as a whole: name its file in tests/groups.py.")
