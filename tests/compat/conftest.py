"""A real web server on a free port, and AWS clients that know nothing of us but its address."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import uvicorn
from botocore.config import Config

from codeservices.iam import credentials
from codeservices.iam.models import User

# One try: a test that needs a second one hides a fault.
ONCE = Config(retries={"max_attempts": 1, "mode": "standard"}, connect_timeout=5, read_timeout=20)
START_SECONDS = 20


@pytest.fixture(scope="session")
def web_server(django_db_setup: None) -> Iterator[str]:
    """The origin of a server that runs the product's ASGI program on the test database."""
    server = uvicorn.Server(
        uvicorn.Config("codeservices.asgi:application", host="127.0.0.1", port=0, log_level="warning", ws="none")
    )
    thread = threading.Thread(target=server.run, name="web server", daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        assert thread.is_alive(), "the web server ended before it had started"
        assert time.monotonic() < deadline, "the web server did not start"
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=START_SECONDS)


@pytest.fixture
def live_server_url(transactional_db: None, web_server: str) -> str:
    """The running server's origin, with an empty database."""
    return web_server


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
