"""The log between worker, Redis and storage, with a real Redis that is killed, emptied and restarted."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from builds.logs import flusher
from builds.logs.flusher import LogLost
from builds.logs.format import Chunk, Line, decode_chunk
from builds.logs.reader import LogReader
from builds.logs.seal import seal
from builds.logs.stream import EXPIRE_SECONDS, stream_key
from builds.logs.writer import LogWriter, Summary
from tests.fixtures.installation import wait_for
from tests.fixtures.redis import start

KEY = "00000000-build"


class Server:
    """A private redis-server on a unix socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        self.process = start(folder, self.socket)
        self.client = Redis(unix_socket_path=str(self.socket), socket_timeout=60, retry=Retry(NoBackoff(), 0))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        self.process = start(self.folder, self.socket)


class Store:
    """Where chunks go: counts, checks that writing twice changes nothing, fails when told to."""

    def __init__(self) -> None:
        self.chunks: dict[int, Chunk] = {}
        self.is_failing = False
        self.is_lost = False

    def put(self, chunks: list[Chunk]) -> None:
        if self.is_lost:
            raise LogLost
        if self.is_failing:
            raise OSError("storage is away")
        for chunk in chunks:
            assert self.chunks.setdefault(chunk.first_line, chunk) == chunk

    @property
    def in_order(self) -> list[Chunk]:
        return [self.chunks[first] for first in sorted(self.chunks)]

    @property
    def lines(self) -> list[Line]:
        lines = [line for chunk in self.in_order for line in decode_chunk(chunk.data).lines()]
        assert [line.number for line in lines] == list(range(len(lines))), "a gap or a repeat"
        return lines

    @property
    def line_count(self) -> int:
        return sum(chunk.line_count for chunk in self.chunks.values())

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]

    def reader(self, redis: Redis) -> LogReader:
        def find(first: int, count: int) -> list[Chunk]:
            return [
                one
                for one in self.in_order
                if one.first_line < first + count <= one.first_line + one.line_count
                or (first < one.first_line + one.line_count and one.first_line < first + count)
            ]

        return LogReader(KEY, redis, find, lambda chunk: chunk.data)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "redis")
    yield made
    made.client.close()
    made.process.kill()
    made.process.wait()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def writer(server: Server, store: Store) -> Iterator[LogWriter]:
    made = LogWriter(KEY, server.client, store.put)
    yield made
    made.abandon()


def numbered(first: int, count: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(first, first + count))


def test_lines_are_live_within_a_moment_and_whole_in_the_end(server, store, writer):
    writer.write(b"one\ntwo\nthr")
    reader = store.reader(server.client)
    wait_for(lambda: reader.live_end() == 2)
    assert [line.text for line in reader.window(0, 10)] == ["one", "two"]
    writer.write(b"ee\nlast without newline")
    assert writer.close() == Summary(4, 35, 0)
    assert store.texts == ["one", "two", "three", "last without newline"]
    assert reader.window(2, 1)[0].text == "three"


def test_a_line_s_time_is_when_its_last_byte_came_and_never_goes_back(server, store):
    now = [1000.0]
    writer = LogWriter(KEY, server.client, store.put, clock=lambda: now[0])
    for moment, data in ((1000.0, b"a\nb"), (1001.5, b"\n"), (900.0, b"c\n"), (1002.0, b"d\n")):
        now[0] = moment
        writer.write(data)
    writer.close()
    assert [(line.text, line.time_ms) for line in store.lines] == [
        ("a", 1_000_000),
        ("b", 1_001_500),
        ("c", 1_001_500),
        ("d", 1_002_000),
    ]


def test_our_own_lines_begin_on_a_line_of_their_own(store, writer):
    writer.write(b"half")
    writer.line("[Container] ours\nsecond")
    writer.close()
    assert store.texts == ["half", "[Container] ours", "second"]


def test_binary_output_becomes_text_and_carriage_returns_stay(store, writer):
    writer.write(b"\xff\xfe\x00A\x1b[31m 10%\r 20%\r\n\xc3")
    writer.write(b"\xa4\n")
    writer.close()
    assert store.texts == ["\ufffd\ufffdA\x1b[31m 10%\r 20%\r", "ä"]


def test_a_long_line_is_split_softly_between_characters(store, writer):
    for _ in range(50):
        writer.write("ä€".encode() * 5_000)
    writer.close()
    assert "".join(store.texts) == "ä€" * 250_000
    assert len(store.texts) == 20 and max(len(text.encode()) for text in store.texts) <= 65536


def test_chunks_hold_at_most_four_thousand_lines_and_256_kib(store, writer):
    writer.write(numbered(0, 9_500))
    writer.write(b"".join(b"x" * 60_000 + b"\n" for _ in range(20)))
    writer.close()
    assert [chunk.line_count for chunk in store.in_order][:2] == [4000] * 2
    assert max(chunk.size_bytes for chunk in store.in_order) <= 256 * 1024
    assert store.line_count == len(store.lines) == 9_520
    assert b"".join(decode_chunk(chunk.data).text for chunk in store.in_order).startswith(numbered(0, 5_500))


