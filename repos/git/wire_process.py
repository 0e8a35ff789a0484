"""upload-pack and receive-pack as children whose stdin and stdout are streams: one request of git's smart HTTP each."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from repos.git.child import Child, start_child
from repos.git.configuration import Argument, argv_of, environment_of, name_of
from repos.git.processes import READ_BYTES, complaint_of, limit, signal_group
from repos.git.store import BareRepository

# Time for a git that was asked to stop to remove its quarantine and lock files.
GRACE_SECONDS = 5.0


@dataclass
class WireProcess:
    """A git command whose stdin and stdout are streams: one request of git's smart HTTP.

    Attributes:
        process: `stdin` and `stdout` are pipes with back-pressure.
        command: "receive-pack", for messages.
    """

    process: Child
    command: str
    _repository: BareRepository
    _stderr: IO[bytes]

    async def stop(self) -> None:
        """End the whole process group and reap it. Asked first, so that receive-pack removes its quarantine."""
        if self.command == "receive-pack" and self.process.returncode is None:
            # It cleans up when its input ends too early; since git 2.38 a signal makes it leave its quarantine behind.
            self.process.stdin.close()
            await self._end_within_grace()
        if self.process.returncode is None:
            signal_group(self.process.pid, signal.SIGTERM)
            try:
                await self._end_within_grace()
            finally:
                # What the group's leader started may have outlived it; as long as it lives the group's id is its own.
                signal_group(self.process.pid, signal.SIGKILL)
            await self.process.wait()
        self.process.close()
        # Reads the pipe's last error, if git ended before it had read all, so that the loop does not report it as lost.
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await self.process.stdin.wait_closed()
        self._stderr.close()

    async def _end_within_grace(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await self.process.wait()

    def complaint(self) -> str:
        """What the command wrote to stderr so far, scrubbed; read it before `stop`."""
        return complaint_of(self._stderr, self._repository)


async def spawn(
    repository: BareRepository,
    args: Sequence[Argument],
    *,
    protocol: str = "",
    configuration: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    is_raw: bool = False,
) -> WireProcess:
    """Start upload-pack or receive-pack on a repository for the wire; the caller must await `stop` in the end.

    Args:
        repository: Its path is put behind `args`.
        args: `["upload-pack", "--strict", "--stateless-rpc"]`.
        protocol: The client's Git-Protocol header, checked by the caller ("version=2"), or empty.
        configuration: More configuration for this call, such as `receive.maxInputSize`.
        pass_fds: File descriptors that the command and all that it starts keep open, such as a lock's.
        is_raw: Whether its stdout is left to the caller, as a file descriptor that blocks.
    """
    environment = {"GIT_PROTOCOL": protocol} if protocol else {}
    stderr = tempfile.TemporaryFile()  # noqa: SIM115  closed by stop()
    try:
        process = await start_child(
            argv_of(repository, [*args, bytes(repository.path)], configuration or {}),
            environment=environment_of(repository, environment),
            folder=repository.path,
            stderr=stderr,
            pass_fds=pass_fds,
            limit=READ_BYTES,
            is_raw=is_raw,
        )
    except BaseException:
        stderr.close()
        raise
    limit(process.pid)
    return WireProcess(process, name_of(args), repository, stderr)
