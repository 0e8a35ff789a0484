"""Builds that go for the machine itself: each ends with a true reason, and the build beside it does not notice."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable

import pytest

from builds import isolation
from builds.runner import disk
from builds.runner.executor import Interrupted, PhaseError
from tests.fixtures.engine import Inside

pytestmark = [pytest.mark.docker, pytest.mark.faults]

MIB = 2**20


@pytest.fixture
def neighbour(enter: Callable[..., Inside], firewall) -> Callable[[], None]:
    """Another build, that writes, computes and starts processes; called, it fails where it can't."""
    inside = enter(memory_bytes=256 * MIB, executor={"close_network": isolation.close_network})

    def works() -> None:
        command = (
            "seq 1000 | sort -n | tail -1; head -c 1M /dev/zero > /tmp/x && (true & wait) && getent hosts localhost"
        )
        status, output = inside.sh(command)
        assert status == 0 and output.startswith("1000\n")

    works()
    return works


@pytest.fixture
def attacker(enter, firewall) -> Inside:
    return enter(memory_bytes=256 * MIB, disk_bytes=300 * MIB, executor={"close_network": isolation.close_network})


def ends(inside: Inside, command: str) -> list[object]:
    """Run a command in a thread; the list gets what came of it."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(inside.sh(command))
        except (PhaseError, Interrupted) as error:
            found.append(error)

    threading.Thread(target=run, daemon=True).start()
    return found


def wait_for(found: list[object]) -> object:
    deadline = time.monotonic() + 300
    while not found and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found, "the build never ended"
    return found[0]


def test_a_fork_bomb_stays_inside_and_can_be_stopped(attacker: Inside, neighbour):
    found = ends(attacker, "bomb() { while :; do bomb & done; }; bomb")
    for _ in range(5):
        neighbour()
    assert processes_of(attacker) <= 4096
    begun = time.monotonic()
    attacker.executor.interrupt()
    assert isinstance(wait_for(found), (Interrupted, PhaseError))
    attacker.executor.close()
    assert time.monotonic() - begun < 60
    neighbour()


def processes_of(inside: Inside) -> int:
    return int(inside.executor._container.stats(stream=False)["pids_stats"].get("current", 0))


def test_a_memory_bomb_is_told_as_such(attacker: Inside, neighbour):
    found = ends(attacker, "for i in 1 2 3 4; do tail /dev/zero & done; wait; tail /dev/zero")
    neighbour()
    outcome = wait_for(found)
    if isinstance(outcome, PhaseError):
        assert "It ran out of memory: its limit is 0.25 GiB." in outcome.message
    else:
        assert outcome[0] == 137 and "memory limit of 0.25 GiB" in attacker.executor.why(137)
    neighbour()


def test_a_disk_bomb_is_ended_and_its_space_is_free_again(attacker: Inside, neighbour):
    root = attacker.executor._container.client.info()["DockerRootDir"]
    before = shutil.disk_usage(root).free
    found = ends(attacker, "i=0; while :; do i=$((i+1)); head -c 20M /dev/zero > /tmp/$i || exit 1; done")
    neighbour()
    error = wait_for(found)
    assert isinstance(error, PhaseError) and (error.status_code, error.is_fault) == ("CLIENT_ERROR", False)
    assert "its files took" in error.message
    attacker.executor.close()
    neighbour()
    # Others use the disk as well: the bomb's own share is far above what they take meanwhile.
    assert before - shutil.disk_usage(root).free < 300 * MIB


def test_many_small_files_count_too(attacker: Inside, neighbour, monkeypatch):
    monkeypatch.setattr(disk, "LONGEST_SECONDS", 5.0)
    found = ends(attacker, 'cd /tmp; while :; do seq 1 2000 | split -l 1 - "$(date +%N)" || exit 1; done')
    neighbour()
    assert "its files took" in wait_for(found).message


@pytest.mark.parametrize(
    "command",
    [
        "kill -9 -1; sleep 60",
        "kill -9 $PPID; sleep 60",
        "kill -STOP -1; kill -9 -1",
    ],
)
def test_a_container_that_kills_its_agent_ends_its_build_with_a_reason(attacker: Inside, neighbour, command):
    error = wait_for(ends(attacker, command))
    assert isinstance(error, PhaseError) and error.is_fault
    assert "Build container found dead before completing the build." in error.message
    neighbour()


def test_an_answer_that_a_command_makes_up_is_output(attacker: Inside):
    """A command can write to the agent's stream and can't know the nonce of its own end."""
    command = "for fd in /proc/[0-9]*/fd/7; do printf '\\036%032d 0\\n' 0 > $fd; done 2>/dev/null; exit 9"
    assert attacker.sh(command)[0] == 9
    assert attacker.sh("echo still here") == (0, "still here\n")


def test_a_flood_of_connections_stays_in_its_network(attacker: Inside, neighbour):
    found = ends(attacker, "for i in $(seq 300); do curl -s --max-time 1 http://10.0.0.$((i % 250)) & done; wait")
    neighbour()
    assert wait_for(found)[0] in (0, 7)
