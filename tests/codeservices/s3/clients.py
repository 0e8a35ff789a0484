"""S3 as boto3 and plain HTTP ask for it."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from codeservices.iam.credentials import issue_access_key
from codeservices.iam.models import User


def client_of(user: User, url: str, **more: Any) -> Any:
    key, secret = issue_access_key(user)
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, **more)
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=secret,
        config=config,
    )


def refused(call: Any, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as raised:
        call(**params)
    answer = raised.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def body(answer: Any) -> bytes:
    with answer["Body"] as stream:
        content: bytes = stream.read()
    return content


def get(url: str, *, method: str = "GET", data: bytes | None = None, **headers: str) -> tuple[int, bytes, Any]:
    request = urllib.request.Request(url, method=method, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def begun(url: str, length: int) -> http.client.HTTPConnection:
    """A PUT of that many bytes, of which none is sent yet."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.putrequest("PUT", f"{parts.path}?{parts.query}")
    connection.putheader("Content-Length", str(length))
    connection.endheaders()
    return connection
