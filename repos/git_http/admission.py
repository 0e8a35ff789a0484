"""Who asks, and whether they may: the same question before each of git's three URLs."""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Mapping

from django.conf import settings

from codeservices.audit.acts import Act, entered
from codeservices.iam import credentials
from codeservices.middleware import is_loopback
from repos.access import repository_for
from repos.git import wire
from repos.git_http.answers import Answer
from repos.git_http.request import GitRequest
from repos.models import Repository

logger = logging.getLogger(__name__)

ACTIONS: Mapping[wire.Service, str] = {"upload-pack": "codecommit:GitPull", "receive-pack": "codecommit:GitPush"}


def check_transport(request: GitRequest) -> None:
    """Credentials travel over TLS, or not beyond this machine; raises a 403 Answer."""
    if not request.info.is_secure and not is_loopback(request.info.source_ip):
        raise Answer(
            403,
            f"Credentials are not taken over plain HTTP from another machine. Use https on port {settings.HTTPS_PORT}.",
        )


def admit(request: GitRequest) -> Repository:
    """Who asks, and for which repository; in a thread."""
    pair = basic_pair(request.headers.get("authorization", ""))
    principal = None
    if pair is not None:
        path = request.path.rpartition("/info/refs" if request.path.endswith("/info/refs") else "/")[0]
        hosts = signed_hosts(request.headers.get("host", ""))
        principal = credentials.authenticate_basic(*pair, path=path, hosts=hosts)
    if principal is None:
        if pair is not None:
            logger.warning("wrong git credentials from %s", request.info.source_ip)
        challenge = b'Basic realm="Code Services", charset="UTF-8"'
        words = "Wrong user name or password." if pair else "Sign in with a git user name and password."
        raise Answer(401, words, (b"www-authenticate", challenge))
    # All sessions of a role are one holder: whoever may begin one may begin a thousand.
    request.holder = principal.role_arn or principal.arn
    event_name = ACTIONS[request.service].partition(":")[2]
    request.act = Act(principal, request.info, event_name=event_name, event_source="codecommit.amazonaws.com")
    request.act.is_read_only = True
    with entered(request.act):
        repository = repository_for(principal, ACTIONS[request.service], request.name)
    request.act.additional.update(
        protocol="HTTP",
        dataTransferred=False,
        repositoryName=repository.name,
        repositoryId=str(repository.repository_id),
    )
    _ = repository.git  # raises where the objects are missing
    return repository


def basic_pair(header: str) -> tuple[str, str] | None:
    """User name and password of a Basic header, or None where there is none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        username, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (username, password) if colon else None


def signed_hosts(header: str) -> tuple[str, ...]:
    """What a helper may have signed as the host: with and without the port."""
    return (header, re.sub(r":\d+$", "", header))
