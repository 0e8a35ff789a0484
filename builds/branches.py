"""Which branch a build is of, and which builds of the same branch are older or newer."""

from __future__ import annotations

import re

from builds.models import Build, Status
from repos.models import Repository

_HEADS = "refs/heads/"
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def branch_of(build: Build) -> str:
    """The short name of the branch that a build was started for; empty where it is a tag, a commit or no branch.

    A push names branch and commit in one, `refs/heads/B^{OID}`; nothing at all means the default branch.
    """
    version = build.source_version.partition("^{")[0]
    if version.startswith(_HEADS):
        return version.removeprefix(_HEADS)
    if version.startswith("refs/") or _COMMIT.fullmatch(version):
        return ""
    if version:
        return version
    found = Repository.objects.filter(name=build.repository_name).first() if build.repository_name else None
    return (found.default_branch or "main") if found is not None else ""


def older_builds(build: Build) -> list[Build]:
    """The builds before this one that build the same branch and have neither ended nor been told to."""
    branch = branch_of(build)
    if not branch:
        return []
    before = Build.objects.filter(
        project=build.project_id, pk__lt=build.pk, status=Status.IN_PROGRESS, stop_requested_at=None
    )
    return [one for one in before if _is_same(one, build, branch)]


def is_superseded(build: Build) -> bool:
    """Whether a newer build of the same branch was started."""
    branch = branch_of(build)
    after = Build.objects.filter(project=build.project_id, pk__gt=build.pk)
    return bool(branch) and any(_is_same(one, build, branch) for one in after)


def _is_same(one: Build, other: Build, branch: str) -> bool:
    return one.source.get("location") == other.source.get("location") and branch_of(one) == branch
