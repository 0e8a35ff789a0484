"""A build's log: a million lines into storage, a line's way to its readers, windows, search, and a thousand viewers.

The reference of the million lines is a bare attach of docker-py to the same container, log driver `none`, by turns in
the same run; the lines are counted here and there. `python bench/bench_logs.py storage` measures a part: storage,
pages, latency, viewers.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import docker.types

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import processes, timing
from bench.page_requests import Browser
from builds.runner import attached
from tests.fixtures.installation import Installation, descendants, free_port

IMAGE = "codeservices/base"
LINES = 1_000_000
LINE = "a line of a build's log that is sixty-seven bytes with its newline"
PRINT = f"yes '{LINE.replace(chr(39), chr(34))}' | head -n {LINES}"
VIEWERS = 1_000
SETTLE_SECONDS = 2
# The time in the line is the clock's when it was written.
TICK = "for i in $(seq {count}); do echo tick $(date +%s%N); sleep {seconds}; done"


class OneWebProcess(Installation):
    """An installation whose pages all come from one process."""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"CODESERVICES_WEB_PROCESSES": "1"}


class Bench:
    """An installation with one web process, and what the measurements ask of it."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.codebuild = installation.client("codebuild")
        self.browser = Browser(installation.http_port)
        self.browser.sign_in(installation.admin["username"], installation.admin["password"])

    def project(self, name: str, command: str) -> None:
        """A project whose builds run one command."""
        buildspec = f"version: 0.2\nphases:\n  build:\n    commands:\n      - {json.dumps(command)}\n"
        self.codebuild.create_project(
            name=name,
            source={"type": "NO_SOURCE", "buildspec": buildspec},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": IMAGE, "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=f"arn:aws:iam::{self.installation.admin['account_id']}:role/codebuild-service-role",
        )

    def start(self, name: str) -> dict[str, Any]:
        return dict(self.codebuild.start_build(projectName=name)["build"])

    def ended(self, build: dict[str, Any]) -> dict[str, Any]:
        """The build when it and its log are complete."""
        while True:
            found = self.codebuild.batch_get_builds(ids=[build["id"]])["builds"][0]
            if found["buildStatus"] != "IN_PROGRESS":
                break
            time.sleep(0.1)
        assert found["buildStatus"] == "SUCCEEDED", found
        return dict(found)

    def log(self, build: dict[str, Any], query: str) -> Any:
        # A connection of its own, since the server closes those that were idle; making it is not measured.
        browser = Browser(self.installation.http_port, self.browser.cookies)
        page = browser.get(f"/projects/{build['projectName']}/builds/{build['buildNumber']}/{query}")
        assert page.status == 200, (query, page.status, page.text[:500])
        return page

    def workers(self) -> list[int]:
        """The processes that run builds, with their children."""
        mains = self.installation.pids("builder")
        return [pid for main in mains for pid in (main, *descendants(main))]


def bare() -> float:
    """Seconds from the start of a container of the same image until docker-py has received all its lines."""
    client = docker.from_env()
    container = client.containers.create(
        IMAGE, ["/bin/sh", "-c", PRINT], log_config=docker.types.LogConfig(type="none"), stdin_open=True
    )
    try:
        stream = container.attach_socket(params={"stdout": 1, "stderr": 1, "stream": 1, "logs": 0})
        begun = time.perf_counter()
        container.start()
        received = []
        while data := stream._sock.recv(256 * 1024):
            received.append(data)
        seconds = time.perf_counter() - begun
        assert _lines_of(b"".join(received)) == LINES
        stream._response.close()
        return seconds
    finally:
        container.remove(force=True)
        client.close()


def _lines_of(frames: bytes) -> int:
    """How many newlines the frames of an attach carry."""
    lines = position = 0
    while position < len(frames):
        _, size = attached.HEADER.unpack_from(frames, position)
        position += attached.HEADER.size
        lines += frames.count(b"\n", position, position + size)
        position += size
    return lines


def storage(bench: Bench) -> dict[str, Any]:
    """A million lines until they are all in storage; the last of the builds."""
    bench.project("million", PRINT)
    builds: list[dict[str, Any]] = []

    def ours() -> float:
        found = bench.ended(bench.start("million"))
        builds.append(found)
        begun = next(one["startTime"] for one in found["phases"] if one["phaseType"] == "BUILD")
        # A build ends when its log is stored whole; its container is removed after that, as here and in bare().
        return float((found["endTime"] - begun).total_seconds())

    bare(), ours()
    timing.row_of("1,000,000 lines, first command to all stored", timing.figures_by_turns(ours, bare), "bare attach")
    text = bench.log(builds[-1], "log?download=raw").body
    assert text.count(LINE.replace("'", '"').encode() + b"\n") == LINES
    for pid in bench.workers():
        print(f"| memory of the worker, peak, process {pid} | {processes.peak_bytes(pid) / 1e6:.0f} MB | | |")
    return builds[-1]


