"""What a build is run by (its plan), what the plan's steps get and give, who is told of it, and how it ended.

builds/running.py makes the plan from a build's row; phases.py walks it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from builds.buildspec import Buildspec
from builds.runner.executor import Executor, Spec

MAX_EXPORTED_BYTES = 64 * 1024


@dataclass(frozen=True)
class Context:
    """Why a phase ended as it did: CodeBuild's status code and message, both empty on success."""

    status_code: str = ""
    message: str = ""


@dataclass(frozen=True)
class PhaseResult:
    """A finished phase. `status` is None for COMPLETED, which only has a start."""

    type: str
    status: str | None
    started_at: datetime
    ended_at: datetime | None
    duration_seconds: float
    contexts: tuple[Context, ...]


@dataclass(frozen=True)
class Prepared:
    """What DOWNLOAD_SOURCE found.

    Attributes:
        buildspec: Already checked.
        buildspec_location: The path that the log names.
        variables: The environment of every command.
        directory: CODEBUILD_SRC_DIR.
        may_export: Whether a variable's value may leave the build.
        files: Files beside the source that the container starts with: contents by path.
        runtime_notes: What the log says of the image's runtimes.
    """

    buildspec: Buildspec
    buildspec_location: str
    variables: Mapping[str, str] = field(repr=False)
    directory: str
    may_export: Callable[[str], bool] = lambda name: True
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    runtime_notes: tuple[str, ...] = ()


class Tools(Protocol):
    """What a plan's steps get to work with."""

    executor: Executor

    @property
    def failed_phases(self) -> frozenset[str]:
        """The phases that did not succeed so far."""
        ...

    def note(self, sentence: str) -> None:
        """Write a line of ours to the log."""
        ...

    def check(self) -> None:
        """Raise Interrupted where the build may not go on; a step that takes long calls it twice a second."""
        ...

    def capture(self, command: str, max_bytes: int = MAX_EXPORTED_BYTES) -> bytes | None:
        """What a command writes, kept out of the log; None where it fails. Only while the container runs."""
        ...


@dataclass(frozen=True)
class Plan:
    """A build to run.

    Attributes:
        spec: The container.
        timeout_seconds: For everything from PROVISIONING on.
        admit: Takes what the build needs before there is a container; PhaseError where it may not have it.
        download: Brings the source into the container and reads the buildspec; PhaseError where it can't.
        restore: Brings the cache into the running container, before INSTALL.
        upload: Keeps the artifacts and the cache; PhaseError where it can't.
    """

    spec: Spec
    timeout_seconds: float
    admit: Callable[[], None]
    download: Callable[[Tools], Prepared]
    upload: Callable[[Tools, Prepared], None]
    restore: Callable[[Tools, Prepared], None] = lambda tools, prepared: None


class Report(Protocol):
    """Who is told what happens, as it happens, from the thread that runs the build."""

    def phase_started(self, phase_type: str, started_at: datetime, *, is_brief: bool = False) -> None:
        """A phase begins. One that is brief has nothing to do: to tell it with the next, or the end, is soon enough."""
        ...

    def phase_ended(self, result: PhaseResult) -> None:
        """The phase has ended, and the next one begins at once: both can be told together."""
        ...

    def output(self, data: bytes) -> None:
        """Bytes for the log, as they come."""
        ...

    def line(self, text: str) -> None:
        """A whole line for the log, on a line of its own."""
        ...


@dataclass(frozen=True)
class Result:
    """How a build ended.

    Attributes:
        status: SUCCEEDED, FAILED, FAULT, TIMED_OUT or STOPPED; LOST where another has ended it.
        exported_variables: What POST_BUILD's end gave for env.exported-variables.
    """

    status: str
    phases: tuple[PhaseResult, ...]
    exported_variables: Mapping[str, str]
