"""That code ends at all which a hostile input could keep busy for ever."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

LIMIT_SECONDS = 60


@contextlib.contextmanager
def ends() -> Iterator[None]:
    """Fail the test where the block goes on for a minute.

    The block's input is such that right code takes a small part of a second, and wrong code hours: so the minute, and
    the speed of the machine, decide nothing. Python's own regular expressions and loops are interrupted.
    """

    def give_up(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"It goes on after {LIMIT_SECONDS} seconds.")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LIMIT_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
