"""The git program as a child process that is run to its end, read as it writes, or talked to, always within a time.

Every call goes through here, but for those that speak to a client of the wire (wire_process.py). Callers resolve refs
to oids first, put `--end-of-options` before positional arguments where the command knows it, and `--` before paths; no
shell is involved, so any byte may stand in an argument.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from codeservices.errors import ServiceError
from repos.git.child import PIPE_BYTES
from repos.git.configuration import Argument, argv_of, environment_of, name_of
from repos.git.processes import (
    COMPLAINT_BYTES,
    MEMORY_BYTES,
    READ_BYTES,
    background,
    complaint_of,
    limit,
    reap,
    scrubbed,
    signal_group,
)
from repos.git.store import BareRepository

TIMEOUT_SECONDS = 30.0
MAX_OUTPUT_BYTES = 64 * 1024 * 1024
CHECK_SECONDS = 0.5

# Git's words for objects that are missing, cut, garbled, or of another kind than what names them says.
_DAMAGE = re.compile(
    r"corrupt|missing (?:blob|tree|commit|object)|bad (?:file|object|tree|blob|revision)|unable to read|inflate"
    r"|could not (?:read|parse|get) |failed to (?:read|parse|traverse|load)|not a (?:tree|blob|commit|valid object)"
    r"|unable to (?:parse|unpack|find)|too-short tree|malformed mode|empty filename|revision walk setup failed"
    r"|not a valid commit name|hash mismatch",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Options:
    """What one call wants beside its arguments.

    Attributes:
        configuration: More configuration, such as `pack.threads`.
        pass_fds: File descriptors that the command and all that it starts keep open, such as a lock's.
        is_background: Leave processor and disk to others that want them.
        is_complaint_output: What the command writes to stderr belongs to its output, as with fsck.
        memory_bytes: The anonymous memory that it may take, where a hostile repository could make it take all.
        check: Called at least twice a second while the command is waited for; what it raises ends the command.
    """

    configuration: Mapping[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    is_background: bool = False
    is_complaint_output: bool = False
    memory_bytes: int = MEMORY_BYTES
    check: Callable[[], None] | None = None


DEFAULT_OPTIONS = Options()


class GitError(ServiceError):
    """The git program refused or failed.

    Attributes:
        exit_code: As the program gave it; negative is the signal that ended it.
        complaint: The first lines it wrote to stderr, without the repository's place on disk.
    """

    code = "InternalFailure"
    status = 500

    def __init__(self, command: str, exit_code: int, complaint: str) -> None:
        super().__init__(f"git {command} ended with {exit_code}: {complaint or 'it said nothing'}")
        self.exit_code = exit_code
        self.complaint = complaint


class GitDamaged(GitError):
    """The git program met an object that is missing or can't be read: the repository's fault, not the server's."""

    code = "ObjectDamagedException"
    status = 404

    def __init__(self, command: str, exit_code: int, complaint: str) -> None:
        super().__init__(command, exit_code, complaint)
        self.message = f"An object that this needs is missing or damaged. Git says: {complaint.rstrip('.')}."
        self.hint = "“git fsck” in the repository tells more; pushing the history again from a good clone repairs it."


class GitTimeout(GitError):
    """The git program took longer than it may."""

    status = 503

    def __init__(self, command: str, timeout_seconds: float) -> None:
        ServiceError.__init__(self, f"git {command} took longer than {timeout_seconds:g} seconds and was stopped.")
        self.exit_code = -signal.SIGKILL
        self.complaint = ""


class GitOutputTooLarge(GitError):
    """The git program wrote more than the caller is ready to hold."""

    def __init__(self, command: str, max_output_bytes: int) -> None:
        ServiceError.__init__(self, f"git {command} wrote more than {max_output_bytes:,} bytes and was stopped.")
        self.exit_code = -signal.SIGKILL
        self.complaint = ""


