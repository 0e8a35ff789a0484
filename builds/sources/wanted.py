"""One source of a build as its project says it, and what finding it needs; every failure in CodeBuild's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from builds import service_role
from builds.models import Build
from builds.runner.executor import Executor, PhaseError
from codeservices.audit.record import act
from codeservices.errors import ServiceError
from codeservices.iam.principal import Principal

CLIENT_ERROR = "CLIENT_ERROR"
ROOT = "/codebuild/output/src"


class Source(Protocol):
    """What was found: where its files go, and how they get there.

    Attributes:
        directory: CODEBUILD_SRC_DIR in the container, or that of a secondary source.
        oid: The commit, or "" for a source without commits.
        refname: The full refname that was asked for, or "".
        holding_refname: The same where the commit is one of that ref's, "" where it was only named beside it.
        url: CODEBUILD_SOURCE_REPO_URL: the clone URL or s3://BUCKET/KEY, or "".
    """

    @property
    def directory(self) -> str: ...
    @property
    def oid(self) -> str: ...
    @property
    def refname(self) -> str: ...
    @property
    def holding_refname(self) -> str: ...
    @property
    def url(self) -> str: ...

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """A file by its path in the source; None where there is none. Raises FileTooLarge."""
        ...

    def put(self, executor: Executor) -> None:
        """Bring everything into the container. Raises PhaseError."""
        ...


@dataclass(frozen=True)
class Wanted:
    """What to look for.

    Attributes:
        principal: The session of the build's service role: what it may not read, the build does not see.
        source: A ProjectSource.
        version: The source version, or "" for the default one.
        identifier: Of a secondary source; "" is the primary one.
        scratch: A folder of the build on this host, which goes when the build has its sources.
        keep: What has to be closed then.
        check: Raises Interrupted where the build may not go on; to be called twice a second.
        note: Writes a sentence into the build's log.
    """

    build: Build
    principal: Principal
    source: Mapping[str, Any]
    version: str
    identifier: str
    scratch: Path
    keep: ExitStack
    check: Callable[[], None]
    note: Callable[[str], None]

    @property
    def kind(self) -> str:
        return str(self.source.get("type", ""))

    @property
    def location(self) -> str:
        return str(self.source.get("location") or "")

    @property
    def depth(self) -> int:
        return int(self.source.get("gitCloneDepth") or 0)

    @property
    def root(self) -> str:
        """The folder that this source and no other goes into."""
        return f"{ROOT}_{self.identifier}" if self.identifier else ROOT

    def refused(self, words: str, why: str = "") -> PhaseError:
        """CLIENT_ERROR with CodeBuild's sentence, and ours behind it.

        Source: messages of CodeBuild: "repository not found for primary source and source version refs/heads/main".
        """
        which = f"source {self.identifier}" if self.identifier else "primary source"
        sentence = f"{words} for {which} and source version {self.version}".rstrip()
        return PhaseError(CLIENT_ERROR, f"{sentence}: {why}" if why else sentence)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One act of the build's role: what it reads, and whether it may, goes into the audit trail."""
        with act(self.principal, service_role.request_info()) as current:
            current.additional["build"] = self.build.api_id
            yield


def sentence(error: ServiceError) -> str:
    """What an error says, with its hint."""
    return f"{error.message} {error.hint}".strip()
