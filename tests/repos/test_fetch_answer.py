"""Answers that are shared while they are made: one process for all, whoever leaves, dies or finds no room."""

from __future__ import annotations

import asyncio
import contextlib
import os
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

import pytest

from repos.git import fetch_answer, fetch_generation, fetch_stretch
from repos.git.exchange import ClientLeft, GitStalled
from repos.git.fetch_answer import FetchAnswers
from repos.git.fetch_cache import FetchCache
from repos.git.fetch_counts import Count
from repos.git.fetch_files import Draft
from repos.git.program import GitError
from repos.git.wire_process import WireProcess, spawn
from tests import gitrepo

WAIT_SECONDS = 20


class World:
    """A cache, and a program in git's place that counts its starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = gitrepo.create(folder / "repositories")
        self.cache = FetchCache(folder / "cache", max_bytes=50_000_000, seconds=300)
        self.script = "cat"
        self.running = 0
        self.is_current = True

    def answers(self) -> FetchAnswers:
        """As another process of the machine has them: no memory is shared but the folder."""
        return FetchAnswers(self.cache)

    @contextlib.asynccontextmanager
    async def start(self) -> AsyncIterator[WireProcess]:
        with (self.folder / "starts").open("a") as starts:
            starts.write("x")
        child = await spawn(self.repository, ["-c", f"alias.x=!{self.script} #", "x"], is_raw=True)
        self.running += 1
        try:
            yield child
        finally:
            await child.stop()
            self.running -= 1

    @property
    def starts(self) -> int:
        path = self.folder / "starts"
        return path.stat().st_size if path.exists() else 0

    async def take(self, answers: FetchAnswers, body: bytes = b"body") -> bytes:
        return b"".join([piece async for piece in self.pieces(answers, body)])

    async def pieces(self, answers: FetchAnswers, body: bytes = b"body") -> AsyncGenerator[bytes, None]:
        async with contextlib.aclosing(answers.pieces("key", self.start, body, lambda: self.is_current)) as pieces:
            async for piece in pieces:
                yield piece if isinstance(piece, bytes) else await piece.read()

    async def settled(self) -> None:
        """Until no program runs and no answer is under way."""
        await eventually(lambda: not self.running and not list(self.cache.folder.glob("*.part")))


async def eventually(question: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not question():
            await asyncio.sleep(0.01)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(fetch_answer, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr(fetch_generation, "WATCH_SECONDS", 0.05)


def test_the_third_request_is_answered_from_the_file(world):
    async def three() -> list[bytes]:
        told = []
        for _ in range(3):
            told.append(await world.take(world.answers()))
            await world.settled()
        return told

    assert asyncio.run(three()) == [b"body"] * 3
    assert world.starts == 2
    assert world.cache.counts()[Count.HIT] == 1


def test_eight_at_once_share_one_process(world):
    world.script = "head -c 3000000 /dev/urandom; sleep 0.2; head -c 3000000 /dev/urandom"

    async def eight() -> set[tuple[int, int]]:
        told = await asyncio.gather(*(world.take(world.answers()) for _ in range(8)))
        await world.settled()
        return {(len(one), zlib.crc32(one)) for one in told}

    [(length, _)] = asyncio.run(eight())
    assert length == 6_000_000
    assert world.starts == 1
    assert world.cache.counts()[:3] == (0, 7, 1)


def test_what_git_says_is_sent_before_it_has_ended(world):
    world.script = f"echo early; while ! test -e {world.folder}/go; do sleep 0.02; done; echo late"

    async def both() -> None:
        leading, following = world.pieces(world.answers()), world.pieces(world.answers())
        assert await anext(leading) == b"early\n"
        assert await anext(following) == b"early\n"
        (world.folder / "go").touch()
        assert [await anext(leading), await anext(following)] == [b"late\n", b"late\n"]
        for one in (leading, following):
            with pytest.raises(StopAsyncIteration):
                await anext(one)

    asyncio.run(both())


def test_a_first_reader_that_leaves_takes_git_along_when_nobody_follows(world):
    world.script = "echo early; sleep 60"

    async def leave() -> None:
        leading = world.pieces(world.answers())
        assert await anext(leading) == b"early\n"
        await leading.aclose()
        await world.settled()

    asyncio.run(leave())
    assert {path.name for path in world.cache.folder.iterdir()} == {"lock", "counters", "key.seen"}


def test_a_first_reader_that_leaves_lets_git_go_on_for_those_who_follow(world):
    world.script = f"echo early; while ! test -e {world.folder}/go; do sleep 0.02; done; echo late"

    async def leave() -> bytes:
        leading, following = world.pieces(world.answers()), world.pieces(world.answers())
        told = await anext(leading) and await anext(following)
        await leading.aclose()
        await asyncio.sleep(3 * fetch_answer.WATCH_SECONDS)
        (world.folder / "go").touch()
        return told + b"".join([piece async for piece in following])

    assert asyncio.run(leave()) == b"early\nlate\n"
    assert world.starts == 1


def test_when_the_last_who_follows_leaves_as_well_git_is_stopped(world):
    world.script = "echo early; sleep 60"

    async def leave() -> None:
        leading, following = world.pieces(world.answers()), world.pieces(world.answers())
        assert await anext(leading) == await anext(following)
        await leading.aclose()
        await asyncio.sleep(3 * fetch_answer.WATCH_SECONDS)
        assert world.running == 1
        await following.aclose()
        await world.settled()

    asyncio.run(leave())


def test_a_reader_that_is_slow_holds_no_process(world):
    world.script = "head -c 10000000 /dev/zero"

    async def slow() -> int:
        leading = world.pieces(world.answers())
        size = len(await anext(leading))
        await world.settled()
        return size + len(b"".join([piece async for piece in leading]))

    assert asyncio.run(slow()) == 10_000_000


def test_a_git_that_fails_at_once_is_told_and_one_that_has_said_something_is_passed_on_and_not_kept(world):
    async def ask() -> bytes:
        told = await world.take(world.answers())
        await world.settled()
        return told

    world.script = "echo why >&2; exit 3"
    for _ in range(2):
        with pytest.raises(GitError, match="ended with 3: why"):
            asyncio.run(ask())
    world.script = "echo ERR not our ref; exit 128"
    assert [asyncio.run(ask()) for _ in range(3)] == [b"ERR not our ref\n"] * 3
    assert world.starts == 5


def test_a_start_that_is_refused_is_told_to_each(world):
    class Busy(Exception):
        pass

    @contextlib.asynccontextmanager
    async def refuse() -> AsyncIterator[WireProcess]:
        raise Busy
        yield

    async def ask() -> list[object]:
        asked = (world.answers().pieces("key", refuse, b"", lambda: True) for _ in range(3))
        return await asyncio.gather(*(anext(one) for one in asked), return_exceptions=True)

    assert [type(one) for one in asyncio.run(ask())] == [Busy] * 3


def test_an_answer_made_while_refs_moved_is_not_kept(world):
    world.is_current = False

    async def ask() -> bytes:
        told = await world.take(world.answers())
        await world.settled()
        return told

    assert [asyncio.run(ask()) for _ in range(3)] == [b"body"] * 3
    assert world.starts == 3


def test_a_larger_answer_than_may_be_kept_goes_to_its_reader_alone(world, monkeypatch):
    monkeypatch.setattr(fetch_generation, "ROOM_BYTES", 1_000_000)
    world.cache.max_bytes = 2_000_000
    world.script = "head -c 20000000 /dev/zero"

    async def ask() -> int:
        size = most = 0
        async for piece in world.pieces(world.answers()):
            size += len(piece)
            most = max(most, *(path.stat().st_size for path in world.cache.folder.iterdir()))
        await world.settled()
        assert most < 4_000_000
        return size

    assert [asyncio.run(ask()), asyncio.run(ask())] == [20_000_000] * 2
    assert world.cache.kept() == (0, 0)


def test_a_reader_that_leaves_an_answer_without_a_file_takes_git_along(world, monkeypatch):
    monkeypatch.setattr(fetch_generation, "ROOM_BYTES", 1_000_000)
    world.cache.max_bytes = 1_000_000
    world.script = "cat /dev/zero"

    async def leave() -> None:
        leading = world.pieces(world.answers())
        size = 0
        while size < 20_000_000:
            size += len(await anext(leading))
        await leading.aclose()
        await world.settled()

    asyncio.run(leave())


def test_on_a_full_disk_the_first_is_served_all_the_same_and_those_who_follow_are_cut_off(world, monkeypatch):
    def until(name: str) -> str:
        return f"while ! test -e {world.folder}/{name}; do sleep 0.02; done"

    # The kernel waits for git before it looks at the disk, so that the first it is asked to move is moved.
    world.script = f"head -c 600000 /dev/zero; {until('go')}; echo last; {until('on')}; echo late"

    async def ask() -> int:
        leading, following = world.pieces(world.answers()), world.pieces(world.answers())
        size = len(await anext(leading))
        assert await anext(following)
        monkeypatch.setattr(os, "splice", full)
        (world.folder / "go").touch()
        while size < 600_005:
            size += len(await anext(leading))
        (world.folder / "on").touch()
        size += len(b"".join([piece async for piece in leading]))
        with pytest.raises(ClientLeft, match="broke off"):
            async for _ in following:
                pass
        await world.settled()
        return size

    def full(*place: int, **offset: int) -> int:
        raise OSError(28, "No space left on device")

    assert asyncio.run(ask()) == 600_010


def test_one_who_follows_a_dead_writer_asks_git_himself_unless_he_has_begun(world):
    async def follow() -> bytes:
        dying = world.cache.look("key")
        assert isinstance(dying, Draft)
        following = asyncio.create_task(world.take(world.answers()))
        await eventually(lambda: world.cache.counts()[Count.SHARED])
        world.cache.fail(dying)
        told = await following
        await world.settled()
        return told

    assert asyncio.run(follow()) == b"body"

    async def begun() -> None:
        (world.cache.folder / "key.answer").unlink(missing_ok=True)
        dying = world.cache.look("key")
        assert isinstance(dying, Draft)
        os.pwrite(dying.descriptor, b"half", 0)
        following = world.pieces(world.answers())
        assert await anext(following) == b"half"
        world.cache.fail(dying)
        with pytest.raises(ClientLeft, match="broke off"):
            await anext(following)

    asyncio.run(begun())


def test_one_who_gives_up_while_he_looks_leaves_nothing_locked(world, monkeypatch):
    look = world.cache.look

    def slowly(key: str) -> object:
        found = look(key)
        (world.folder / "looked").touch()
        return found

    monkeypatch.setattr(world.cache, "look", slowly)

    async def give_up() -> None:
        asking = asyncio.create_task(world.take(world.answers()))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await eventually((world.folder / "looked").exists)
        await world.settled()

    asyncio.run(give_up())
    assert world.starts == 0


def test_a_damaged_file_is_not_passed_on_to_its_end(world):
    async def ask() -> bytes:
        told = await world.take(world.answers())
        await world.settled()
        return told

    def damage() -> None:
        path = world.cache.folder / "key.answer"
        with path.open("r+b") as file:
            file.write(b"B")

    assert [asyncio.run(ask()) for _ in range(2)] == [b"body"] * 2
    damage()
    assert asyncio.run(ask()) == b"body"
    assert world.starts == 3
    world.script = "head -c 2000000 /dev/zero"
    (world.cache.folder / "key.answer").unlink()
    assert len(asyncio.run(ask())) == 2_000_000
    damage()
    with pytest.raises(ClientLeft, match="broke off"):
        asyncio.run(ask())
    assert not (world.cache.folder / "key.answer").exists()


def test_a_git_that_says_nothing_is_given_up(world, monkeypatch):
    monkeypatch.setattr(fetch_generation, "GIT_SECONDS", 0.2)
    world.script = "echo early; sleep 60"

    async def ask() -> None:
        with pytest.raises(GitStalled, match="said nothing"):
            await world.take(world.answers())
        await world.settled()

    asyncio.run(ask())


def test_a_stretch_that_is_only_partly_in_memory_is_read_whole(tmp_path):
    """The kernel, asked for what it can give at once, gives the part in its page cache."""
    content = os.urandom(4 * 1024 * 1024)
    path = tmp_path / "answer"
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, len(content) // 2, 0, os.POSIX_FADV_DONTNEED)
        stretch = fetch_stretch.Stretch(descriptor, 1000, len(content) - 1000)
        assert asyncio.run(stretch.read()) == content[1000:]
    finally:
        os.close(descriptor)
