"""A source that is a commit of a repository on this server's disk, its own or one fetched for the build."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

from builds.runner.executor import Executor
from builds.sources.logins import NOBODY, Login
from builds.sources.members import FileTooLarge
from builds.sources.wanted import Wanted
from builds.sources.workspace import CommitTooLarge, Workspace
from codeservices.errors import ServiceError
from repos.git import blob, divergence, refs
from repos.git.program import GitError
from repos.git.store import BareRepository


@dataclass(frozen=True)
class Clone:
    """A commit, and the submodules that come with it.

    Attributes:
        is_own: The repository is one of this server's.
        login: With what it was fetched from another one.
        submodules: Name to the clone that lies in its folder.
    """

    wanted: Wanted
    directory: str
    url: str
    repository: BareRepository
    oid: str
    refname: str
    is_own: bool
    login: Login = NOBODY
    submodules: tuple[tuple[str, Clone], ...] = ()

    @property
    def holding_refname(self) -> str:
        """The refname where the commit is in its history: `main^{OID}` may be said with any commit, of any branch."""
        tip = refs.tip(self.repository, self.refname) if self.refname else None
        if tip is None:
            return ""
        try:
            return self.refname if divergence.is_ancestor(self.repository, self.oid, tip) else ""
        except GitError:
            return ""

    def all(self) -> Iterator[Clone]:
        """This one and its submodules, all levels of them."""
        yield self
        for _, clone in self.submodules:
            yield from clone.all()

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """A file of the commit, as it is committed."""
        try:
            entry = blob.locate(self.repository, self.oid, path)
            if blob.size_bytes(self.repository, entry.oid) > max_bytes:
                raise FileTooLarge
            return b"".join(blob.stream(self.repository, entry.oid))
        except ServiceError:
            return None

    def put(self, executor: Executor) -> None:
        """The files, and `.git` with the history that was asked for; then those of the submodules."""
        workspace = Workspace(
            self.repository,
            self.oid,
            depth=self.wanted.depth,
            refname=self.refname,
            remote_url=self.url,
            directory=self.directory,
            scratch=self.wanted.scratch,
            max_bytes=settings.BUILD_SOURCE_MAX_BYTES,
            submodules={name: clone.url for name, clone in self.submodules},
            check=self.wanted.check,
        )
        try:
            with workspace:
                executor.put(workspace.files())
                executor.put(workspace.git_folder())
        except GitError as error:
            raise self.wanted.refused("unable to check out the commit", error.message) from error
        except CommitTooLarge as error:
            raise self.wanted.refused("unable to check out the commit", str(error)) from error
        for _, clone in self.submodules:
            clone.put(executor)
