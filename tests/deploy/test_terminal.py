"""What a person sees: steps, heartbeats, refusals, process logs, the age of things."""

from __future__ import annotations

import sys

import pytest

from deploy import health, logs, say, status


def test_a_long_command_shows_the_end_of_its_output_while_it_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(say, "HEARTBEAT_SECONDS", 0.2)
    script = "import time; print('fetching the world', flush=True); time.sleep(0.7)"
    say.run([sys.executable, "-c", script], log=tmp_path / "install.log", failure="it failed")
    assert "0 s  fetching the world" in capsys.readouterr().out


def test_a_command_that_fails_shows_its_own_last_lines_and_the_sentence(tmp_path, capsys):
    log = tmp_path / "install.log"
    log.write_text("of an earlier run\n")
    with pytest.raises(say.Refusal, match=r"^Run it by hand\.$"):
        say.run(["sh", "-c", "echo one; echo two >&2; exit 4"], log=log, failure="Run it by hand.")
    assert capsys.readouterr().out == "    | one\n    | two\n"


def test_waiting_ends_with_what_was_still_missing(capsys):
    with pytest.raises(say.Refusal, match=r"^Not healthy: redis is down$"):
        say.wait_for(lambda: "redis is down", timeout_seconds=0.1, failure="Not healthy:")


def test_waiting_ends_at_once_when_nothing_is_missing(capsys):
    say.wait_for(lambda: None, timeout_seconds=0, failure="")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3600, "1 h 0 min"), (90061, "1 d 1 h"), (-3, "0 s")],
)
def test_an_age_has_two_units_at_most(seconds, text):
    assert status.age(seconds) == text


def test_a_process_that_does_not_run_is_told_with_its_reason():
    row = {"name": "web-0", "statename": "FATAL", "spawnerr": "Exited too quickly"}
    assert status.row_text(row) == "  web-0      fatal     Exited too quickly"


def test_the_last_lines_of_a_log_are_found_without_reading_it_all(tmp_path):
    path = tmp_path / "web.log"
    path.write_text("".join(f"{number}\n" for number in range(100_000)))
    assert logs.last_lines(path, 2) == ["99998", "99999"]


def test_a_followed_log_goes_on_after_its_rotation(tmp_path):
    path = tmp_path / "web.log"
    path.write_text("before\n")
    tail = logs.Tail(path)
    with path.open("a") as file:
        file.write("one\ntw")
    assert tail.new_lines() == ["one"]
    with path.open("a") as file:
        file.write("o\nlast\n")
    path.rename(tmp_path / "web.log.1")
    path.write_text("first\n")
    assert tail.new_lines() == ["two", "last", "first"]
    path.write_text("")
    assert tail.new_lines() == []
    tail.close()


def test_what_is_down_is_told_part_by_part():
    report = {"parts": {"database": None, "redis": "Redis does not answer.", "docker": "No engine answers."}}
    assert health.problems(report) == ["redis: Redis does not answer.", "docker: No engine answers."]


def test_a_server_that_does_not_answer_is_not_ready(monkeypatch):
    monkeypatch.setenv("CODESERVICES_HTTP_PORT", "1")
    found = health.ask()
    assert not found.is_ready
    assert "the web server does not answer on port 1" in found.problem
