"""The git commands of upkeep, on real repositories."""

from __future__ import annotations

import os
import struct
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from repos.git import locks, program, refs, store
from repos.git.locks import RepositoryBusy
from repos.git.store import BareRepository
from repos.git.upkeep import expiry, fsck, jobs, leftovers, state, strategy
from repos.git.upkeep.jobs import LockedRepository
from repos.git.upkeep.state import State
from repos.git.upkeep.strategy import Job
from tests import gitrepo

NOW = time.time()
LATER = datetime.now(UTC) + timedelta(days=20)
WAYS_TO_REPACK = [jobs.repack, jobs.repack_fully]


@pytest.fixture
def git(tmp_path: Path) -> Iterator[BareRepository]:
    with gitrepo.create(tmp_path) as repository:
        yield repository


@pytest.fixture
def locked(git: BareRepository) -> Iterator[LockedRepository]:
    with locks.rewriting(git) as rewriting:
        yield LockedRepository(git, rewriting)


def has(git: BareRepository, oid: str) -> bool:
    return subprocess.run(["git", "cat-file", "-e", oid], cwd=git.path, capture_output=True).returncode == 0


def delete_ref(git: BareRepository, refname: str) -> None:
    gitrepo.git(git, "update-ref", "-d", refname)


def with_garbage(locked: LockedRepository) -> tuple[str, str]:
    """A kept commit on main, and one that only a deleted branch reached; both repacked in full."""
    git = locked.repository
    kept = gitrepo.commit(git, {"a": "kept"})
    gone = gitrepo.commit(git, {"b": "gone"}, branch="gone", parents=[])
    delete_ref(git, "refs/heads/gone")
    jobs.repack_fully(locked)
    return kept, gone


def make_cruft_older(git: BareRepository, age: timedelta) -> None:
    """Let the times in the cruft packs be from longer ago: gitformat-pack(5), "CRUFT PACKS"."""
    for pack in state.packs(git):
        if pack.is_cruft:
            path = Path(f"{pack.base}.mtimes")
            raw = path.read_bytes()
            times = struct.unpack(f">{(len(raw) - 52) // 4}I", raw[12:-40])
            path.chmod(0o600)
            older = struct.pack(f">{len(times)}I", *(one - int(age.total_seconds()) for one in times))
            path.write_bytes(raw[:12] + older + raw[-40:])


# ---- state and strategy ----------------------------------------------------------------------------------------------


def test_an_empty_repository_needs_nothing(git):
    seen = state.look(git, counts_commits=True)
    assert seen == State()
    assert strategy.due_jobs(seen) == []


def test_the_state_tells_what_lies_where_before_and_after_upkeep(locked):
    git = locked.repository
    for number in range(3):
        oid = gitrepo.commit(git, {"a": f"{number}"})
    gitrepo.tag(git, "v1", oid, "One")
    before = state.look(git, counts_commits=True)
    assert (before.loose_objects, before.packs, before.objects, before.loose_refs) == (10, 0, 0, 2)
    assert before.loose_bytes > 0 and before.missing_commits is None and not before.has_bitmap
    jobs.pack_refs(locked)
    jobs.write_commit_graph(locked)
    jobs.repack(locked)
    after = state.look(git, counts_commits=True)
    assert (after.loose_objects, after.packs, after.objects) == (0, 1, 10)
    assert (after.loose_refs, after.packed_refs, after.packed_refs_bytes > 0) == (0, 2, True)
    assert after.has_multi_pack_index and after.has_bitmap and (after.new_packs, after.new_objects) == (0, 0)
    assert (after.graph_commits, after.has_changed_paths, after.missing_commits) == (3, True, 0)
    assert strategy.due_jobs(after) == []
    assert State.from_dict({**after.as_dict(), "of_another_version": 1}) == after


def test_while_refs_are_packed_nobody_takes_their_locks_for_left_over(locked, monkeypatch):
    gitrepo.commit(locked.repository, {"a": "1"})
    run = program.run

    def running(repository: BareRepository, args: list[str], **arguments: Any) -> bytes:
        with pytest.raises(RepositoryBusy):
            locks.deleting(repository, timeout_seconds=0)
        assert len(arguments["options"].pass_fds) == 2, "git itself holds both locks, should its worker die"
        return run(repository, args, **arguments)

    monkeypatch.setattr(program, "run", running)
    jobs.pack_refs(locked)
    assert (locked.repository.path / "packed-refs").exists()


def test_what_a_push_brings_is_seen_as_not_covered(locked):
    git = locked.repository
    gitrepo.commit(git, {"a": "1"})
    jobs.repack(locked)
    gitrepo.commit(git, {"a": "2"})
    gitrepo.git(git, "repack", "-q", "-d")
    seen = state.look(git)
    assert (seen.packs, seen.new_packs, seen.new_objects, seen.has_bitmap) == (2, 1, 3, True)
    assert 0 < seen.new_pack_bytes < seen.pack_bytes and seen.missing_commits is None


