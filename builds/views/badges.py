"""A project's badge, for everybody who knows its address."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from builds import badge, branches
from builds.models import Build, Project, Status

# So many of the last builds are looked through for one of the branch.
BUILDS_LOOKED_AT = 200
ROWS_A_READ = 20
WORDS = {Status.IN_PROGRESS: badge.IN_PROGRESS, Status.SUCCEEDED: badge.PASSING}


@login_not_required
@require_GET
def project_badge(request: HttpRequest) -> HttpResponse:
    """The status of a branch's or tag's last build as a picture; one that is not there looks like one never built.

    The address is the one secret: it tells a status and nothing else.
    """
    response = HttpResponse(badge.svg(_word(request)), content_type="image/svg+xml")
    # Sites that show it keep a copy unless they are told not to.
    response["Cache-Control"] = "no-cache, no-store, must-revalidate"
    return response


def _word(request: HttpRequest) -> str:
    try:
        wanted = uuid.UUID(request.GET.get("uuid", ""))
    except ValueError:
        return badge.UNKNOWN
    project = Project.objects.filter(badge_uuid=wanted, badge_enabled=True).first()
    if project is None:
        return badge.UNKNOWN
    branch, tag = request.GET.get("branch", ""), request.GET.get("tag", "")
    # Anybody may ask, again and again: no more is read than it takes.
    rows = project.builds.order_by("-pk").only("project", "status", "source", "source_version")[:BUILDS_LOOKED_AT]
    found: Iterator[Build] = rows.iterator(chunk_size=ROWS_A_READ)
    if tag:
        found = (build for build in found if _has_tag(build, tag))
    elif branch:
        found = (build for build, its_branch in branches.with_branches(found) if its_branch == branch)
    build = next(found, None)
    return WORDS.get(Status(build.status), badge.FAILING) if build is not None else badge.UNKNOWN


def _has_tag(build: Build, tag: str) -> bool:
    return build.source_version.partition("^{")[0] in (tag, f"refs/tags/{tag}")
