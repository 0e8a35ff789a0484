"""The process supervisor: its configuration, starting and stopping it, and asking it what runs."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from codeservices.env import SUPERVISED, env_int, env_secret
from deploy import places, say

_TEMPLATE = Path(__file__).with_name("supervisord.conf.template")
# Room for the 10 s that a web process gives its answers, with some to spare.
_WEB_STOP_SECONDS = 15
_WORKER_STOP_SECONDS = 30
# What the builder needs beyond the time that builds get to end: they are stopped then, and stop their containers.
_BUILD_ENDING_SECONDS = 40
_REDIS_STOP_SECONDS = 15
_RETRIES = 1000
# States of supervisord in which a process is not there and will not come by itself.
DOWN = {"STOPPED", "EXITED", "FATAL"}


@dataclass(frozen=True)
class Program:
    """One line of the process table.

    Attributes:
        name: As `make status` shows it.
        argv: What is run.
        priority: Started from low to high, stopped from high to low.
        stop_seconds: How long it may take to stop.
        count: How many processes of it.
    """

    name: str
    argv: Sequence[str]
    priority: int
    stop_seconds: int
    count: int = 1


def programs() -> list[Program]:
    """What runs on this machine, after the settings in the environment."""
    python = str(places.PYTHON)
    celery = [python, "-m", "celery", "-A", "codeservices.celery"]
    worker = [*celery, "worker", "--loglevel=INFO", "--without-gossip", "--without-mingle", "--prefetch-multiplier=1"]
    builds = str(env_int("CODESERVICES_BUILD_CONCURRENCY", 2, minimum=1, maximum=256))
    builder_stop_seconds = _BUILD_ENDING_SECONDS + env_int(
        "CODESERVICES_BUILD_STOP_SECONDS", 20, minimum=0, maximum=36 * 3600
    )
    web_processes = env_int("CODESERVICES_WEB_PROCESSES", 2, minimum=1, maximum=64)
    schedule = str(places.run_root() / "celerybeat-schedule")
    found = [
        Program("web", [python, "-m", "codeservices.serve"], 200, _WEB_STOP_SECONDS, web_processes),
        Program("worker", [*worker, "-n", "worker@%h", "-Q", "default", "-c", "2"], 300, _WORKER_STOP_SECONDS),
        Program("builder", [*worker, "-n", "builder@%h", "-Q", "builds", "-c", builds], 300, builder_stop_seconds),
        Program(
            "maintainer", [*worker, "-n", "maintainer@%h", "-Q", "maintenance", "-c", "1"], 300, _WORKER_STOP_SECONDS
        ),
        Program(
            "notifier",
            [*worker, "-n", "notifier@%h", "-Q", "notifications", "--pool=threads", "-c", "8"],
            300,
            _WORKER_STOP_SECONDS,
        ),
        Program("beat", [*celery, "beat", "--loglevel", "INFO", "-s", schedule, "--pidfile="], 400, 10),
    ]
    if not env_secret("REDIS_URL"):
        redis = ["redis-server", str(places.run_root() / "redis.conf")]
        found.insert(0, Program("redis", redis, 100, _REDIS_STOP_SECONDS))
    return found


def redis_configuration() -> str:
    """redis.conf of the private server: no port, a socket that only we can open, every second on disk."""
    return "\n".join(
        (
            "port 0",
            f'unixsocket "{places.run_root() / "redis.sock"}"',
            "unixsocketperm 700",
            f'dir "{places.var() / "redis"}"',
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "daemonize no",
            "maxmemory-policy noeviction",
            'logfile ""',
            "",
        )
    )


def _escape(text: str) -> str:
    return text.replace("%", "%%")


def _quote(argument: str) -> str:
    return f'"{argument}"' if any(character in argument for character in " ;'") else argument


def _section(program: Program) -> str:
    logs = _escape(_escape(str(places.logs_root())))  # supervisor expands this one value twice
    many = program.count > 1
    lines = {
        "command": _escape(" ".join(_quote(part) for part in program.argv)),
        "process_name": "%(program_name)s-%(process_num)d" if many else "%(program_name)s",
        "numprocs": str(program.count),
        "directory": _escape(str(places.ROOT)),
        "priority": str(program.priority),
        "autostart": "true",
        "autorestart": "true",
        "startsecs": "2",
        "startretries": str(_RETRIES),
        "stopsignal": "TERM",
        "stopwaitsecs": str(program.stop_seconds),
        "stopasgroup": "false",
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": f"{logs}/{'%(program_name)s-%(process_num)d' if many else '%(program_name)s'}.log",
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": "5",
    }
    return "\n".join([f"[program:{program.name}]", *(f"{key}={value}" for key, value in lines.items()), ""])


def configuration() -> str:
    """The text of supervisord.conf."""
    return Template(_TEMPLATE.read_text()).substitute(
        run=_escape(str(places.run_root())),
        logs=_escape(str(places.logs_root())),
        root=_escape(str(places.ROOT)),
        user="user=root\n" if say.is_root() else "",
        programs="\n".join(_section(program) for program in programs()),
    )


def write_configuration() -> bool:
    """Write supervisord.conf and redis.conf under var/run; whether either has changed."""
    changed = False
    for name, text in (("supervisord.conf", configuration()), ("redis.conf", redis_configuration())):
        path = places.run_root() / name
        if not path.exists() or path.read_text() != text:
            changed = True
            draft = path.with_suffix(".new")
            draft.touch(mode=0o600)
            draft.write_text(text)
            draft.replace(path)
    return changed


class _SocketConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(places.run_root() / "supervisor.sock"))


class _SocketTransport(xmlrpc.client.Transport):
    def __init__(self, timeout_seconds: float) -> None:
        super().__init__()
        self._timeout_seconds = timeout_seconds

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _SocketConnection("localhost", timeout=self._timeout_seconds)
        self._connection = host, connection  # where close() looks for it
        return connection


def call(method: str, *arguments: Any, timeout_seconds: float = 60.0) -> Any:
    """One call of supervisord's XML-RPC interface, such as `call("stopProcess", "web:web-0")`."""
    with xmlrpc.client.ServerProxy("http://localhost", transport=_SocketTransport(timeout_seconds)) as proxy:
        return getattr(proxy.supervisor, method)(*arguments)