def pages(bench: Bench, build: dict[str, Any]) -> None:
    """Windows at any line, and searches over all of it."""
    chance = random.Random(6)
    spent = [bench.log(build, f"log?from={chance.randrange(LINES)}&count=100").seconds for _ in range(200)]
    _told("a window of 100 lines at any line", spent)
    asked: dict[str, str] = {
        "a word on every line": "q=sixty-seven&case=1",
        "nothing": "q=no such text&case=1",
        "nothing, any case": "q=No Such Text",
        "a pattern on every line": "q=six[t]y&regex=1&case=1",
        "a pattern that is nowhere": "q=wo[r]d%5Cs%2B%5Cd%7B3%7D&regex=1",
        "a pattern that backtracks elsewhere": "q=(a%2Ba%2B)%2B$x&regex=1",
    }
    for what, query in asked.items():
        query = query.replace(" ", "+")
        found = [bench.log(build, f"log/search?{query}&format=json") for _ in range(5)]
        answer = json.loads(found[0].body)
        count = f"{answer['total']:,}" + ("" if answer["is_complete"] else " at least")
        _told(f"search: {what} ({count})", [one.seconds for one in found])


def latency(bench: Bench) -> None:
    """A line's way from the container to a reader of the event stream."""
    bench.project("ticks", TICK.format(count=600, seconds=0.04))
    build = bench.start("ticks")
    address = f"/projects/ticks/builds/{build['buildNumber']}/events"
    seconds: list[float] = []
    asyncio.run(_watch(bench, address, 1, lambda spent: seconds.extend(spent)))
    bench.ended(build)
    _told("a line from the container to the event stream", seconds)


def viewers(bench: Bench) -> None:
    """A thousand viewers of one build that says something five times a second, once all of them are there."""
    bench.project("watched", TICK.format(count=500, seconds=0.2))
    build = bench.start("watched")
    address = f"/projects/watched/builds/{build['buildNumber']}/events"
    seconds: list[float] = []
    web = [pid for main in bench.installation.pids("web") for pid in (main, *descendants(main))]
    before = {pid: processes.cpu_seconds(pid) for pid in web}
    begun = time.monotonic()
    resting = {pid: processes.anonymous_bytes(pid) for pid in web}
    asyncio.run(_watch(bench, address, VIEWERS, lambda spent: seconds.extend(spent)))
    spent = time.monotonic() - begun
    bench.ended(build)
    _told(f"{VIEWERS} viewers: a line from the container to each", seconds)
    for pid in web:
        share = (processes.cpu_seconds(pid) - before[pid]) / spent
        more = processes.peak_bytes(pid), processes.anonymous_bytes(pid), resting[pid]
        told = " | ".join(
            f"{one / 1e6:.0f} MB {what}" for one, what in zip(more, ("at most", "after", "before"), strict=True)
        )
        print(f"| {VIEWERS} viewers: the web process {pid} | {told} | {share:.0%} of a processor |")


async def _watch(bench: Bench, address: str, count: int, take: Callable[[list[float]], None]) -> None:
    """So many connections to an event stream until its end; every line's age when it came, once all have begun."""
    cookies = "; ".join(f"{name}={value}" for name, value in bench.browser.cookies.items())
    request = f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\n\r\n".encode()
    begun, waiting = time.monotonic(), count
    all_there = asyncio.Event()

    async def one() -> int:
        nonlocal waiting
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.installation.http_port, limit=2**22)
        writer.write(request)
        lines = 0
        while line := await reader.readline():
            if line.startswith(b"event: end"):
                break
            if not line.startswith(b"data: {") or b"tick 1" not in line:
                continue
            now = time.time_ns()
            texts = [text for _, text in json.loads(line[6:])["lines"] if text.startswith("tick ")]
            if not lines:
                waiting -= 1
                if not waiting:
                    print(f"| {count} viewers connected | {time.monotonic() - begun:.1f} s |", flush=True)
                    asyncio.get_running_loop().call_later(SETTLE_SECONDS, all_there.set)
            lines += len(texts)
            if all_there.is_set():
                take([(now - int(text[5:])) / 1e9 for text in texts])
        writer.close()
        return lines

    counts = await asyncio.gather(*(one() for _ in range(count)))
    assert len(set(counts)) == 1, f"viewers saw {sorted(set(counts))} lines"


def _told(what: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    middle, late = statistics.median(ordered), ordered[int(len(ordered) * 0.95)]
    print(
        f"| {what} | p50 {middle * 1000:.0f} ms | p95 {late * 1000:.0f} ms | worst {ordered[-1] * 1000:.0f} ms |",
        flush=True,
    )


def main() -> None:
    parts = sys.argv[1:] or ["storage", "pages", "latency", "viewers"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True, prefix="cs-bench-") as folder:
        installation = OneWebProcess(Path(folder) / "var", free_port(), free_port())
        try:
            done = installation.make("up")
            if done.returncode != 0:
                raise SystemExit(f"make up failed:\n{done.stdout}{done.stderr}")
            bench = Bench(installation)
            if {"storage", "pages"} & set(parts):
                build = storage(bench)
                if "pages" in parts:
                    pages(bench, build)
            if "latency" in parts:
                latency(bench)
            if "viewers" in parts:
                viewers(bench)
        finally:
            installation.make("down")


if __name__ == "__main__":
    main()
