"""The commands as a person types them, with the system's own python3, on folders and ports of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from deploy import summary
from tests.fixtures.installation import free_port

ROOT = Path(__file__).resolve().parents[2]
SYSTEM_PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin")


def call(goal: str, var: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(var), "CODESERVICES_VAR": str(var), **settings}
    argv = [str(SYSTEM_PYTHON), "deploy/bootstrap.py", goal]
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_an_unknown_goal_is_told_the_known_ones(tmp_path):
    done = call("upp", tmp_path)
    assert done.returncode == 2
    assert "up|down|status|logs|lint|test|test-faults|bench" in done.stderr


def test_status_of_what_does_not_run_says_how_to_start_it_and_fails(tmp_path):
    done = call("status", tmp_path)
    assert (done.returncode, done.stdout) == (1, "Not running.\nStart it with: make up\n")


def test_down_of_what_does_not_run_is_no_error(tmp_path):
    done = call("down", tmp_path)
    assert done.returncode == 0
    assert "Nothing is installed here" in done.stdout


def test_logs_before_the_first_start_say_how_to_start(tmp_path):
    done = call("logs", tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip() == "There are no logs yet. Start the system with: make up"


@pytest.mark.parametrize("variable", ["CODESERVICES_HTTP_PORT", "CODESERVICES_HTTPS_PORT"])
def test_up_on_a_taken_port_names_the_port_its_holder_and_the_variable(tmp_path, variable):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"CODESERVICES_HTTP_PORT": str(free_port()), "CODESERVICES_HTTPS_PORT": str(free_port())}
        done = call("up", tmp_path, **{**ports, variable: str(port)})
    assert done.returncode == 1
    sentence = done.stderr.strip()
    assert sentence.startswith(f"Port {port} is taken by pid {os.getpid()} (")
    assert f"choose another port: {variable}=" in sentence
    assert sentence.endswith(" make up")
    assert "\n" not in sentence


def test_up_with_an_odd_setting_says_which(tmp_path):
    done = call("up", tmp_path, CODESERVICES_HTTP_PORT=str(free_port()), CODESERVICES_HTTPS_PORT="https")
    assert (done.returncode, done.stderr.strip()) == (1, "CODESERVICES_HTTPS_PORT must be a whole number, not “https”.")


def test_up_in_a_folder_too_deep_for_sockets_offers_another(tmp_path):
    done = call("up", tmp_path / ("d" * 100))
    assert done.returncode == 1
    assert "is too long a path for unix sockets" in done.stderr
    assert "CODESERVICES_VAR=/var/lib/codeservices make up" in done.stderr


def test_a_second_up_at_the_same_time_waits_for_nobody(tmp_path):
    import fcntl

    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / "up.lock").open("w") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = call("up", tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip() == "Another make up is at work (pid 4711). Wait until it has ended."


def test_an_older_python_is_told_which_one_is_needed(tmp_path):
    script = "import sys; sys.version_info = (3, 9); sys.argv = ['bootstrap', 'up']; sys.path.insert(0, 'deploy')\n"
    script += "import bootstrap; sys.exit(bootstrap.main(['up']))"
    done = subprocess.run([str(SYSTEM_PYTHON), "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout.startswith("Python 3.11 or later is needed; this is ")


ADMIN = {
    "https_url": "https://host.example:8443",
    "username": "admin",
    "password": "p4ss",
    "AccessKeyId": "AKIAEXAMPLE",
    "SecretAccessKey": "s3cret",
    "git_username": "admin-at-1",
    "git_password": "g1t",
    "region": "us-east-1",
}


def test_the_first_start_tells_the_login_and_what_to_try(tmp_path, monkeypatch):
    monkeypatch.setenv("CODESERVICES_VAR", str(tmp_path))
    text = "\n".join(summary.lines(ADMIN, is_first=True))
    for wanted in ("http://127.0.0.1:8000", "admin  p4ss", "/v1/repos/sample", "s3cret", f"{tmp_path}/tls/ca.pem"):
        assert wanted in text


def test_a_later_start_tells_no_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("CODESERVICES_VAR", str(tmp_path))
    text = "\n".join(summary.lines(ADMIN, is_first=False))
    assert "admin.json" in text
    assert not any(secret in text for secret in ("p4ss", "s3cret", "g1t"))
    assert "Console" in "\n".join(summary.lines({}, is_first=False))
