"""Pages as a browser asks for them: one connection that stays open, and a session's cookies."""

from __future__ import annotations

import http.client
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

TIMEOUT_SECONDS = 120
_CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True)
class Page:
    """One answer.

    Attributes:
        seconds: From the request's first byte to the answer's last.
    """

    status: int
    body: bytes
    headers: dict[str, str]
    seconds: float

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


@dataclass
class Browser:
    """Asks a server on the loopback address."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    _connection: http.client.HTTPConnection | None = None

    def get(self, path: str, **headers: str) -> Page:
        """GET; `HX_Request="true"` is the header HX-Request."""
        return self._ask("GET", path, b"", {name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, form: dict[str, str]) -> Page:
        """POST a form."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{self.port}"}
        return self._ask("POST", path, urlencode(form).encode(), headers)

    def sign_in(self, name: str, password: str) -> None:
        """Begin a session of our console."""
        token = _CSRF.search(self.get("/sign-in/").text)
        form = {"username": name, "password": password, "csrfmiddlewaretoken": token[1] if token else ""}
        answer = self.post("/sign-in/", form)
        if answer.status != 302:
            raise RuntimeError(f"The sign-in was answered with {answer.status}.")

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Page:
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
            self._connection.connect()
        start = time.perf_counter()
        self._connection.request(method, path, body or None, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        seconds = time.perf_counter() - start
        for value in answer.headers.get_all("Set-Cookie") or ():
            name, _, rest = value.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        if answer.will_close:
            self._connection.close()
            self._connection = None
        return Page(answer.status, content, {name.lower(): value for name, value in answer.headers.items()}, seconds)
