"""Serving git, side by side with `git http-backend` behind nginx: clones, ls-remote, fetches, pushes, memory.

BENCH_REPOSITORY=PATH takes a real repository for the large one; without it one of git's own size is generated.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import fastcgi, git_requests, history, http_backend, processes, timing, web_process
from bench.git_requests import Door
from bench.http_backend import HttpBackend
from tests import gitrepo, gitserver
from tests.gitserver import GitServer

REFERENCE = "git http-backend"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SHORT_ROUNDS = 60  # of what takes milliseconds
AT_ONCE = 8
PUSH_BYTES = 100_000_000
PUSH_COMMITS = 13_000
HUGE_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Sides:
    """Both servers, and the process of ours that answers.

    Attributes:
        server: Where our repositories and people are.
        port: Of the web process as people run it.
        pid: That process.
        backend: The reference.
    """

    server: GitServer
    port: int
    pid: int
    backend: HttpBackend

    def ours(self, name: str) -> Door:
        return Door(self.port, f"/v1/repos/{name}", self.server.people["alice"])

    def reference(self, name: str, *, is_timed: bool = False) -> Door:
        account = (http_backend.USER, http_backend.PASSWORD)
        return Door(self.backend.port, self.backend.path(name, is_timed=is_timed), account)

    def urls(self, name: str) -> tuple[str, str]:
        """The clone URLs of one repository."""
        ours = self.server.url(name, "alice").replace(f":{self.server.port}/", f":{self.port}/")
        return ours, self.backend.url(name)

    def empty(self) -> str:
        """A new repository on both sides."""
        name = self.server.create()
        http_backend.copy(self.server.path(name), self.backend.repository(name))
        return name

    def forget(self) -> None:
        """Empty the cache of whole answers."""
        for path in (self.server.var / "cache" / "git").glob("*.*"):
            path.unlink()

    def generations(self) -> int:
        """How often git has packed for a clone so far."""
        lines = self.server.request("/metrics")[1].decode().splitlines()
        [count] = [line for line in lines if line.startswith("codeservices_git_fetch_cache_generated_total")]
        return int(float(count.split()[1]))


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Sides]:
    """Both servers: ours as `make up` runs its web process, but for the certificate's port."""
    with (
        gitserver.running(folder / "ours") as server,
        http_backend.running(folder / "reference") as backend,
        web_process.running(server) as (port, pid),
    ):
        yield Sides(server, port, pid, backend)


def clones(sides: Sides, name: str, words: str) -> None:
    """Cold, repeated, and eight at once; what the server does, without a client's index-pack."""
    refs = subprocess.run(
        ["git", "for-each-ref", "--format=%(objectname)"],
        cwd=sides.server.path(name),
        check=True,
        capture_output=True,
        text=True,
    )
    body = git_requests.full_clone(sorted(set(refs.stdout.split())))
    git_requests.upload_pack(sides.reference(name), body)  # both read from memory from now on
    first_bytes: tuple[list[float], list[float]] = ([], [])

    def cold() -> float:
        sides.forget()
        taken = git_requests.upload_pack(sides.ours(name), body)
        first_bytes[0].append(taken.first_byte_seconds)
        return taken.seconds

    def reference() -> float:
        taken = git_requests.upload_pack(sides.reference(name), body)
        first_bytes[1].append(taken.first_byte_seconds)
        return taken.seconds

    timing.row_of(f"full clone, cold ({words})", timing.figures_by_turns(cold, reference, ROUNDS), REFERENCE)
    timing.row_of("its first byte", first_bytes, REFERENCE)

    git_requests.upload_pack(sides.ours(name), body)  # the second one: it is kept from now on
    gitserver.wait_for(lambda: any((sides.server.var / "cache" / "git").glob("*.answer")))

    def repeated_cpu() -> float:
        before = processes.cpu_seconds(sides.pid)
        git_requests.upload_pack(sides.ours(name), body)
        return processes.cpu_seconds(sides.pid) - before

    def reference_cpu() -> float:
        before = sides.backend.cpu_seconds()
        git_requests.upload_pack(sides.reference(name, is_timed=True), body)
        return sides.backend.cpu_seconds() - before

    repeated_cpu()
    told = timing.figures_by_turns(repeated_cpu, reference_cpu, ROUNDS)
    timing.row_of("repeated clone, the server's processor time", told, REFERENCE)
    generated = []

    def eight_at_once() -> float:
        sides.forget()
        before = sides.generations()
        seconds = timing.seconds(lambda: _at_once(sides.ours(name), body))
        generated.append(sides.generations() - before)
        return seconds

    told = timing.figures_by_turns(
        eight_at_once, lambda: timing.seconds(lambda: _at_once(sides.reference(name), body)), max(1, ROUNDS // 2)
    )
    words = f"{AT_ONCE} equal clones at once, {max(generated)} pack generation for all of them"
    timing.row_of(words, told, REFERENCE)


def _at_once(door: Door, body: bytes) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda _: git_requests.upload_pack(door, body), range(AT_ONCE)))


