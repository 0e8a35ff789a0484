"""`kill -9` at random moments of a loop of 100 pushes.

What was acknowledged is there, the rest is absent or whole; a trigger was told of every ref that moved and of no other.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import gitrepo
from tests.codeservices.receiver import Receiver, receiver
from tests.fixtures.installation import Installation, descendants, wait_for

pytestmark = pytest.mark.faults

ZERO = "0" * 40
PUSHERS = 4
PUSHES_EACH = 25
ATOMIC_REFS = 30
LARGE_BYTES = 12_000_000
# The pause before a kill, once all serves again: a push takes a fraction of a second, so most kills hit some.
PAUSE_SECONDS = (0.3, 2.0)
# One kill in so many comes while what the last one killed is still starting.
HASTE = 5
# A push that is refused or cut off is tried again for so long: restarts and the sweep of half-done pushes lie within.
PATIENCE_SECONDS = 240
PROGRAMS = {"redis", "web", "worker", "notifier", "maintainer", "beat"}
VICTIMS = ("web", "web with git", "git", "git", "git", "worker", "notifier", "everything")
SEED = int(os.environ.get("CODESERVICES_TEST_SEED", "4"))


@dataclass(frozen=True)
class Attempt:
    """One `git push`: what each ref was to become, whether all or none, and what the server acknowledged."""

    wanted: Mapping[str, str]
    is_atomic: bool
    acknowledged: frozenset[str]


class Pusher(threading.Thread):
    """A person with a clone and refs of their own, who tries again until a push has gone through."""

    def __init__(self, installation: Installation, repository: str, number: int, folder: Path) -> None:
        super().__init__(name=f"pusher {number}", daemon=True)
        self.installation = installation
        self.url = f"{installation.https_url}/v1/repos/{repository}"
        self.prefix = f"refs/heads/p{number}"
        self.random = random.Random(SEED * 1000 + number)
        self.folder = folder
        self.attempts: list[Attempt] = []
        self.failure: BaseException | None = None
        self.branches: dict[str, str] = {}
        self._made = 0
        folder.mkdir()
        gitrepo.git(folder, "init", "--quiet")

    def run(self) -> None:
        kinds = ["create", "update", "update", "delete", "atomic", "large"]
        try:
            self.push({f"{self.prefix}/fixed": self.commit()})
            for _ in range(PUSHES_EACH - 1):
                getattr(self, f"_{self.random.choice(kinds)}")()
        except BaseException as error:
            self.failure = error

    def _create(self) -> None:
        self.push({f"{self.prefix}/branch{len(self.attempts)}": self.commit()})

    def _update(self) -> None:
        self.push({self.random.choice(sorted(self.branches)): self.commit()})

    def _large(self) -> None:
        self.push({f"{self.prefix}/fixed": self.commit(LARGE_BYTES)})

    def _delete(self) -> None:
        others = sorted(set(self.branches) - {"refs/heads/main", f"{self.prefix}/fixed"})
        self.push({self.random.choice(others): ZERO}) if others else self._create()

    def _atomic(self) -> None:
        """Moves a group of refs together; cut off, it is not tried again, so that what became of it can be seen."""
        oid = self.commit()
        self.attempt({f"{self.prefix}-group/{number:02}": oid for number in range(ATOMIC_REFS)}, "--atomic")

    def commit(self, size_bytes: int = 1000) -> str:
        self._made += 1
        (self.folder / "file").write_bytes(self.random.randbytes(size_bytes))
        gitrepo.git(self.folder, "add", "file")
        gitrepo.git(self.folder, "commit", "--quiet", "--message", f"Commit {self._made}")
        return gitrepo.git(self.folder, "rev-parse", "HEAD")

    def push(self, wanted: dict[str, str]) -> None:
        """Push until the server has said yes to every ref, or has what was wanted from an earlier try."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            told = self.attempt(wanted)
            if wanted.keys() <= told or self.is_there(wanted):
                break
            assert time.monotonic() < deadline, f"{wanted} did not go through: {self.said}"
            time.sleep(2)
        self.branches.update(wanted)
        self.branches = {refname: oid for refname, oid in self.branches.items() if oid != ZERO}

    def attempt(self, wanted: dict[str, str], *options: str) -> frozenset[str]:
        """One push; the refs that the server acknowledged, which those are whose line says so."""
        specs = [f"{'' if oid == ZERO else oid}:{refname}" for refname, oid in wanted.items()]
        done = self.installation.git(
            "push", "--porcelain", "--force", *options, self.url, *specs, cwd=self.folder, check=False
        )
        self.said = done.stderr
        fields = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") == 2]
        told = frozenset(pair.rpartition(":")[2] for flag, pair, _ in fields if flag != "!")
        self.attempts.append(Attempt(wanted, "--atomic" in options, told))
        return told

    def is_there(self, wanted: Mapping[str, str]) -> bool:
        listed = self.installation.git("ls-remote", self.url, *wanted, check=False)
        if listed.returncode != 0:
            return False
        found = {refname: oid for oid, refname in (line.split("\t") for line in listed.stdout.splitlines())}
        return all(found.get(refname, ZERO) == oid for refname, oid in wanted.items())


