"""A subscriber of topics: a real web server on loopback that keeps what it gets, and answers as it is told."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass
class Taken:
    """One request that the server got."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def members(self) -> dict[str, Any]:
        return json.loads(self.body)


Respond = Callable[[BaseHTTPRequestHandler], None]


def status(code: int, body: bytes = b"", **headers: str) -> Respond:
    """Answers with that status."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return respond


@dataclass
class Receiver:
    """The server's address, what it got, and what it answers next; the last answer is given again and again."""

    url: str
    taken: list[Taken] = field(default_factory=list)
    answers: list[Respond] = field(default_factory=lambda: [status(200, b"thanks")])

    @property
    def last(self) -> Taken:
        return self.taken[-1]


@contextmanager
def receiver(certificate: Path | None = None) -> Iterator[Receiver]:
    """A receiver, over TLS where a certificate with its key is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            found.taken.append(Taken(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            respond = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            try:
                respond(self)
            except OSError:
                self.close_connection = True  # the sender has had enough

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            pass  # senders that break off are what some tests are about

    server = Server(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https"
    found = Receiver(f"{scheme}://localhost:{server.server_address[1]}/hook")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def make_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate of its own authority for a host: (the authority's file, the server's file with its key)."""
    now = datetime.now(UTC)
    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("authority", "server")}
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])

    def built(name: str, subject: x509.Name, extension: x509.ExtensionType) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(keys[name].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=False)
            .sign(keys["authority"], hashes.SHA256())
        )

    authority, server = folder / "authority.pem", folder / "server.pem"
    made = built("authority", issuer, x509.BasicConstraints(ca=True, path_length=0))
    authority.write_bytes(made.public_bytes(Encoding.PEM))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = built("server", subject, x509.SubjectAlternativeName([x509.DNSName(host)]))
    key = keys["server"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    server.write_bytes(key + made.public_bytes(Encoding.PEM))
    return authority, server
