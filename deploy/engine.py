"""Docker Engine: is one answering? Else install and start one where that is possible."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from codeservices.env import SUPERVISED, env_str
from deploy import packages, places, say

SOCKET = "/var/run/docker.sock"
_SYSTEMD = Path("/run/systemd/system")
_ANSWER_SECONDS = 5.0
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """What came of asking an engine for its version.

    Attributes:
        version: "20.10.24", or empty where none answered.
        problem: One sentence with the command that fixes it, or empty.
        may_start: Whether starting an engine of our own would help.
    """

    version: str = ""
    problem: str = ""
    may_start: bool = False


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def address() -> str:
    """DOCKER_HOST, or the engine's usual socket."""
    return env_str("DOCKER_HOST", f"unix://{SOCKET}")


def ask(host: str) -> Answer:
    """Ask the engine at `host` (unix://, tcp:// or ssh://) for its version."""
    parts = urlsplit(host)
    if parts.scheme == "unix":
        return _ask_socket(parts.path)
    return _ask_elsewhere(host)


def _ask_socket(path: str) -> Answer:
    is_usual = path in {SOCKET, "/run/docker.sock"}
    connection = _UnixConnection(path)
    try:
        connection.request("GET", "/_ping")
        response = connection.getresponse()
        response.read()
        server = response.getheader("Server", "")
        version = server.partition("Docker/")[2].partition(" ")[0]
        if response.status == 200:
            return Answer(version or "of unknown version")
        return Answer(problem=f"Docker Engine at {path} answers with status {response.status}.")
    except PermissionError:
        return Answer(
            problem=f"You may not use Docker Engine at {path}."
            " Join its group with: sudo usermod -aG docker $USER && newgrp docker"
        )
    except (FileNotFoundError, ConnectionRefusedError):
        if is_usual:
            return Answer(may_start=True)
        return Answer(problem=f"No Docker Engine answers at DOCKER_HOST={path}. Start it there or unset DOCKER_HOST.")
    except (OSError, http.client.HTTPException) as error:
        return Answer(
            problem=f"Docker Engine at {path} does not answer ({error}). Restart it: sudo systemctl restart docker"
        )
    finally:
        connection.close()


def _ask_elsewhere(host: str) -> Answer:
    """Through the SDK, which knows TLS and ssh; .venv is there by the time this is asked."""
    script = "import docker; print(docker.from_env(timeout=5).version()['Version'])"
    child = subprocess.run([places.PYTHON, "-c", script], capture_output=True, text=True, check=False)
    if child.returncode == 0:
        return Answer(child.stdout.strip())
    return Answer(problem=f"No Docker Engine answers at DOCKER_HOST={host}. Start it there or unset DOCKER_HOST.")


def pid_file() -> Path:
    """Holds the process id of the engine that we started."""
    return places.run_root() / "dockerd.pid"


def our_pid() -> int | None:
    """The engine that we started, while it runs."""
    try:
        pid = int(pid_file().read_text())
        is_dockerd = b"dockerd" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if is_dockerd else None


def ensure() -> str:
    """The version of the engine that answers, after installing and starting one where none did.

    Raises:
        Refusal: None answers and none can be started; the sentence has the command that fixes it.
    """
    answer = ask(address())
    if answer.version:
        return answer.version
    if not answer.may_start:
        raise say.Refusal(answer.problem)
    if not say.is_root():
        there = not packages.missing(["docker.io"])
        start = "sudo systemctl start docker" if _SYSTEMD.is_dir() else "sudo service docker start"
        fix = start if there else packages.command(["docker.io"])
        raise say.Refusal(f"No Docker Engine answers at {SOCKET}, and only root can start one. Do so with: {fix}")
    packages.ensure(["docker.io"])
    with say.step("Docker Engine: starting"):
        answer = ask(address())  # the package starts it by itself where systemd runs
        if not answer.version:
            answer = _start()
    return answer.version


def _start() -> Answer:
    log = places.logs_root() / "dockerd.log"
    process: subprocess.Popen[bytes] | None = None
    if _SYSTEMD.is_dir():
        subprocess.run(["systemctl", "start", "docker"], capture_output=True, check=False)
    else:
        environment = places.child_environment()
        environment.pop(SUPERVISED, None)  # it outlives us, as an engine of the system's would
        with log.open("ab") as output:
            process = subprocess.Popen(
                [shutil.which("dockerd", path=environment["PATH"]) or "dockerd"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
        pid_file().write_text(f"{process.pid}\n")
    answer = Answer()

    def probe() -> str | None:
        nonlocal answer
        if process is not None and process.poll() is not None:
            raise say.Refusal(
                f"dockerd can't run on this machine: {say.last_line(log)[:300]}"
                " Start an engine elsewhere and name it with: DOCKER_HOST=tcp://HOST:2376 make up"
            )
        answer = ask(address())
        return None if answer.version else say.last_line(log) or "waiting for its first answer"

    failure = f"Docker Engine did not answer within {_START_SECONDS:.0f} s; see {log} or: sudo journalctl -u docker."
    say.wait_for(probe, timeout_seconds=_START_SECONDS, failure=failure)
    return answer


def describe() -> str:
    """One line for `make status`: version, and who keeps it running."""
    answer = ask(address())
    if not answer.version:
        return f"not answering at {address()}. {answer.problem}".strip()
    pid = our_pid()
    if pid is not None and address() == f"unix://{SOCKET}":
        return f"{answer.version} at {address()} (pid {pid}, started by make up; keeps running after make down)"
    return f"{answer.version} at {address()} (not ours; left alone)"
