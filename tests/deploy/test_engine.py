"""Asking an engine: a real socket with an engine's answers, and this machine's own."""

from __future__ import annotations

import http.server
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import engine


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    status = 200
    daemon_threads = True


class Handler(http.server.BaseHTTPRequestHandler):
    def address_string(self) -> str:
        return "socket"

    def log_message(self, *arguments: object) -> None:
        pass

    def version_string(self) -> str:
        return "Docker/20.10.24 (linux)"

    def do_GET(self) -> None:
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"OK")


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Engine]:
    with Engine(str(tmp_path / "docker.sock"), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_engine_tells_its_version(answering, tmp_path):
    assert engine.ask(f"unix://{tmp_path}/docker.sock") == engine.Answer("20.10.24")


def test_an_engine_that_answers_with_an_error_is_not_replaced(answering, tmp_path):
    answering.status = 500
    answer = engine.ask(f"unix://{tmp_path}/docker.sock")
    assert answer.problem == f"Docker Engine at {tmp_path}/docker.sock answers with status 500."
    assert not answer.may_start


def test_a_socket_that_somebody_named_is_theirs_to_start(tmp_path):
    answer = engine.ask(f"unix://{tmp_path}/none.sock")
    assert answer.problem == (
        f"No Docker Engine answers at DOCKER_HOST={tmp_path}/none.sock. Start it there or unset DOCKER_HOST."
    )
    assert not answer.may_start


def test_a_dead_socket_at_the_usual_place_may_be_started_by_us(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "SOCKET", str(tmp_path / "none.sock"))
    assert engine.ask(engine.SOCKET.join(("unix://", ""))) == engine.Answer(may_start=True)


def test_an_engine_elsewhere_that_is_silent_is_told_by_its_address(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    answer = engine.ask(engine.address())
    assert "No Docker Engine answers at DOCKER_HOST=tcp://127.0.0.1:1" in answer.problem


def test_a_pid_that_is_no_engine_is_not_taken_for_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("CODESERVICES_VAR", str(tmp_path))
    (tmp_path / "run").mkdir()
    assert engine.our_pid() is None
    engine.pid_file().write_text("1\n")
    assert engine.our_pid() is None


@pytest.mark.docker
def test_this_machines_engine_answers():
    assert engine.ask(engine.address()).version
