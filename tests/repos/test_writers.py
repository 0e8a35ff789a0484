"""What a killed git leaves behind is removed, and nothing of one that lives."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from repos.git import program, refs, writers
from tests import gitrepo


@pytest.fixture
def repository(tmp_path):
    repository = gitrepo.create(tmp_path)
    gitrepo.update_ref(repository, "refs/heads/main", gitrepo.commit(repository, {"a": "1"}))
    return repository


def leave(repository, *names: str, seconds_ago: float = 0) -> None:
    """Lock files and quarantines as a git that was killed leaves them."""
    for name in names:
        path = repository.path / name
        if name.startswith("objects/"):
            path.mkdir()
            (path / "pack-x.pack").touch()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, (time.time() - seconds_ago,) * 2)


def left(repository) -> list[str]:
    return sorted(
        str(path.relative_to(repository.path))
        for path in repository.path.rglob("*")
        if path.name.endswith((".lock", ".new")) or path.name.startswith("tmp_objdir-")
    )


LEFT = ("HEAD.lock", "packed-refs.lock", "packed-refs.new", "refs/heads/a/b.lock", "refs/heads/main.lock")
QUARANTINE = "objects/tmp_objdir-incoming-abc"


def test_whoever_is_alone_removes_every_lock_and_quarantine(repository):
    leave(repository, *LEFT, QUARANTINE)
    with writers.alone(repository, wait_seconds=0) as lock:
        assert lock is not None
        assert sorted(writers.remove_leftovers(repository, is_alone=True)) == sorted([*LEFT, QUARANTINE])
    assert left(repository) == []
    assert refs.tip(repository, "refs/heads/main")


def test_while_a_writer_lives_only_what_is_too_old_for_it_goes(repository):
    leave(repository, "refs/heads/main.lock", QUARANTINE)
    leave(repository, "refs/heads/old.lock", seconds_ago=3600)
    descriptor = writers.join(repository)
    try:
        with writers.alone(repository, wait_seconds=0.1) as lock:
            assert lock is None
            assert writers.remove_leftovers(repository, is_alone=False) == ["refs/heads/old.lock"]
    finally:
        os.close(descriptor)
    assert left(repository) == [QUARANTINE, "refs/heads/main.lock"]


def test_a_writer_waits_for_the_end_of_a_clean_up_and_many_write_at_once(repository):
    with writers.alone(repository, wait_seconds=0):
        assert writers.try_join(repository) is None
    first, second = writers.join(repository), writers.join(repository)
    os.close(first)
    os.close(second)


def test_a_git_that_moves_refs_holds_the_lock_until_it_has_ended(repository):
    descriptor = writers.join(repository)
    child = subprocess.Popen(["sleep", "60"], pass_fds=(descriptor,))
    os.close(descriptor)
    try:
        with writers.alone(repository, wait_seconds=0) as lock:
            assert lock is None
    finally:
        child.kill()
        child.wait()
    with writers.alone(repository, wait_seconds=5) as lock:
        assert lock is not None


def test_refs_move_together_or_not_at_all(repository):
    oid = refs.tip(repository, "refs/heads/main")
    later = gitrepo.commit(repository, {"a": "2"}, refname="refs/other")
    refs.move(repository, [("refs/other", later, refs.ZERO_OID)])
    moves = [("refs/heads/main", oid, later), ("refs/heads/caf\udce9", refs.ZERO_OID, later)]
    with pytest.raises(program.GitError):
        refs.move(repository, [*moves, ("refs/heads/gone", oid, refs.ZERO_OID)])
    assert refs.all_refs(repository) == {"refs/heads/main": oid}
    with writers.alone(repository, wait_seconds=0) as lock:
        refs.move(repository, moves, writer_lock=lock)
    assert set(refs.all_refs(repository).values()) == {later}
    refs.move(repository, [("refs/heads/main", later, refs.ZERO_OID)])
    assert list(refs.all_refs(repository)) == ["refs/heads/caf\udce9"]
