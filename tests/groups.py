"""A pytest plugin: which tests must not run at the same time as each other, for `--dist loadgroup`.

A file's tests stay together, so that what it sets up is set up once. All tests that use the machine as a whole (Docker
Engine, a browser, an installation with its supervisor) are one group: two of them would take each other's containers.
"""

from __future__ import annotations

import pytest

MACHINE = "machine"
_FIXTURES = {"installation", "browser", "engine"}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test its group, and let the machine's begin first, since it takes longest."""
    for item in items:
        uses_machine = (
            item.get_closest_marker("docker")
            or item.get_closest_marker("browser")
            or "tests/deploy/" in item.path.as_posix()
            or _FIXTURES & set(getattr(item, "fixturenames", ()))
        )
        group = MACHINE if uses_machine else item.path.as_posix()
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.get_closest_marker("xdist_group").args[0] != MACHINE)
