"""Kill each part at a random moment of 20 builds: every build ends with the right status and a true reason, every log
is whole and in order, and nothing is left of any of them.

The moments come from a seed that is printed; FAULT_SEED sets it, so that a run can be had again. The engine is one of
the test's own, so that nobody else's containers die with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from builds.runner.engine import BUILD_LABEL, ENGINE_ERRORS, INSTALL_LABEL
from tests.faults.counting import Console, make_project, page
from tests.fixtures.installation import Installation, free_port, wait_for
from tests.fixtures.own_engine import Engine

pytestmark = [pytest.mark.faults, pytest.mark.docker]

# So many builds for each part that is killed: twenty in all.
BUILDS = 4
CONCURRENCY = 3
# A build prints this many lines in some seconds; the moment lies somewhere from the first start to after the last.
LINES = 120
MOMENT_SECONDS = 12.0
COUNTING = f"""
version: 0.2
phases:
  build:
    commands:
      - i=0; while [ $i -lt {LINES} ]; do echo "line $i"; i=$((i+1)); sleep 0.04; done
  post_build:
    commands:
      - echo done
"""
TRUE_REASONS = {
    "builder": r"The worker on \S+ that ran this build went silent",
    "engine": r"Docker Engine|Build container found dead",
    "container": r"Build container found dead before completing the build",
}


@dataclass
class OwnEngine(Installation):
    """An installation whose builds run on an engine of its own."""

    docker_host: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {
            "DOCKER_HOST": self.docker_host,
            "CODESERVICES_BUILD_CONCURRENCY": str(CONCURRENCY),
        }


@pytest.fixture(scope="module")
def installed(own_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    made = OwnEngine(tmp_path_factory.mktemp("cs") / "var", free_port(), free_port(), docker_host=own_engine.host)
    done = made.make("up")
    try:
        if done.returncode != 0:
            pytest.fail(f"make up failed:\n{done.stdout}\n{done.stderr}")
        yield made
    finally:
        made.make("down")


@pytest.fixture(scope="module")
def moments() -> random.Random:
    seed = int(os.environ.get("FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    tell(f"FAULT_SEED={seed}")
    return random.Random(seed)


def tell(*words: object) -> None:
    """What happened when, for whoever reads the run's output."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def builds_of(installed: OwnEngine, ids: list[str]) -> list[dict[str, Any]]:
    """The builds as the API tells them; none while no web process answers."""
    try:
        return installed.client("codebuild").batch_get_builds(ids=ids)["builds"]
    except (BotoCoreError, ClientError, OSError):
        return []


def run_with(installed: OwnEngine, at: float, strike: Callable[[list[str]], None]) -> list[dict[str, Any]]:
    """Start the builds, strike at the moment, and wait until every build is over."""
    name = make_project(installed, COUNTING)
    client = installed.client("codebuild")
    ids = [client.start_build(projectName=name)["build"]["id"] for _ in range(BUILDS)]
    time.sleep(at)
    strike(ids)

    def ended() -> list[dict[str, Any]]:
        found = builds_of(installed, ids)
        return found if len(found) == BUILDS and all(one["buildComplete"] for one in found) else []

    return wait_for(ended, seconds=240, what=f"all builds of {name} are over")


def counted(lines: list[str]) -> list[int]:
    return [int(match[1]) for match in (re.fullmatch(r"line (\d+)", line) for line in lines) if match]


def assert_true(installed: OwnEngine, builds: list[dict[str, Any]], victim: str) -> list[str]:
    """Every build tells what happened to it, and its log bears it out. The statuses."""
    for build in builds:
        phases, status = build["phases"], build["buildStatus"]
        assert phases[-1]["phaseType"] == build["currentPhase"] == "COMPLETED", build
        assert all("endTime" in phase for phase in phases[:-1]), build
        numbers = counted(download(installed, build))
        assert numbers == list(range(len(numbers))), (build["id"], numbers)
        failed = [phase for phase in phases[:-1] if phase["phaseStatus"] != "SUCCEEDED"]
        if status == "SUCCEEDED":
            assert (failed, len(numbers)) == ([], LINES), build
            continue
        assert status == "FAULT", build
        told = " ".join(context["message"] for phase in failed for context in phase.get("contexts", []))
        assert re.search(TRUE_REASONS[victim], told), (victim, told)
    return [build["buildStatus"] for build in builds]


