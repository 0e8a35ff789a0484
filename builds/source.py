"""A build's source into its container, and the buildspec it runs by.

A build reads its source as its service role: what the role may not pull, the build does not see.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from builds import buildspec
from builds.models import Build
from builds.runner.executor import Executor, PhaseError
from builds.workspace import Workspace
from builds.yaml_nodes import MAX_TEXT_BYTES
from codeservices.audit.record import current_act
from codeservices.errors import AccessDenied, NotFound, ServiceError
from codeservices.iam.principal import Principal
from repos.access import repository_for
from repos.git import blob, revspec
from repos.models import Repository

ROOT = "/codebuild/output/src"
INLINE_LOCATION = "/codebuild/readonly/buildspec.yml"
DEFAULT_BUILDSPEC = "buildspec.yml"
# `refs/heads/B^{SHA}`: this ref, at this commit, whatever was pushed since.
_PINNED = re.compile(r"(?P<ref>.+)\^\{(?P<oid>[0-9a-f]{40})\}")


@dataclass(frozen=True)
class Source:
    """What was found.

    Attributes:
        directory: CODEBUILD_SRC_DIR in the container.
        oid: The commit, or "" for a build without source.
        refname: The full refname that was asked for, or "".
        url: The clone URL, or "".
    """

    directory: str
    oid: str = ""
    refname: str = ""
    url: str = ""
    repository: Repository | None = None


def resolve(build: Build, principal: Principal) -> Source:
    """Which commit a build is of.

    Args:
        principal: The session of the build's service role.

    Raises:
        PhaseError: CLIENT_ERROR in CodeBuild's words.
    """
    kind = build.source.get("type", "")
    if kind == "NO_SOURCE":
        return Source(ROOT)
    wanted = build.source_version or "HEAD"
    behind = f"for primary source and source version {build.source_version}".rstrip()
    name = build.repository_name
    if kind != "CODECOMMIT":
        raise PhaseError("CLIENT_ERROR", f"sources of type {kind} can't be downloaded by this server {behind}")
    try:
        repository = repository_for(principal, "codecommit:GitPull", name)
    except AccessDenied as error:
        _tell_act(error)
        raise PhaseError("CLIENT_ERROR", f"authorization failed {behind}: {error.message}") from error
    except NotFound as error:
        _tell_act(error)
        missing = f"repository not found {behind}: {name or build.source['location']}"
        hint = "It was deleted or renamed: give the project the clone URL of a repository that exists."
        raise PhaseError("CLIENT_ERROR", f"{missing}. {hint}") from error
    try:
        pinned = _PINNED.fullmatch(wanted)
        found = revspec.resolve_revision(repository.git, pinned["oid"] if pinned else wanted)
    except NotFound as error:
        raise PhaseError(
            "CLIENT_ERROR", f"reference not found {behind}: {error.message} {error.hint}".rstrip()
        ) from error
    refname = pinned["ref"] if pinned else found.refname or ""
    url = build.source.get("location", "")
    return Source(f"{ROOT}/{name}", found.oid, refname, url, repository)


def put(build: Build, source: Source, executor: Executor) -> None:
    """Bring the files, and `.git` with the history that was asked for, into the container."""
    if source.repository is None:
        return
    with (
        Workspace(
            source.repository.git,
            source.oid,
            depth=int(build.source.get("gitCloneDepth") or 0),
            refname=source.refname,
            remote_url=source.url,
            directory=source.directory,
            scratch=Path(settings.CACHE_ROOT) / "workspaces",
        ) as workspace,
    ):
        executor.put(workspace.files())
        executor.put(workspace.git_folder())


def read_buildspec(build: Build, source: Source) -> tuple[buildspec.Buildspec, str]:
    """The buildspec and the path the log names: inline text, or a file of the source.

    Raises:
        PhaseError: YAML_FILE_ERROR with file, line and key of every fault.
    """
    wanted = build.source.get("buildspec", "")
    if wanted and buildspec.looks_inline(wanted):
        return _parse(wanted, "buildspec"), INLINE_LOCATION
    if source.repository is None:
        raise PhaseError("YAML_FILE_ERROR", "a build without source needs its buildspec inline")
    if wanted.startswith("arn:"):
        raise PhaseError("YAML_FILE_ERROR", f"buildspecs in object storage can't be read by this server: {wanted}")
    path = wanted or DEFAULT_BUILDSPEC
    location = f"{source.directory}/{path}"
    git = source.repository.git
    try:
        entry = blob.locate(git, source.oid, path.removeprefix("./"))
        if blob.size_bytes(git, entry.oid) > MAX_TEXT_BYTES:
            raise PhaseError("YAML_FILE_ERROR", f"{path} is larger than {MAX_TEXT_BYTES // 2**20} MiB")
        raw = b"".join(blob.stream(git, entry.oid))
    except ServiceError as error:
        missing = f"stat {location}: no such file or directory" if wanted else "YAML file does not exist"
        raise PhaseError("YAML_FILE_ERROR", missing) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise PhaseError("YAML_FILE_ERROR", f"{path}: line {line}: a byte there is no UTF-8") from error
    return _parse(text, path), location


def _parse(text: str, name: str) -> buildspec.Buildspec:
    try:
        return buildspec.parse(text)
    except buildspec.BuildspecError as error:
        raise PhaseError("YAML_FILE_ERROR", error.context(name)) from error


def _tell_act(error: ServiceError) -> None:
    act = current_act()
    if act is not None:
        act.fail(error)
