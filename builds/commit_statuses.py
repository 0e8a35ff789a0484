"""What the builds of a commit say about it, shown where commits are listed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.db.models import Count, Max, Min, Q, QuerySet
from django.urls import reverse

from builds.access import project_arn
from builds.models import Build, Status, repository_name_of
from codeservices import registry
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal
from codeservices.registry import CommitStatus
from codeservices.statements import Parameter, Statement, aggregated

# Where the projects of a repository differ, the first of these that one of them has is told.
_BY_WEIGHT = (
    Status.FAILED,
    Status.FAULT,
    Status.TIMED_OUT,
    Status.STOPPED,
    Status.IN_PROGRESS,
    Status.SUCCEEDED,
)

# To count a million builds takes longer than the page that asks; nearly all that are deleted early are among these.
NEWEST_BUILDS: Final = 500


def _newest() -> QuerySet[Any, Any]:
    newest = Build.objects.order_by("-pk").values("pk")[:NEWEST_BUILDS]
    return aggregated(Build.objects.filter(pk__in=newest), last=Max("pk"), first=Min("pk"), count=Count("pk"))


_NEWEST = Statement(_newest)
_OLDEST = Statement(lambda: Build.objects.order_by("pk").values_list("pk")[:1])
_RUNNING = Statement(
    lambda: Build.objects.filter(status=Status.IN_PROGRESS).order_by("pk").values_list("pk", "resolved_source_oid")
)


class _Found(NamedTuple):
    """What is told of a build."""

    project_name: str
    number: int
    status: str
    source: dict[str, Any]
    asked_for: str
    resolved_oid: str


@lru_cache(maxsize=128)  # pages have 30 commits or fewer, but for those of many branches and tags
def _builds_of(count: int) -> Statement[Build]:
    """The builds at so many commits, oldest first."""

    def written() -> QuerySet[Any, Any]:
        oids = [Parameter(place) for place in range(count)]
        wanted = Q(resolved_source_oid__in=oids)
        wanted |= Q(resolved_source_oid="", status=Status.IN_PROGRESS, source_version__in=oids)
        members = ("project_name", "number", "status", "source", "source_version", "resolved_source_oid")
        return Build.objects.filter(wanted).order_by("pk").values_list(*members)

    return Statement(written)


def register() -> None:
    """Tell the pages of commits."""
    registry.register_commit_statuses(find, state)


def find(principal: Principal, repository_name: str, oids: Collection[str]) -> dict[str, CommitStatus]:
    """The newest build of each project at these commits, as one status a commit.

    A build counts where its source is this repository and the principal may see its project's builds. One that is
    queued counts where the commit's id was asked for, since nobody has resolved another name yet.
    """
    newest: dict[str, dict[str, _Found]] = defaultdict(dict)
    for build in map(_Found._make, _builds_of(len(oids)).rows(*oids)):
        if repository_name_of(build.source) == repository_name:
            newest[build.resolved_oid or build.asked_for][build.project_name] = build
    names = {name for by_project in newest.values() for name in by_project}
    seen = {name for name in names if is_allowed(principal, "codebuild:BatchGetBuilds", project_arn(name))}
    found: dict[str, CommitStatus] = {}
    for oid, by_project in newest.items():
        builds = [build for name, build in by_project.items() if name in seen]
        if builds:
            found[oid] = _told(builds)
    return found


def state() -> Hashable:
    """Another value after every start and end of a build, and after one of the newest, or the oldest, was deleted.

    That any other one was deleted is for whoever asks to find out in time; its price does not grow with the builds.
    """
    return tuple(_NEWEST.rows()), tuple(_OLDEST.rows()), tuple(_RUNNING.rows())


def _told(builds: list[_Found]) -> CommitStatus:
    first = min(builds, key=lambda build: _BY_WEIGHT.index(Status(build.status)))
    alike = sum(build.status == first.status for build in builds)
    share = f" ({alike} of {len(builds)})" if len(builds) > 1 else ""
    url = reverse("builds:build", args=[first.project_name, first.number])
    return CommitStatus(first.status, f"{Status(first.status).label}{share}", url)
