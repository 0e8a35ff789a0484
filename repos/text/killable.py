"""Functions of ours that a hostile text can make slow, run in a process that is ended when they take too much.

The process lives on from call to call, since the libraries such a function needs take longer to import than it takes
to answer. It is started with `python -m repos.text.killable MODULE:FUNCTION` and told, line by line, how much processor
time a call has and a JSON list of arguments; it answers with a JSON value each.
"""

from __future__ import annotations

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
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from codeservices.env import SUPERVISED

# Enough for the libraries and any text that they are given; a text that needs more is one that nobody wants shown.
MEMORY_BYTES: Final = 768 * 1024 * 1024
READ_BYTES: Final = 64 * 1024
# The first call waits for the process's imports as well.
START_SECONDS: Final = 20.0
PATIENCE: Final = 4
_ROOT: Final = Path(__file__).resolve().parents[2]


class Stopped(Exception):
    """There is no answer.

    Attributes:
        is_final: The function takes too much, as it will the next time; False where the machine had no time for it now.
    """

    def __init__(self, *, is_final: bool) -> None:
        super().__init__("it takes too much" if is_final else "the machine is busy")
        self.is_final = is_final


class Killable:
    """One function in a process of its own; threads may share it, each call has it alone.

    Args:
        target: "package.module:function"; it takes and returns what JSON can hold.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def call(self, *arguments: Any, cpu_seconds: float) -> Any:
        """What the function returns.

        Args:
            arguments: For the function.
            cpu_seconds: How much processor time it has; a machine that does much else gives it PATIENCE times as long.

        Raises:
            Stopped: It took more, it failed, or its turn did not come.
        """
        deadline = time.monotonic() + cpu_seconds * PATIENCE
        if not self._lock.acquire(timeout=cpu_seconds * PATIENCE):
            raise Stopped(is_final=False)
        try:
            process = self._process
            if process is None or process.poll() is not None:
                process = self._start()
                deadline += START_SECONDS
            try:
                answer = self._ask(process, json.dumps([cpu_seconds, arguments]).encode("ascii") + b"\n", deadline)
            except (OSError, Stopped) as error:
                self._stop()
                raise Stopped(is_final=getattr(error, "is_final", True)) from None
            if answer is None:
                raise Stopped(is_final=True)
            return answer["value"]
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the process; a later call starts another."""
        with self._lock:
            self._stop()

    def _start(self) -> subprocess.Popen[bytes]:
        self._stop()
        ours = {name: os.environ[name] for name in ("PATH", SUPERVISED) if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "repos.text.killable", self._target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            env={**ours, "PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            bufsize=0,
        )
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
        resource.prlimit(self._process.pid, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()

    def _ask(self, process: subprocess.Popen[bytes], question: bytes, deadline: float) -> Any:
        assert process.stdin is not None and process.stdout is not None
        stdin, stdout = process.stdin.fileno(), process.stdout.fileno()
        unsent = memoryview(question)
        while unsent:
            _ready(stdin, select.POLLOUT, deadline)
            unsent = unsent[os.write(stdin, unsent[:READ_BYTES]) :]
        return json.loads(b"".join(_line(stdout, deadline)))


def _line(descriptor: int, deadline: float) -> Iterator[bytes]:
    while True:
        _ready(descriptor, select.POLLIN, deadline)
        piece = os.read(descriptor, READ_BYTES)
        if not piece:  # killed by the system for what it took
            raise Stopped(is_final=True)
        yield piece
        if piece.endswith(b"\n"):
            return


def _ready(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise Stopped(is_final=False)


def serve(target: str) -> None:
    """Answer calls on stdin until it ends. Null is the answer to what raised."""
    module, _, name = target.partition(":")
    function = getattr(importlib.import_module(module), name)
    for question in sys.stdin.buffer:
        cpu_seconds, arguments = json.loads(question)
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)  # its signal, which nobody handles, ends the process
        try:
            answer = {"value": function(*arguments)}
        except Exception:  # whatever a library does with a hostile text, MemoryError too, the next one is answered
            answer = None
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(json.dumps(answer).encode("ascii") + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
