"""Random writes, random readers, and a Redis that dies and comes back at random: every line once, in order."""

from __future__ import annotations

import random
import threading
import time

import pytest

from builds.logs import flusher
from builds.logs.seal import seal
from builds.logs.writer import LogWriter
from tests.builds.test_log_writer import KEY, Server, Store, server, store  # noqa: F401  fixtures
from tests.fixtures.installation import wait_for


class Reader(threading.Thread):
    """Follows a log with a cursor, as a viewer does, and notes what it sees; it may lose its place and come back."""

    def __init__(self, seed: int, chunks: Store, redis: Server) -> None:
        super().__init__(daemon=True)
        self._chance = random.Random(seed)
        self._reader = chunks.reader(redis.client)
        self.seen: list[str] = []
        self.problem = ""
        self.total: int | None = None

    def run(self) -> None:
        while not self.problem and (self.total is None or len(self.seen) < self.total):
            lines = self._reader.window(len(self.seen), self._chance.choice([1, 10, 500, 5_000]))
            if [line.number for line in lines] != list(range(len(self.seen), len(self.seen) + len(lines))):
                self.problem = f"at {len(self.seen)} came {[line.number for line in lines][:5]}"
            self.seen += [line.text for line in lines]
            time.sleep(self._chance.random() * 0.02)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_line_comes_once_and_in_order_whatever_redis_does(server, store, monkeypatch, seed):  # noqa: F811
    monkeypatch.setattr(flusher, "EARLY_CHUNK_SECONDS", 0.2)
    monkeypatch.setattr(flusher, "FLUSH_BYTES", 30_000 * seed)
    monkeypatch.setattr(flusher, "RECENT_BYTES", 30_000 * seed)
    chance = random.Random(seed)
    written: list[str] = []
    readers = [Reader(seed * 10 + index, store, server) for index in range(3)]
    writer = LogWriter(KEY, server.client, store.put)
    for reader in readers:
        reader.start()
    is_up = True
    for step in range(60):
        count = chance.choice([1, 3, 40, 900, 6_000])
        lines = [f"{len(written) + index} {'y' * chance.randint(0, 60)}" for index in range(count)]
        written += lines
        data = "".join(f"{line}\n" for line in lines).encode()
        cut = chance.randint(0, len(data))
        writer.write(data[:cut])
        store.is_failing = chance.random() < 0.1
        writer.write(data[cut:])
        if step % 12 == 5 and is_up:
            server.kill()
            is_up = False
        elif step % 12 == 9 and not is_up:
            server.restart()
            is_up = True
        elif is_up and chance.random() < 0.05:
            server.client.flushall()
        time.sleep(chance.random() * 0.01)
    store.is_failing = False
    if not is_up:
        server.restart()
    ends_well = chance.random() < 0.7
    if ends_well:
        assert writer.close().line_count == len(written)
    else:
        # The worker dies once everything is stored or in the stream; somebody else closes its log.
        wait_for(lambda: _is_whole(store, server, len(written)))
        writer.abandon()
        assert seal(KEY, server.client, store.line_count, store.put) == len(written)
    for reader in readers:
        reader.total = len(written)
        reader.join(60)
        assert reader.problem == "" and reader.seen == written
    assert store.texts == written


def _is_whole(store: Store, server: Server, count: int) -> bool:  # noqa: F811
    reader = store.reader(server.client)
    return max(reader.live_end(), store.line_count) == count and len(reader.window(count - 1, 1)) == 1