@pytest.mark.parametrize(
    ("state", "jobs"),
    [
        (State(loose_refs=17), [Job.PACK_REFS]),
        (State(loose_refs=17, packed_refs_bytes=10**6), []),
        (State(loose_refs=300, packed_refs_bytes=10**6), [Job.PACK_REFS]),
        (State(loose_refs=1, loose_objects=3), [Job.COMMIT_GRAPH]),
        (State(loose_refs=1, loose_objects=500), [Job.COMMIT_GRAPH, Job.REPACK]),
        (State(packed_refs=1, packs=1, objects=5), [Job.COMMIT_GRAPH, Job.REPACK]),
        (State(packs=1, objects=5, cruft_objects=5), []),
        (State(leftovers=1), [Job.LEFTOVERS]),
    ],
    ids=str,
)
def test_what_a_state_calls_for(state, jobs):
    assert strategy.due_jobs(state) == jobs


@pytest.mark.parametrize(
    ("change", "job"),
    [
        ({}, None),
        ({"new_packs": 9}, Job.REPACK),
        ({"new_packs": 1, "new_objects": 3000}, Job.REPACK),
        ({"new_packs": 1, "new_pack_bytes": 10**8}, Job.REPACK),
        ({"has_bitmap": False}, Job.REPACK),
        ({"has_changed_paths": False}, Job.COMMIT_GRAPH),
        ({"missing_commits": 100}, Job.COMMIT_GRAPH),
        ({"missing_commits": 99}, None),
    ],
    ids=str,
)
def test_a_repository_in_order_calls_for_upkeep_when_enough_is_new(change, job):
    order = {"packs": 1, "objects": 9, "packed_refs": 3, "has_bitmap": True, "graph_commits": 3, "missing_commits": 0}
    assert strategy.due_jobs(State(**({**order, "has_changed_paths": True} | change))) == ([job] if job else [])


def test_a_commit_graph_without_filters_is_written_anew(locked):
    git = locked.repository
    gitrepo.commit(git, {"a": "1"})
    gitrepo.git(git, "commit-graph", "write", "--reachable")
    assert not state.look(git).has_changed_paths
    jobs.write_commit_graph(locked)
    gitrepo.commit(git, {"a": "2"})
    jobs.write_commit_graph(locked)
    seen = state.look(git)
    assert (seen.graph_commits, seen.has_changed_paths) == (2, True)


# ---- nothing is lost -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("repack", WAYS_TO_REPACK)
def test_a_repack_keeps_every_object_reachable_or_not(locked, repack):
    git = locked.repository
    gitrepo.commit(git, {"a": "1"})
    gone = gitrepo.commit(git, {"b": "2"}, branch="gone", parents=[])
    lonely = gitrepo.blob(git, "nobody needs this")
    delete_ref(git, "refs/heads/gone")
    for _ in range(2):
        repack(locked)
        assert has(git, gone) and has(git, lonely)
    assert state.look(git).loose_objects == 0


