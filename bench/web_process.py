"""Our web process as `make up` runs it, beside the server of the tests whose database and repositories it shares."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests import gitserver
from tests.gitserver import GitServer

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 90  # beside everything else that a machine of two processors does


@contextlib.contextmanager
def running(server: GitServer) -> Iterator[tuple[int, int]]:
    """Its plain HTTP port on the loopback address, and its process id; it ends with the block.

    What it logs, a line for each page, goes to a file beside the other logs of the server.
    """
    port = gitserver.free_port()
    environment = {
        **server.environment,
        "CODESERVICES_DEBUG": "no",
        "CODESERVICES_HTTP_PORT": str(port),
        "CODESERVICES_HTTPS_PORT": str(gitserver.free_port()),
        "CODESERVICES_HTTPS_HOST": "127.0.0.1",
    }
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity=0"]
    subprocess.run(collect, cwd=ROOT, env=environment, check=True)
    log = Path(environment["CODESERVICES_VAR"]) / "logs" / "bench-web.log"
    with log.open("wb") as output:
        serve = [sys.executable, "-m", "codeservices.serve"]
        process = subprocess.Popen(serve, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        if not gitserver.wait_for(lambda: _answers(port), START_SECONDS):
            raise RuntimeError("our web process does not answer")
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
