"""The product's web process as people run it: uvicorn, a var/ of its own, a real database file and a private Redis."""

from __future__ import annotations

import atexit
import base64
import contextlib
import functools
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.fixtures import redis as private_redis

ROOT = Path(__file__).resolve().parent.parent
POLL_SECONDS = 0.02
START_SECONDS = 90  # beside everything else that a machine of two processors does
# More repositories than the tests of most files use: a start of Django for later ones costs as much as a hundred.
FIRST_BATCH = 80
BATCH = 20
Value = TypeVar("Value")

SET_UP = """
import json
from django.core.management import call_command
call_command("migrate", skip_checks=True, verbosity=0)
from codeservices.iam.credentials import issue_git_credential
from tests import factories
people = {
    "alice": factories.user("alice", "AdministratorAccess"),
    "bob": factories.user("bob", "AWSCodeCommitReadOnly"),
    "carol": factories.user("carol"),
    "dave": factories.user("dave", document={"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "codecommit:Git*", "Resource": "*"},
        {"Sid": "KeepMain", "Effect": "Deny", "Action": "codecommit:GitPush", "Resource": "*",
         "Condition": {"StringEqualsIfExists": {"codecommit:References": ["refs/heads/main", "refs/heads/release"]},
                       "Null": {"codecommit:References": "false"}}},
    ]}),
}
for number in range(FIRST_BATCH):
    factories.repository(f"demo-{number}")
issued = {name: issue_git_credential(user) for name, user in people.items()}
print(json.dumps({name: [credential.service_user_name, password] for name, (credential, password) in issued.items()}))
"""


@dataclass
class GitServer:
    """A running server and what tests ask it."""

    var: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    redis: subprocess.Popen[bytes]
    application: str
    people: dict[str, tuple[str, str]] = field(default_factory=dict)
    _unused: list[str] = field(default_factory=lambda: [f"demo-{number}" for number in range(FIRST_BATCH)])
    _created: int = FIRST_BATCH

    def url(self, name: str, who: str = "") -> str:
        """The clone URL of a repository, with a person's credentials in it."""
        account = "{}:{}@".format(*map(_quoted, self.people[who])) if who else ""
        return f"http://{account}127.0.0.1:{self.port}/v1/repos/{name}"

    def create(self) -> str:
        """A new empty repository; its name. Those that the installation came with go first, then batches of more."""
        if not self._unused:
            first, self._created = self._created, self._created + BATCH
            self._unused = [f"demo-{number}" for number in range(first, self._created)]
            self.python(f"from tests import factories\nfor name in {self._unused!r}: factories.repository(name)")
        return self._unused.pop()

    def path(self, name: str) -> Path:
        """Where the repository lies."""
        [[repository_id]] = self.rows("SELECT repository_id FROM repos_repository WHERE name = ?", name)
        return next((self.var / "git").glob(f"*/{str(repository_id)[:8]}*.git"))

    def python(self, code: str) -> str:
        """Run code with the server's settings; what it prints."""
        return _python(code, self.environment)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read the server's database."""
        with contextlib.closing(sqlite3.connect(self.var / "db.sqlite3", timeout=20)) as database:
            return database.execute(query, values).fetchall()

    def events(self, name: str) -> list[dict[str, Any]]:
        """The git events of a repository, oldest first."""
        rows = self.rows(
            "SELECT event_name, principal_name, outcome, is_read_only, error_code, error_message, request_parameters,"
            " additional_event_data FROM audit_event WHERE resource_arn LIKE ? AND via = 'git' ORDER BY id",
            f"%:{name}",
        )
        keys = ("name", "who", "outcome", "read_only", "code", "message", "parameters", "additional")
        decoded = [(*row[:6], json.loads(row[6] or "null"), json.loads(row[7] or "null")) for row in rows]
        return [dict(zip(keys, row, strict=True)) for row in decoded]

    def pushes(self, name: str) -> list[tuple[str, list[dict[str, str]]]]:
        """(state, commands) of each push, oldest first."""
        rows = self.rows(
            "SELECT state, commands FROM repos_push WHERE repository_id ="
            " (SELECT id FROM repos_repository WHERE name = ?) ORDER BY id",
            name,
        )
        return [(state, json.loads(commands)) for state, commands in rows]

    def request(
        self, path: str, body: bytes | None = None, who: str = "alice", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """One HTTP request as a person: status, body and headers."""
        given = dict(headers or {})
        if who:
            given["Authorization"] = "Basic " + base64.b64encode(":".join(self.people[who]).encode()).decode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body, headers=given)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers

    def children(self) -> list[str]:
        """The command lines of the git processes that the server has running."""
        found = subprocess.run(
            ["ps", "-ww", "-o", "args=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        return [line for line in found.stdout.splitlines() if "git" in line]

    def resident_bytes(self) -> int:
        """The memory that the server process has in use."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def restart(self) -> None:
        """Start the web process again after it was killed."""
        self.process = _start(self.port, self.environment, self.application)

    def log(self, text: str) -> list[str]:
        """The lines of the server's log in which a text stands."""
        return [line for line in (self.var / "logs/web.log").read_text().splitlines() if text in line]


@contextlib.contextmanager
def running(
    directory: Path, *, application: str = "codeservices.asgi:application", **settings: str
) -> Iterator[GitServer]:
    """A server on a free port with alice, bob, carol and dave; it and its Redis end with the block."""
    var = directory / "var"
    installed, people = _installed()
    shutil.copytree(installed, var)
    environment = _environment(var, settings)
    redis = private_redis.start(var / "redis", var / "run" / "redis.sock")
    try:
        port = free_port()
        process = _start(port, environment, application)
        server = GitServer(var, port, environment, process, redis, application, people)
        try:
            yield server
        finally:
            server.process.kill()
            server.process.wait()
    finally:
        redis.terminate()
        redis.wait(timeout=60)


@functools.cache
def _installed() -> tuple[Path, dict[str, tuple[str, str]]]:
    """A var/ with keys, tables, people and repositories, to copy, and the git credentials: made once a process."""
    folder = tempfile.mkdtemp(prefix="codeservices-test-")
    atexit.register(shutil.rmtree, folder)
    var = Path(folder) / "var"
    people = json.loads(_python(f"FIRST_BATCH = {FIRST_BATCH}\n{SET_UP}", _environment(var, {})))
    return var, {who: (name, password) for who, (name, password) in people.items()}


def _environment(var: Path, settings: Mapping[str, str]) -> dict[str, str]:
    ours = ("CODESERVICES_", "GIT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    for name in ("DATABASE_URL", "REDIS_URL"):
        kept.pop(name, None)
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "codeservices.settings",
        "CODESERVICES_VAR": str(var),
        "CODESERVICES_ACCOUNT_ID": "123456789012",
        "CODESERVICES_DEBUG": "yes",
        "CODESERVICES_LOG_LEVEL": "INFO",
        **settings,
    }


def wait_for(question: Callable[[], Value], seconds: float = 60) -> Value:
    """Ask until the answer is true, for so long; the last answer."""
    deadline = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return answer


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _python(code: str, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{code}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _start(port: int, environment: Mapping[str, str], application: str) -> subprocess.Popen[bytes]:
    log = Path(environment["CODESERVICES_VAR"]) / "logs/web.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", application, "--port", str(port), "--log-level", "error"],
            cwd=ROOT,
            env=environment,
            stderr=output,
        )

    def answers() -> bool:
        assert process.poll() is None, "the server ended at once"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    assert wait_for(answers, START_SECONDS), "the server does not answer"
    return process


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")
