"""The rules of a project's sources and their versions, shared by form and API. Shapes and error texts are CodeBuild's.

Source: AWS CodeBuild API Reference, "ProjectSource", "ProjectSourceVersion", "SourceAuth", and its error messages as
clients see them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from builds import buildspec
from builds.project_rules import InvalidProject
from builds.sources.specification import S3_PREFIX
from codeservices.errors import ServiceError
from codeservices.objects.names import BUCKET, MAX_KEY_BYTES
from repos.git import remote

MAX_VERSION = 256
# A push names ref and commit in one, `refs/heads/B^{OID}`.
MAX_BUILD_VERSION = 512
MAX_SECONDARY = 12
MAX_DEPTH = 2**31 - 1
GIT_TYPES = ("GITHUB", "GITHUB_ENTERPRISE", "BITBUCKET", "GITLAB", "GITLAB_SELF_MANAGED")
TYPES = ("CODECOMMIT", "S3", "NO_SOURCE", *GIT_TYPES)
_CODECOMMIT_URL = re.compile(r"https?://[^/\s@]+/v1/repos/[A-Za-z0-9._-]{1,100}/?")
_S3_LOCATION = re.compile(rf"{BUCKET}/(?P<key>[^/\s].*)")
_S3_OBJECT = re.compile(rf"arn:aws:s3:::{BUCKET}/\S.*")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_]{1,127}")
_SECRET_ARN = re.compile(r"arn:aws:secretsmanager:[^:\s]+:[0-9]{12}:secret:\S+")


def check_version(version: str, max_characters: int = MAX_BUILD_VERSION, member: str = "sourceVersion") -> str:
    """A branch, a tag or a commit id, of an archive its version id; empty means the default branch."""
    if len(version) > max_characters:
        raise InvalidProject(member, f"A source version has at most {max_characters} characters, not {len(version)}.")
    if version.startswith("-") or any(one.isspace() or not one.isprintable() for one in version):
        raise InvalidProject(member, f"“{version}” is no source version.", hint="Give a branch, a tag or a commit id.")
    return version


def check_source(source: Mapping[str, Any], member: str = "source") -> dict[str, Any]:
    """A ProjectSource; an inline buildspec is read whole, and all its faults are told at once."""
    kind, location = source.get("type", ""), source.get("location") or ""
    if kind not in TYPES:
        raise InvalidProject(
            f"{member}.type",
            "Invalid type provided: Project source type",
            hint=f"This installation builds from {', '.join(TYPES)}.",
        )
    if kind == "NO_SOURCE":
        if location:
            raise InvalidProject(
                f"{member}.location", "Invalid source: source type NO_SOURCE should have null location"
            )
    elif not location:
        raise InvalidProject(f"{member}.location", "Project source location is required")
    else:
        _check_location(kind, location, member)
    depth = int(source.get("gitCloneDepth") or 0)
    if not 0 <= depth <= MAX_DEPTH:
        raise InvalidProject(f"{member}.gitCloneDepth", "Invalid git clone depth: it is 0 (everything) or more.")
    _check_git_members(source, kind, member)
    _check_auth(source.get("auth"), kind, member)
    if member == "source":
        check_buildspec(source.get("buildspec") or "", has_source=kind != "NO_SOURCE")
    return dict(source)


def check_secondary(sources: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """ProjectSources beside the primary one, each with an identifier of its own. Their buildspecs have no effect."""
    if len(sources) > MAX_SECONDARY:
        raise InvalidProject(
            "secondarySources", f"A project has at most {MAX_SECONDARY} secondary sources, not {len(sources)}."
        )
    seen: set[str] = set()
    for source in sources:
        identifier = source.get("sourceIdentifier") or ""
        if not _IDENTIFIER.fullmatch(identifier):
            raise InvalidProject(
                "secondarySources",
                f"Invalid source identifier: “{identifier[:140]}”",
                hint="Each secondary source has one, of at most 127 letters, digits and underscores.",
            )
        if identifier in seen:
            raise InvalidProject("secondarySources", f"Invalid source identifier: “{identifier}” is given twice.")
        seen.add(identifier)
        if source.get("type") == "NO_SOURCE":
            raise InvalidProject("secondarySources", f"The secondary source {identifier} can't be NO_SOURCE.")
        check_source(source, "secondarySources")
    return [dict(one) for one in sources]


def check_secondary_versions(
    versions: Sequence[Mapping[str, Any]], sources: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """ProjectSourceVersions of secondary sources, one each at most."""
    known = {one["sourceIdentifier"] for one in sources}
    seen: set[str] = set()
    for one in versions:
        identifier = one.get("sourceIdentifier") or ""
        if identifier not in known:
            there_are = ", ".join(sorted(known)) or "none"
            raise InvalidProject(
                "secondarySourceVersions",
                f"Invalid source identifier: there is no secondary source “{identifier[:140]}”.",
                hint=f"The project's secondary sources: {there_are}.",
            )
        if identifier in seen:
            raise InvalidProject("secondarySourceVersions", f"The source {identifier} is given two versions.")
        seen.add(identifier)
        check_version(one.get("sourceVersion") or "", member="secondarySourceVersions")
    return [dict(one) for one in versions]


def check_buildspec(text: str, *, has_source: bool = True) -> str:
    """A path inside the source, an S3 object's ARN, or the YAML itself; empty means buildspec.yml."""
    if buildspec.looks_inline(text):
        try:
            buildspec.parse(text)
        except buildspec.BuildspecError as error:
            problems = [str(one) for one in error.problems]
            count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
            raise InvalidProject(
                "source.buildspec", f"The buildspec has {count}: {' '.join(problems)}", problems=problems
            ) from None
    elif text.startswith("arn:"):
        if not _S3_OBJECT.fullmatch(text) or not text.startswith(S3_PREFIX):
            raise InvalidProject(
                "source.buildspec",
                f"“{text}” is not the ARN of an object.",
                hint="It looks like arn:aws:s3:::BUCKET/PATH/buildspec.yml.",
            )
    elif not has_source:
        raise InvalidProject(
            "source.buildspec",
            "A project without source needs its buildspec inline.",
            hint="Its first line is “version: 0.2”.",
        )
    elif text.startswith("/") or ".." in text.split("/") or "\0" in text:
        raise InvalidProject(
            "source.buildspec",
            f"“{text}” is no path inside the source.",
            hint="A buildspec's path is relative to the top of the repository, such as ci/buildspec.yml.",
        )
    return text


