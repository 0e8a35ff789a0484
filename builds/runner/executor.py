"""What the runner needs of a place to run builds in, and how a build is interrupted.

One executor serves one build. `phases.run` is its only caller and calls in this order, from one thread:

1. `provision(spec, note)` in PROVISIONING,
2. `put(tar)` any number of times and `start(start)` once in DOWNLOAD_SOURCE,
3. `run(command, …)` for each command, INSTALL to POST_BUILD,
4. `read(path)` in UPLOAD_ARTIFACTS; it ends all processes of the build first,
5. `close()` always, also after an error of any call. It removes whatever `provision` made and never raises.

`interrupt()` is the only method for other threads: it ends every process of the build at once and makes the call in
progress, and all later ones but `close`, raise Interrupted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

Output = Callable[[bytes], None]
Note = Callable[[str], None]

# The words of an interruption are buildStatus values.
STOPPED = "STOPPED"
TIMED_OUT = "TIMED_OUT"
# The worker lost its lease: somebody else has ended this build, which must write nothing more.
LOST = "LOST"


class PhaseError(Exception):
    """A phase failed for a reason that its context tells.

    Attributes:
        status_code: "COMMAND_EXECUTION_ERROR", "YAML_FILE_ERROR", … as CodeBuild spells them.
        message: The context's message.
        is_fault: The fault is ours, not the build's: the phase and the build end FAULT.
        is_final: Nothing of the build may go on after it: its container is gone.
    """

    def __init__(self, status_code: str, message: str, *, is_fault: bool = False, is_final: bool = False) -> None:
        super().__init__(f"{status_code}: {message}")
        self.status_code = status_code
        self.message = message
        self.is_fault = is_fault
        self.is_final = is_final or is_fault


class Interrupted(Exception):
    """The build was stopped, ran out of time or lost its worker's lease; `Interruption.reason` says which."""


class Interruption:
    """Ends a build from any thread, once: the first reason counts, later ones are ignored.

    Attributes:
        message: One sentence on who or what wanted it, or empty.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reason = ""
        self.message = ""
        self._callback: Callable[[], None] | None = None

    @property
    def reason(self) -> str:
        """STOPPED, TIMED_OUT, LOST, or empty as long as the build may go on."""
        return self._reason

    def raise_for(self, reason: str, message: str = "") -> None:
        """Interrupt the build. Returns when its processes have been told to end."""
        with self._lock:
            if self._reason:
                return
            self.message = message
            self._reason = reason
            callback = self._callback
        if callback is not None:
            callback()

    def bind(self, callback: Callable[[], None]) -> None:
        """Have `callback` called at the interruption; at once where it has happened."""
        with self._lock:
            self._callback = callback
            is_late = bool(self._reason)
        if is_late:
            callback()

    def check(self) -> None:
        """Raise Interrupted where the build may not go on."""
        if self._reason:
            raise Interrupted(self._reason)


@dataclass(frozen=True)
class Login:
    """Credentials for a registry of images."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Spec:
    """What a container is made of.

    Attributes:
        build_id: Goes into its labels and names.
        image: As the project says it.
        memory_bytes, cpus: Of the compute type; the executor clamps them to its host and says so.
        is_privileged: It may do to its own part of the host's kernel what root may.
        disk_bytes: The most that its files may take; 0 is no limit.
        login: Gives the credentials that the image is pulled with, or raises PhaseError; None where it needs none.
    """

    build_id: str
    image: str
    memory_bytes: int
    cpus: float
    is_privileged: bool = False
    disk_bytes: int = 0
    login: Callable[[], Login] | None = None


@dataclass(frozen=True)
class Start:
    """With what the build's shell starts.

    Attributes:
        variables: The environment beside the image's own; all names are identifiers.
        directory: The working directory, CODEBUILD_SRC_DIR.
        shell: "/bin/sh" or "bash".
        is_shared: One shell for all commands (version 0.2), or a new one for each (0.1).
        files: Contents by absolute path; any user of the container may read them.
    """

    variables: Mapping[str, str] = field(repr=False)
    directory: str
    shell: str = "/bin/sh"
    is_shared: bool = True
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


class Executor(Protocol):
    """See the module's text for the order of calls."""

    def provision(self, spec: Spec, note: Note) -> None:
        """Make a container that isn't running yet. `note` gets sentences for the log.

        Raises:
            PhaseError: BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE with the image's name; INTERNAL_SERVICE_ERROR.
        """
        ...

    def put(self, tar: Iterable[bytes]) -> None:
        """Unpack a tar stream at the container's root."""
        ...

    def start(self, start: Start) -> None:
        """Start the container and in it the shell that waits for commands."""
        ...

    def run(self, command: str, output: Output, *, user: str = "", is_succeeding: bool = True) -> int:
        """Run one command to its end and return its exit status.

        Its stdin is empty; stdout and stderr reach `output` as one ordered stream of bytes, in the caller's thread.
        Processes it leaves behind may go on; what they write later reaches the `output` of a later call.

        Args:
            user: Run it as this user of the container; empty is root.
            is_succeeding: What CODEBUILD_BUILD_SUCCEEDING says.

        Raises:
            PhaseError: INTERNAL_SERVICE_ERROR, the container ended before the command did; CLIENT_ERROR, the build's
                files took more than `Spec.disk_bytes`.
        """
        ...

    def why(self, status: int) -> str:
        """What more there is to say about the exit status of the last command: "it reached the memory limit"; or ""."""
        ...

    def read(self, path: str) -> AbstractContextManager[Iterator[bytes] | None]:
        """A file or folder of the container as an untrusted tar stream; None where nothing has that path."""
        ...

    def interrupt(self) -> None:
        """End every process of the build at once. May be called from any thread, at any time, repeatedly."""
        ...

    def end(self) -> None:
        """End what still runs of the build, a moment after its last command; returns when its output is whole.

        Never raises: what does not end here ends with `close`, or by the reaper.
        """
        ...

    def close(self) -> None:
        """Remove everything that was made for the build. Never raises; what it can't remove, the reaper will."""
        ...
