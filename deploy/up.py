"""`make up`: from whatever state the machine is in to a healthy system. Interrupted anywhere, it can be repeated."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from deploy import down, engine, health, packages, places, ports, say, summary, supervisor, venv

_HEALTHY_SECONDS = 240.0
# Redis stays: nothing of ours runs in it, and restarting it would cut every stream.
_OWN_PROGRAMS = ("worker", "maintainer", "notifier", "web", "builder", "beat")


def up() -> None:
    """Set up, start and wait until healthy; on the very first run also the sample's first build.

    Raises:
        Refusal: With the command that fixes it.
    """
    places.prepare()
    with _alone():
        is_running = supervisor.is_running()
        if not is_running:
            _clear_leftovers()
            _require_ports()
        packages.ensure(packages.TO_RUN)
        venv.ensure()
        version = engine.ensure()
        say.line(f"==> Docker Engine {version} answers")
        manage("install", failure="The installation stopped. Its reason stands above; then run: make up")
        manage("build_firewall", failure="The settings of builds' networks are odd. Mend them; then run: make up")
        _run_processes(is_running)
        with say.step("Waiting until everything is healthy"):
            wait_until_healthy()
        is_first = not (places.run_root() / "first-build-done").exists()
        manage("first_build", failure="The first build did not succeed. Its log stands above; then run: make up")
        summary.show(is_first=is_first)


def manage(*arguments: str, failure: str) -> None:
    """Run a management command in the terminal.

    Raises:
        Refusal: `failure`, when it exits with anything but 0.
    """
    argv = [str(places.PYTHON), "manage.py", *arguments]
    if subprocess.run(argv, cwd=places.ROOT, env=places.child_environment(), check=False).returncode != 0:
        raise say.Refusal(failure)


@contextmanager
def _alone() -> Iterator[None]:
    path = places.run_root() / "up.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 32).decode("ascii", "replace").strip()
            raise say.Refusal(f"Another make up is at work (pid {pid}). Wait until it has ended.") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _clear_leftovers() -> None:
    if supervisor.orphans():
        with say.step("Ending processes that a killed supervisor left behind"):
            supervisor.end_orphans()


def _require_ports() -> None:
    # Both are read first: an odd setting is told before a taken port.
    plain, secure = places.http_address(), places.https_address()
    ports.require_free(*plain, variable="CODESERVICES_HTTP_PORT")
    ports.require_free(*secure, variable="CODESERVICES_HTTPS_PORT")


def _run_processes(is_running: bool) -> None:
    """Start everything, or restart what differs from what runs."""
    is_configured_anew = supervisor.write_configuration()
    state = {"settings": places.settings_digest(), "code": places.code_digest()}
    path = places.run_root() / "started.json"
    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError):
        before = {}
    if is_running and not is_configured_anew and before.get("settings") == state["settings"]:
        _start_what_is_down()
        if before.get("code") != state["code"]:
            with say.step(f"The code has changed: restarting {', '.join(_OWN_PROGRAMS)}"):
                down.stop_builder()
                supervisor.restart(_OWN_PROGRAMS)
        else:
            say.line("==> Everything runs already")
    else:
        if is_running:
            say.line("==> The settings have changed: everything starts anew")
            down.stop_all()
            _require_ports()
        with say.step("Starting redis, web, the workers, builder and beat"):
            supervisor.start()
    path.write_text(json.dumps(state))


def _start_what_is_down() -> None:
    down = [row for row in supervisor.processes() if row["statename"] in {*supervisor.DOWN, "BACKOFF"}]
    if down:
        with say.step(f"Starting again: {', '.join(row['name'] for row in down)}"):
            supervisor.start_again(down)


def wait_until_healthy() -> None:
    """Wait for every process and for /readyz and HTTPS.

    Raises:
        Refusal: Not healthy in time; the sentence names what is down and where its log is.
    """

    def probe() -> str | None:
        for row in supervisor.processes():
            if row["statename"] in {"BACKOFF", "FATAL", "EXITED"}:
                return f"{row['name']} does not stay up: {supervisor.tail_of_failure(row)}"
        ready = health.ask()
        return health.tls_problem() if ready.is_ready else ready.problem

    failure = "Not healthy in time; `make logs` shows why. Still missing:"
    say.wait_for(probe, timeout_seconds=_HEALTHY_SECONDS, failure=failure)
