"""What this process remembers of an engine, before an engine of its own that counts what it is asked."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from builds.runner import engine

ANSWERS = {"/version": {"ApiVersion": "1.41", "MinAPIVersion": "1.12"}, "/info": {"ID": "an-engine", "NCPU": 2}}


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[list[str]]:
    """The paths that the engine at `engine.sock` was asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = "/" + self.path.rpartition("/")[2]
            paths.append(path)
            body = json.dumps(ANSWERS[path]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is written to the test's output."""

    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "engine.sock"), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield paths
        server.shutdown()
        thread.join()


def test_what_an_engine_tells_of_itself_is_asked_for_once_in_a_while(asked: list[str], tmp_path: Path, monkeypatch):
    address = f"unix://{tmp_path}/engine.sock"

    def ask() -> None:
        with contextlib.closing(engine.connect(address)) as client:
            assert client.api.api_version == "1.41"
            assert engine.host_of(client, address)["ID"] == "an-engine"

    ask()
    ask()
    assert asked == ["/version", "/info"]
    monkeypatch.setattr(engine, "KNOWN_SECONDS", 0.0)
    ask()
    assert asked == ["/version", "/info"] * 2
