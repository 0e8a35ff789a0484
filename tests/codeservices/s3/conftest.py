"""A real web server whose store is this test's own, and two clients of it: alice's, and one who may only read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codeservices.iam.models import User
from tests import factories
from tests.codeservices.s3.clients import client_of

READER = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/open/*"},
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::bucket",
            "Condition": {"StringLike": {"s3:prefix": "open/*"}},
        },
    ],
}


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> Path:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path / "objects"}},
    }
    return tmp_path / "objects"


@pytest.fixture
def s3(alice: User, live_server_url: str) -> Iterator[Any]:
    client = client_of(alice, live_server_url)
    client.create_bucket(Bucket="bucket")
    yield client
    client.close()


@pytest.fixture
def reader(live_server_url: str) -> Iterator[Any]:
    client = client_of(factories.user("rita", document=READER), live_server_url)
    yield client
    client.close()
