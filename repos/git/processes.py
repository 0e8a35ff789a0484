"""What every git process has, however it is started: limits, a process group that ends as one, and a complaint."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path
from typing import IO

from repos.git.store import BareRepository

READ_BYTES = 256 * 1024
COMPLAINT_LINES = 5
COMPLAINT_BYTES = 4096
# The anonymous memory of one git process. Packs are mapped, not counted; git streams blobs above 512 MiB.
MEMORY_BYTES = 4 * 1024**3
# Deltas upon deltas can keep a processor busy for days; the linux kernel is indexed within minutes.
CPU_SECONDS = 3600
LIMITS = ((resource.RLIMIT_CPU, CPU_SECONDS), (resource.RLIMIT_CORE, 0))


def limit(pid: int, memory_bytes: int = MEMORY_BYTES) -> None:
    """Set the limits of a process that has just been started, and of what it has started in the meantime."""
    # Set from outside: a function run between fork and exec is unsafe in a threaded process. What git starts from now
    # on inherits them; on a busy machine it may have started something before.
    for kind, most in ((resource.RLIMIT_DATA, memory_bytes), *LIMITS):
        _, ours = resource.getrlimit(kind)
        value = most if ours == resource.RLIM_INFINITY else min(most, ours)
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, kind, (value, value))
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_bytes().split():
            limit(int(child), memory_bytes)


def background() -> list[bytes]:
    """A command that runs another one with less claim to the processor and, where the machine has ionice, the disk."""
    priority = [b"nice", b"-n", b"10"]
    return [*priority, b"ionice", b"-c", b"2", b"-n", b"7"] if shutil.which("ionice") else priority


def reap(process: subprocess.Popen[bytes]) -> None:
    """End the process and its group where it still runs, and leave neither a pipe nor a zombie."""
    if process.poll() is None:
        signal_group(process.pid, signal.SIGKILL)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    process.wait()


def signal_group(pid: int, number: int) -> None:
    """Send a signal to a child and to all that it has started."""
    # The child leads its own session, so its process group carries its pid for as long as any member lives.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def complaint_of(stderr: IO[bytes], repository: BareRepository) -> str:
    """The first lines of what a command has written to its stderr, scrubbed."""
    # Read at a position: seeking would move the offset that the child shares with us.
    raw = os.pread(stderr.fileno(), COMPLAINT_BYTES, 0)
    return "\n".join(scrubbed(raw, repository).splitlines()[:COMPLAINT_LINES])


def scrubbed(raw: bytes, repository: BareRepository) -> str:
    """Text for people, without the repository's place on disk."""
    return raw.replace(bytes(repository.path), b"(repository)").decode("utf-8", "replace").strip()
