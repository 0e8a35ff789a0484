"""One reader for many viewers: what happens when Redis dies, when nobody tells the end, when a viewer is slow."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import connections
from django.utils import timezone

from builds.logs import access as log_access
from builds.logs import hub as log_hub
from builds.logs import snapshots, watch
from builds.logs.format import Line
from builds.models import Build, Status
from tests import factories
from tests.builds import logged
from tests.fixtures.redis import start

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 20


class OwnRedis:
    """A Redis that a test may kill."""

    def __init__(self, folder) -> None:
        self.folder, self.socket = folder / "data", folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] = start(self.folder, self.socket)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)

    def start(self, *, empty: bool = False) -> None:
        if empty:
            for path in sorted(self.folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
        self.process = start(self.folder, self.socket)


@pytest.fixture
def own_redis(tmp_path, monkeypatch, settings) -> Iterator[OwnRedis]:
    made = OwnRedis(tmp_path)
    settings.REDIS_URL = made.url
    client = redis.Redis.from_url(made.url, socket_timeout=60, socket_connect_timeout=60)
    monkeypatch.setattr(log_access, "redis_client", lambda: client)
    yield made
    client.close()
    made.kill()


@pytest.fixture
def build(alice) -> Build:
    return logged.running_build(factories.project("demo", repository_name=None))


def hub_of(own_redis: OwnRedis) -> log_hub.LogHub:
    return log_hub.LogHub(own_redis.url, lambda build: build.status.encode(), rendered)


def rendered(lines: list[Line]) -> bytes:
    assert [line.number for line in lines] == list(range(lines[0].number, lines[0].number + len(lines)))
    return json.dumps([line.text for line in lines]).encode()


async def in_thread(function: Callable[..., Any], *arguments: Any) -> None:
    """Run in a thread that leaves no database connection behind."""

    def run() -> None:
        try:
            function(*arguments)
        finally:
            connections.close_all()

    await asyncio.to_thread(run)


async def seen(
    hub: log_hub.LogHub,
    build: Build,
    first: int = 0,
    on_line: Callable[[int], AsyncIterator[None] | None] | None = None,
) -> tuple[list[str], list[str]]:
    """The texts of all lines and the statuses, up to the end."""
    texts: list[str] = []
    statuses: list[str] = []
    async with asyncio.timeout(SECONDS):
        async for update in hub.follow(build.pk, str(build.uuid), first, with_log=True):
            match update:
                case watch.Lines(number, behind, data):
                    lines = json.loads(data)
                    assert (number, behind) == (first, first + len(lines))
                    first = behind
                    texts += lines
                    if on_line is not None:
                        await in_thread(on_line, first)
                case watch.Status(data):
                    statuses.append(data.decode())
                case watch.End():
                    return texts, statuses
    raise AssertionError("no end came")


def numbered(start_at: int, end: int) -> list[str]:
    return [f"line {number}" for number in range(start_at, end)]


def test_lines_go_on_without_gap_or_repeat_when_redis_dies_and_comes_back_empty(own_redis, build):
    writer = logged.writer_of(build, own_redis.url)
    writer.write("".join(f"{line}\n" for line in numbered(0, 1500)).encode())
    is_done = []

    def meanwhile(count: int) -> None:
        if count < 1500 or is_done:
            return
        is_done.append(True)
        own_redis.kill()
        writer.write("".join(f"{line}\n" for line in numbered(1500, 1600)).encode())
        own_redis.start(empty=True)
        writer.write("".join(f"{line}\n" for line in numbered(1600, 1700)).encode())
        logged.end(build, writer)

    texts, statuses = asyncio.run(seen(hub_of(own_redis), build, on_line=meanwhile))
    assert texts == numbered(0, 1700)
    assert statuses[-1] == Status.SUCCEEDED


def test_the_end_comes_from_the_database_while_redis_is_away(own_redis, build):
    writer = logged.writer_of(build, own_redis.url)
    writer.write(b"line 0\nline 1\n")
    logged.end(build, writer)
    own_redis.kill()
    texts, statuses = asyncio.run(seen(hub_of(own_redis), build))
    assert (texts, statuses) == (["line 0", "line 1"], [Status.SUCCEEDED])
    own_redis.start()


def test_a_finished_build_whose_log_was_never_sealed_ends_its_viewers(own_redis, build):
    Build.objects.update(status=Status.FAULT, ended_at=timezone.now() - timedelta(seconds=snapshots.SEAL_SECONDS + 1))
    assert asyncio.run(seen(hub_of(own_redis), build)) == ([], [Status.FAULT])


def test_a_deleted_build_ends_its_viewers(own_redis, build):
    pk, uuid = build.pk, str(build.uuid)
    Build.objects.all().delete()

    async def updates() -> list[watch.Update]:
        async with asyncio.timeout(SECONDS):
            return [one async for one in hub_of(own_redis).follow(pk, uuid, 0, with_log=True)]

    assert asyncio.run(updates()) == [watch.End(0)]


def test_a_slow_viewer_holds_up_nobody_and_misses_nothing(own_redis, build, monkeypatch):
    monkeypatch.setattr(watch, "RECENT_LINES", 100)
    writer = logged.writer_of(build, own_redis.url)

    async def both() -> tuple[list[str], list[str]]:
        hub = hub_of(own_redis)
        slow_texts: list[str] = []
        gate = asyncio.Event()

        async def slow() -> None:
            async for update in hub.follow(build.pk, str(build.uuid), 0, with_log=True):
                if isinstance(update, watch.Lines):
                    slow_texts.extend(json.loads(update.data))
                    await gate.wait()

        task = asyncio.create_task(slow())
        fast = asyncio.create_task(seen(hub, build))
        for start_at in range(0, 5000, 500):
            await asyncio.to_thread(
                writer.write, "".join(f"{line}\n" for line in numbered(start_at, start_at + 500)).encode()
            )
            await asyncio.sleep(0.02)
        await in_thread(logged.end, build, writer)
        fast_texts, _ = await fast
        assert len(slow_texts) < 5000
        gate.set()
        async with asyncio.timeout(SECONDS):
            await task
        return fast_texts, slow_texts

    fast_texts, slow_texts = asyncio.run(both())
    assert fast_texts == slow_texts == numbered(0, 5000)


def test_what_was_read_for_a_viewer_who_has_gone_is_not_given_to_the_next(own_redis, build, monkeypatch):
    """Nothing was there at that moment; the next viewer would have been told the end without a line."""
    writer = logged.writer_of(build, own_redis.url)
    entered, go_on = threading.Event(), threading.Event()
    read = log_hub.LogHub._read

    def read_nothing(*asked: Any) -> watch.Lines | None:
        entered.set()
        assert go_on.wait(SECONDS)
        return None

    async def watched() -> list[str]:
        hub = hub_of(own_redis)
        stays = hub.follow(build.pk, str(build.uuid), 0, with_log=False)
        await anext(stays)
        monkeypatch.setattr(log_hub.LogHub, "_read", read_nothing)
        goes = asyncio.create_task(hub._stored_lines(hub._watches[build.pk], 0))
        await asyncio.to_thread(entered.wait, SECONDS)
        (reading,) = hub._stored.values()
        goes.cancel()
        go_on.set()
        await asyncio.wait([reading])
        monkeypatch.setattr(log_hub.LogHub, "_read", read)
        writer.write(b"one\ntwo\n")
        await in_thread(logged.end, build, writer)
        async with asyncio.timeout(SECONDS):
            while not hub._watches[build.pk].is_over:
                await asyncio.sleep(0.01)
        monkeypatch.setattr(watch.Watch, "batch", lambda *_: None)  # all is read from where it is stored
        texts, _ = await seen(hub, build)
        await stays.aclose()
        return texts

    assert asyncio.run(watched()) == ["one", "two"]


def test_silence_is_broken_by_a_pause_and_a_left_hub_reads_nothing_more(own_redis, build, monkeypatch):
    monkeypatch.setattr(log_hub, "HEARTBEAT_SECONDS", 0.3)

    async def watched() -> tuple[list[type], int]:
        hub = hub_of(own_redis)
        kinds: list[type] = []
        async with asyncio.timeout(SECONDS):
            stream = hub.follow(build.pk, str(build.uuid), 0, with_log=True)
            async for update in stream:
                kinds.append(type(update))
                if kinds.count(watch.Pause) == 2:
                    break
            await stream.aclose()
            while (left := len(asyncio.all_tasks()) - 1) > 0:
                await asyncio.sleep(0.01)
        return kinds, left

    kinds, left = asyncio.run(watched())
    assert set(kinds) == {watch.Status, watch.Pause}
    assert left == 0