def test_secrets_are_masked_before_anything_is_stored(server, store, writer):
    writer.write(b"token is hun")
    writer.add_secrets(["hunter2secret"])
    writer.write(b"dred\nhunter2")
    writer.write(b"secret\n")
    writer.line("Running command curl -H hunter2secret")
    writer.close()
    assert store.texts == ["token is hundred", "***", "Running command curl -H ***"]
    assert b"hunter2secret" not in (server.folder / "appendonlydir/appendonly.aof.1.incr.aof").read_bytes()


def test_a_secret_that_is_split_by_nul_is_masked(store, server):
    writer = LogWriter(KEY, server.client, store.put, secrets=["hunter2secret"])
    writer.write("hunter2secret\n".encode("utf-16-le") + b"hun\0ter2")
    writer.write(b"\0secret\n")
    writer.close()
    assert store.texts == ["***", "***"]


def test_the_stream_is_trimmed_only_of_what_is_stored(server, store, writer):
    store.is_failing = True
    writer.write(numbered(0, 8_000))
    reader = store.reader(server.client)
    wait_for(lambda: reader.live_end() == 8_000)
    assert len(reader.live(0, 10_000)) == 8_000
    store.is_failing = False
    wait_for(lambda: store.line_count == 8_000)
    wait_for(lambda: len(reader.live(0, 10_000)) == 0)
    assert len(reader.live(7_500, 1_000)) == 500
    assert [line.number for line in reader.window(3_990, 20)] == list(range(3_990, 4_010))
    writer.close()


def test_of_very_long_lines_few_stay_in_memory_and_in_the_stream(server, store, writer):
    for number in range(80):
        writer.write(b"%02d" % number + b"x" * 60_000 + b"\n")
    reader = store.reader(server.client)
    wait_for(lambda: reader.live_end() == 80)
    writer.close()
    in_memory = sum(len(block.text) for block in writer._flusher._kept)
    in_stream = sum(len(fields[b"d"]) for _, fields in server.client.xrange(stream_key(KEY)) if b"d" in fields)
    assert 0 < in_stream == in_memory <= flusher.RECENT_BYTES
    assert [line.text[:2] for line in reader.window(0, 80)] == [f"{number:02d}" for number in range(80)]


def test_what_waited_for_storage_goes_there_in_parts_also_at_the_end(store, writer, monkeypatch):
    monkeypatch.setattr(flusher, "FLUSH_BYTES", 50_000)
    stored = store.put
    sizes: list[int] = []

    def put(chunks: list[Chunk]) -> None:
        stored(chunks)
        sizes.append(sum(chunk.size_bytes for chunk in chunks))

    writer._flusher._put_chunks = put
    monkeypatch.setattr(flusher, "MAX_CHUNK_LINES", 1_000)
    with writer._flusher._condition:  # its thread takes nothing meanwhile
        for first in range(0, 40_000, 400):
            writer.write(numbered(first, 400))
    assert writer.close().line_count == 40_000
    assert len(sizes) > 5 and max(sizes) < 100_000
    assert store.texts == [f"line {one}" for one in range(40_000)]


def test_a_redis_that_is_killed_and_restarted_loses_and_repeats_nothing(server, store, writer):
    source = random.Random(1)
    number = 0
    for round_number in range(6):
        for _ in range(20):
            count = source.randint(1, 60)
            writer.write(numbered(number, count))
            number += count
            time.sleep(0.005)
        if round_number in (1, 3):
            server.kill()
        if round_number in (2, 4):
            server.restart()
    reader = store.reader(server.client)
    wait_for(lambda: reader.live_end() == number)
    live = reader.window(0, number + 1)
    assert [line.text for line in live] == [f"line {one}" for one in range(number)]
    writer.close()
    assert store.texts == [f"line {one}" for one in range(number)]


def test_a_redis_that_comes_back_empty_gets_again_what_is_not_stored(server, store, writer):
    writer.write(numbered(0, 300))
    reader = store.reader(server.client)
    wait_for(lambda: reader.live_end() == 300)
    server.client.flushall()
    writer.write(numbered(300, 1))
    wait_for(lambda: reader.live_end() == 301)
    assert [line.text for line in reader.live(0, 1000)] == [f"line {one}" for one in range(301)]
    writer.close()
    assert len(store.texts) == 301