def run(
    repository: BareRepository,
    args: Sequence[Argument],
    *,
    input: bytes = b"",
    timeout_seconds: float = TIMEOUT_SECONDS,
    max_output_bytes: int = MAX_OUTPUT_BYTES,
    ok_codes: Sequence[int] = (0,),
    environment: Mapping[str, str] | None = None,
    options: Options = DEFAULT_OPTIONS,
) -> bytes:
    """Run a git command to its end and return its whole stdout.

    Args:
        repository: Given to git as its repository.
        args: The command and its arguments, `["rev-list", "--count", oid]`.
        input: What the command reads from stdin.
        timeout_seconds: The whole process group is killed after this.
        max_output_bytes: More output than this raises.
        ok_codes: The exit codes that are no failure.
        environment: More variables for this call, `GIT_COMMITTER_NAME` and the like.
        options: How the process is run otherwise.

    Raises:
        GitError, GitTimeout, GitOutputTooLarge.
    """
    pieces: list[bytes] = []
    size_bytes = 0
    with _child(repository, args, input, timeout_seconds, ok_codes, environment, options) as child:
        for piece in child.output():
            size_bytes += len(piece)
            if size_bytes > max_output_bytes:
                raise GitOutputTooLarge(child.command, max_output_bytes)
            pieces.append(piece)
    return b"".join(pieces)


def lines(
    repository: BareRepository,
    args: Sequence[Argument],
    *,
    input: bytes = b"",
    separator: bytes = b"\n",  # one byte
    timeout_seconds: float = TIMEOUT_SECONDS,
    ok_codes: Sequence[int] = (0,),
    environment: Mapping[str, str] | None = None,
    options: Options = DEFAULT_OPTIONS,
) -> Generator[bytes, None, None]:
    """Yield the command's output line by line, without the separator, as it comes.

    The iterator may be left or closed at any line: the child is killed and reaped then. A failure is raised after the
    last line. The time-out covers the caller's own work between lines too.
    """
    with _child(repository, args, input, timeout_seconds, ok_codes, environment, options) as child:
        begun = bytearray()
        for piece in child.output():
            first, *others = piece.split(separator)
            begun += first
            if others:
                yield bytes(begun)
                yield from others[:-1]
                begun = bytearray(others[-1])
            elif len(begun) > MAX_OUTPUT_BYTES:
                raise GitOutputTooLarge(child.command, MAX_OUTPUT_BYTES)
        if begun:
            yield bytes(begun)


def pieces(
    repository: BareRepository,
    args: Sequence[Argument],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    environment: Mapping[str, str] | None = None,
    options: Options = DEFAULT_OPTIONS,
) -> Generator[bytes, None, None]:
    """Yield the command's output as it comes, in pieces of at most READ_BYTES; left and closed like `lines`."""
    with _child(repository, args, b"", timeout_seconds, (0,), environment, options) as child:
        yield from child.output()


def begun(
    repository: BareRepository,
    args: Sequence[Argument],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    environment: Mapping[str, str] | None = None,
    options: Options = DEFAULT_OPTIONS,
) -> Generator[bytes, None, None]:
    """The same of a command that is started now, so that it works while the caller does something else."""

    def output() -> Generator[bytes, None, None]:
        with _child(repository, args, b"", timeout_seconds, (0,), environment, options) as child:
            yield b""
            yield from child.output()

    found = output()
    next(found)
    return found


