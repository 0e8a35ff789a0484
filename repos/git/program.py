"""The git program as a child process: argument lists, one fixed configuration, limits, time-outs, streams.

Every call goes through here. Callers resolve refs to oids first, put `--end-of-options` before positional arguments
where the command knows it, and `--` before paths; no shell is involved, so any byte may stand in an argument.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from codeservices.env import SUPERVISED
from codeservices.errors import ServiceError
from repos.git.child import PIPE_BYTES, Child, start_child
from repos.git.store import BareRepository

TIMEOUT_SECONDS = 30.0
MAX_OUTPUT_BYTES = 64 * 1024 * 1024
READ_BYTES = 256 * 1024
COMPLAINT_LINES = 5
COMPLAINT_BYTES = 4096
# The anonymous memory of one git process. Packs are mapped, not counted; git streams blobs above 512 MiB.
MEMORY_BYTES = 4 * 1024**3
# Time for a git that was asked to stop to remove its quarantine and lock files.
GRACE_SECONDS = 5.0
# Deltas upon deltas can keep a processor busy for days; the linux kernel is indexed within minutes.
CPU_SECONDS = 3600
CHECK_SECONDS = 0.5
LIMITS = ((resource.RLIMIT_CPU, CPU_SECONDS), (resource.RLIMIT_CORE, 0))
# The only hook there is: quarantine.py, run by receive-pack.
HOOKS = Path(__file__).with_name("hooks")
INTERNAL_REFS = "refs/internal"

# Three defects that the histories of many old projects carry and that harm nobody.
TOLERATED_DEFECTS = ("badTimezone", "missingSpaceBeforeDate", "zeroPaddedFilemode")

# Source: git-config(1), and what gitaly sets for every command (internal/git/command_description.go).
CONFIGURATION: Mapping[str, str] = {
    "core.hooksPath": "/dev/null",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.fsmonitor": "false",
    "core.quotePath": "false",
    "core.useReplaceRefs": "false",  # an oid always means its own bytes, as it does to dulwich
    "core.alternateRefsCommand": "exit 0 #",
    "core.fsync": "objects,derived-metadata,reference",
    "core.fsyncMethod": "fsync",
    "gc.auto": "0",  # upkeep has its own task; a push must not wait for it
    "maintenance.auto": "false",
    "pack.windowMemory": "100m",
    "protocol.allow": "never",
    "protocol.file.allow": "always",
    "transfer.hideRefs": INTERNAL_REFS,
    "transfer.fsckObjects": "true",
    "receive.fsckObjects": "true",
    **{f"receive.fsck.{defect}": "ignore" for defect in TOLERATED_DEFECTS},
    "receive.autogc": "false",
    "receive.advertisePushOptions": "true",
    "receive.unpackLimit": "1",  # one pack and one fsync, where each of a hundred loose objects would need its own
    "receive.denyNonFastForwards": "false",
    "receive.denyDeletes": "false",
    # CodeCommit's DeleteBranch refuses the default branch (DefaultBranchCannotBeDeleted); a push is the same door.
    "receive.denyDeleteCurrent": "refuse",
    "uploadpack.allowFilter": "true",
    # A partial clone asks for its blobs by their oids. Protocol 2 grants that to whoever may read; so do 0 and 1.
    "uploadpack.allowAnySHA1InWant": "true",
}
ENVIRONMENT: Mapping[str, str] = {
    "HOME": "/nonexistent",
    "XDG_CONFIG_HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
    "TZ": "UTC",
    "CODESERVICES_PYTHON": sys.executable,  # for the hook
}

Argument = str | bytes

# Git's words for objects that are missing, cut, garbled, or of another kind than what names them says.
_DAMAGE = re.compile(
    r"corrupt|missing (?:blob|tree|commit|object)|bad (?:file|object|tree|blob|revision)|unable to read|inflate"
    r"|could not (?:read|parse|get) |failed to (?:read|parse|traverse|load)|not a (?:tree|blob|commit|valid object)"
    r"|unable to (?:parse|unpack|find)|too-short tree|malformed mode|empty filename|revision walk setup failed",
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


@contextlib.contextmanager
def conversation(
    repository: BareRepository, args: Sequence[Argument], *, timeout_seconds: float
) -> Iterator[tuple[IO[bytes], Iterator[bytes]]]:
    """Run a command that answers while it is asked: its stdin, and what it writes as it comes.

    It is ended with the block, whatever it was doing. Whoever writes more than a pipe holds before reading waits for
    ever. The output raises GitTimeout where the time is over.
    """
    process = subprocess.Popen(
        _argv(repository, args, {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment_of(repository, {}),
        cwd=repository.path,
        start_new_session=True,
    )
    try:
        _limit(process.pid)
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError):  # the user's pipes take too many pages together: it stays small
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        yield process.stdin, _Child(process, _name(args), timeout_seconds).output()
    finally:
        _signal_group(process.pid, signal.SIGKILL)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()  # type: ignore[union-attr]
        _reap(process)


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
        _argv(repository, args, configuration),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment_of(repository, environment),
        cwd=repository.path,
        start_new_session=True,
    )
    try:
        _limit(process.pid)
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
            raise GitError(_name(args), exit_code, _scrubbed(last.replace(b"\r", b"\n"), repository))
    finally:
        _reap(process)


def fingerprint() -> str:
    """Text that changes where the program is another one or is configured otherwise: it may then answer otherwise."""
    path = shutil.which("git") or ""
    status = os.stat(path) if path else None  # noqa: PTH116  no Path is at hand
    stamp = f"{path} {status.st_ino} {status.st_size} {status.st_mtime_ns}" if status else ""
    return f"{stamp} {sorted(CONFIGURATION.items())}"


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
            _signal_group(self.process.pid, signal.SIGTERM)
            try:
                await self._end_within_grace()
            finally:
                # What the group's leader started may have outlived it; as long as it lives the group's id is its own.
                _signal_group(self.process.pid, signal.SIGKILL)
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
        return _complaint(self._stderr, self._repository)


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
            _argv(repository, [*args, bytes(repository.path)], configuration or {}),
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
    _limit(process.pid)
    return WireProcess(process, _name(args), repository, stderr)


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
        try:
            return self.process.wait(max(0.01, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise GitTimeout(self.command, self.timeout_seconds) from None


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
    command = _name(args)
    with contextlib.ExitStack() as stack:
        # A file as stdin and as stderr: neither can fill up and stop the child, so only stdout needs reading.
        stdin: IO[bytes] | int = subprocess.DEVNULL
        if input:
            stdin = stack.enter_context(tempfile.TemporaryFile())
            stdin.write(input)
            stdin.seek(0)
        stderr = stack.enter_context(tempfile.TemporaryFile())
        argv = _argv(repository, args, options.configuration)
        process = subprocess.Popen(
            [*_background(), *argv] if options.is_background else argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if options.is_complaint_output else stderr,
            env=environment_of(repository, environment or {}),
            cwd=repository.path,
            start_new_session=True,
            pass_fds=options.pass_fds,
        )
        stack.callback(_reap, process)
        _limit(process.pid, options.memory_bytes)
        child = _Child(process, command, timeout_seconds, options.check)
        yield child
        exit_code = child.wait()
        if exit_code not in ok_codes:
            complaint = _complaint(stderr, repository)
            raise (GitDamaged if _DAMAGE.search(complaint) else GitError)(command, exit_code, complaint)


def _argv(repository: BareRepository, args: Sequence[Argument], configuration: Mapping[str, str]) -> list[bytes]:
    argv = [b"git", b"--no-pager"]
    for key, value in {**CONFIGURATION, "safe.directory": str(repository.path), **configuration}.items():
        argv += [b"-c", os.fsencode(f"{key}={value}")]
    return argv + [arg if isinstance(arg, bytes) else arg.encode("utf-8", "surrogateescape") for arg in args]


def _background() -> list[bytes]:
    """A command that runs another one with less claim to the processor and, where the machine has ionice, the disk."""
    priority = [b"nice", b"-n", b"10"]
    return [*priority, b"ionice", b"-c", b"2", b"-n", b"7"] if shutil.which("ionice") else priority


def environment_of(repository: BareRepository, more: Mapping[str, str]) -> dict[str, str]:
    """The variables of a git process. Of our own, PATH reaches git and the mark of our supervisor's children: no GIT_*
    of whoever started us, no secret."""
    ours = {"PATH": os.environ.get("PATH", os.defpath)}
    if SUPERVISED in os.environ:
        ours[SUPERVISED] = os.environ[SUPERVISED]
    return {**ours, **ENVIRONMENT, "GIT_DIR": str(repository.path), **more}


def _limit(pid: int, memory_bytes: int = MEMORY_BYTES) -> None:
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
            _limit(int(child), memory_bytes)


def _name(args: Sequence[Argument]) -> str:
    return args[0] if isinstance(args[0], str) else args[0].decode("utf-8", "replace")


def _reap(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        _signal_group(process.pid, signal.SIGKILL)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    process.wait()


def _signal_group(pid: int, number: int) -> None:
    # The child leads its own session, so its process group carries its pid for as long as any member lives.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _complaint(stderr: IO[bytes], repository: BareRepository) -> str:
    # Read at a position: seeking would move the offset that the child shares with us.
    raw = os.pread(stderr.fileno(), COMPLAINT_BYTES, 0)
    return "\n".join(_scrubbed(raw, repository).splitlines()[:COMPLAINT_LINES])


def _scrubbed(raw: bytes, repository: BareRepository) -> str:
    return raw.replace(bytes(repository.path), b"(repository)").decode("utf-8", "replace").strip()