def download(installed: OwnEngine, build: dict[str, Any]) -> list[str]:
    """The whole log as the console gives it, once it is complete."""

    def text() -> list[str]:
        with Console(installed).open(page(build) + "log?from=0&count=5000") as response:
            window = json.load(response)
        return [line for _, line in window["lines"]] if window["is_complete"] else []

    return wait_for(text, seconds=60, what=f"the log of {build['id']} is complete")


def assert_nothing_is_left(installed: OwnEngine, engine: Engine) -> None:
    """No container, network or volume on the engine, no lease and no open build in the database."""
    label = f"{INSTALL_LABEL}={installed.admin['account_id']}"

    def left() -> list[str]:
        with contextlib.closing(engine.client()) as client:
            found = [*client.containers.list(all=True, filters={"label": label}, ignore_removed=True)]
            return [one.name for one in (*found, *client.networks.list(filters={"label": label}))] + [
                one.name for one in client.volumes.list()
            ]

    wait_for(lambda: not left(), seconds=120, what=f"{left()} are removed")
    with contextlib.closing(sqlite3.connect(installed.var / "db.sqlite3")) as database:
        [open_rows] = database.execute(
            "SELECT count(*) FROM builds_build WHERE status = 'IN_PROGRESS' OR lease_expires_at IS NOT NULL"
        )
    assert open_rows == (0,)


@pytest.mark.parametrize("victim", ["web", "redis", "builder"])
def test_a_part_of_the_server_is_killed(installed, own_engine, moments, victim):
    at = moments.uniform(0, MOMENT_SECONDS)
    tell(f"{victim} is killed {at:.2f} s after the builds were started")
    builds = run_with(installed, at, lambda ids: installed.kill(victim))
    statuses = assert_true(installed, builds, victim)
    tell(statuses)
    if victim != "builder":
        assert statuses == ["SUCCEEDED"] * BUILDS
    assert_nothing_is_left(installed, own_engine)


def test_the_engine_is_killed(installed, own_engine, moments):
    at, away = moments.uniform(0, MOMENT_SECONDS), moments.uniform(0, 5)
    tell(f"the engine is killed after {at:.2f} s and comes back {away:.2f} s later")

    def strike(ids: list[str]) -> None:
        own_engine.kill()
        time.sleep(away)
        own_engine.start()

    tell(assert_true(installed, run_with(installed, at, strike), "engine"))
    assert_nothing_is_left(installed, own_engine)


def test_a_build_s_container_is_killed(installed, own_engine, moments):
    at = moments.uniform(0, MOMENT_SECONDS)
    struck: list[str] = []

    def strike(ids: list[str]) -> None:
        """One of the running containers; where none runs at the moment, the next one that does."""

        def one() -> bool:
            with contextlib.closing(own_engine.client()) as client, contextlib.suppress(*ENGINE_ERRORS):
                running = [box for box in client.containers.list() if box.labels.get(BUILD_LABEL) in ids]
                if running:
                    box = moments.choice(sorted(running, key=lambda box: box.name))
                    box.kill()
                    struck.append(box.labels[BUILD_LABEL])
            return bool(struck) or all(build["buildComplete"] for build in builds_of(installed, ids))

        wait_for(one, seconds=120, what="a container to kill")

    builds = run_with(installed, at, strike)
    tell(f"a container is killed after {at:.2f} s", assert_true(installed, builds, "container"), struck)
    assert {build["id"] for build in builds if build["buildStatus"] != "SUCCEEDED"} <= set(struck)
    assert_nothing_is_left(installed, own_engine)
