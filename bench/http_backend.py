"""The reference of git serving: `git http-backend` behind nginx and fcgiwrap, as its manual page sets it up.

It gets what we have: the same configuration (fsck, fsync, memory), a password to check, no buffering in between. Its
repositories are copies of ours, packs and bitmaps included.

Source: git-http-backend(1), "EXAMPLES"; nginx's ngx_http_fastcgi_module.
"""

from __future__ import annotations

import base64
import contextlib
import getpass
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import processes
from repos.git import program

NGINX, FCGIWRAP = "/usr/sbin/nginx", "/usr/sbin/fcgiwrap"
INSTALL = "sudo apt-get update && sudo apt-get install -y --no-install-recommends nginx-light fcgiwrap"
USER, PASSWORD = "bench", "correct-horse-battery-staple"
PLACES = 16  # CGI programs at once, as many as GIT_CONCURRENCY
START_SECONDS = 10

NGINX_CONFIGURATION = """
{user}
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    fastcgi_buffering off;
    fastcgi_request_buffering off;
    fastcgi_read_timeout 900s;
    server {{
        listen 127.0.0.1:{port};
        auth_basic "git";
        auth_basic_user_file {folder}/passwords;
        location ~ ^/(plain|timed)(/.+)$ {{
            fastcgi_pass unix:{folder}/fcgi.sock;
            fastcgi_param SCRIPT_FILENAME {folder}/$1.sh;
            fastcgi_param PATH_INFO $2;
            fastcgi_param GIT_PROJECT_ROOT {repositories};
            fastcgi_param GIT_HTTP_EXPORT_ALL 1;
            fastcgi_param GIT_HTTP_MAX_REQUEST_BUFFER 64m;
            fastcgi_param GIT_CONFIG_NOSYSTEM 1;
            fastcgi_param GIT_CONFIG_GLOBAL {folder}/gitconfig;
            fastcgi_param REMOTE_USER $remote_user;
            fastcgi_param REMOTE_ADDR $remote_addr;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param GIT_PROTOCOL $http_git_protocol;
        }}
    }}
}}
"""
# The CGI program itself, and the same with a note of the processor time that it and its children took: fcgiwrap does
# not wait for what it starts, so nobody else can tell.
PLAIN = "{http_backend}"
TIMED = '#!/bin/sh\n"{http_backend}"\ntimes >> {folder}/times\n'


@dataclass(frozen=True)
class HttpBackend:
    """The running reference.

    Attributes:
        folder: Its files; a repository called x lies at `folder/"repositories"/"x"`.
        port: Of nginx, on the loopback address.
        pids: nginx's and fcgiwrap's processes.
    """

    folder: Path
    port: int
    pids: tuple[int, ...]

    def url(self, name: str, *, is_timed: bool = False) -> str:
        """The clone URL, with the credentials in it; the timed one notes processor time, at the cost of a shell."""
        return f"http://{USER}:{PASSWORD}@127.0.0.1:{self.port}{self.path(name, is_timed=is_timed)}"

    def path(self, name: str, *, is_timed: bool = False) -> str:
        """The path in that URL."""
        return f"/{'timed' if is_timed else 'plain'}/{name}"

    def repository(self, name: str) -> Path:
        """Where a repository lies, or is to lie."""
        return self.folder / "repositories" / name

    def cpu_seconds(self) -> float:
        """Processor time of nginx, fcgiwrap and all timed programs so far."""
        own = sum(processes.cpu_seconds(pid) for pid in self.pids)
        with contextlib.suppress(FileNotFoundError):
            own += sum(_seconds(word) for word in (self.folder / "times").read_text().split())
        return own


def why_missing() -> str | None:
    """The command that would install the reference where it is not there."""
    return None if Path(NGINX).exists() and Path(FCGIWRAP).exists() else INSTALL


@contextlib.contextmanager
def running(folder: Path) -> Iterator[HttpBackend]:
    """Start it in an empty folder; it ends with the block."""
    (folder / "repositories").mkdir(parents=True)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    _configure(folder, port)
    environment = {"PATH": os.environ["PATH"], **program.ENVIRONMENT}
    started = [
        subprocess.Popen(command, env=environment, start_new_session=True)
        for command in (
            [FCGIWRAP, "-c", str(PLACES), "-s", f"unix:{folder}/fcgi.sock"],
            [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)],
        )
    ]
    try:
        _await_answer(port)
        pids = {pid for process in started for pid in (process.pid, *processes.children(process.pid))}
        yield HttpBackend(folder, port, tuple(pids))
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGTERM)  # fcgiwrap leaves its children behind
            process.wait(timeout=START_SECONDS)


def _configure(folder: Path, port: int) -> None:
    exec_path = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    http_backend = f"{exec_path}/git-http-backend"
    (folder / "plain.sh").symlink_to(http_backend)
    (folder / "timed.sh").write_text(TIMED.format(http_backend=http_backend, folder=folder))
    (folder / "timed.sh").chmod(0o700)
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()
    (folder / "passwords").write_text(f"{USER}:{{SHA}}{digest}\n")
    configuration = {**program.CONFIGURATION, "safe.directory": "*", "http.receivepack": "true"}
    for key, value in configuration.items():
        subprocess.run(["git", "config", "--file", str(folder / "gitconfig"), key, value], check=True)
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    text = NGINX_CONFIGURATION.format(folder=folder, port=port, user=user, repositories=folder / "repositories")
    (folder / "nginx.conf").write_text(text)


def _await_answer(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError("nginx does not answer")


def copy(source: Path, target: Path) -> None:
    """A repository with all its packs and bitmaps, as it is; files that never change are linked."""
    shutil.copytree(source, target, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    if "/objects/" in source:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _seconds(word: str) -> float:
    """ "0m1.500000s", as the shell's `times` prints it."""
    minutes, _, seconds = word.rstrip("s").partition("m")
    return int(minutes) * 60 + float(seconds)
