"""Builds' logs under the names of CloudWatch Logs: a group is a project's, a stream is a build's.

Groups and streams come and go with the builds. Policies name a group's ARN with a `:*` behind it, or a stream's.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.conf import settings
from django.db.models import QuerySet

from builds.models import Build, PhaseType
from codeservices.errors import InvalidInput, NotFound
from codeservices.iam import arn
from codeservices.iam.authorize import authorize, is_allowed
from codeservices.iam.principal import Principal

PREFIX = "/aws/codebuild/"
_NO_LOG_YET = (PhaseType.SUBMITTED, PhaseType.QUEUED)


class InvalidParameter(InvalidInput):
    """A parameter breaks a rule of CloudWatch Logs."""

    code = "InvalidParameterException"


def group_name(project_name: str) -> str:
    """The group of a project's logs. Source: AWS CodeBuild User Guide, "View build logs"."""
    return f"{PREFIX}{project_name}"


def group_arn(name: str) -> str:
    """The ARN of a group, without the `:*` that policies have behind it."""
    return str(arn.Arn("aws", "logs", settings.REGION, settings.ACCOUNT_ID, f"log-group:{name}"))


def stream_arn(group: str, stream: str) -> str:
    """The ARN of a stream; without one, what is asked for on behalf of all streams of a group."""
    return f"{group_arn(group)}:log-stream:{stream}"


def log_arn(build: Build) -> str:
    """The ARN of a build's log, which policies about logs name."""
    return stream_arn(group_name(build.project_name), str(build.uuid))


def named_group(name: str | None, identifier: str | None) -> str:
    """The group that a request names by its name or by its identifier, which is the name or an ARN.

    Raises:
        InvalidParameter: It names none, or two.
    """
    if (name is None) == (identifier is None):
        raise InvalidParameter("Name the log group by logGroupName or by logGroupIdentifier.")
    if name is not None:
        return name
    assert identifier is not None
    return identifier.removeprefix(group_arn(""))


def builds_with_log() -> QuerySet[Build]:
    """All builds that have begun to log."""
    return Build.objects.exclude(current_phase__in=_NO_LOG_YET)


def visible_groups(principal: Principal, action: str) -> list[str]:
    """The names of all groups that the principal may do `action` on, sorted.

    Raises:
        AccessDenied: It may on none.
    """
    names = builds_with_log().order_by().values_list("project_name", flat=True).distinct()
    groups = sorted(group_name(name) for name in names)
    allowed = [group for group in groups if is_allowed(principal, action, stream_arn(group, ""))]
    if not allowed:
        authorize(principal, action, stream_arn("", ""))
    return allowed


def streams_of(principal: Principal, action: str, group: str) -> QuerySet[Build]:
    """The builds whose logs are a group's streams, for one act on the group.

    Raises:
        AccessDenied: The principal may not do `action` on a group of that name.
        NotFound: It may, but there is none.
    """
    authorize(principal, action, stream_arn(group, ""))
    found = _builds_of(group)
    if not found.exists():
        raise NotFound("The specified log group does not exist.")
    return found


def stream_of(principal: Principal, action: str, group: str, stream: str) -> Build:
    """The build whose log is a stream, for one act on it. Raises as streams_of."""
    authorize(principal, action, stream_arn(group, stream))
    found = _builds_of(group)
    if not found.exists():
        raise NotFound("The specified log group does not exist.")
    build = named_streams(found, [stream]).first()
    if build is None:
        raise NotFound("The specified log stream does not exist.")
    return build


def named_streams(builds: QuerySet[Build], names: Sequence[str]) -> QuerySet[Build]:
    """Those of the builds whose streams have these names; of a name that is nobody's there is none."""
    return builds.filter(uuid__in=[found for name in names if (found := _uuid(name)) is not None])


def _builds_of(group: str) -> QuerySet[Build]:
    if not group.startswith(PREFIX):
        return Build.objects.none()
    return builds_with_log().filter(project_name=group.removeprefix(PREFIX))


def _uuid(text: str) -> uuid.UUID | None:
    """A stream's name is a UUID as Python writes it, and nothing that means the same."""
    try:
        found = uuid.UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None
