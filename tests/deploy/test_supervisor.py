"""A real supervisor over programs that do nothing but stay."""

from __future__ import annotations

import configparser
import os
import signal
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy import places, say, status, supervisor
from tests.fixtures.installation import wait_for


@pytest.fixture
def var(monkeypatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:  # short: sockets lie in it
        path = Path(folder) / "100% var"
        for name in [name for name in os.environ if name.startswith("CODESERVICES_")]:
            monkeypatch.delenv(name)
        monkeypatch.delenv("REDIS_URL", raising=False)
        monkeypatch.setenv("CODESERVICES_VAR", str(path))
        places.prepare()
        yield path
        if supervisor.is_running():
            supervisor.shut_down()
        supervisor.end_orphans()


def sleepers(count: int = 2) -> list[supervisor.Program]:
    return [
        supervisor.Program("web", ["sleep", "1000"], 200, 5, count),
        supervisor.Program("worker", ["sleep", "1000"], 300, 5),
    ]


@pytest.fixture
def running(var: Path, monkeypatch) -> Path:
    monkeypatch.setattr(supervisor, "programs", sleepers)
    supervisor.write_configuration()
    supervisor.start()
    wait_for(lambda: states() == {"RUNNING"}, what="every program runs")
    return var


def states() -> set[str]:
    return {str(row["statename"]) for row in supervisor.processes()}


def pids() -> dict[str, int]:
    return {str(row["name"]): int(row["pid"]) for row in supervisor.processes()}


def test_everything_that_dies_is_started_again(running):
    before = pids()
    assert set(before) == {"web-0", "web-1", "worker"}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: states() == {"RUNNING"} and not set(pids().values()) & set(before.values()), what="new processes")


def test_a_restart_of_one_program_leaves_the_others_alone(running):
    before = pids()
    supervisor.restart(["web"])
    after = pids()
    assert after["worker"] == before["worker"]
    assert {after["web-0"], after["web-1"]}.isdisjoint(before.values())


def test_what_was_stopped_is_started_again(running):
    supervisor.call("stopProcess", "worker")
    down = [row for row in supervisor.processes() if row["statename"] == "STOPPED"]
    assert [row["name"] for row in down] == ["worker"]
    supervisor.start_again(down)
    wait_for(lambda: states() == {"RUNNING"})


def test_stopping_leaves_nothing_running(running):
    before = pids()
    supervisor.ask_to_stop(["web"])
    supervisor.wait_until_stopped(["web"])
    assert not supervisor.is_alive(before["web-0"])
    assert supervisor.is_alive(before["worker"])
    supervisor.shut_down()
    assert not supervisor.is_running()
    assert not any(supervisor.is_alive(pid) for pid in before.values())
    assert supervisor.orphans() == []


def test_what_a_killed_supervisor_leaves_behind_is_found_and_ended(running):
    before = pids()
    os.kill(supervisor.call("getPID"), signal.SIGKILL)
    wait_for(lambda: not supervisor.is_running())
    assert set(before.values()) <= set(supervisor.orphans())
    assert supervisor.end_orphans() >= len(before)
    assert supervisor.orphans() == []


def test_status_tells_of_what_a_killed_supervisor_left_behind(running, capsys):
    os.kill(supervisor.call("getPID"), signal.SIGKILL)
    wait_for(lambda: not supervisor.is_running())
    assert not status.status()
    assert "left 3 processes behind" in capsys.readouterr().out


def test_processes_of_another_installation_are_nobodys_orphans(running, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("CODESERVICES_VAR", "/elsewhere/var")
        assert supervisor.orphans() == []


def test_sockets_and_settings_are_for_their_owner_alone(running):
    for name in ("supervisor.sock", "supervisord.conf", "redis.conf"):
        assert stat.S_IMODE((running / "run" / name).stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE((running / "run").stat().st_mode) == 0o700


def test_a_program_that_cannot_run_is_told_by_what_it_wrote(var, monkeypatch):
    broken = supervisor.Program("web", ["sh", "-c", "echo the port is taken; exit 3"], 200, 5)
    monkeypatch.setattr(supervisor, "programs", lambda: [broken])
    supervisor.write_configuration()
    supervisor.start()
    row = wait_for(lambda: next((row for row in supervisor.processes() if row["statename"] == "BACKOFF"), None))
    assert supervisor.tail_of_failure(row) == "the port is taken"
    with pytest.raises(say.Refusal, match=r"web does not start .*the port is taken"):
        supervisor.start_again([row])


def test_the_configuration_is_written_anew_only_when_it_differs(var, monkeypatch):
    assert supervisor.write_configuration()
    assert not supervisor.write_configuration()
    monkeypatch.setenv("CODESERVICES_WEB_PROCESSES", "5")
    assert supervisor.write_configuration()


def test_an_outside_redis_needs_no_private_one(var, monkeypatch):
    assert "redis" in {program.name for program in supervisor.programs()}
    monkeypatch.setenv("REDIS_URL", "redis://redis.example.org/0")
    assert "redis" not in {program.name for program in supervisor.programs()}


def test_workers_are_told_to_stop_alone_and_killed_with_their_children(var):
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";",))
    parser.read_string(supervisor.configuration())
    for name in ("worker", "builder"):
        section = parser[f"program:{name}"]
        assert (section["stopasgroup"], section["killasgroup"], section["autorestart"]) == ("false", "true", "true")


def test_builds_get_the_time_that_the_builder_was_started_with(var, monkeypatch):
    monkeypatch.setenv("CODESERVICES_BUILD_STOP_SECONDS", "900")
    [builder] = [one for one in supervisor.programs() if one.name == "builder"]
    monkeypatch.setattr(supervisor, "programs", lambda: [replace(builder, argv=["sleep", "1000"])])
    supervisor.write_configuration()
    assert supervisor.build_grace_seconds() == 0  # nothing runs
    supervisor.start()
    assert supervisor.build_grace_seconds() == 900
    monkeypatch.setattr(supervisor, "programs", lambda: [replace(builder, argv=["sleep", "1000"], stop_seconds=50)])
    supervisor.write_configuration()
    assert supervisor.build_grace_seconds() == 900
