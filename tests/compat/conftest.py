"""Clients that know nothing of us but the address of a real web server: AWS's, and git."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from codeservices.iam import credentials
from codeservices.iam.models import User
from tests import gitclient, gitserver
from tests.gitclient import Clone
from tests.gitserver import GitServer

# One try: a test that needs a second one hides a fault.
ONCE = Config(retries={"max_attempts": 1, "mode": "standard"}, connect_timeout=60, read_timeout=60)


Client = Callable[..., Any]


@pytest.fixture
def client_of(live_server_url: str) -> Client:
    """client_of(user, "codecommit") is a boto3 client that signs with a new key of that user."""
    keys: dict[int, tuple[str, str]] = {}

    def make(user: User, service: str, **options: Any) -> Any:
        if user.pk not in keys:
            key, secret = credentials.issue_access_key(user)
            keys[user.pk] = (key.access_key_id, secret)
        access_key_id, secret = keys[user.pk]
        arguments = {
            "endpoint_url": live_server_url,
            "region_name": "us-east-1",
            "aws_access_key_id": access_key_id,
            "aws_secret_access_key": secret,
            "config": ONCE,
        }
        return boto3.client(service, **{**arguments, **options})

    return make


@pytest.fixture
def codecommit(alice: User, client_of: Client) -> Any:
    return client_of(alice, "codecommit")


@pytest.fixture
def codebuild(alice: User, client_of: Client) -> Any:
    return client_of(alice, "codebuild")


@pytest.fixture
def aws(alice: User, live_server_url: str, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `aws …` against the server as alice; nothing of this machine's own configuration is seen."""
    key, secret = credentials.issue_access_key(alice)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": live_server_url,
        "AWS_MAX_ATTEMPTS": "1",
    }
    program = Path(sys.executable).with_name("aws")

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(program), *args], env=environment, capture_output=True, text=True, timeout=60
        )

    return run


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    """A web process of its own for each file of tests."""
    with gitserver.running(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def name(server: GitServer) -> str:
    """A new empty repository."""
    return server.create()


@pytest.fixture
def work(server: GitServer, name: str, tmp_path: Path) -> Clone:
    """alice's clone with one commit pushed to main."""
    work = gitclient.new(tmp_path / "work", server.url(name, "alice"))
    work.commit({"README.md": "hello\n", "src/app.py": "print(1)\n"}, "Begin")
    work.git("push", "--quiet", "origin", "main")
    return work
