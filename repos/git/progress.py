"""What git tells on stderr while it fetches, read as figures."""

from __future__ import annotations

import re
from dataclasses import dataclass

RECEIVING = "Receiving objects"
PROGRESS = re.compile(
    r"(?:remote: )?(Enumerating objects|Counting objects|Compressing objects|Receiving objects|Resolving deltas|"
    r"Checking connectivity):\s+(?:(\d{1,3})% \((\d{1,15})/(\d{1,15})\)|(\d{1,15}))"
    r"(?:, (\d{1,6}(?:\.\d{1,2})?) (bytes|KiB|MiB|GiB))?"
)
_UNITS = {"bytes": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_MAX_LINE_BYTES = 1024


@dataclass(frozen=True)
class Progress:
    """Where a fetch stands.

    Attributes:
        phase: As git calls it: "Counting objects", "Receiving objects", "Resolving deltas", …
        percent: Of this phase, or None where git can't tell yet.
        count, total: Objects; a total of 0 is not known yet.
        received_bytes: Of the pack so far.
    """

    phase: str
    percent: int | None
    count: int
    total: int
    received_bytes: int = 0


class ProgressReader:
    """Reads git's stderr piece by piece.

    Attributes:
        has_received: Whether git itself has told of a pack that it reads and checks, as it does of every one.
        ref_count: How many refs git has told of that it sets: " * [new branch]  main -> refs/incoming/heads/main".
    """

    def __init__(self) -> None:
        self._rest = b""
        self._received_bytes = 0
        self.has_received = False
        self.ref_count = 0

    def feed(self, piece: bytes) -> Progress | None:
        """The latest progress in a piece, or None where there is none."""
        *lines, rest = re.split(rb"[\r\n]", self._rest + piece)
        self._rest = rest[-_MAX_LINE_BYTES:]
        latest = None
        self.ref_count += sum(line.startswith(b" ") and b" -> " in line for line in lines)
        for line in lines:
            match = PROGRESS.match(line.decode("utf-8", "replace"))
            if match is None:
                continue
            phase, percent, part, total, count, size, unit = match.groups()
            if line.startswith(RECEIVING.encode()):  # what another server says begins with "remote: "
                self.has_received = True
                self._received_bytes = int(float(size) * _UNITS[unit]) if size else self._received_bytes
            latest = Progress(
                phase,
                min(100, int(percent)) if percent else None,
                int(part or count),
                int(total or 0),
                self._received_bytes,
            )
        return latest
