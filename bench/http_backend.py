"""The reference of git serving: `git http-backend` behind nginx and fcgiwrap, as its manual page sets it up.

It gets what we have: the same configuration (fsck, fsync, memory), a password to check, no buffering in between. Its
repositories are copies of ours, packs and bitmaps included.

Source: git-http-backend(1), "EXAMPLES"; nginx's ngx_http_fastcgi_module.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import fastcgi, processes
from repos.git.configuration import CONFIGURATION

USER, PASSWORD = "bench", "correct-horse-battery-staple"

SERVER = """
client_max_body_size 0;
fastcgi_buffering off;
fastcgi_request_buffering off;
fastcgi_read_timeout 900s;
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


@contextlib.contextmanager
def running(folder: Path) -> Iterator[HttpBackend]:
    """Start it in an empty folder; it ends with the block."""
    (folder / "repositories").mkdir(parents=True)
    _configure(folder)
    server = SERVER.format(folder=folder, repositories=folder / "repositories")
    with fastcgi.running(folder, server) as (port, pids):
        yield HttpBackend(folder, port, pids)


def _configure(folder: Path) -> None:
    exec_path = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    http_backend = f"{exec_path}/git-http-backend"
    (folder / "plain.sh").symlink_to(http_backend)
    (folder / "timed.sh").write_text(TIMED.format(http_backend=http_backend, folder=folder))
    (folder / "timed.sh").chmod(0o700)
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()
    (folder / "passwords").write_text(f"{USER}:{{SHA}}{digest}\n")
    configuration = {**CONFIGURATION, "safe.directory": "*", "http.receivepack": "true"}
    for key, value in configuration.items():
        subprocess.run(["git", "config", "--file", str(folder / "gitconfig"), key, value], check=True)


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