class Killer:
    """Kills processes of an installation, and those alone, by their ids."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.random = random.Random(SEED)
        self.kills: Counter[str] = Counter()
        self._deck: list[str] = []

    def strike(self, victim: str = "") -> None:
        """Kill one part at a random moment, when what earlier strikes killed serves again by itself, or starts to."""
        is_hasty = not victim and self.random.randrange(HASTE) == 0
        back = self._runs if is_hasty else self.serves
        wait_for(back, seconds=400, what="everything that was killed serves again")
        time.sleep(self.random.uniform(*PAUSE_SECONDS))
        if not victim:
            if not self._deck:
                self._deck = self.random.sample(VICTIMS, len(VICTIMS))
            victim = self._deck.pop()
        found = self._victims(victim)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.kills[victim] += bool(found)

    def _victims(self, victim: str) -> set[int]:
        if victim == "git":
            found = self._git()
            return {self.random.choice(found)} if found else set()
        if victim == "everything":  # as a power cut, Redis too; the supervisor stays, to start it all again
            supervisor = int((self.installation.var / "run" / "supervisord.pid").read_text())
            return {*descendants(supervisor), *self._git()}
        if victim == "web":
            return set(self._of("web")[:1])
        if victim == "web with git":
            return {*self._of("web"), *self._git()}
        return set(self._of(victim))

    def _runs(self) -> bool:
        return self.installation.running().keys() >= PROGRAMS

    def serves(self) -> bool:
        """Whether all is ready, workers too, as a load balancer asks it."""
        try:
            self.installation.get("/readyz")
        except OSError:
            return False
        return self._runs()

    def _of(self, program: str) -> list[int]:
        """The processes of one of the supervisor's programs, with their children."""
        return [each for pid in self.installation.pids(program) for each in (pid, *descendants(pid))]

    def _git(self) -> list[int]:
        """The server's git processes, whose repositories lie in its folder; orphans among them too."""
        place = f"GIT_DIR={self.installation.var / 'git'}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if place in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
        return found


def rows(installation: Installation, query: str, *values: object) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(installation.var / "db.sqlite3", timeout=30)) as database:
        return database.execute(query, values).fetchall()


@pytest.fixture
def repository(installation: Installation) -> str:
    name = f"killed-{uuid.uuid4().hex[:8]}"
    installation.client("codecommit").create_repository(repositoryName=name)
    return name


@pytest.fixture
def endpoint(installation: Installation, repository: str) -> Iterator[Receiver]:
    """A web server on loopback that has subscribed to a topic, to which a trigger of the repository tells all."""
    sns = installation.client("sns")
    topic = sns.create_topic(Name=repository)["TopicArn"]
    with receiver() as found:
        address = found.url.replace("localhost", "127.0.0.1")
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=address)
        wait_for(lambda: found.taken, what="the endpoint is asked whether it wants to be told")
        sns.confirm_subscription(TopicArn=topic, Token=found.taken.pop().members["Token"])
        trigger = {"name": "all", "destinationArn": topic, "branches": [], "events": ["all"]}
        installation.client("codecommit").put_repository_triggers(repositoryName=repository, triggers=[trigger])
        yield found


def events(endpoint: Receiver) -> list[tuple[str, frozenset[tuple[str, str, str]]]]:
    """(event id, its moves) of all that the endpoint got; a move is a refname, what happened to it and its commit."""
    found = []
    for taken in list(endpoint.taken):
        [record] = json.loads(taken.members["Message"])["Records"]
        moves = record["codecommit"]["references"]
        kinds = [next((kind for kind in ("created", "deleted") if move.get(kind)), "updated") for move in moves]
        told = frozenset((move["ref"], kind, move["commit"]) for move, kind in zip(moves, kinds, strict=True))
        found.append((record["eventId"], told))
    return found


def as_told(command: Mapping[str, str]) -> tuple[str, str, str]:
    """A recorded move in the form of `events`."""
    if command["new_oid"] == ZERO:
        return command["refname"], "deleted", command["old_oid"]
    return command["refname"], "created" if command["old_oid"] == ZERO else "updated", command["new_oid"]


def folder_of(installation: Installation, repository: str) -> Path:
    [[repository_id]] = rows(installation, "SELECT repository_id FROM repos_repository WHERE name = ?", repository)
    return installation.var / "git" / repository_id[:2] / f"{uuid.UUID(repository_id)}.git"


def recorded(installation: Installation, repository: str) -> list[tuple[str, str, bool, list[dict[str, str]]]]:
    """(push id, state, atomic, commands) of each push, in the order in which they began."""
    found = rows(
        installation,
        "SELECT push_id, state, is_atomic, commands FROM repos_push"
        " WHERE repository_id = (SELECT id FROM repos_repository WHERE name = ?) ORDER BY id",
        repository,
    )
    return [(push_id, state, bool(is_atomic), json.loads(commands)) for push_id, state, is_atomic, commands in found]