@contextlib.contextmanager
def conversation(
    repository: BareRepository, args: Sequence[Argument], *, timeout_seconds: float
) -> Iterator[tuple[IO[bytes], Iterator[bytes]]]:
    """Run a command that answers while it is asked: its stdin, and what it writes as it comes.

    It is ended with the block, whatever it was doing. Whoever writes more than a pipe holds before reading waits for
    ever. The output raises GitTimeout where the time is over.
    """
    process = subprocess.Popen(
        argv_of(repository, args, {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment_of(repository, {}),
        cwd=repository.path,
        start_new_session=True,
    )
    try:
        limit(process.pid)
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError):  # the user's pipes take too many pages together: it stays small
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        yield process.stdin, _Child(process, name_of(args), timeout_seconds).output()
    finally:
        signal_group(process.pid, signal.SIGKILL)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()  # type: ignore[union-attr]
        reap(process)


def watch(
    repository: BareRepository,
    args: Sequence[Argument],
    *,
    environment: Mapping[str, str],
    configuration: Mapping[str, str],
    interval_seconds: float = 0.5,
) -> Generator[bytes, None, None]:
    """Run a command that tells its progress on stderr, and yield what it says as it says it.

    At least once an interval something is yielded, `b""` in silence, so that the caller can look whether to go on.
    Closing the generator ends the whole process group: do it with `contextlib.closing`. Its stdout is thrown away.

    Raises:
        GitError: It failed; the complaint is the last that it wrote.
    """
    process = subprocess.Popen(
        argv_of(repository, args, configuration),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment_of(repository, environment),
        cwd=repository.path,
        start_new_session=True,
    )
    try:
        limit(process.pid)
        assert process.stderr is not None
        descriptor = process.stderr.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        last = b""
        while True:
            piece = b""
            if poll.poll(interval_seconds * 1000):
                piece = os.read(descriptor, READ_BYTES)
                if not piece:
                    break
                last = (last + piece)[-COMPLAINT_BYTES:]
            yield piece
        exit_code = process.wait()
        if exit_code:
            raise GitError(name_of(args), exit_code, scrubbed(last.replace(b"\r", b"\n"), repository))
    finally:
        reap(process)


class _Child:
    """A running command whose stdout is read with one deadline for everything."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        command: str,
        timeout_seconds: float,
        check: Callable[[], None] | None = None,
    ) -> None:
        self.process = process
        self.command = command
        self.timeout_seconds = timeout_seconds
        self.deadline = time.monotonic() + timeout_seconds
        self._check = check

    def output(self) -> Iterator[bytes]:
        """Pieces of stdout until its end; raises GitTimeout at the deadline."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while True:
            seconds_left = self.deadline - time.monotonic()
            if seconds_left <= 0:
                raise GitTimeout(self.command, self.timeout_seconds)
            if self._check is not None:
                self._check()
                seconds_left = min(seconds_left, CHECK_SECONDS)
            if not poll.poll(seconds_left * 1000):
                continue
            piece = os.read(descriptor, READ_BYTES)
            if not piece:
                return
            yield piece

    def wait(self) -> int:
        """The exit code; raises GitTimeout at the deadline."""
        # A command ends a little after its output, and `Popen.wait` with a time-out then sleeps for a millisecond.
        descriptor = os.pidfd_open(self.process.pid)
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if not poll.poll(max(0.01, self.deadline - time.monotonic()) * 1000):
                raise GitTimeout(self.command, self.timeout_seconds)
        finally:
            os.close(descriptor)
        return self.process.wait()


@contextlib.contextmanager
def _child(
    repository: BareRepository,
    args: Sequence[Argument],
    input: bytes,
    timeout_seconds: float,
    ok_codes: Sequence[int],
    environment: Mapping[str, str] | None,
    options: Options,
) -> Iterator[_Child]:
    """Start a command; at the end of the block check its exit code; whatever happens, leave no process behind."""
    command = name_of(args)
    with contextlib.ExitStack() as stack:
        # A file as stdin and as stderr: neither can fill up and stop the child, so only stdout needs reading.
        stdin: IO[bytes] | int = subprocess.DEVNULL
        if input:
            stdin = stack.enter_context(tempfile.TemporaryFile())
            stdin.write(input)
            stdin.seek(0)
        stderr = stack.enter_context(tempfile.TemporaryFile())
        argv = argv_of(repository, args, options.configuration)
        process = subprocess.Popen(
            [*background(), *argv] if options.is_background else argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if options.is_complaint_output else stderr,
            env=environment_of(repository, environment or {}),
            cwd=repository.path,
            start_new_session=True,
            pass_fds=options.pass_fds,
        )
        stack.callback(reap, process)
        limit(process.pid, options.memory_bytes)
        child = _Child(process, command, timeout_seconds, options.check)
        yield child
        exit_code = child.wait()
        if exit_code not in ok_codes:
            complaint = complaint_of(stderr, repository)
            raise (GitDamaged if _DAMAGE.search(complaint) else GitError)(command, exit_code, complaint)
