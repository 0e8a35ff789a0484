"""Source text to pieces that a page colours, made by child processes that can be killed.

The highlighter's regular expressions meet texts that anybody may push, and some of them can be kept busy for ever. So
they (lexing.py) run in children that have limits of time and memory (child_pool.py); one that exceeds them dies, and
the text is shown without colours.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple

from repos.git.blob import split_lines
from repos.text import lexing
from repos.text.child_pool import ChildPool, Stopped

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
# The longest that `lines` waits, for others that are before it too.
WAIT_SECONDS: Final = 5.0
# More of them would take the processors from those who ask for pages.
CHILDREN: Final = 2
# Pages and git come before the colours, which nobody waits for.
NICENESS: Final = 10
MAX_WAITING: Final = 32


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
    return awaited(begin(text, filename))


def awaited(job: Future[Lines | None] | None) -> Lines | None:
    """What `lines` gives for a text that was begun; None where it takes too long."""
    try:
        return job.result(WAIT_SECONDS) if job else None
    except TimeoutError:
        return None


def begin(text: str, filename: str) -> Future[Lines | None] | None:
    """`lines` in the background; None where too many texts wait already, so that it is worth asking again later.

    Who asks for the same text meanwhile is given the same answer.
    """
    found = split_lines(text)
    name = filename.rpartition("/")[2]
    if not lexing.has_language(name, text) or not _is_eligible(text, found):
        return _settled(None)
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


def _is_eligible(text: str, found: list[str]) -> bool:
    return (
        0 < len(text) <= MAX_BYTES
        and len(found) <= MAX_LINES
        and max(map(len, found), default=0) <= MAX_LINE_CHARACTERS
    )


def _highlight(found: list[str], name: str) -> Lines | None:
    """Runs in one of our threads."""
    text = "".join(f"{line}\n" for line in found)  # lexers know no other end of a line
    size_bytes = len(text.encode("utf-8", "replace"))
    if size_bytes > MAX_BYTES:
        return None
    cpu_seconds = CPU_SECONDS + CPU_SECONDS_PER_BYTE * size_bytes
    try:
        numbers = _children.call(name, text, cpu_seconds=cpu_seconds, wait_seconds=cpu_seconds * PATIENCE)
    except Stopped as error:
        logger.warning("a text of %s bytes is shown without colours: %s", size_bytes, error)
        return None
    return None if numbers is None else _joined(found, numbers)


def _joined(found: list[str], numbers: Sequence[int]) -> Lines | None:
    """The lines cut into pieces as the child says; None if it says what can't be."""
    result: Lines = []
    pieces: list[Piece] = []
    number, position = 0, 0
    for index, length in zip(numbers[::2], numbers[1::2], strict=True):
        if index == lexing.LINE_END:
            if number >= len(found) or position != len(found[number]):
                return None
            result.append(tuple(pieces))
            pieces, position, number = [], 0, number + 1
        elif number >= len(found) or index > lexing.LINE_END:
            return None
        else:
            pieces.append(Piece(lexing.CLASSES[index], found[number][position : position + length]))
            position += length
    return result if number == len(found) else None


def _settled(value: Lines | None) -> Future[Lines | None]:
    future: Future[Lines | None] = Future()
    future.set_result(value)
    return future


_lock = threading.Lock()
_jobs: dict[bytes, Future[Lines | None]] = {}
_threads = ThreadPoolExecutor(CHILDREN, thread_name_prefix="highlight")
# The first look at all languages is slow.
_children = ChildPool("repos.text.lexing:answer", first=("ready.c", ""), children=CHILDREN, niceness=NICENESS)
