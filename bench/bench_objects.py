"""An object of 300 MB up and down through the S3 door; reference: the same file through the same web server to a plain
file. The client signs a URL and sends plain bytes, as the fastest of clients would.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import boto3
from botocore.config import Config

from bench import processes, timing, web_process
from tests import gitserver
from tests.gitserver import GitServer

OBJECT_BYTES = 300 * 1024 * 1024
ROUNDS = 3
KEYS = """
from codeservices.iam.credentials import issue_access_key
from codeservices.iam.models import User
from codeservices.objects.services import ensure_bucket
ensure_bucket("bench")
key, secret = issue_access_key(User.objects.get(name="alice"))
print(key.access_key_id, secret)
"""


def urls(server: GitServer, port: int) -> tuple[str, str]:
    """Where the object is put and got, signed."""
    key_id, secret = server.python(KEYS).split()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    where = {"Bucket": "bench", "Key": "large"}
    return client.generate_presigned_url("put_object", where), client.generate_presigned_url("get_object", where)


def up(url: str, file: Path) -> None:
    with file.open("rb") as body:
        _ask("PUT", url, body, {"Content-Length": str(OBJECT_BYTES)})


def down(url: str) -> None:
    if _ask("GET", url, None, {}) != OBJECT_BYTES:
        raise AssertionError("the object came back short")


def _ask(method: str, url: str, body: object, headers: dict[str, str]) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=300, blocksize=1024 * 1024)
    with contextlib.closing(connection):
        connection.request(method, f"{parts.path}?{parts.query}", body, headers)  # type: ignore[arg-type]
        answer = connection.getresponse()
        count = 0
        while piece := answer.read(1024 * 1024):
            count += len(piece)
        if answer.status != 200:
            raise AssertionError(f"{method} is answered with {answer.status}")
        return count


@contextlib.contextmanager
def plain(folder: Path) -> Iterator[str]:
    """The reference, running."""
    port = gitserver.free_port()
    argv = [
        sys.executable,
        "-m",
        "uvicorn",
        "bench.plain_files:application",
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    process = subprocess.Popen(argv, cwd=ROOT, env={**os.environ, "PLAIN_FILES_FOLDER": str(folder)})
    try:
        gitserver.wait_for(lambda: _is_open(port), 30)
        yield f"http://127.0.0.1:{port}/large"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _is_open(port: int) -> bool:
    with contextlib.suppress(OSError):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.connect()
        connection.close()
        return True
    return False


def compare(what: str, ours: Callable[[], object], reference: Callable[[], object]) -> None:
    told = timing.figures_by_turns(lambda: timing.seconds(ours), lambda: timing.seconds(reference), ROUNDS)
    timing.row_of(what, told, "plain file")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="codeservices-bench-") as name:
        folder = Path(name)
        file = folder / "file"
        file.write_bytes(os.urandom(1024 * 1024) * (OBJECT_BYTES // 1024**2))
        with gitserver.running(folder / "server") as server, web_process.running(server) as (port, pid):
            put, get = urls(server, port)
            with plain(folder) as reference:
                up(put, file), up(reference, file)
                before = processes.anonymous_bytes(pid)
                compare("PutObject of 300 MB", lambda: up(put, file), lambda: up(reference, file))
                compare("GetObject of 300 MB", lambda: down(get), lambda: down(reference))
                grown = (processes.anonymous_bytes(pid) - before) / 1024**2
                print(f"| memory that the web process holds more afterwards | {grown:.0f} MB | | |", flush=True)


if __name__ == "__main__":
    main()