def is_running() -> bool:
    """Whether our supervisor answers."""
    try:
        return bool(call("getState", timeout_seconds=5)["statename"])
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return False


def processes() -> list[Mapping[str, Any]]:
    """supervisord's table (name, group, statename, pid, start, now, spawnerr); empty while it is not running."""
    try:
        return list(call("getAllProcessInfo"))
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return []


def start() -> None:
    """Start the supervisor with every program; it detaches itself.

    Raises:
        Refusal: It did not start.
    """
    environment = places.child_environment()
    environment[SUPERVISED] = str(places.run_root())
    argv: list[str | Path] = [
        places.PYTHON,
        "-m",
        "supervisor.supervisord",
        "-c",
        places.run_root() / "supervisord.conf",
    ]
    log = places.logs_root() / "supervisord.log"
    say.run(argv, log=log, env=environment, cwd=places.ROOT, failure=f"The supervisor did not start; see {log}.")
    say.wait_for(lambda: None if is_running() else "the supervisor", timeout_seconds=20, failure="Not started:")


def ask_to_stop(names: Sequence[str]) -> None:
    """Send SIGTERM to the processes of these programs and return at once."""
    for row in processes():
        if row["group"] in names and row["statename"] not in DOWN:
            with contextlib.suppress(xmlrpc.client.Fault):  # it has ended by itself since
                call("stopProcess", f"{row['group']}:{row['name']}", False)


def stop_seconds(names: Sequence[str]) -> int:
    """How long the processes of these programs may take to stop, as they were started; 0 where none is known."""
    try:
        rows: list[Mapping[str, Any]] = call("getAllConfigInfo")
    except (OSError, http.client.HTTPException, xmlrpc.client.Error):
        return 0
    return max((int(row["stopwaitsecs"]) for row in rows if row["group"] in names), default=0)


def build_grace_seconds() -> int:
    """How long builds may go on before they are stopped, and the supervisor still waits for the builder's end."""
    return max(0, stop_seconds(["builder"]) - _BUILD_ENDING_SECONDS)


def wait_until_stopped(names: Sequence[str]) -> None:
    """Wait for the processes of these programs, which the supervisor kills when their time is over.

    Raises:
        Refusal: One of them is still there after all its time.
    """

    def probe() -> str | None:
        left = [row["name"] for row in processes() if row["group"] in names and row["statename"] not in DOWN]
        return f"waiting for {', '.join(left)}" if left else None

    say.wait_for(probe, timeout_seconds=stop_seconds(names) + 10, failure="Not stopped:")


def shut_down() -> None:
    """Stop the supervisor itself, with whatever still runs under it.

    Raises:
        Refusal: It does not stop.
    """
    pid = call("getPID")
    call("shutdown")
    longest = sum(program.stop_seconds for program in programs()) + 10
    say.wait_for(
        lambda: "waiting for the supervisor" if is_alive(pid) else None,
        timeout_seconds=longest,
        failure=f"The supervisor (pid {pid}) does not stop.",
    )


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not yet waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in {"Z", "X"}


def orphans() -> list[int]:
    """Processes that a supervisor of ours started and that outlived it (it was killed)."""
    mark = f"{SUPERVISED}={places.run_root()}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in environment and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


def end_orphans() -> int:
    """End what a killed supervisor left behind, first gently; how many there were."""
    found = orphans()
    for sent, patience_seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
        for pid in found:
            if is_alive(pid):
                os.kill(pid, sent)
        deadline = time.monotonic() + patience_seconds
        while time.monotonic() < deadline and any(is_alive(pid) for pid in found):
            time.sleep(0.1)
    return len(found)


def tail_of_failure(row: Mapping[str, Any]) -> str:
    """Why a program does not stay up: the last line it wrote, or what the supervisor says."""
    path = places.logs_root() / f"{row['name']}.log"
    return say.last_line(path)[:200] or str(row.get("spawnerr") or "it wrote nothing")


def restart(names: Sequence[str]) -> None:
    """Stop and start programs one process after another, so that the others of its kind go on answering.

    Raises:
        Refusal: A process did not come up again.
    """
    for name in names:
        for row in processes():
            if row["group"] == name:
                say.line(f"    {row['name']}")
                _start(row, stop_first=True)


def start_again(rows: Sequence[Mapping[str, Any]]) -> None:
    """Start processes that are down, also those that the supervisor has given up."""
    for row in rows:
        _start(row, stop_first=row["statename"] == "BACKOFF")  # its next try may be minutes away


def _start(row: Mapping[str, Any], *, stop_first: bool) -> None:
    full_name = f"{row['group']}:{row['name']}"
    if stop_first:
        with contextlib.suppress(xmlrpc.client.Fault):  # it is stopped already
            call("stopProcess", full_name, timeout_seconds=120)
    try:
        call("startProcess", full_name, timeout_seconds=120)
    except xmlrpc.client.Fault as fault:
        if "ALREADY_STARTED" not in fault.faultString:
            raise say.Refusal(f"{row['name']} does not start ({fault.faultString}): {tail_of_failure(row)}") from fault