def short_requests(sides: Sides, name: str, folder: Path) -> None:
    """ls-remote, and a fetch that finds nothing new."""
    ours, reference = sides.ours(name), sides.reference(name)
    told = timing.figures_by_turns(
        lambda: git_requests.ls_remote(ours), lambda: git_requests.ls_remote(reference), SHORT_ROUNDS
    )
    timing.row_of("ls-remote, both of its requests", [[one * 1000 for one in side] for side in told], REFERENCE, "ms")
    fetches = []
    for number, url in enumerate(sides.urls(name)):
        copy = folder / f"fetch{number}"
        _git("init", "--quiet", "--bare", str(copy), folder=folder)
        _git("config", "remote.origin.url", url, folder=copy)
        _git("config", "remote.origin.fetch", "+refs/heads/*:refs/heads/*", folder=copy)
        alternates = copy / "objects" / "info" / "alternates"
        alternates.write_text(f"{sides.server.path(name)}/objects\n")
        _git("fetch", "--quiet", str(sides.server.path(name)), "+refs/*:refs/*", folder=copy)
        fetches.append(lambda copy=copy: timing.seconds(lambda: _git("fetch", "--quiet", folder=copy)))
    timing.row_of("git fetch that is up to date", timing.figures_by_turns(*fetches, SHORT_ROUNDS // 3), REFERENCE)


def pushes(sides: Sides, folder: Path) -> None:
    """A push of many bytes, and one of many commits, each into an empty repository."""
    for words, make in (
        (f"push of {PUSH_BYTES // 10**6} MB", lambda path: history.blobs(path, size_bytes=PUSH_BYTES)),
        (f"push of {PUSH_COMMITS:,} commits", lambda path: history.fast_import(path, PUSH_COMMITS)),
    ):
        source = _source(folder, make)
        made = iter([sides.empty() for _ in range(2 * ROUNDS)])
        told = timing.figures_by_turns(
            lambda source=source, made=made: _push(source, sides.urls(next(made))[0]),
            lambda source=source, made=made: _push(source, sides.urls(next(made))[1]),
            ROUNDS,
        )
        timing.row_of(words, told, REFERENCE)


def memory(sides: Sides, folder: Path) -> None:
    """The memory of our process during a push and a clone of a gigabyte."""
    source = _source(folder, lambda path: history.blobs(path, size_bytes=HUGE_BYTES))
    name = sides.empty()
    for words, act in (
        ("push of 1 GB", lambda: _push(source, sides.urls(name)[0])),
        ("clone of 1 GB", lambda: _clone_away(sides, name, source)),
    ):
        before = processes.anonymous_bytes(sides.pid)
        most = _most_memory(sides.pid, act)
        timing.row(f"memory of the web process: {words}", most / 1e6, "at rest before", before / 1e6, "MB")


def _clone_away(sides: Sides, name: str, source: Path) -> None:
    oid = subprocess.run(["git", "rev-parse", "main"], cwd=source, check=True, capture_output=True, text=True).stdout
    git_requests.upload_pack(sides.ours(name), git_requests.full_clone([oid.strip()]))


def _most_memory(pid: int, act: object) -> int:
    assert callable(act)
    most, is_over = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not is_over.is_set():
            most = max(most, processes.anonymous_bytes(pid))
            time.sleep(0.05)

    watching = threading.Thread(target=watch)
    watching.start()
    act()
    is_over.set()
    watching.join()
    return most


def _source(folder: Path, make: object) -> Path:
    assert callable(make)
    source = folder / f"source-{uuid.uuid4().hex}"
    _git("init", "--quiet", "--bare", "--initial-branch=main", str(source), folder=folder)
    make(source)
    return source


def _push(source: Path, url: str) -> float:
    return timing.seconds(lambda: _git("push", "--quiet", url, "main", folder=source))


def _git(*args: str, folder: Path) -> None:
    subprocess.run(["git", *args], cwd=folder, env=gitrepo.ENVIRONMENT, check=True)


def main() -> None:
    command = fastcgi.why_missing()
    if command:
        sys.exit(f"bench_git.py compares with git http-backend behind nginx, which is not here. Install it: {command}")
    wanted = sys.argv[1:] or ["clones", "short", "pushes", "memory"]
    with tempfile.TemporaryDirectory(prefix="cs-bench-") as made, running(Path(made)) as sides:
        folder = Path(made)
        name = sides.empty()
        words = history.large(sides.server.path(name))
        shutil.rmtree(sides.backend.repository(name))
        http_backend.copy(sides.server.path(name), sides.backend.repository(name))
        if "short" in wanted:
            short_requests(sides, name, folder)
        if "clones" in wanted:
            clones(sides, name, words)
        if "pushes" in wanted:
            pushes(sides, folder)
        if "memory" in wanted:
            memory(sides, folder)


if __name__ == "__main__":
    main()
