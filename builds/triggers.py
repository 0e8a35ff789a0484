"""Builds that pushes start: a repository's trigger whose destination is a project's ARN."""

from __future__ import annotations

import re
import uuid

from django.conf import settings
from django.db import transaction

from builds import lifecycle, service_role, shapes
from builds.access import project_name_of
from builds.models import Project
from codeservices.audit.acts import RequestInfo
from codeservices.audit.record import act
from codeservices.errors import NotFound, ServiceError
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal
from codeservices.iam.roles import find_role
from repos.models import TriggerDelivery
from repos.triggers import deliveries as trigger_deliveries
from repos.triggers import destinations as trigger_destinations
from repos.triggers.destinations import Choice, Destination
from repos.triggers.events import Reference

SERVICE = "codecommit.amazonaws.com"
START_BUILD = "codebuild:StartBuild"
# A push of a whole repository's refs must not fill the queue; what is beyond is told in the delivery.
MAX_BUILDS = 20
# A build that pushes to the repository it is built from starts a build: that may go on for so many builds, and no more.
MAX_CHAIN = 5
_RESOURCE = re.compile(r"project/([A-Za-z0-9][A-Za-z0-9_-]{1,149})")


def register() -> None:
    """Called once when the app is ready."""
    trigger_destinations.register(
        Destination(
            service="codebuild",
            title="build project",
            resource=_RESOURCE,
            example="project/NAME",
            right=START_BUILD,
            deliver=start_builds,
            choices=choices,
            max_event_bytes=None,
        )
    )


def choices(principal: Principal) -> list[Choice]:
    """The projects that a principal may start, by name."""
    projects = Project.objects.order_by("name")
    return [Choice(one.arn, one.name) for one in projects if is_allowed(principal, START_BUILD, one.arn)]


def start_builds(delivery: TriggerDelivery) -> None:
    """Start a build of each ref that a delivery tells of and that still has something to build.

    A project whose source is another repository, or none, is built once, as it is. Each build and the note of it are
    one transaction, so a delivery that is told again goes on where it stopped.

    Raises:
        ServiceError: None can be started.
    """
    if delivery.repository.deleted_at is not None:
        raise ServiceError(f"The repository {delivery.repository.name} has been deleted, so there is nothing to build.")
    _check_chain(delivery)
    wanted = [one for one in delivery.references if not one.get("deleted") and one["commit"].strip("0")]
    if not wanted:
        if delivery.is_test:
            raise ServiceError("There is nothing to build yet: the repository has no commit.")
        trigger_deliveries.note(delivery, note="A deleted branch or tag has nothing to build.")
        return
    name = project_name_of(delivery.destination_arn)
    project = Project.objects.filter(name=name).first()
    if project is None:
        raise NotFound(f"There is no build project called {name}.")
    is_source = project.repository_name == delivery.repository.name
    done = {one["ref"] for one in delivery.results if "ref" in one}
    for reference in wanted[: MAX_BUILDS if is_source else 1]:
        if reference["ref"] not in done:
            _start(delivery, project, reference, f"{reference['ref']}^{{{reference['commit']}}}" if is_source else "")
    left = len(wanted) - MAX_BUILDS
    if is_source and left > 0:
        sentence = f"One push starts at most {MAX_BUILDS} builds of a project: {left} more branches or tags got none."
        trigger_deliveries.note(delivery, note=sentence)


def _start(delivery: TriggerDelivery, project: Project, reference: Reference, source_version: str) -> None:
    ref, push = reference["ref"], delivery.push
    starter = push.principal_name if push is not None else delivery.requested_by.rpartition("/")[2]
    principal = _principal(project, delivery.trigger_name)
    info = RequestInfo(str(uuid.uuid4()), SERVICE, SERVICE, "worker", is_secure=True)
    overrides = {
        "sourceVersion": source_version,
        "idempotencyToken": f"{delivery.delivery_id}:{len(delivery.results)}",
    }
    try:
        with act(principal, info) as current:
            current.additional |= {
                "trigger": delivery.trigger_name,
                "delivery": str(delivery.delivery_id),
                "ref": ref,
                **({"push": str(push.push_id)} if push is not None else {}),
            }
            # The act ends after the commit: the trail tells of no build that a crash undid.
            with transaction.atomic():
                initiator = f"codecommit/{starter or delivery.repository.name}"
                build = lifecycle.start_build(principal, project.name, overrides, initiator=initiator)
                trigger_deliveries.note(delivery, ref=ref, project=build.project_name, number=build.number)
            current.parameters |= {"projectName": project.name, "sourceVersion": build.source_version}
            current.response |= shapes.started_for_trail(build)
    except ServiceError as error:
        if error.status >= 500:
            raise
        trigger_deliveries.note(delivery, ref=ref, error=f"{error.message} {error.hint}".strip())


def _check_chain(delivery: TriggerDelivery) -> None:
    """Refuse a push that a build made, which a push of a build started, and so on."""
    link = delivery
    for _ in range(MAX_CHAIN):
        cause = _cause_of(link)
        if cause is None:
            return
        link = cause
    raise ServiceError(
        f"This push was made by the last of {MAX_CHAIN} builds that each started the next through a trigger.",
        hint="It starts no more, so that they do not go on for ever.",
    )


def _cause_of(delivery: TriggerDelivery) -> TriggerDelivery | None:
    """The delivery that started the build that made this one's push, if a build did."""
    session_name = delivery.push.principal_arn.rpartition("/")[2] if delivery.push is not None else ""
    build = service_role.build_of(session_name)
    if build is None:
        return None
    return trigger_deliveries.find(build.idempotency_token.partition(":")[0])


def _principal(project: Project, trigger_name: str) -> Principal:
    """A push starts a build as the project's service role: whoever may push need not be allowed to start builds."""
    role = find_role(project.service_role_arn)
    if role is None:
        return Principal("role", project.service_role_arn, settings.ACCOUNT_ID, "", SERVICE)
    return role.session(f"trigger-{trigger_name}"[:64])
