"""What a watched build keeps in memory, whatever becomes of its stream and however many read it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from redis.exceptions import ConnectionError

from builds.logs import live, watch
from builds.logs.format import Block, Line

KEY = live.stream_key("uuid")


def text_of(number: int) -> str:
    return f"line {number}"


def block_of(first: int, count: int) -> Block:
    text = "".join(f"{text_of(number)}\n" for number in range(first, first + count))
    return Block(first, count, [[1000 + first, count]], text.encode())


class UncertainRedis:
    """A stream that answers late, sometimes not at all, and between two looks has less or other entries."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.entries: dict[tuple[int, int], dict[str, Any]] = {}
        self.written: list[Block] = []

    # ---- the writer --------------------------------------------------------------------------------------------------

    def write(self) -> None:
        first = self.written[-1].next_line if self.written else 0
        self.written.append(block_of(first, self.chance.choice([1, 1, 3, 40])))
        self.send(self.written[-1:])

    def send(self, blocks: list[Block]) -> None:
        """Blocks of which Redis has no later ones."""
        for block in blocks:
            number = block.first_line + 1, 0
            if not self.entries or number > max(self.entries):
                fields = {"n": block.line_count, "t": json.dumps(block.runs), "s": block.style, "d": block.text}
                self.entries[number] = fields

    def forget(self, count: int, *, newest: bool) -> None:
        """The oldest entries are trimmed, or the newest were lost with a machine; `count` may be all of them."""
        for number in sorted(self.entries, reverse=newest)[:count]:
            del self.entries[number]

    def happen(self) -> None:
        """Something of all that may happen to a stream."""
        match self.chance.choices(
            ["write", "trim", "lose", "vanish", "send again", "send late"], [8, 2, 1, 1, 2, 1], k=1
        )[0]:
            case "write":
                self.write()
            case "trim":
                self.forget(self.chance.randint(1, 4), newest=False)
            case "lose":
                self.forget(self.chance.randint(1, 3), newest=True)
            case "vanish":
                self.entries.clear()
            case "send again":
                self.send(self.written[-self.chance.randint(1, 6) :])
            case "send late":  # what lies before it is stored by now
                self.entries.clear()
                self.send(self.written[-1:])

    # ---- the readers' client -----------------------------------------------------------------------------------------

    async def late(self) -> None:
        for _ in range(self.chance.choice([0, 0, 1, 5, 30])):
            await asyncio.sleep(0)
        if self.chance.random() < 0.05:
            raise ConnectionError("away")

    async def xrevrange(self, key: str, count: int) -> list[Any]:
        found = [self.pair(number) for number in sorted(self.entries, reverse=True)[:count]]
        await self.late()  # the answer was true when it was made
        return found

    async def xread(self, streams: dict[str, str], count: int, block: int) -> list[Any]:
        after = tuple(int(part) for part in streams[KEY].split("-"))
        found = [self.pair(number) for number in sorted(self.entries) if number > after][:count]
        await self.late()
        return [(KEY, found)] if found else []

    def pair(self, number: tuple[int, int]) -> tuple[str, dict[str, Any]]:
        return f"{number[0]}-{number[1]}", self.entries[number]


def rendered(lines: list[Line]) -> bytes:
    return json.dumps([[line.number, line.text] for line in lines]).encode()


def check(watched: watch.Watch, chance: random.Random) -> None:
    """Memory is a run of lines that ends where the next line begins, and gives any of them as it was written."""
    numbers = [line.number for line in watched._recent]
    assert all(after == before + 1 for before, after in pairwise(numbers))
    assert not numbers or numbers[-1] + 1 == watched.next_line <= watched.total_lines
    assert len(numbers) <= watch.RECENT_LINES
    for first in {0, watched.next_line, chance.randint(0, watched.next_line + 5), *numbers[:1], *numbers[-1:]}:
        batch = watched.batch(first)
        if first not in numbers:
            assert batch is None
            continue
        assert batch is not None and (batch.first, batch.next) == (first, min(first + 10, watched.next_line))
        assert json.loads(batch.data) == [[one, text_of(one)] for one in range(first, batch.next)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(watch, "RECENT_LINES", 60)
    monkeypatch.setattr(watch, "LINES_A_BATCH", 10)
    monkeypatch.setattr(live, "ENTRIES_A_READ", 4)
    yield


def test_memory_is_a_run_of_lines_that_ends_at_the_next_one_whatever_happens(small: None) -> None:
    """One reader, and two as there are for a moment when one is ended: each answer may be old when it arrives."""

    async def run(seed: int) -> int:
        chance = random.Random(seed)
        redis = UncertainRedis(chance)
        for _ in range(chance.randint(0, 30)):
            redis.happen()
        watched = watch.Watch(1, "uuid", rendered)
        over = asyncio.Event()

        async def read() -> None:
            while not over.is_set():
                with contextlib.suppress(ConnectionError):
                    await live._read_once(redis, [watched], asyncio.Event(), lambda: None)  # type: ignore[arg-type]
                await asyncio.sleep(0)

        readers = [asyncio.create_task(read()) for _ in range(1 + seed % 2)]
        for _ in range(60):
            for _ in range(chance.randint(0, 8)):
                await asyncio.sleep(0)
            redis.happen()
            check(watched, chance)
        # When it is quiet at last, the newest lines come.
        redis.write()
        async with asyncio.timeout(60):
            while watched.next_line < redis.written[-1].next_line:
                await asyncio.sleep(0)
        check(watched, chance)
        over.set()
        await asyncio.gather(*readers)
        watched.notify()  # ends a timer that waits
        return len(watched._recent)

    assert all(asyncio.run(run(seed)) for seed in range(60))


def test_a_stream_that_nobody_can_read_ends_for_its_viewers_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The database still tells them the end, and where the stored lines are."""

    async def run() -> tuple[watch.Watch, watch.Watch]:
        good, bad = watch.Watch(1, "good", rendered), watch.Watch(2, "bad", rendered)
        good.cursor = bad.cursor = "0-0"
        entry = {"n": 1, "t": "[[1,1]]", "s": "", "d": b"line 0\n"}

        class Client:
            async def xread(self, *_: Any, **__: Any) -> list[Any]:
                return [(live.stream_key("bad"), [("1-0", {"x": 1})]), (live.stream_key("good"), [("1-0", entry)])]

        await live._read_once(Client(), [bad, good], asyncio.Event(), lambda: None)  # type: ignore[arg-type]
        return good, bad

    good, bad = asyncio.run(run())
    assert good.batch(0) is not None and not good.has_ended
    assert bad.has_ended and "can't be read" in caplog.text
