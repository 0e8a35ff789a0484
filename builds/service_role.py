"""A build's service role: whether CodeBuild may assume it, and the session that a build acts as.

Outside its container a build pulls its source as that session; inside, programs find the session's credentials by
themselves (see `container.py`). The session ends with the build.
"""

from __future__ import annotations

import uuid

from django.conf import settings

from builds.models import Build
from builds.runner.executor import PhaseError
from codeservices.audit.acts import RequestInfo
from codeservices.audit.record import act
from codeservices.errors import AccessDenied
from codeservices.iam import sts
from codeservices.iam.credentials import IssuedSession
from codeservices.iam.principal import Principal
from codeservices.iam.roles import find_role

SERVICE = "codebuild.amazonaws.com"
# FINALIZING comes after the time-out; whatever happens, the credentials end soon after.
MARGIN_SECONDS = 600
SESSION_PREFIX = "AWSCodeBuild-"


def refusal(role_arn: str, project_arn: str) -> str:
    """Why CodeBuild can't assume a role for a project, in its own words and ours; empty where it can."""
    role = find_role(role_arn)
    if sts.service_may_assume(role, SERVICE, {"aws:SourceArn": project_arn}):
        return ""
    if role is None:
        return "There is no such role in this account."
    return f"The trust policy of {role.name} does not let {SERVICE} assume it."


def denied_sentence(role_arn: str) -> str:
    """CodeBuild's own sentence."""
    return f"CodeBuild is not authorized to perform: {sts.ASSUME_ROLE} on {role_arn}"


def request_info() -> RequestInfo:
    """Where the acts of a build's worker come from, as the trail tells it."""
    return RequestInfo(str(uuid.uuid4()), SERVICE, SERVICE, "worker", is_secure=True)


def session_name(build: Build) -> str:
    """As CodeBuild calls its sessions."""
    return f"{SESSION_PREFIX}{build.uuid}"


def build_of(session_name: str) -> Build | None:
    """The build that a session of that name belongs to; None of any other session."""
    try:
        build_uuid = uuid.UUID(session_name.removeprefix(SESSION_PREFIX))
    except ValueError:
        return None
    return Build.objects.filter(uuid=build_uuid).first()


def assume(build: Build) -> IssuedSession:
    """Begin the session of a build, as an act of CodeBuild in the audit trail.

    Raises:
        PhaseError: ACCESS_DENIED, the role is gone or does not trust CodeBuild.
    """
    itself = Principal("service", SERVICE, settings.ACCOUNT_ID, "", SERVICE)
    name, role_arn = session_name(build), build.service_role_arn
    try:
        with act(itself, request_info(), event_name="AssumeRole", event_source="sts.amazonaws.com") as current:
            current.parameters.update(roleArn=role_arn, roleSessionName=name)
            session = sts.assume_role_as_service(
                SERVICE,
                role_arn,
                name,
                seconds=build.timeout_minutes * 60 + MARGIN_SECONDS,
                context={"aws:SourceArn": build.project_arn},
                session_context={"codebuild:projectArn": build.project_arn, "codebuild:buildArn": build.arn},
            )
            current.response["credentials"] = {
                "accessKeyId": session.access_key_id,
                "expiration": session.expires_at.isoformat(),
            }
            current.response["assumedRoleUser"] = {
                "assumedRoleId": session.principal.principal_id,
                "arn": session.principal.arn,
            }
    except AccessDenied as error:
        why = refusal(role_arn, build.project_arn)
        raise PhaseError("ACCESS_DENIED", f"{denied_sentence(role_arn)}. {why}".strip()) from error
    return session


def release(build: Build) -> None:
    """End the build's session: its credentials stop at once, wherever they went."""
    sts.end_sessions(session_name(build), build.service_role_arn)
