"""Repositories that the web process keeps open between two requests: seen as they are on disk, and soon let go."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from repos.git import kept_open, objects, store
from repos.git.store import BareRepository


@pytest.fixture
def keeping():
    kept_open.begin()
    yield
    kept_open.end()


def used(path: Path, oid: str):
    """What dulwich had open when an object was read."""
    with BareRepository(path) as repository:
        assert objects.read(repository, oid)[0] == "commit"
        return repository.dulwich


def packed(made) -> str:
    """A commit in a pack."""
    oid = made.commit({"a": "1"}, branch="main")
    made.git("repack", "-a", "-d", "-q")
    return oid


def mapped(path: Path) -> bool:
    """Whether this process has a pack of a repository in its memory."""
    return f"{path}/objects/pack/" in Path("/proc/self/maps").read_text()


def test_the_next_user_gets_what_the_last_one_opened_and_nobody_what_another_one_uses(made, keeping):
    oid = packed(made)
    first = used(made.path, oid)
    with BareRepository(made.path) as repository:
        assert repository.dulwich is first
        assert used(made.path, oid) is not first


def test_a_process_that_keeps_none_lets_go_at_once(made):
    oid = packed(made)
    assert used(made.path, oid) is not used(made.path, oid)
    assert not mapped(made.path)


def test_packs_that_come_and_go_are_seen_by_the_next_user(made, keeping):
    oid = packed(made)
    first = used(made.path, oid)
    later = made.commit({"a": "2"}, parents=[oid], branch="main")
    made.git("repack", "-a", "-d", "-q")
    assert used(made.path, later) is not first
    made.git("update-ref", "-d", "refs/heads/main")
    made.git("repack", "-a", "-d", "-q")
    made.git("prune", "--expire=now")
    with BareRepository(made.path) as repository, pytest.raises(objects.NotFound):
        objects.read(repository, later)


def test_what_nobody_asks_for_is_closed_soon(made, keeping, monkeypatch):
    monkeypatch.setattr(kept_open, "IDLE_SECONDS", 2.0)
    used(made.path, packed(made))
    assert mapped(made.path)
    closer = next(one for one in threading.enumerate() if one.name == "repository-closer")
    closer.join()
    assert not mapped(made.path)


def test_few_wait_at_a_time(made, keeping, tmp_path, monkeypatch):
    monkeypatch.setattr(kept_open, "IDLE_SECONDS", 60.0)
    oid = packed(made)
    paths = [tmp_path / f"{number}.git" for number in range(kept_open.MAX_IDLE + 2)]
    for path in paths:
        made.git("clone", "--quiet", "--bare", "--no-hardlinks", str(made.path), str(path))
        used(path, oid)
    assert [mapped(path) for path in paths] == [False] * 2 + [True] * kept_open.MAX_IDLE
    kept_open.end()
    assert not any(map(mapped, paths))


def test_many_threads_read_through_repacks(made, keeping):
    oid = packed(made)
    with ThreadPoolExecutor(4) as pool:
        reads = [pool.submit(used, made.path, oid) for _ in range(200)]
        for number in range(5):
            made.commit({"a": str(number)}, parents=[oid], branch=f"b{number}")
            made.git("repack", "-a", "-d", "-q")
        assert all(read.result() for read in reads)


def test_a_temporary_repository_is_let_go_before_it_is_removed(made, keeping):
    oid = packed(made)
    with store.draft(BareRepository(made.path)) as draft:
        made_in = draft.path
        assert objects.read(draft, oid)[0] == "commit"
    assert not made_in.exists()
    assert all(one.path != made_in for one in kept_open._idle.waiting)
