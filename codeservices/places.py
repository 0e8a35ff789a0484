"""Places for requests that cost much: so many at once, a short queue for them, and nobody takes them all."""

from __future__ import annotations

import asyncio
import math
import weakref
from collections import Counter, deque
from collections.abc import Callable

# A request that finds every place taken waits this long before it is sent away for RETRY_SECONDS.
QUEUE_SECONDS = 15.0
RETRY_SECONDS = 10
# One holder has at most this share of the places, rounded up, and so many waiting requests for each of them.
HOLDER_SHARE = 0.75
WAITING_PER_PLACE = 8


class NoPlace(Exception):
    """No place is free, nor will one be soon."""


class ProcessPlaces:
    """The places of this process.

    Args:
        count: Tells how many there are.
    """

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._of_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Places] = weakref.WeakKeyDictionary()

    def here(self) -> Places:
        """Those of the loop that runs: a process has one, but for tests."""
        loop = asyncio.get_running_loop()
        if loop not in self._of_loops:
            self._of_loops[loop] = Places(self._count())
        return self._of_loops[loop]


class Places:
    """Places for requests, given to the holder who has the fewest; among equals to the one who waited longest.

    Args:
        count: How many there are.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._most_held = math.ceil(count * HOLDER_SHARE)
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def take(self, holder: str) -> None:
        """Take a place, waiting for one if need be; raises NoPlace where that would be long."""
        if self._free and self._held[holder] < self._most_held:
            self._give(holder)  # nobody waits who could have had it: whatever becomes free is given away at once
            return
        queue = self._waiting.setdefault(holder, deque())
        if len(queue) >= WAITING_PER_PLACE * self._most_held:
            raise NoPlace
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.put_back(holder)  # it came at the very moment in which we gave up
            elif turn in queue:
                queue.remove(turn)
                if not queue:
                    del self._waiting[holder]
            if isinstance(error, TimeoutError):
                raise NoPlace from None
            raise

    def put_back(self, holder: str) -> None:
        """Give a place back, and hand it on."""
        self._free += 1
        self._held[holder] -= 1
        if not self._held[holder]:
            del self._held[holder]
        while self._free and (following := self._next()) is not None:
            queue = self._waiting.pop(following)
            turn = queue.popleft()
            if queue:
                self._waiting[following] = queue  # behind the others: dictionaries keep their order
            if not turn.done():
                self._give(following)
                turn.set_result(None)

    def _give(self, holder: str) -> None:
        self._free -= 1
        self._held[holder] += 1

    def _next(self) -> str | None:
        entitled = [one for one, queue in self._waiting.items() if queue and self._held[one] < self._most_held]
        return min(entitled, key=lambda one: self._held[one], default=None)