@pytest.mark.parametrize("repack", WAYS_TO_REPACK)
def test_who_reads_a_repository_reads_on_while_it_is_repacked(locked, repack):
    git = locked.repository
    oids = [gitrepo.commit(git, {f"file-{number}": f"{number}"}) for number in range(5)]
    gitrepo.git(git, "repack", "-q", "-a", "-d")
    assert git.dulwich[oids[0].encode()].message == b"Change files"  # its pack is open now
    command = ["git", "cat-file", "--batch-check"]
    reader = subprocess.Popen(command, cwd=git.path, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(oid: str) -> bytes:
        reader.stdin.write(oid.encode() + b"\n")
        reader.stdin.flush()
        return reader.stdout.readline()

    assert b"commit" in ask(oids[0])
    new = gitrepo.commit(git, {"b": "new"})
    repack(locked)
    for oid in (*oids, new):
        assert git.dulwich[oid.encode()].id == oid.encode()
        assert b"commit" in ask(oid), "git looked in the packs that it had listed alone"
    reader.stdin.close()
    reader.wait()
    reader.stdout.close()


def test_a_fetch_that_has_begun_ends_although_its_packs_are_gone(locked, tmp_path):
    git = locked.repository
    tip = gitrepo.commit(git, {f"file-{number}": os.urandom(32768).hex() for number in range(16)})
    gitrepo.git(git, "repack", "-q", "-a", "-d")
    line = f"0032want {tip}\n00000009done\n".encode()
    fetch = subprocess.Popen(
        ["git", "upload-pack", "--stateless-rpc", "."], cwd=git.path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    fetch.stdin.write(line)
    fetch.stdin.close()
    answer = fetch.stdout.read(64 * 1024)  # the pipe is full now, and most of the pack is still to come
    jobs.repack_fully(locked)
    gitrepo.commit(git, {"b": "1"})
    jobs.repack_fully(locked)
    answer += fetch.stdout.read()
    fetch.stdout.close()
    assert fetch.wait() == 0
    copy = gitrepo.create(tmp_path / "copy")
    gitrepo.git(copy, "index-pack", "--stdin", "--strict", input=answer[answer.index(b"PACK") :])
    assert has(copy, tip)


def test_an_object_that_is_needed_again_comes_back_from_the_cruft_pack(locked):
    git = locked.repository
    _, gone = with_garbage(locked)
    assert state.look(git).cruft_objects == 3
    gitrepo.update_ref(git, "refs/heads/again", gone)
    jobs.repack(locked)
    jobs.repack_fully(locked)
    assert state.look(git).cruft_objects == 0
    assert fsck.check(locked) == []


# ---- expiry ----------------------------------------------------------------------------------------------------------


def test_what_is_unreachable_for_long_enough_goes_and_all_else_stays(locked):
    git = locked.repository
    kept, gone = with_garbage(locked)
    jobs.write_commit_graph(locked)
    assert not expiry.has_expired(git, datetime.now(UTC) - timedelta(days=1))
    assert expiry.expire(locked, datetime.now(UTC) - timedelta(days=1)).objects == 0
    assert has(git, gone)
    assert expiry.has_expired(git, LATER)
    expired = expiry.expire(locked, LATER)
    assert expired.objects == 3 and expired.size_bytes > 0
    assert has(git, kept) and not has(git, gone)
    assert state.look(git).cruft_objects == 0
    jobs.repack(locked)
    assert fsck.check(locked) == []


def test_the_grace_begins_when_an_object_is_first_seen_to_be_unreachable(locked):
    git = locked.repository
    gitrepo.commit(git, {"a": "kept"})
    gone = gitrepo.commit(git, {"b": "gone"}, branch="gone", parents=[])
    jobs.repack(locked)
    for pack in state.packs(git):
        os.utime(f"{pack.base}.pack", (NOW - 90 * 86400,) * 2)  # written long ago
    delete_ref(git, "refs/heads/gone")  # and deleted just now
    jobs.repack_fully(locked)
    expiry.expire(locked, datetime.now(UTC) - timedelta(days=14))
    assert has(git, gone)


def test_what_is_young_keeps_what_it_needs(locked):
    git = locked.repository
    _, old = with_garbage(locked)
    lonely = gitrepo.blob(git, "old and alone")
    jobs.repack_fully(locked)
    make_cruft_older(git, timedelta(days=15))
    young = gitrepo.commit(git, {"c": "young"}, branch="young", parents=[old])
    jobs.repack_fully(locked)
    delete_ref(git, "refs/heads/young")
    jobs.repack_fully(locked)
    assert expiry.expire(locked, datetime.now(UTC) - timedelta(days=14)).objects == 1
    assert has(git, young) and has(git, old) and not has(git, lonely)


def test_an_object_that_became_needed_since_the_repack_stays(locked):
    git = locked.repository
    _, gone = with_garbage(locked)
    gitrepo.commit(git, {"c": "1"}, branch="again", parents=[gone])
    with pytest.raises(RepositoryBusy, match="needed again"):
        expiry.expire(locked, LATER)
    assert has(git, gone)
    assert fsck.check(locked) == []


def test_an_object_that_becomes_needed_at_the_last_moment_stays(locked, monkeypatch):
    git = locked.repository
    _, gone = with_garbage(locked)
    deleting = locks.deleting

    def just_before(*args, **options):
        gitrepo.update_ref(git, "refs/heads/again", gone)
        return deleting(*args, **options)

    monkeypatch.setattr(locks, "deleting", just_before)
    with pytest.raises(RepositoryBusy, match="needed again"):
        expiry.expire(locked, LATER)
    assert has(git, gone) and refs.tip(git, "refs/heads/again") == gone
    assert fsck.check(locked) == []


def test_nothing_goes_while_a_push_is_under_way(locked, monkeypatch):
    git = locked.repository
    _, gone = with_garbage(locked)
    monkeypatch.setattr(expiry, "LOCK_SECONDS", 0.1)
    with locks.moving_refs(git), locks.moving_refs(git):
        with pytest.raises(RepositoryBusy, match="no moment without a push"):
            expiry.expire(locked, LATER)
        assert has(git, gone)
    assert expiry.expire(locked, LATER).objects == 3


def test_a_push_waits_while_objects_go_and_no_longer_than_it_may(git):
    with locks.deleting(git, timeout_seconds=0), pytest.raises(RepositoryBusy, match="removing old objects"):
        locks.moving_refs(git, timeout_seconds=0.1)
    locks.moving_refs(git, timeout_seconds=0.1).release()


def test_a_lock_is_held_until_the_last_process_that_inherited_it_has_ended(git):
    lock = locks.moving_refs(git)
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(lock.fileno(),))
    lock.release()
    with pytest.raises(RepositoryBusy):
        locks.deleting(git, timeout_seconds=0)
    child.kill()
    child.wait()
    child.stdin.close()
    locks.deleting(git, timeout_seconds=1).release()


def test_two_never_rewrite_at_once(git):
    with locks.rewriting(git), pytest.raises(RepositoryBusy, match="Another process"):
        locks.rewriting(git, timeout_seconds=0)


# ---- leftovers -------------------------------------------------------------------------------------------------------

LEFT = [
    "objects/tmp_objdir-incoming-Ab12/pack/tmp_pack_x",
    "objects/pack/tmp_pack_x",
    "objects/pack/.tmp-17-pack-0123",
    "objects/pack/multi-pack-index.lock",
    "objects/ab/tmp_obj_x",
    "objects/info/commit-graphs/commit-graph-chain.lock",
    "refs/heads/main.lock",
    "packed-refs.lock",
    "HEAD.lock",
    f"objects/pack/pack-{'0' * 40}.pack",
]


@pytest.mark.parametrize("name", LEFT)
def test_what_a_killed_process_left_is_removed_when_it_is_old(git, name):
    path = git.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 1000)
    assert not list(leftovers.find(git))
    assert state.look(git).leftovers == 0
    with locks.deleting(git, timeout_seconds=1) as lock:
        assert not leftovers.remove(git, lock)
        removed = leftovers.remove(git, lock, now=time.time() + 2 * 3600)
    assert len(removed) == 1 and removed[0].size_bytes >= 1000
    assert not path.exists()


