"""nginx with fcgiwrap behind it, which runs CGI programs: what the references of bench/ are served by.

Source: nginx's ngx_http_fastcgi_module; fcgiwrap(8).
"""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench import processes
from repos.git.configuration import ENVIRONMENT

NGINX, FCGIWRAP = "/usr/sbin/nginx", "/usr/sbin/fcgiwrap"
INSTALL = "sudo apt-get update && sudo apt-get install -y --no-install-recommends nginx-light fcgiwrap"
PLACES = 16  # CGI programs at once, as many as GIT_CONCURRENCY
START_SECONDS = 10

CONFIGURATION = """
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
    server {{
        listen 127.0.0.1:{port};
        {server}
    }}
}}
"""


def why_missing() -> str | None:
    """The command that would install them where they are not there."""
    return None if Path(NGINX).exists() and Path(FCGIWRAP).exists() else INSTALL


@contextlib.contextmanager
def running(folder: Path, server: str) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Start both in a folder: nginx's port on the loopback address, and the ids of their processes.

    Args:
        folder: Exists; their own files come into it, the socket is `fcgi.sock` there.
        server: What stands in nginx's `server` block.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    text = CONFIGURATION.format(folder=folder, port=port, user=user, server=server)
    (folder / "nginx.conf").write_text(text)
    environment = {"PATH": os.environ["PATH"], **ENVIRONMENT}
    started = [
        subprocess.Popen(command, env=environment, start_new_session=True)
        for command in (
            [FCGIWRAP, "-c", str(PLACES), "-s", f"unix:{folder}/fcgi.sock"],
            [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)],
        )
    ]
    try:
        _await_answer(port)
        yield port, tuple(pid for process in started for pid in (process.pid, *processes.children(process.pid)))
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGTERM)  # fcgiwrap leaves its children behind
            process.wait(timeout=START_SECONDS)


def _await_answer(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError("nginx does not answer")
