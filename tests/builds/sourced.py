"""Sources of a build brought into a folder in place of a container."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

from builds.models import Build
from builds.runner.executor import PhaseError
from builds.sources import opening
from builds.sources.opening import Sources
from codeservices.iam.principal import Principal


class Folder:
    """Takes what a container would be given."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, tar: Iterable[bytes]) -> None:
        with tarfile.open(fileobj=io.BytesIO(b"".join(tar)), mode="r:") as archive:
            archive.extractall(self.root)

    def path(self, inside: str) -> Path:
        """Where something of the container lies."""
        return self.root / inside.lstrip("/")


def opened(
    build: Build,
    principal: Principal,
    folder: Folder | None = None,
    *,
    check: Callable[[], None] = lambda: None,
    notes: list[str] | None = None,
) -> Sources:
    """The sources of a build, put into a folder where one is given; nothing is left of them on this host."""
    lines: list[str] = [] if notes is None else notes
    with opening.opened(build, principal, check=check, note=lines.append) as found:
        if folder is not None:
            found.put(folder)  # type: ignore[arg-type]  only `put` is called
        return found


def refusal(build: Build, principal: Principal, folder: Folder | None = None) -> str:
    """The context with which a build's sources are refused, as CODE: MESSAGE."""
    try:
        opened(build, principal, folder)
    except PhaseError as error:
        return f"{error.status_code}: {error.message}"
    raise AssertionError("the sources were found")