def test_a_pack_that_a_killed_push_kept_is_let_go_but_not_one_that_an_operator_keeps(git):
    gitrepo.commit(git, {"a": "1"})
    gitrepo.git(git, "repack", "-q", "-d")
    [pack] = state.packs(git)
    keep = Path(f"{pack.base}.keep")
    keep.write_text("receive-pack 4711 on host\n")
    soon = time.time() + 2 * 3600
    assert [one.path for one in leftovers.find(git, now=soon)] == [keep]
    keep.write_text("do not touch\n")
    assert not list(leftovers.find(git, now=soon))


# ---- fsck ------------------------------------------------------------------------------------------------------------


def test_fsck_tells_what_is_missing_without_the_place_on_disk(locked):
    git = locked.repository
    tip = gitrepo.commit(git, {"a": "1"})
    assert fsck.check(locked) == []
    blob = gitrepo.git(git, "rev-parse", f"{tip}:a")
    (git.path / "objects" / blob[:2] / blob[2:]).unlink()
    findings = fsck.check(locked)
    assert f"missing blob {blob}" in findings
    assert not any(str(git.path) in line for line in findings)


def test_fsck_finds_bytes_that_have_changed_on_the_disk(locked):
    git = locked.repository
    oid = gitrepo.blob(git, "right " * 100)
    path = git.path / "objects" / oid[:2] / oid[2:]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-8])
    findings = fsck.check(locked)
    assert any(oid in line for line in findings)
    assert not any(str(git.path) in line for line in findings)


def test_the_defects_of_old_histories_are_no_findings(locked):
    git = locked.repository
    tree = gitrepo.git(git, "write-tree")
    for number, who in enumerate(("A <a@x> 1500000000 +051800", "A <a@x>1500000000 +0000")):
        body = f"tree {tree}\nauthor {who}\ncommitter {who}\n\nOld\n"
        oid = gitrepo.git(git, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", input=body)
        gitrepo.update_ref(git, f"refs/heads/old-{number}", oid)
    assert fsck.check(locked) == []
    body = f"tree {tree}\nauthor A <a@x> not-a-date\ncommitter A <a@x> 1 +0000\n\nBad\n"
    oid = gitrepo.git(git, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", input=body)
    gitrepo.update_ref(git, "refs/heads/bad", oid)
    assert any(oid in line for line in fsck.check(locked))


def test_a_check_that_could_not_be_made_is_no_finding(locked, monkeypatch):
    monkeypatch.setattr(fsck, "FSCK_SECONDS", 0.0)
    with pytest.raises(program.GitTimeout):
        fsck.check(locked)


def test_upkeep_leaves_a_repository_that_the_product_opens(locked, tmp_path):
    git = locked.repository
    with_garbage(locked)
    expiry.expire(locked, LATER)
    jobs.pack_refs(locked)
    found = store.BareRepository(git.path)
    assert refs.default_branch(found) == "main"
