"""The folder of kept answers: what is found, joined, kept, refused and removed."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from repos.git.fetch_cache import FetchCache
from repos.git.fetch_counts import Count
from repos.git.fetch_files import Draft, Followed, Kept, WriterLost

SECONDS = 300


@pytest.fixture
def cache(tmp_path):
    return FetchCache(tmp_path / "git", max_bytes=1_000_000, seconds=SECONDS)


def write(cache: FetchCache, key: str, content: bytes, **how: bool) -> bool:
    """Let somebody ask, write the answer to its end; whether it is kept."""
    draft = cache.look(key)
    assert isinstance(draft, Draft)
    os.pwrite(draft.descriptor, content, 0)
    return cache.finish(draft, len(content), may_keep=how.get("may_keep", True))


def keep(cache: FetchCache, key: str, content: bytes) -> None:
    assert [write(cache, key, content), write(cache, key, content)] == [False, True]


def files(cache: FetchCache) -> set[str]:
    return {path.name for path in cache.folder.iterdir()} - {"lock", "counters"}


def found(cache: FetchCache, key: str) -> bytes | None:
    looked = cache.look(key)
    if isinstance(looked, Draft):
        cache.fail(looked)
        return None
    try:
        assert isinstance(looked, Kept)
        return os.pread(looked.descriptor, looked.length, 0)
    finally:
        looked.close()


def test_the_first_request_is_remembered_and_the_second_one_is_kept(cache):
    assert not write(cache, "a", b"first")
    assert files(cache) == {"a.seen"}
    assert write(cache, "a", b"second")
    assert files(cache) == {"a.seen", "a.answer"}
    assert found(cache, "a") == b"second"
    assert found(cache, "b") is None
    assert cache.counts()[Count.HIT] == 1
    assert cache.kept()[0] == 1


def test_only_the_owner_may_read_what_is_kept(cache):
    keep(cache, "a", b"secret")
    modes = {path.stat().st_mode & 0o777 for path in cache.folder.iterdir()}
    assert (modes, cache.folder.stat().st_mode & 0o777) == ({0o600}, 0o700)


def test_an_equal_request_reads_while_the_first_is_written_and_makes_it_kept(cache):
    draft = cache.look("a")
    assert isinstance(draft, Draft)
    os.pwrite(draft.descriptor, b"hello ", 0)
    followed = cache.look("a")
    assert isinstance(followed, Followed)
    assert followed.available() == (6, False)
    os.pwrite(draft.descriptor, b"world", 6)
    followed.check_writer()
    assert cache.finish(draft, 11, may_keep=True)
    assert followed.available() == (11, True)
    assert os.pread(followed.descriptor, 11, 0) == b"hello world"
    followed.close()
    assert cache.counts()[: Count.GENERATED + 1] == (0, 1, 1)


def test_what_may_not_be_kept_is_read_to_its_end_by_those_who_share_it(cache):
    draft, followed = cache.look("a"), cache.look("a")
    assert isinstance(draft, Draft)
    assert isinstance(followed, Followed)
    os.pwrite(draft.descriptor, b"error", 0)
    assert not cache.finish(draft, 5, may_keep=False)
    assert followed.available() == (5, True)
    followed.close()
    assert files(cache) == {"a.seen"}


def test_a_writer_that_gives_up_is_noticed(cache):
    draft, followed = cache.look("a"), cache.look("a")
    assert isinstance(draft, Draft)
    assert isinstance(followed, Followed)
    cache.fail(draft)
    with pytest.raises(WriterLost):
        followed.available()
    followed.close()
    assert found(cache, "a") is None


WRITER = """
import os, sys, time
from pathlib import Path
from repos.git.fetch_cache import FetchCache
draft = FetchCache(Path(sys.argv[1]), max_bytes=1000, seconds=300).look("a")
os.pwrite(draft.descriptor, b"half", 0)
print("written", flush=True)
time.sleep(60)
"""


def test_a_writer_that_is_killed_is_noticed_and_another_takes_its_place(cache):
    with subprocess.Popen([sys.executable, "-c", WRITER, str(cache.folder)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        followed = cache.look("a")
        assert isinstance(followed, Followed)
        followed.check_writer()
        writer.kill()
    assert followed.available() == (4, False)
    with pytest.raises(WriterLost):
        followed.check_writer()
    followed.close()
    assert write(cache, "a", b"whole")  # two have asked by now
    assert found(cache, "a") == b"whole"


def test_what_is_followed_is_not_withdrawn_and_a_withdrawn_draft_is_found_by_nobody(cache):
    draft, followed = cache.look("a"), cache.look("a")
    assert isinstance(draft, Draft)
    assert isinstance(followed, Followed)
    assert not cache.withdraw(draft)
    followed.close()
    assert cache.withdraw(draft)
    assert files(cache) == {"a.seen"}
    following = cache.look("a")
    assert isinstance(following, Draft)
    cache.fail(draft)
    assert files(cache) == {"a.seen", "a.part", "a.state"}, "the second draft is untouched by the first one's end"
    cache.fail(following)


@pytest.mark.parametrize("damage", ["cut", "longer", "empty", "other start of the machine", "from the future"])
def test_a_damaged_answer_is_dropped(cache, damage, monkeypatch):
    keep(cache, "a", b"content" * 100)
    path = cache.folder / "a.answer"
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[:-100])
    elif damage == "longer":
        path.write_bytes(b"x" + whole)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "from the future":
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now - 60)
    else:
        cache._boot = bytes(16)
    assert found(cache, "a") is None
    assert "a.answer" not in files(cache)


def test_an_answer_grows_old_and_its_request_is_forgotten(cache, monkeypatch):
    keep(cache, "a", b"content")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + SECONDS - 5)
    assert found(cache, "a") == b"content"
    monkeypatch.setattr(time, "time", lambda: now + SECONDS + 5)
    cache.make_room()
    assert files(cache) == set()
    assert not write(cache, "a", b"content")


def test_what_was_used_longest_ago_leaves_first(tmp_path):
    cache = FetchCache(tmp_path, max_bytes=2500, seconds=SECONDS)
    for number, key in enumerate("ab"):
        keep(cache, key, bytes(1000))
        os.utime(cache.folder / f"{key}.answer", (time.time() - 60 + number,) * 2)
    assert found(cache, "a") == bytes(1000)
    keep(cache, "c", bytes(1000))
    assert {name for name in files(cache) if name.endswith(".answer")} == {"a.answer", "c.answer"}
    assert cache.counts()[Count.EVICTED] == 1


def test_an_answer_under_way_counts_and_one_that_nobody_writes_any_more_is_removed(tmp_path):
    cache = FetchCache(tmp_path, max_bytes=2500, seconds=SECONDS)
    keep(cache, "a", bytes(1000))
    draft = cache.look("b")
    assert isinstance(draft, Draft)
    os.pwrite(draft.descriptor, bytes(2000), 0)
    assert cache.make_room()
    assert found(cache, "a") is None
    os.pwrite(draft.descriptor, bytes(3000), 0)
    assert not cache.make_room()
    for descriptor in (draft.descriptor, draft.state_descriptor):
        os.close(descriptor)
    assert cache.make_room()
    assert not {"b.part", "b.state"} & files(cache)


def test_figures_of_several_caches_on_one_folder_add_up(cache):
    other = FetchCache(cache.folder, max_bytes=1, seconds=SECONDS)
    assert [found(cache, "a"), found(other, "b")] == [None, None]
    assert cache.counts() == other.counts() == (0, 0, 2, 0)


def test_a_folder_that_somebody_removed_is_made_again(cache):
    for path in cache.folder.iterdir():
        path.unlink()
    cache.folder.rmdir()
    keep(cache, "a", b"content")
    assert found(cache, "a") == b"content"
