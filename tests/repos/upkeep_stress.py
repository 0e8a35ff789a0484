"""Pushes, clones, pages and upkeep of one repository, all at once, with no grace for anything.

Upkeep deletes here whatever no ref reaches, however young, and removes every temporary file and lock, however fresh:
only the locks keep it from taking what a push needs. Some pushers are people; one asks for refs to objects that it does
not send, which are about to be deleted.
"""

from __future__ import annotations

import hashlib
import random
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from repos.git import locks, refs
from repos.git.locks import RepositoryBusy
from repos.git.store import BareRepository
from repos.git.upkeep import expiry, fsck, jobs, leftovers
from repos.git.upkeep.jobs import LockedRepository
from tests import gitclient
from tests.gitserver import GitServer

WRITERS = 2
EMPTY_PACK = b"PACK" + struct.pack(">II", 2, 0)
FAR = 10**6


@dataclass
class Stress:
    """What happened. `expected` has what each ref was when its last push was acknowledged; None: deleted."""

    pushes: int = 0
    refused: list[str] = field(default_factory=list)
    grafts: int = 0
    clones: int = 0
    pages: int = 0
    rounds: int = 0
    expired: int = 0
    postponed: int = 0
    expected: dict[str, str | None] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def run(server: GitServer, name: str, folder: Path, seconds: float, seed: int) -> Stress:
    """Do all of that for so long; fails where a repository is not whole after it, or lacks what was acknowledged."""
    seen = Stress()
    deadline = time.monotonic() + seconds
    path = server.path(name)
    begin(server, name, folder / "first")

    def repeat(act: Callable[[random.Random], None], number: int) -> threading.Thread:
        dice = random.Random(f"{seed} {act} {number}")

        def loop() -> None:
            while time.monotonic() < deadline and not seen.failures:
                try:
                    act(dice)
                except Exception as error:
                    seen.failures.append(f"{type(error).__name__}: {error}")

        return threading.Thread(target=loop)

    writers = [Writer(server, name, folder / f"writer-{number}", number, seen) for number in range(WRITERS)]
    threads = [repeat(writer.push, number) for number, writer in enumerate(writers)]
    threads += [
        repeat(lambda dice: graft(server, name, seen, dice), 0),
        repeat(lambda dice: clone(server, name, folder / "clones", seen), 0),
        repeat(lambda dice: read(path, seen), 0),
        repeat(lambda dice: keep_up(path, seen, dice), 0),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not seen.failures, seen.failures
    with BareRepository(path) as git, locks.rewriting(git) as rewriting:
        assert fsck.check(LockedRepository(git, rewriting)) == []
        found = refs.all_refs(git)
    assert {name: found.get(name) for name in seen.expected} == seen.expected
    return seen


def begin(server: GitServer, name: str, folder: Path) -> None:
    """A main branch, so that what is deleted is none that git keeps."""
    work = gitclient.new(folder, server.url(name, "alice"))
    work.commit({"README.md": "hello\n"})
    work.git("push", "--quiet", "origin", "main")


class Writer:
    """Pushes new commits, deletes branches, brings them back from its own copy, rewrites them."""

    def __init__(self, server: GitServer, name: str, folder: Path, number: int, seen: Stress) -> None:
        self.work = gitclient.clone(folder, server.url(name, "alice"))
        self.number, self.seen, self.count = number, seen, 0
        self.gone: list[tuple[str, str]] = []

    def push(self, dice: random.Random) -> None:
        """One push of one kind."""
        own = [ref for ref, oid in self.seen.expected.items() if oid and ref.startswith(f"refs/heads/w{self.number}-")]
        [kind] = dice.choices(("small", "large", "delete", "bring back", "rewrite"), (3, 1, 3, 2, 2))
        if kind == "delete" and own:
            refname = dice.choice(own)
            oid = self.seen.expected[refname]
            assert oid is not None
            if self._send(f":{refname}", refname, None):
                self.gone.append((refname, oid))
                self.seen.deleted.append(oid)
        elif kind == "bring back" and self.gone:
            refname, oid = self.gone.pop(dice.randrange(len(self.gone)))
            self._send(f"{oid}:{refname}", refname, oid)
        elif kind == "rewrite" and own:
            refname = dice.choice(own)
            before = self.seen.expected[refname]
            assert before is not None
            oid = self._commit({"rewritten": str(dice.random())})
            if self._send(f"+{oid}:{refname}", refname, oid):
                self.seen.deleted.append(before)
        else:
            self.count += 1
            refname = f"refs/heads/w{self.number}-{self.count}"
            files = 120 if kind == "large" else 2
            oid = self._commit({f"{number}.txt": str(dice.random()) for number in range(files)})
            self._send(f"{oid}:{refname}", refname, oid)

    def _commit(self, files: dict[str, str]) -> str:
        self.work.git("checkout", "--quiet", "--detach", "origin/main")
        return self.work.commit(files)

    def _send(self, spec: str, refname: str, oid: str | None) -> bool:
        answer = self.work.try_git("push", "--quiet", "origin", spec)
        self.seen.pushes += 1
        if answer.code == 0:
            self.seen.expected[refname] = oid
        else:
            self.seen.refused.append(answer.err)
        return answer.code == 0


def graft(server: GitServer, name: str, seen: Stress, dice: random.Random) -> None:
    """Ask for a ref to something that was just deleted, without sending it; git has it, or refuses."""
    if not seen.deleted or dice.random() < 0.7:
        time.sleep(0.1)
        return
    oid, refname = dice.choice(seen.deleted[-5:]), f"refs/heads/graft-{seen.grafts}"
    command = f"{'0' * 40} {oid} {refname}\0report-status".encode()
    body = b"%04x%s0000" % (len(command) + 4, command) + EMPTY_PACK + hashlib.sha1(EMPTY_PACK).digest()
    content_type = {"Content-Type": "application/x-git-receive-pack-request"}
    status, answer, _ = server.request(f"/v1/repos/{name}/git-receive-pack", body, headers=content_type)
    assert status == 200, answer
    if f"ok {refname}".encode() in answer:
        seen.grafts += 1
        seen.expected[refname] = oid


def clone(server: GitServer, name: str, folder: Path, seen: Stress) -> None:
    """A whole clone; git checks that nothing is missing in it."""
    copy = folder / str(seen.clones)
    copy.parent.mkdir(exist_ok=True)
    answer = gitclient.run("clone", "--quiet", "--mirror", server.url(name, "alice"), str(copy), folder=folder)
    assert answer.code == 0, answer.err
    seen.clones += 1


def read(path: Path, seen: Stress) -> None:
    """What pages do: list the refs, and read what they point at in process."""
    with BareRepository(path) as git:
        for oid in refs.all_refs(git).values():
            try:
                commit = git.dulwich[oid.encode()]
            except KeyError:  # its branch was deleted, and it expired, since the refs were listed
                assert oid not in refs.all_refs(git).values(), oid
                continue
            assert commit.id == oid.encode()
            seen.pages += 1


def keep_up(path: Path, seen: Stress, dice: random.Random) -> None:
    """A round of upkeep."""
    with BareRepository(path) as git, locks.rewriting(git) as rewriting:
        locked = LockedRepository(git, rewriting)
        for job in (jobs.pack_refs, jobs.write_commit_graph, jobs.repack):
            if dice.random() < 0.7:
                job(locked)
        try:
            with locks.deleting(git, timeout_seconds=2) as deleting:
                leftovers.remove(git, deleting, now=time.time() + FAR)
        except RepositoryBusy:
            seen.postponed += 1
        jobs.repack_fully(locked)
        try:
            seen.expired += expiry.expire(locked, datetime.now(UTC) + timedelta(seconds=FAR)).objects
        except RepositoryBusy:
            seen.postponed += 1
    seen.rounds += 1
