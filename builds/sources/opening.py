"""All sources of a build, found and held open for as long as it takes to bring them into its container.

A build reads its sources as its service role: what the role may not read, the build does not see.
"""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from builds import container
from builds.models import Build, Status
from builds.runner.executor import Executor
from builds.sources import objects, own, remote, submodules
from builds.sources.clones import Clone
from builds.sources.wanted import ROOT, Source, Wanted
from codeservices.iam.principal import Principal

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class NoSource:
    """What a project without source builds from: its buildspec, in an empty folder."""

    directory: str = ROOT
    oid: str = ""
    refname: str = ""
    holding_refname: str = ""
    url: str = ""

    def read(self, path: str, max_bytes: int) -> bytes | None:
        return None

    def put(self, executor: Executor) -> None:
        """The runner makes the directory that it starts in."""


@dataclass(frozen=True)
class Secondary:
    """A further source and the version that was asked for."""

    identifier: str
    version: str
    source: Source


@dataclass(frozen=True)
class Sources:
    """What a build builds from."""

    primary: Source
    secondary: tuple[Secondary, ...] = ()

    @property
    def all(self) -> tuple[Source, ...]:
        return self.primary, *(one.source for one in self.secondary)

    @property
    def clones(self) -> list[Clone]:
        """Every clone among them, submodules included."""
        return [clone for source in self.all if isinstance(source, Clone) for clone in source.all()]

    def own_urls(self) -> list[str]:
        """The clone URLs of those that are repositories of this server."""
        return [clone.url for clone in self.clones if clone.is_own]

    def logins(self) -> dict[str, tuple[str, str]]:
        """With what the others were fetched: user name and password by the origin of the server."""
        found = [clone for clone in self.clones if clone.login]
        return {container.origin_of(one.url): (one.login.user_name, one.login.password) for one in found}

    def put(self, executor: Executor) -> None:
        """Bring all of them into the container."""
        for source in self.all:
            source.put(executor)


@contextmanager
def opened(
    build: Build, principal: Principal, *, check: Callable[[], None], note: Callable[[str], None]
) -> Iterator[Sources]:
    """Find every source of a build; what that needs on this host goes with the block.

    Args:
        principal: The session of the build's service role.
        check: Raises Interrupted where the build may not go on.
        note: Writes a sentence into the build's log.

    Raises:
        PhaseError: CLIENT_ERROR in CodeBuild's words.
    """
    sweep()
    scratch = _root() / str(build.uuid)
    shutil.rmtree(scratch, ignore_errors=True)  # an earlier worker's, who lost the build
    scratch.mkdir(parents=True, mode=0o700)
    versions = {one["sourceIdentifier"]: one["sourceVersion"] for one in build.secondary_source_versions}
    try:
        with ExitStack() as keep:

            def find(source: dict[str, object], version: str, identifier: str) -> Source:
                return _find(Wanted(build, principal, source, version, identifier, scratch, keep, check, note))

            primary = find(build.source, build.source_version, "")
            secondary = []
            for source in build.secondary_sources:
                identifier = source["sourceIdentifier"]
                version = versions.get(identifier, "")
                note(f"Downloading source {identifier}")
                secondary.append(Secondary(identifier, version, find(source, version, identifier)))
            yield Sources(primary, tuple(secondary))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def sweep() -> int:
    """Remove what workers of this host that died left behind of builds that are over; how many."""
    folders = {one.name: one for one in _root().iterdir()} if _root().is_dir() else {}
    running = Build.objects.filter(status=Status.IN_PROGRESS, uuid__in=[name for name in folders if _is_uuid(name)])
    over = folders.keys() - {str(found) for found in running.values_list("uuid", flat=True)}
    for name in over:
        logger.info("what build %s left of its sources is removed", name)
        shutil.rmtree(folders[name], ignore_errors=True)
    return len(over)


def _find(wanted: Wanted) -> Source:
    wanted.check()
    if wanted.kind == "NO_SOURCE":
        return NoSource(wanted.root)
    if wanted.kind == "S3":
        return objects.find(wanted)
    clone: Clone = own.find(wanted) if wanted.kind == "CODECOMMIT" else remote.find(wanted)
    return submodules.with_submodules(wanted, clone)


def _root() -> Path:
    return Path(settings.CACHE_ROOT) / "workspaces"


def _is_uuid(name: str) -> bool:
    try:
        uuid.UUID(name)
    except ValueError:
        return False
    return True
