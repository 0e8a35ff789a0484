"""Which branch a build is of, and which builds of the same branch are older or newer."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator

from django.db.models import QuerySet

from builds.models import Build, Status
from repos.models import Repository

_HEADS = "refs/heads/"
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def branch_of(build: Build) -> str:
    """The short name of the branch that a build was started for; empty where it is a tag, a commit or no branch."""
    return next(with_branches([build]))[1]


def with_branches(builds: Iterable[Build]) -> Iterator[tuple[Build, str]]:
    """The builds, each with its branch as `branch_of` names it; a repository's default branch is asked for once."""
    default_branch = functools.cache(_default_branch)
    for build in builds:
        named = _named(build.source_version)
        yield build, default_branch(build.repository_name) if named is None else named


def older_builds(build: Build) -> list[Build]:
    """The builds before this one that build the same branch and have neither ended nor been told to."""
    before = Build.objects.filter(
        project=build.project_id, pk__lt=build.pk, status=Status.IN_PROGRESS, stop_requested_at=None
    )
    return list(_of_its_branch(build, before))


def is_superseded(build: Build) -> bool:
    """Whether a newer build of the same branch was started."""
    after = Build.objects.filter(project=build.project_id, pk__gt=build.pk)
    return any(True for _ in _of_its_branch(build, after))


def _of_its_branch(build: Build, others: QuerySet[Build]) -> Iterator[Build]:
    """Those of the others that build the same branch of the same source."""
    pairs = with_branches(itertools.chain([build], others))
    _, wanted = next(pairs)
    if wanted:  # the others are read only then
        yield from (
            one
            for one, branch in pairs
            if branch == wanted and one.source.get("location") == build.source.get("location")
        )


def _named(source_version: str) -> str | None:
    """The branch that a version names, "" for what is no branch, None where it leaves that to the repository.

    A push names branch and commit in one, `refs/heads/B^{OID}`.
    """
    version = source_version.partition("^{")[0]
    if version.startswith(_HEADS):
        return version.removeprefix(_HEADS)
    if version.startswith("refs/") or _COMMIT.fullmatch(version):
        return ""
    return version or None


def _default_branch(repository_name: str) -> str:
    found = Repository.objects.filter(name=repository_name).first() if repository_name else None
    return (found.default_branch or "main") if found is not None else ""
