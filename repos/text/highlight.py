"""Source text to pieces that a page colours, made by child processes that can be killed.

The highlighter's regular expressions meet texts that anybody may push, and some of them can be kept busy for ever. So
they run in children (highlight_worker.py) that have limits of time and memory; one that exceeds them dies, and the
text is shown without colours. The children start when they are first needed and end with this process.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import logging
import os
import select
import subprocess
import sys
import threading
import time
from array import array
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

from codeservices.env import SUPERVISED
from repos.git.blob import split_lines
from repos.text import highlight_worker as worker

logger = logging.getLogger(__name__)

# Beyond these nobody reads a file for its colours, and a browser needs long to draw them.
MAX_BYTES: Final = 256 * 1024
MAX_LINES: Final = 10_000
MAX_LINE_CHARACTERS: Final = 5_000
# Lexers read some 300 KB in a second of a processor, half of it where two share a core. Processor time and no other,
# since what else the machine does must not count.
CPU_SECONDS: Final = 0.5
CPU_SECONDS_PER_BYTE: Final = 1 / 100_000
# An answer may take so many times its processor time; this ends only a child that does not run at all.
PATIENCE: Final = 12
START_SECONDS: Final = 60.0
# The longest that `lines` waits, for others that are before it too.
WAIT_SECONDS: Final = 5.0
# Each holds 30 to 100 MB. More of them would take the processors from those who ask for pages.
CHILDREN: Final = 2
MAX_WAITING: Final = 32
_READ_BYTES: Final = 256 * 1024
_PROGRAM: Final = Path(worker.__file__)


class Piece(NamedTuple):
    """A part of a line.

    Attributes:
        css_class: Pygments' short name of what it is ("k", a keyword), or "" for plain text.
        text: Never empty.
    """

    css_class: str
    text: str


Lines = list[tuple[Piece, ...]]


def lines(text: str, filename: str) -> Lines | None:
    """The lines of a text in pieces.

    Args:
        text: A whole file, decoded; its lines are those of `repos.git.blob.split_lines`.
        filename: Its name or path; the ending decides the language, or else the first line ("#!/bin/sh").

    Returns:
        One tuple a line, whose joined texts are the line; None where the language is unknown, or the text is too
        large or too slow to highlight, or there is too much to do just now.
    """
    job = begin(text, filename)
    try:
        return job.result(WAIT_SECONDS) if job else None
    except TimeoutError:
        return None


def begin(text: str, filename: str) -> Future[Lines | None] | None:
    """`lines` in the background; None where too many texts wait already, so that it is worth asking again later.

    Who asks for the same text meanwhile is given the same answer.
    """
    found = split_lines(text)
    if not _is_eligible(text, found):
        return _settled(None)
    name = filename.rpartition("/")[2]
    key = hashlib.blake2b(f"{name}\0{text}".encode("utf-8", "surrogatepass"), digest_size=20).digest()
    with _lock:
        job = _jobs.get(key)
        if job is not None:
            return job
        if len(_jobs) >= MAX_WAITING:
            logger.warning("%s texts wait to be highlighted: another one is shown without colours", len(_jobs))
            return None
        job = _jobs[key] = _threads.submit(_highlight, found, name)
    job.add_done_callback(lambda _: _jobs.pop(key, None))
    return job


def close() -> None:
    """End the children. They start again when they are needed."""
    while _idle:
        _idle.pop().end()


class _Child:
    """One child; it belongs to the thread that took it from `_idle`."""

    def __init__(self) -> None:
        # Of our variables it needs none but the mark by which a supervisor's leftovers are found. The limits are its
        # own to set: code that runs between fork and exec is unsafe in a process with threads.
        mark = {SUPERVISED: os.environ[SUPERVISED]} if SUPERVISED in os.environ else {}
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(_PROGRAM)],
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
            self._receive(time.monotonic() + START_SECONDS)
        except BaseException:
            self.end()
            raise

    def ask(self, filename: bytes, text: bytes, cpu_seconds: float) -> tuple[bytes, bytes]:
        """The state and the data of the answer; raises _Ended."""
        deadline = time.monotonic() + cpu_seconds * PATIENCE
        self._send(worker.REQUEST.pack(len(filename), len(text), int(cpu_seconds * 1000)) + filename + text, deadline)
        return self._receive(deadline)

    def end(self) -> None:
        """Kill it and wait for it."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait()

    def _send(self, data: bytes, deadline: float) -> None:
        rest = memoryview(data)
        while rest:
            _wait(self._stdin, select.POLLOUT, deadline)
            try:
                rest = rest[os.write(self._stdin, rest) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise _Ended(str(error)) from error

    def _receive(self, deadline: float) -> tuple[bytes, bytes]:
        state, size_bytes = worker.ANSWER.unpack(self._read(worker.ANSWER.size, deadline))
        return state, self._read(size_bytes, deadline)

    def _read(self, size_bytes: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size_bytes:
            _wait(self._stdout, select.POLLIN, deadline)
            piece = os.read(self._stdout, min(_READ_BYTES, size_bytes - len(data)))
            if not piece:
                raise _Ended("it used more time or memory than it may")
            data += piece
        return bytes(data)


class _Ended(Exception):
    """A child has died, or does not answer."""


def _wait(descriptor: int, what: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, what)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise _Ended("it does not answer")


def _is_eligible(text: str, found: list[str]) -> bool:
    return (
        0 < len(text) <= MAX_BYTES
        and len(found) <= MAX_LINES
        and max(map(len, found), default=0) <= MAX_LINE_CHARACTERS
    )


def _highlight(found: list[str], name: str) -> Lines | None:
    """Runs in one of our threads."""
    text = "".join(f"{line}\n" for line in found)  # lexers know no other end of a line
    raw = text.encode("utf-8", "replace")
    if len(raw) > MAX_BYTES:
        return None
    try:
        child = _take()
        try:
            state, data = child.ask(name.encode("utf-8", "replace"), raw, CPU_SECONDS + CPU_SECONDS_PER_BYTE * len(raw))
        except BaseException:
            child.end()
            raise
    except _Ended as error:
        logger.warning("a highlighting child was ended over a text of %s bytes: %s", len(raw), error)
        return None
    _idle.append(child)
    return _joined(found, data) if state == worker.DONE else None


def _take() -> _Child:
    try:
        child = _idle.pop()
    except IndexError:
        return _Child()
    if child.process.poll() is None:
        return child
    child.end()
    return _take()


def _joined(found: list[str], data: bytes) -> Lines | None:
    """The lines cut into pieces as the child says; None if it says what can't be."""
    numbers = array("I")
    with contextlib.suppress(ValueError):
        numbers.frombytes(data)
    result: Lines = []
    pieces: list[Piece] = []
    number, position = 0, 0
    for index, length in zip(numbers[::2], numbers[1::2], strict=True):
        if index == worker.LINE_END:
            if number >= len(found) or position != len(found[number]):
                return None
            result.append(tuple(pieces))
            pieces, position, number = [], 0, number + 1
        elif number >= len(found) or index > worker.LINE_END:
            return None
        else:
            pieces.append(Piece(worker.CLASSES[index], found[number][position : position + length]))
            position += length
    return result if number == len(found) else None


def _settled(value: Lines | None) -> Future[Lines | None]:
    future: Future[Lines | None] = Future()
    future.set_result(value)
    return future


_lock = threading.Lock()
_jobs: dict[bytes, Future[Lines | None]] = {}
_idle: list[_Child] = []
_threads = ThreadPoolExecutor(CHILDREN, thread_name_prefix="highlight")
atexit.register(close)
