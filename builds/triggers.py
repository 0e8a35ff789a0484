"""Builds that pushes start: a repository's trigger whose destination is a project's ARN."""

from __future__ import annotations

import logging
import uuid
from typing import Any

from django.conf import settings

from builds import lifecycle, shapes
from builds.access import project_name_of
from builds.models import Project
from codeservices.audit.record import RequestInfo, act
from codeservices.errors import ServiceError
from codeservices.iam.principal import Principal
from codeservices.iam.roles import find_role
from repos import triggers
from repos.models import Push, Repository
from repos.signals import ref_updated

logger = logging.getLogger(__name__)

SERVICE = "codecommit.amazonaws.com"


def connect() -> None:
    """Called once when the app is ready."""
    ref_updated.connect(start_builds, dispatch_uid="builds.triggers")


def start_builds(
    sender: object, *, repository: Repository, refname: str, old_oid: str, new_oid: str, push: Push, **_: Any
) -> None:
    """Start the builds that a moved ref asks for. A trigger that fails is told and logged; the others go on."""
    if not new_oid.strip("0"):
        return  # a deleted ref has nothing to build
    for trigger in repository.triggers.filter(destination_arn__contains=":project/"):
        if not triggers.matches(trigger.events, trigger.branches, refname, old_oid, new_oid):
            continue
        name = project_name_of(trigger.destination_arn)
        principal = _principal(name, trigger.name)
        info = RequestInfo(str(uuid.uuid4()), SERVICE, SERVICE, "worker", is_secure=True)
        try:
            with act(principal, info) as current:
                current.additional |= {"trigger": trigger.name, "push": str(push.push_id), "ref": refname}
                build = lifecycle.start_build(
                    principal,
                    name,
                    {"sourceVersion": f"{refname}^{{{new_oid}}}"},
                    initiator=f"codecommit/{push.principal_name or repository.name}",
                )
                current.parameters |= {"projectName": name, "sourceVersion": build.source_version}
                current.response |= shapes.started_for_trail(build)
        except ServiceError as error:
            logger.warning("trigger %s of %s started no build: %s", trigger.name, repository.name, error.message)


def _principal(project_name: str, trigger_name: str) -> Principal:
    """A push starts a build as the project's service role: whoever may push need not be allowed to start builds."""
    role_arn = Project.objects.filter(name=project_name).values_list("service_role_arn", flat=True).first() or ""
    role = find_role(role_arn)
    if role is None:
        return Principal("role", role_arn or SERVICE, settings.ACCOUNT_ID, "", SERVICE)
    return role.session(f"trigger-{trigger_name}"[:64])
