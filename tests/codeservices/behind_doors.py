"""What stands behind every door in the tests of doors, and how they look at it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.test import Client
from django.utils import timezone

from builds.models import Build, Project, Status
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import User
from tests.builds import logged

TOKEN = "a" * 32
READ_ONLY = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
DOCUMENT = '{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}'
TRUST = (
    '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", '
    '"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}}'
)


@dataclass(frozen=True)
class World:
    """The people by name, and what stands for an argument that is made anew in every test."""

    people: dict[str, User]
    names: dict[str, str]


def finished_build(project: Project, number: int = 1) -> Build:
    build = logged.running_build(
        project, number, status=Status.SUCCEEDED, ended_at=timezone.now(), is_log_complete=True, lease_expires_at=None
    )
    logged.artifact_of(build)
    return build


def state() -> dict[str, list[Any]]:
    """All rows, but for the audit trail, sessions and Django's own lists; when one was last seen is no change."""
    tables = (
        "audit.Event",
        "audit.ChainHead",
        "audit.OpenAct",
        "audit.SpoolOffset",
        "sessions.Session",
        "auth.Permission",
        "contenttypes.ContentType",
    )
    left_out = ("last_login", "last_used_at", "last_used_service", "last_used_region")
    found = {}
    for each in apps.get_models(include_auto_created=True):
        if each._meta.label not in tables:
            names = [one.attname for one in each._meta.concrete_fields if one.attname not in left_out]
            found[each._meta.label] = list(each.objects.order_by("pk").values_list(*names))
    return found


def changed(before: dict[str, list[Any]]) -> list[str]:
    """The tables that are not as they were."""
    return [label for label, rows in state().items() if rows != before[label]]


def door_client(user: User | None) -> Client:
    """A browser that holds the CSRF cookie of TOKEN, with CSRF checks on."""
    client = Client(enforce_csrf_checks=True)
    if user is not None:
        client.force_login(user)
    client.cookies[settings.CSRF_COOKIE_NAME] = TOKEN
    return client


def body(response: Any) -> str:
    return "" if response.streaming else response.content.decode()


def may(user: User, action: str) -> bool:
    """What the user's policies say of somebody else's things."""
    return is_allowed(user.principal, action, f"arn:aws:any:us-east-1:{settings.ACCOUNT_ID}:thing")


def denied_action(response: Any) -> str:
    """The action that a page says the person may not do, or nothing."""
    told = re.search(r"is not authorized to perform: (\S+) on resource", body(response))
    return told[1] if told and response.status_code == 403 else ""
