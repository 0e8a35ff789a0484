"""`kill -9` on each part during a build: the system comes back by itself, and the log has no gap and no repeat."""

from __future__ import annotations

import json
import threading
import time

import pytest

from tests.faults.counting import Console, make_project, page
from tests.fixtures.installation import Installation, wait_for

pytestmark = [pytest.mark.faults, pytest.mark.docker]

# 300 numbered lines in 15 seconds: long enough to kill something in the middle.
COUNTING = """
version: 0.2
phases:
  build:
    commands:
      - i=0; while [ $i -lt 300 ]; do echo "line $i"; i=$((i+1)); sleep 0.05; done
"""


@pytest.fixture
def project(installation: Installation) -> str:
    return make_project(installation, COUNTING)


def start(installation: Installation, project: str) -> dict:
    """A build that has printed its first lines."""
    build = installation.client("codebuild").start_build(projectName=project)["build"]
    wait_for(lambda: counted(installation, build) >= 20, what="the build's first lines")
    return build


def finished(installation: Installation, build: dict, seconds: float = 90) -> dict:
    def probe() -> dict | None:
        found = installation.client("codebuild").batch_get_builds(ids=[build["id"]])["builds"][0]
        return found if found["buildStatus"] != "IN_PROGRESS" else None

    return wait_for(probe, seconds=seconds, what="the build's end")


def lines(installation: Installation, build: dict) -> list[str]:
    """The whole log as the console downloads it."""
    with Console(installation).open(page(build) + "log?download=raw") as response:
        return response.read().decode().splitlines()


def counted(installation: Installation, build: dict) -> int:
    return sum(line.startswith("line ") for line in lines(installation, build))


class Viewer(threading.Thread):
    """An event stream as a browser keeps it: reconnects with Last-Event-ID until the end event comes."""

    def __init__(self, installation: Installation, build: dict) -> None:
        super().__init__(daemon=True)
        self.console, self.path = Console(installation), page(build) + "events"
        self.numbers: list[int] = []
        self.ended = threading.Event()
        self.start()

    def run(self) -> None:
        last = ""
        deadline = time.monotonic() + 120
        while not self.ended.is_set() and time.monotonic() < deadline:
            try:
                headers = {"Last-Event-ID": last} if last else {}
                with self.console.open(self.path, Accept="text/event-stream", **headers) as stream:
                    last = self._read(stream, last)
            except OSError:
                time.sleep(0.2)

    def _read(self, stream, last: str) -> str:
        event: dict[str, str] = {}
        for raw in stream:
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(":")
                event[name] = event.get(name, "") + value.removeprefix(" ")
                continue
            if event.get("event") == "end":
                self.ended.set()
                return last
            if event.get("event") == "log":
                told = json.loads(event["data"])
                self.numbers += range(told["first"], told["first"] + len(told["lines"]))
            last = event.get("id", last)
            event = {}
        return last


def assert_whole(installation: Installation, build: dict, viewer: Viewer, *, to_the_end: bool) -> None:
    """No line is missing or told twice, neither in storage nor to the one who watched."""
    stored = [line for line in lines(installation, build) if line.startswith("line ")]
    assert stored == [f"line {number}" for number in range(len(stored))]
    if to_the_end:
        assert len(stored) == 300
    assert viewer.ended.wait(30), "the viewer was never told of the end"
    assert viewer.numbers == list(range(len(viewer.numbers)))
    assert len(viewer.numbers) == len(lines(installation, build))


def is_up(installation: Installation) -> bool:
    """Whether a web process answers; one that has just been started does not listen yet."""
    try:
        return installation.get("/healthz") == b"ok\n"
    except OSError:
        return False


def test_a_killed_web_server_costs_the_build_and_the_viewer_nothing(installation: Installation, project: str):
    build = start(installation, project)
    viewer = Viewer(installation, build)
    installation.kill("web")
    wait_for(lambda: is_up(installation), what="the web server did not answer again")
    assert finished(installation, build)["buildStatus"] == "SUCCEEDED"
    assert_whole(installation, build, viewer, to_the_end=True)


def test_a_killed_redis_costs_the_build_and_the_viewer_nothing(installation: Installation, project: str):
    build = start(installation, project)
    viewer = Viewer(installation, build)
    installation.kill("redis")
    assert finished(installation, build)["buildStatus"] == "SUCCEEDED"
    assert_whole(installation, build, viewer, to_the_end=True)


def test_a_killed_worker_ends_its_build_with_a_reason_and_the_next_one_runs(installation: Installation, project: str):
    build = start(installation, project)
    viewer = Viewer(installation, build)
    installation.kill("builder")
    ended = finished(installation, build)
    assert ended["buildStatus"] == "FAULT"
    contexts = [context for phase in ended["phases"] for context in phase.get("contexts", [])]
    assert any("worker" in context.get("message", "") for context in contexts)
    assert_whole(installation, build, viewer, to_the_end=False)
    again = installation.client("codebuild").start_build(projectName=project)["build"]
    assert finished(installation, again)["buildStatus"] == "SUCCEEDED"
