"""Functions of ours that a hostile text can make slow or greedy, run in child processes that have limits.

A child lives on from call to call, since what such a function imports takes longer to load than it takes to answer. It
is an isolated interpreter that sets its limits before it imports the function, and is asked line by line: how much
processor time a call has and its arguments, as a JSON list; it answers with a JSON object. One that takes more than it
was given ends by a signal that Python does not handle. All end with the process that started them, when their input
does.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from codeservices.env import SUPERVISED

# Enough for the libraries and any text that they are given; a text that needs more is one that nobody wants shown.
MEMORY_BYTES: Final = 768 * 1024 * 1024
# Imports and the first call, on a machine that does much else.
START_SECONDS: Final = 30.0
# The arguments are the folder of our packages and the target.
_PROGRAM: Final = "import sys; sys.path.insert(0, sys.argv[1]); from repos.text import child_pool; child_pool.main()"
_ROOT: Final = str(Path(__file__).resolve().parents[2])
_READ_BYTES: Final = 256 * 1024


class Stopped(Exception):
    """There is no answer.

    Attributes:
        is_final: The function fails or takes too much, as it will the next time; False where the machine had no time
            for it now.
    """

    def __init__(self, *, is_final: bool) -> None:
        super().__init__("it fails, or takes more than it may" if is_final else "the machine is busy")
        self.is_final = is_final


class ChildPool:
    """One function in a few processes of its own, which start when they are needed. Threads may share it.

    Args:
        target: "package.module:function"; it takes and returns what JSON can hold.
        first: Arguments of a call that each child makes when it starts, so that what the function loads at its first
            call is no part of anybody's time.
        children: The most that run at the same time; each holds 30 to 100 MB.
        niceness: How far others come before them, from 0 to 19.
    """

    def __init__(self, target: str, *, first: tuple[Any, ...], children: int = 1, niceness: int = 0) -> None:
        self._target = target
        self._niceness = niceness
        self._first = first
        self._turns = threading.BoundedSemaphore(children)
        self._idle: list[_Child] = []
        atexit.register(self.close)

    def call(self, *arguments: Any, cpu_seconds: float, wait_seconds: float) -> Any:
        """What the function returns.

        Args:
            arguments: For the function.
            cpu_seconds: How much processor time it has; what else the machine does is no part of it.
            wait_seconds: The longest to wait for a turn, and then for the answer; where a child has to be started,
                START_SECONDS more.

        Raises:
            Stopped: It took more, it failed, or its turn did not come.
        """
        if not self._turns.acquire(timeout=wait_seconds):
            raise Stopped(is_final=False)
        try:
            child = self._take()
            try:
                answer = child.ask(arguments, cpu_seconds, time.monotonic() + wait_seconds)
            except BaseException:
                child.end()
                raise
            self._idle.append(child)
        finally:
            self._turns.release()
        if "value" not in answer:
            raise Stopped(is_final=True)
        return answer["value"]

    def close(self) -> None:
        """End the children that wait; a later call starts others."""
        while self._idle:
            self._idle.pop().end()

    def _take(self) -> _Child:
        while self._idle:
            with contextlib.suppress(IndexError):  # another thread may have taken the last one
                child = self._idle.pop()
                if child.process.poll() is None:
                    return child
                child.end()
        return _Child(self._target, self._first, self._niceness)


class _Child:
    """One process; it belongs to the thread that took it."""

    def __init__(self, target: str, first: tuple[Any, ...], niceness: int) -> None:
        # The limits are the child's to set: code between fork and exec is unsafe in a process with threads.
        # Of our variables it needs none but the mark by which a supervisor's leftovers are found.
        mark = {SUPERVISED: os.environ[SUPERVISED]} if SUPERVISED in os.environ else {}
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", _PROGRAM, _ROOT, target, str(niceness)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={"LC_ALL": "C.UTF-8", **mark},
            start_new_session=True,
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self._stdin, self._stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self._stdin, False)
        try:
            self.ask(first, START_SECONDS, time.monotonic() + START_SECONDS)
        except BaseException:
            self.end()
            raise

    def ask(self, arguments: tuple[Any, ...], cpu_seconds: float, deadline: float) -> dict[str, Any]:
        """What the child answers; raises Stopped, and then the child is to be ended."""
        unsent = memoryview(json.dumps([cpu_seconds, arguments]).encode("ascii") + b"\n")
        try:
            while unsent:
                _wait(self._stdin, select.POLLOUT, deadline)
                with contextlib.suppress(BlockingIOError):
                    unsent = unsent[os.write(self._stdin, unsent) :]
        except OSError:
            raise Stopped(is_final=False) from None  # it had died before it was asked
        received = bytearray()
        while not received.endswith(b"\n"):
            _wait(self._stdout, select.POLLIN, deadline)
            piece = os.read(self._stdout, _READ_BYTES)
            if not piece:
                raise Stopped(is_final=True)
            received += piece
        answer: dict[str, Any] = json.loads(received)
        return answer

    def end(self) -> None:
        """Kill it and wait for it."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait()


def _wait(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise Stopped(is_final=False)


def serve(target: str) -> None:
    """Answer calls on stdin until it ends; what raised has no value."""
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(module), name)
    for question in sys.stdin.buffer:
        cpu_seconds, arguments = json.loads(question)
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        try:
            answer = {"value": function(*arguments)}
        except Exception:  # whatever a library does with a hostile text, MemoryError too, the next one is answered
            answer = {}
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(json.dumps(answer).encode("ascii") + b"\n")
        sys.stdout.buffer.flush()


def main() -> None:
    """The program of a child."""
    for kind, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        resource.setrlimit(kind, (most, most))
    os.nice(int(sys.argv[3]))
    serve(sys.argv[2])