def _check_location(kind: str, location: str, member: str) -> None:
    hint = ""
    if kind == "CODECOMMIT":
        is_valid, example = bool(_CODECOMMIT_URL.fullmatch(location)), "https://HOST/v1/repos/NAME"
    elif kind == "S3":
        match = _S3_LOCATION.fullmatch(location)
        is_valid = match is not None and len(match["key"].encode()) <= MAX_KEY_BYTES and location.isprintable()
        example = "BUCKET/PATH/SOURCE.zip or BUCKET/PATH/"
    else:
        is_valid, example = location.startswith("https://"), "https://HOST/OWNER/NAME.git"
        if is_valid:
            try:
                remote.check_url(location)
            except ServiceError as error:
                is_valid, hint = False, error.message
    if not is_valid:
        raise InvalidProject(
            f"{member}.location",
            f"Invalid project source: location “{location[:2100]}” is not valid for type {kind}",
            hint=f"{hint} It looks like {example}.".strip(),
        )


def _check_git_members(source: Mapping[str, Any], kind: str, member: str) -> None:
    if source.get("reportBuildStatus"):
        if kind not in GIT_TYPES:
            raise InvalidProject(
                f"{member}.reportBuildStatus", f"Build status reporting is not supported for source type {kind}"
            )
        raise InvalidProject(
            f"{member}.reportBuildStatus", "Reporting a build's status to another git server is not available here."
        )
    if source.get("insecureSsl") and kind not in GIT_TYPES:
        raise InvalidProject(
            f"{member}.insecureSsl",
            f"insecureSsl is not supported for source type {kind}",
            hint="It is for git servers elsewhere.",
        )
    if (source.get("gitSubmodulesConfig") or {}).get("fetchSubmodules") and kind in ("S3", "NO_SOURCE"):
        raise InvalidProject(
            f"{member}.gitSubmodulesConfig", f"Git submodules are not supported for source type {kind}"
        )


def _check_auth(auth: Mapping[str, Any] | None, kind: str, member: str) -> None:
    """A SourceAuth: OAUTH means the credentials that are stored, as is the default."""
    if not auth:
        return
    if kind not in GIT_TYPES:
        raise InvalidProject(f"{member}.auth", f"Invalid source auth: it is not supported for source type {kind}")
    how, resource = auth.get("type", ""), auth.get("resource") or ""
    if how == "CODECONNECTIONS":
        raise InvalidProject(
            f"{member}.auth",
            "Invalid source auth: this installation has no connections.",
            hint="Import a token with ImportSourceCredentials, or name a secret with SECRETS_MANAGER.",
        )
    if how not in ("OAUTH", "SECRETS_MANAGER"):
        raise InvalidProject(f"{member}.auth", f"Invalid source auth type: {how or 'none given'}")
    if how == "SECRETS_MANAGER" and not _SECRET_ARN.fullmatch(resource):
        raise InvalidProject(
            f"{member}.auth", "Invalid source auth: for SECRETS_MANAGER the resource is the ARN of a secret."
        )
