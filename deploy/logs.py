"""`make logs`: the last lines of every process, each with its name; FOLLOW=1 goes on with what comes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import BinaryIO

from deploy import places, say

_LINES = 30
_READ_BYTES = 64 * 1024
_POLL_SECONDS = 0.3


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a file of any size."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _READ_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return lines[-count:]


class Tail:
    """What is appended to a log, across its rotation."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("rb")
        self._file.seek(0, 2)
        self._rest = b""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def new_lines(self) -> list[str]:
        """Whole lines written since the last call."""
        data = self._file.read()
        if self._is_rotated():
            self._file.close()
            self._file = self.path.open("rb")
            data += self._file.read()
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines]

    def _is_rotated(self) -> bool:
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        here = self._file
        return there.st_ino != os.fstat(here.fileno()).st_ino or there.st_size < here.tell()


def logs(*, follow: bool) -> None:
    """Print the last lines of each process log; with `follow`, until interrupted.

    Raises:
        Refusal: Nothing has run here yet.
    """
    paths = sorted(places.logs_root().glob("*.log"))
    if not paths:
        raise say.Refusal("There are no logs yet. Start the system with: make up")
    width = max(len(path.stem) for path in paths)
    tails = [Tail(path) for path in paths]
    for path in paths:
        for text in last_lines(path, _LINES):
            print(f"{path.stem:<{width}} | {text}")
    sys.stdout.flush()
    while follow:
        for tail in tails:
            for text in tail.new_lines():
                print(f"{tail.path.stem:<{width}} | {text}", flush=True)
        time.sleep(_POLL_SECONDS)