def test_entries_that_redis_took_without_our_knowing_are_not_sent_twice(server, store, writer):
    writer.write(numbered(0, 10))
    reader = store.reader(server.client)
    wait_for(lambda: reader.live_end() == 10)
    writer._flusher._stream._last_id = "0-0"  # as if every answer had been lost
    writer.write(numbered(10, 1))
    wait_for(lambda: reader.live_end() == 11)
    entries = [entry for entry, _ in server.client.xrange(stream_key(KEY))]
    assert len(entries) == len(set(entries))
    assert [line.number for line in reader.live(0, 100)] == list(range(11))


def test_while_redis_is_away_the_build_goes_on_and_lines_are_stored_early(server, store, writer, monkeypatch):
    monkeypatch.setattr(flusher, "EARLY_CHUNK_SECONDS", 0.1)
    server.kill()
    with writer._flusher._condition:  # what sends and stores gets nowhere: the build waits for neither
        writer.write(numbered(0, 10))
    wait_for(lambda: store.line_count == 10)
    assert store.reader(server.client).window(0, 20)[9].text == "line 9"
    assert writer.close().line_count == 10


def test_storage_that_is_away_for_a_while_loses_nothing(store, writer):
    store.is_failing = True
    writer.write(numbered(0, 3_000))
    closing = threading.Timer(1.0, lambda: setattr(store, "is_failing", False))
    closing.start()
    assert writer.close().line_count == 3_000
    assert store.texts == [f"line {one}" for one in range(3_000)]


def test_storage_that_stays_away_makes_the_build_wait_and_then_fails_the_close(store, writer, monkeypatch):
    monkeypatch.setattr(flusher, "MAX_WAITING_BYTES", 1_000_000)
    monkeypatch.setattr(flusher, "CLOSE_SECONDS", 0.2)
    store.is_failing = True
    done = threading.Event()

    def write() -> None:
        for _ in range(40):
            writer.write(b"x" * 49_999 + b"\n")
        done.set()

    threading.Thread(target=write, daemon=True).start()
    assert not done.wait(0.5)
    store.is_failing = False
    assert done.wait(60)
    store.is_failing = True
    writer.write(b"last\n")
    with pytest.raises(OSError, match="storage is away"):
        writer.close()


def test_a_log_that_belongs_to_another_takes_no_more(store, writer):
    store.is_lost = True
    writer.write(numbered(0, 4_000))
    with pytest.raises(LogLost):
        for _ in range(1_000):
            writer.write(b"more\n")
            time.sleep(0.005)
    assert store.chunks == {}


@pytest.mark.parametrize("line_count", [0, 1, 3_999, 4_500])
def test_a_dead_worker_s_log_is_sealed_from_redis_without_gap_or_repeat(server, store, writer, line_count):
    writer.write(numbered(0, line_count))
    reader = store.reader(server.client)
    wait_for(lambda: reader.live_end() == line_count)
    writer.abandon()
    total = seal(KEY, server.client, store.line_count, store.put, ["the worker died"])
    assert total == line_count + 1
    assert store.texts == [*(f"line {one}" for one in range(line_count)), "the worker died"]
    assert seal(KEY, server.client, store.line_count, store.put, ["the worker died"]) == total
    assert len(store.texts) == total
    assert reader.live(line_count, 10)[0].text == "the worker died"


def test_the_end_is_marked_in_the_stream_and_the_stream_expires(server, store, writer):
    writer.write(numbered(0, 3))
    writer.close()
    entry_id, fields = server.client.xrevrange(stream_key(KEY), count=1)[0]
    assert (entry_id, fields) == (b"4-1", {b"end": b"3"})
    assert 0 < server.client.ttl(stream_key(KEY)) <= EXPIRE_SECONDS
    assert store.reader(server.client).live_end() == 3


def test_a_log_over_its_cap_keeps_head_and_tail_and_says_so(server, store):
    writer = LogWriter(KEY, server.client, store.put, head_bytes=10_000, tail_bytes=2_000)
    for number in range(5_000):
        writer.write(b"line %04d\n" % number)
    summary = writer.close()
    texts = store.texts
    assert texts[:1_000] == [f"line {number:04d}" for number in range(1_000)]
    assert "The log is larger than 10,000 bytes" in texts[1_000]
    assert "3,800 lines are left out here" in texts[1_001]
    assert texts[1_002:] == [f"line {number:04d}" for number in range(4_800, 5_000)]
    assert summary.left_out_lines == 3_800 and summary.line_count == len(texts)


def test_a_hundred_thousand_lines_are_stored_whole_and_any_window_is_right(server, store, writer):
    for first in range(0, 100_000, 5_000):
        writer.write(
            b"".join(
                b"line %d, padded to about sixty-seven bytes with text that says no more\n" % number
                for number in range(first, first + 5_000)
            )
        )
    assert writer.close().line_count == 100_000
    assert store.line_count == 100_000
    window = store.reader(server.client).window(54_321, 100)
    assert [line.number for line in window] == list(range(54_321, 54_421))
    assert window[0].text.startswith("line 54321,")
