"""Many objects from one git process, asked for while earlier ones are still read."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from typing import IO, Final

from repos.git import program
from repos.git.store import BareRepository

# What lies asked for and unanswered has to fit into a pipe (64 KiB), or git and we would wait for each other.
MAX_UNREAD_BYTES: Final = 32 * 1024


class CatFile:
    """A running `git cat-file --batch`: ask for any number of objects, then take the answers in that order."""

    def __init__(self, stdin: IO[bytes], output: Iterator[bytes]) -> None:
        self._stdin = stdin
        self._output = output
        self._data = b""
        self._at = 0
        self._asked: deque[bytes] = deque()
        self._unread_bytes = 0
        self._is_unsent = False

    def ask(self, name: bytes) -> None:
        """Ask for an object by a full oid, or "OID:PATH"; the caller takes answers before `is_full`."""
        self._stdin.write(name + b"\0")
        self._asked.append(name)
        self._is_unsent = True
        self._unread_bytes += len(name) + 1

    @property
    def is_full(self) -> bool:
        """An answer has to be taken before more is asked."""
        return self._unread_bytes > MAX_UNREAD_BYTES

    def answer(self) -> tuple[bytes, bytes] | None:
        """(kind, bytes) of the object that was asked for first among those without an answer; None if it is missing.

        Raises:
            GitTimeout: The time of this process is over.
            GitError: It ended early.
        """
        if self._is_unsent:
            self._stdin.flush()
            self._is_unsent = False
        name = self._asked.popleft()
        self._unread_bytes -= len(name) + 1
        while (end := self._data.find(b"\n", self._at)) < 0:
            self._more()
        fields = self._data[self._at : end].split(b" ")
        if len(fields) != 3 or len(fields[0]) != 40 or not fields[2].isdigit():  # "NAME missing", with any name
            self._take(len(name) + len(b" missing\n"))
            return None
        self._at = end + 1
        found = self._take(int(fields[2]))
        self._take(1)
        return fields[1], found

    def _take(self, length: int) -> bytes:
        while len(self._data) - self._at < length:
            self._more()
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken

    def _more(self) -> None:
        piece = next(self._output, None)
        if piece is None:
            raise program.GitError("cat-file", 0, "it ended before it had answered")
        self._data = self._data[self._at :] + piece
        self._at = 0


@contextlib.contextmanager
def opened(repository: BareRepository, *, timeout_seconds: float) -> Iterator[CatFile]:
    """Start one; it is ended with the block, answered or not."""
    args = ["cat-file", "--batch", "-z"]
    with program.conversation(repository, args, timeout_seconds=timeout_seconds) as (stdin, output):
        yield CatFile(stdin, output)
