"""Other people's git servers, on loopback: git http-backend as it is, or misbehaving in a way that a test asks for."""

from __future__ import annotations

import base64
import contextlib
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.gitrepo import ENVIRONMENT

Misbehave = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class ForeignServer:
    """A running server; tests set what it demands and read what it was asked.

    Attributes:
        login: (user name, password) that it demands, or None.
        misbehave: Answers every request in place of git, where it is set.
        misbehaves_at: The only method that it answers, or "" for all.
        requests: "METHOD /path" of each request.
        is_dumb: Serve the files of the repository, as a plain web server does.
    """

    port: int
    root: Path
    login: tuple[str, str] | None = None
    misbehave: Misbehave | None = None
    misbehaves_at: str = ""
    is_dumb: bool = False
    scheme: str = "http"
    requests: list[str] = field(default_factory=list)

    def url(self, name: str = "demo", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}/{name}"


@contextlib.contextmanager
def serving(root: Path, certificate: Path | None = None) -> Iterator[ForeignServer]:
    """Serve the bare repositories in a folder until the block ends; over TLS with a certificate and its key."""
    state: ForeignServer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.requests.append(f"{self.command} {self.path}")
            self.close_connection = True
            if state.misbehave is not None and state.misbehaves_at in ("", self.command):
                state.misbehave(self)
            elif not self._is_welcome():
                answer(self, 401, b"who are you?", {"WWW-Authenticate": 'Basic realm="git"'})
            elif state.is_dumb:
                self._file()
            else:
                self._backend()

        do_POST = do_GET

        def finish(self) -> None:
            super().finish()
            if certificate is not None:
                # Without a proper goodbye git takes an answer without a length for one that was cut off.
                self.connection.settimeout(0.05)
                with contextlib.suppress(OSError):
                    self.connection.unwrap()  # type: ignore[attr-defined]

        def log_message(self, *_: object) -> None:
            pass

        def _is_welcome(self) -> bool:
            if state.login is None:
                return True
            expected = "Basic " + base64.b64encode(":".join(state.login).encode()).decode()
            return self.headers.get("Authorization") == expected

        def _file(self) -> None:
            file = root / urlsplit(self.path).path.lstrip("/")
            answer(self, *((200, file.read_bytes()) if file.is_file() else (404, b"nothing here")))

        def _backend(self) -> None:
            parts = urlsplit(self.path)
            environment = {
                **ENVIRONMENT,
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": parts.path,
                "QUERY_STRING": parts.query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
            }
            with tempfile.TemporaryFile() as body:
                body.write(_body(self))
                body.seek(0)
                backend = subprocess.Popen(
                    ["git", "http-backend"],
                    stdin=body,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                )
            # A client that is gone ends the connection, and git with it.
            with backend, contextlib.suppress(OSError):
                assert backend.stdout is not None
                headers = dict(line.decode().rstrip().split(": ", 1) for line in iter(backend.stdout.readline, b"\r\n"))
                self.send_response(int(headers.pop("Status", "200").split()[0]))
                for name, value in {**headers, "Connection": "close"}.items():
                    self.send_header(name, value)
                self.end_headers()
                while piece := backend.stdout.read1():  # type: ignore[attr-defined]  as it comes
                    self.wfile.write(piece)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    state = ForeignServer(server.server_address[1], root, scheme="https" if certificate else "http")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    """Send a whole answer; the client may be gone by then."""
    with contextlib.suppress(OSError):
        handler.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body)), "Connection": "close"}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("Transfer-Encoding") != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    pieces = []
    while size := int(handler.rfile.readline(), 16):
        pieces.append(handler.rfile.read(size))
        handler.rfile.readline()
    handler.rfile.readline()
    return b"".join(pieces)