def settled(installation: Installation, repository: str) -> bool:
    return {state for _, state, *_ in recorded(installation, repository)} <= {"DELIVERED", "DROPPED"}


def remote_refs(folder: Path) -> dict[str, str]:
    lines = gitrepo.git(folder, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)


def chained(moves: list[tuple[str, str]]) -> list[str] | None:
    """The oids that a ref went through, from none on, using each recorded move once; None where they do not fit."""
    waiting, path = list(moves), [ZERO]
    while waiting:
        follower = next((move for move in waiting if move[0] == path[-1]), None)
        if follower is None:
            return None
        waiting.remove(follower)
        path.append(follower[1])
    return path


def test_kills_lose_no_acknowledged_push_and_leave_no_half_one(
    installation: Installation, repository: str, endpoint: Receiver, tmp_path: Path
):
    pushers = [Pusher(installation, repository, number, tmp_path / str(number)) for number in range(PUSHERS)]
    pushers[0].push({"refs/heads/main": pushers[0].commit()})
    killer = Killer(installation)
    for pusher in pushers:
        pusher.start()
    while any(pusher.is_alive() for pusher in pushers) and not any(pusher.failure for pusher in pushers):
        killer.strike()
    killer.strike("everything")  # what the last pushes tell is on its way
    sys.stdout.write(f"seed {SEED}: killed {dict(killer.kills)}\n")
    assert [repr(pusher.failure) for pusher in pushers if pusher.failure] == []
    # Everything comes back by itself, and every push ends as delivered or dropped.
    wait_for(lambda: settled(installation, repository), seconds=600, what="every push delivered or dropped")

    folder = folder_of(installation, repository)
    final = remote_refs(folder)
    pushes = recorded(installation, repository)
    moves: dict[str, list[tuple[str, str]]] = {}
    for _, state, _, commands in pushes:
        if state == "DELIVERED":
            for command in commands:
                moves.setdefault(command["refname"], []).append((command["old_oid"], command["new_oid"]))
    attempts = [attempt for pusher in pushers for attempt in pusher.attempts]
    unanswered = sum(not one.acknowledged for one in attempts)
    sys.stdout.write(f"{len(attempts)} pushes, {unanswered} of them cut off or refused\n")

    # Each ref was told to listeners once for each of its moves, from its making to where it stands, and for no other.
    paths = {refname: chained(told) for refname, told in moves.items()}
    assert {refname: path[-1] for refname, path in paths.items() if path[-1] != ZERO} == final
    for attempt in attempts:
        for refname, oid in attempt.wanted.items():
            if refname in attempt.acknowledged and attempt.wanted[refname] != ZERO:
                assert oid in paths[refname], f"{refname} was acknowledged at {oid}, and is lost"
    # An atomic push moved all of its refs or none.
    assert {len(commands) for _, state, is_atomic, commands in pushes if is_atomic} == {ATOMIC_REFS}
    for number in range(PUSHERS):
        group = {oid for refname, oid in final.items() if refname.startswith(f"refs/heads/p{number}-group/")}
        assert len(group) <= 1

    # A trigger told of each push that moved something, at least once and always the same; of nothing else.
    moved = {frozenset(map(as_told, commands)) for _, state, _, commands in pushes if state == "DELIVERED"}
    wait_for(lambda: {one for _, one in events(endpoint)} >= moved, seconds=600, what="every push told to its trigger")
    received = events(endpoint)
    assert {one for _, one in received} == moved
    ids = {event_id for event_id, _ in received}
    assert len(ids) == len(set(received)) == sum(state == "DELIVERED" for _, state, *_ in pushes)
    sys.stdout.write(f"{len(received)} events for {len(ids)} pushes\n")

    # One event of the audit for each push, found by the id that both have.
    told = Counter(
        event_id for (event_id,) in rows(installation, "SELECT event_id FROM audit_event WHERE event_name = 'GitPush'")
    )
    assert [push_id for push_id, *_ in pushes if told[push_id] != 1] == []

    # No corruption, and nothing of the dead is left.
    gitrepo.git(folder, "fsck", "--strict", "--connectivity-only")
    assert "error" not in gitrepo.git(folder, "fsck", "--strict")
    leftovers = [*folder.rglob("*.lock"), *(folder / "objects").glob("tmp_objdir-*")]
    assert leftovers == []
    locks = installation.var / "run" / "pushes"
    wait_for(lambda: not list(locks.iterdir()), seconds=180, what="no lock of a killed push to be left")
    wait_for(killer.serves, seconds=400, what="everything serves again")
    for pusher in pushers:
        assert pusher.attempt({f"{pusher.prefix}/last": pusher.commit()}), pusher.said
