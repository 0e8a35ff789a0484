"""Builds beside the plain engine: one build of an `echo`, its first log line, and 20 queued at once.

    python bench/bench_build.py

The references are docker-py alone: a container of the same image is made, attached before it starts, read to its end
and removed. Twenty of them run with as many threads as there are build workers. They are on the engine's default
bridge; a build's network of its own takes the engine half as much again.
"""

from __future__ import annotations

import contextlib
import functools
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.types import LogConfig

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import timing
from builds.runner.engine import INSTALL_LABEL
from tests.fixtures.installation import Installation, free_port

IMAGE = "codeservices/base"
BUILDSPEC = "version: 0.2\nphases:\n  build:\n    commands:\n      - echo hello\n"
QUEUED = 20
CONCURRENCY = 4
# The most that the first line may come after the engine's own first byte.
FIRST_LINE_SECONDS = 0.5
POLL_SECONDS = 0.01
# Of many builds the end is asked for less often: the answers would take processor time from the builds.
MANY_POLL_SECONDS = 0.25


@dataclass
class Busy(Installation):
    """An installation with a set number of build workers."""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"CODESERVICES_BUILD_CONCURRENCY": str(CONCURRENCY)}


def bare(client: docker.DockerClient) -> float:
    """One container of the same `echo` through docker-py; seconds to its first byte."""
    start = time.perf_counter()
    container = client.containers.create(
        IMAGE, ["echo", "hello"], init=True, log_config=LogConfig(type="none"), cap_drop=["ALL"]
    )
    pieces = container.attach(stream=True, stdout=True, stderr=True, logs=False)
    container.start()
    next(pieces)
    first = time.perf_counter() - start
    for _ in pieces:
        continue
    container.wait()
    container.remove(v=True)
    return first


class Builds:
    """Builds of one installation, through its API."""

    def __init__(self, installation: Installation, engine: docker.DockerClient) -> None:
        self.installation = installation
        self.engine = engine
        self.client = installation.client("codebuild")
        self.client.create_project(
            name="bench",
            source={"type": "NO_SOURCE", "buildspec": BUILDSPEC},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": IMAGE, "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=f"arn:aws:iam::{installation.admin['account_id']}:role/codebuild-service-role",
        )
        from tests.faults.test_kill import Console

        self.console = Console(installation)

    def start(self) -> dict[str, str]:
        return self.client.start_build(projectName="bench")["build"]

    def finish(self, ids: list[str], poll_seconds: float = POLL_SECONDS) -> None:
        """Wait until all of them have succeeded."""
        while ids:
            found = self.client.batch_get_builds(ids=ids)["builds"]
            statuses = {one["buildStatus"] for one in found} - {"IN_PROGRESS", "SUCCEEDED"}
            if statuses:
                raise SystemExit(f"builds ended {', '.join(sorted(statuses))}")
            ids = [one["id"] for one in found if not one["buildComplete"]]
            if ids:
                time.sleep(poll_seconds)

    def one(self) -> float:
        """Seconds of one build."""
        return self._seconds(1, POLL_SECONDS)

    def many(self) -> float:
        """Seconds of QUEUED builds."""
        return self._seconds(QUEUED, MANY_POLL_SECONDS)

    def _seconds(self, count: int, poll_seconds: float) -> float:
        """How long so many builds take, from the first StartBuild until all have succeeded."""
        start = time.perf_counter()
        self.finish([self.start()["id"] for _ in range(count)], poll_seconds)
        took = time.perf_counter() - start
        self._settle()
        return took

    def _settle(self) -> None:
        """Wait until the last containers, which are removed behind their builds' end, cost no other figure anything."""
        label = f"{INSTALL_LABEL}={self.installation.admin['account_id']}"
        while self.engine.containers.list(all=True, filters={"label": label}, ignore_removed=True):
            time.sleep(POLL_SECONDS)

    def first_line(self, text: str) -> float:
        """Seconds from StartBuild to the first line that has the text, as a viewer's event stream gets it."""
        from tests.faults.test_kill import page

        start = time.perf_counter()
        build = self.start()
        with self.console.open(page(build) + "events", Accept="text/event-stream") as stream:
            for raw in stream:
                if raw.startswith(b"data:") and text.encode() in raw:
                    took = time.perf_counter() - start
                    break
        self.finish([build["id"]])
        self._settle()
        return took


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cs-bench-") as folder:
        installation = Busy(Path(folder) / "var", free_port(), free_port())
        if installation.make("up").returncode != 0:
            raise SystemExit("make up failed")
        try:
            measure(installation)
        finally:
            installation.make("down")


def measure(installation: Installation) -> None:
    with contextlib.closing(docker.from_env()) as client, ThreadPoolExecutor(CONCURRENCY) as pool:
        builds = Builds(installation, client)
        once = functools.partial(bare, client)
        builds.one(), once()
        told = timing.figures_by_turns(builds.one, lambda: timing.seconds(once))
        timing.row_of("a build of one echo, StartBuild to SUCCEEDED", told, "docker-py")
        for what, text in (("first log line", "Running on CodeBuild"), ("command's first line", '"hello"')):
            told = timing.figures_by_turns(lambda text=text: builds.first_line(text), once)
            timing.row_of(f"StartBuild to the {what}", told, "docker-py's first byte")
            more = statistics.median(one - other for one, other in zip(*told, strict=True))
            print(f"  {more:+.2f} s beside the engine's own first byte (at most {FIRST_LINE_SECONDS} s)")

        def twenty() -> None:
            for done in [pool.submit(once) for _ in range(QUEUED)]:
                done.result()

        builds.many(), twenty()
        told = timing.figures_by_turns(builds.many, lambda: timing.seconds(twenty), rounds=3)
        timing.row_of(f"{QUEUED} builds queued at once, {CONCURRENCY} workers", told, "docker-py")


if __name__ == "__main__":
    main()
