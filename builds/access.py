"""Fetch a project or a build and authorize in one step, so that no door can do one without the other.

Builds are authorized through their project's ARN. The decision is made on the name before anything is looked up: what
exists does not leak to those who may not act on it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.conf import settings
from django.db.models import QuerySet

from builds.models import Build, Project
from codeservices.errors import InvalidInput, NotFound
from codeservices.iam import arn
from codeservices.iam.authorize import Context, authorize, is_allowed
from codeservices.iam.principal import Principal


def project_arn(name: str) -> str:
    """The ARN that a project of that name has here."""
    return arn.project_arn(settings.REGION, settings.ACCOUNT_ID, name)


def project_name_of(name_or_arn: str) -> str:
    """A project's name from its name or its ARN: the API takes either."""
    prefix = project_arn("")
    return name_or_arn.removeprefix(prefix)


def tags_of_arn(resource: str) -> dict[str, str]:
    """The tags of the project with that ARN; none where there is no such project."""
    found = Project.objects.filter(name=project_name_of(resource)).values_list("tags", flat=True).first()
    return {tag["key"]: tag["value"] for tag in found or ()}


def project_for(principal: Principal, action: str, name: str, context: Context | None = None) -> Project:
    """The project called `name`, for one act.

    Args:
        context: Condition keys of the request.

    Raises:
        AccessDenied: The principal may not do `action` on a project of that name.
        NotFound: It may, but there is none.
    """
    authorize(principal, action, project_arn(name), context)
    project = Project.objects.filter(name=name).first()
    if project is None:
        raise NotFound(f"Project cannot be found: {project_arn(name)}")
    return project


def build_for(principal: Principal, action: str, project_name: str, number: int) -> Build:
    """One build by its project's name and its number; the project itself may be gone. Raises as project_for."""
    authorize(principal, action, project_arn(project_name))
    build = Build.objects.filter(project_name=project_name, number=number).order_by("-pk").first()
    if build is None:
        raise NotFound(f"{project_name} has no build {number}.")
    return build


def build_by_id(principal: Principal, action: str, build_id: str) -> Build:
    """One build by the API's id, NAME:UUID, or by its ARN.

    Raises:
        InvalidInput: That is no build id.
        AccessDenied: The principal may not do `action` on the project that the id names.
        NotFound: It may, but there is no such build.
    """
    build = builds_by_ids(principal, action, [build_id])[build_id]
    if build is None:
        raise NotFound("Build ID does not exist")
    return build


def builds_by_ids(principal: Principal, action: str, build_ids: Iterable[str]) -> dict[str, Build | None]:
    """Builds by what they are asked for, each as `build_by_id` does, in that order; None where there is no such build.

    Raises:
        InvalidInput: One of them is no build id.
        AccessDenied: The principal may not do `action` on the project that one of them names.
    """
    wanted = {one: _name_and_uuid(one) for one in build_ids}
    for name in dict.fromkeys(name for name, _ in wanted.values()):
        authorize(principal, action, project_arn(name))
    rows = Build.objects.filter(uuid__in={one for _, one in wanted.values() if one is not None})
    found = {(build.project_name, build.uuid): build for build in rows}
    return {asked: found.get((name, one)) if one is not None else None for asked, (name, one) in wanted.items()}


def _name_and_uuid(build_id: str) -> tuple[str, uuid.UUID | None]:
    """The project's name in a build's id or ARN, and the build's UUID; None where that part is none."""
    own = arn.build_arn(settings.REGION, settings.ACCOUNT_ID, "", "")[:-1]
    name, _, text = build_id.removeprefix(own).rpartition(":")
    if not name or ":" in name or "/" in name:
        raise InvalidInput("Invalid build ID provided")
    try:
        return name, uuid.UUID(text)
    except ValueError:
        return name, None


def visible_builds(principal: Principal, action: str) -> QuerySet[Build]:
    """All builds of projects that the principal may do `action` on, newest first; nothing is recorded."""
    names = Build.objects.order_by().values_list("project_name", flat=True).distinct()
    allowed = [name for name in names if is_allowed(principal, action, project_arn(name))]
    return Build.objects.filter(project_name__in=allowed)
