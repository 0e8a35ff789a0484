"""Rows for tests, made through the same models and services that the product uses."""

from __future__ import annotations

import json
import uuid
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import transaction
from django.utils import timezone

from codeservices.audit import trail
from codeservices.audit.members import resource_of
from codeservices.audit.models import Event, Outcome
from codeservices.iam.managed_policies import SERVICE_ROLE_NAME
from codeservices.iam.models import Policy, Role, User
from codeservices.iam.principal import Principal

PASSWORD = "correct horse battery staple"
SERVICE = Principal("service", "codeservices.amazonaws.com", "123456789012", "", "codeservices")


def user(name: str, *policy_names: str, document: dict[str, Any] | None = None) -> User:
    """A user that can sign in with PASSWORD, with AWS managed policies by name and one customer document."""
    made = User(name=name)
    made.set_password(PASSWORD)
    made.save()
    made.policies.add(*Policy.objects.filter(is_aws_managed=True, name__in=policy_names))
    if document is not None:
        made.policies.add(Policy.objects.create_with_document(json.dumps(document), name=f"{name}-policy"))
    return made


def event(**members: Any) -> Event:
    """An event of the trail, chained like every other; `event_time` may be a datetime."""
    values: dict[str, Any] = {
        "event_id": uuid.uuid4(),
        "event_time": timezone.now(),
        "event_source": "codecommit.amazonaws.com",
        "event_name": "GitPush",
        "event_type": "AwsApiCall",
        "principal_kind": "user",
        "principal_arn": "arn:aws:iam::123456789012:user/erin",
        "principal_name": "erin",
        "via": "git",
        "request_id": "11111111-2222-3333-4444-555555555555",
        "outcome": Outcome.SUCCESS,
        **members,
    }
    reads_and_works = values.get("is_read_only") and values["outcome"] == Outcome.SUCCESS
    values.setdefault("is_notable", not reads_and_works)
    kind, name = resource_of(values.get("resource_arn", ""))
    values |= {"resource_type": kind, "resource_name": name, "event_id": str(values["event_id"])}
    values["event_time"] = values["event_time"].isoformat(timespec="microseconds")
    with transaction.atomic():
        trail.add(trail.locked_head(), [values])
    return Event.objects.get(event_id=values["event_id"])


def allow(*actions: str, resource: str | list[str] = "*") -> dict[str, Any]:
    """A policy document with one Allow statement."""
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resource}],
    }


def ssh_key() -> str:
    """A new public key as `ssh-keygen -t ed25519` writes it."""
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " somebody@somewhere"


def repository(name: str = "demo", description: str = ""):
    """A repository with its bare repository on disk."""
    from repos.provision import create_repository

    return create_repository(SERVICE, name, description)


def project(name: str = "demo", *, repository_name: str | None = "demo", buildspec: str = "", **environment: Any):
    """A build project of a repository on this server, or without source."""
    from builds.models import Project

    source: dict[str, Any] = {"type": "NO_SOURCE"}
    if repository_name:
        source = {"type": "CODECOMMIT", "location": f"https://127.0.0.1:8443/v1/repos/{repository_name}"}
    if buildspec:
        source["buildspec"] = buildspec
    return Project.objects.create(
        name=name,
        source=source,
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "codeservices/base",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [],
            "privilegedMode": False,
            "imagePullCredentialsType": "CODEBUILD",
            **environment,
        },
        service_role_arn=Role.objects.get(name=SERVICE_ROLE_NAME).arn,
    )
