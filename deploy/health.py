"""Is the running system healthy? Asks /readyz as a load balancer would."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass, field
from typing import Any

from deploy import places

_ANSWER_SECONDS = 10.0


@dataclass(frozen=True)
class Readiness:
    """What /readyz said.

    Attributes:
        is_ready: Whether it answered 200.
        problem: One sentence on what is down; empty when ready.
        report: The JSON document, empty where there was none.
    """

    is_ready: bool
    problem: str = ""
    report: dict[str, Any] = field(default_factory=dict)


def loopback(host: str) -> str:
    """Where to reach a server of this machine that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)


def ask(path: str = "/readyz") -> Readiness:
    """Ask over plain HTTP on loopback."""
    host, port = places.http_address()
    connection = http.client.HTTPConnection(loopback(host), port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        return Readiness(False, f"the web server does not answer on port {port} yet ({error})")
    finally:
        connection.close()
    try:
        report = json.loads(body)
    except ValueError:
        report = {}
    if response.status == 200:
        return Readiness(True, "", report)
    down = "; ".join(problems(report))
    return Readiness(False, down or f"{path} answers with status {response.status}", report)


def problems(report: dict[str, Any]) -> list[str]:
    """What /readyz names as down, one "name: sentence" each."""
    return [f"{name}: {sentence}" for name, sentence in report.get("parts", {}).items() if sentence]


def tls_problem() -> str | None:
    """None where HTTPS answers with a certificate of our own CA; else one sentence."""
    host, port = places.https_address()
    ca = places.var() / "tls" / "ca.pem"
    try:
        context = ssl.create_default_context(cafile=str(ca))
        connection = http.client.HTTPSConnection(loopback(host), port, timeout=_ANSWER_SECONDS, context=context)
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        return f"HTTPS does not answer on port {port} ({error})"
    return None if status == 200 else f"HTTPS on port {port} answers with status {status}"
