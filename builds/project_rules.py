"""The rules of a project's settings, shared by form and API. Shapes and error texts are CodeBuild's.

Source: AWS CodeBuild API reference, "CreateProject", "ProjectSource", "ProjectArtifacts" and "ProjectEnvironment", and
its error messages as clients see them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from builds import buildspec, compute, environment
from codeservices.errors import InvalidInput

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-_]{1,149}")
# "new" is a page of the console.
RESERVED_NAMES = frozenset({"new"})
MAX_DESCRIPTION = 255
MAX_SOURCE_VERSION = 256
# A push names ref and commit in one, `refs/heads/B^{OID}`.
MAX_BUILD_SOURCE_VERSION = 512
MAX_TAGS = 50
TIMEOUT_MINUTES = (5, 2160)
QUEUED_TIMEOUT_MINUTES = (5, 480)
DEFAULT_TIMEOUT_MINUTES = 60
DEFAULT_QUEUED_TIMEOUT_MINUTES = 480
GIT_SOURCES = ("GITHUB", "GITHUB_ENTERPRISE", "BITBUCKET", "GITLAB", "GITLAB_SELF_MANAGED")
SOURCE_TYPES = ("CODECOMMIT", "S3", "NO_SOURCE", *GIT_SOURCES)
ARTIFACT_TYPES = ("NO_ARTIFACTS", "S3")
CACHE_TYPES = ("NO_CACHE", "S3", "LOCAL")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}")
_CODECOMMIT_URL = re.compile(r"https?://[^/\s]+/v1/repos/[A-Za-z0-9._-]{1,100}/?")
_S3_LOCATION = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/\S+")
_TAG = re.compile(r"[\w\s.:/=@+-]*")
# Members that would change what a build does and that nothing here carries out: refused rather than ignored.
_UNSUPPORTED = {
    "secondarySources": "Secondary sources",
    "secondarySourceVersions": "Versions of secondary sources",
    "secondaryArtifacts": "Secondary artifacts",
    "fileSystemLocations": "File system locations",
    "buildBatchConfig": "Batch builds",
}


class InvalidProject(InvalidInput):
    """A setting of a project breaks a rule.

    Attributes:
        field: The member of CreateProject, with dots: "name", "source.buildspec", "environment.environmentVariables".
        problems: Every sentence where there are several, as a buildspec has.
    """

    def __init__(self, field: str, message: str, *, hint: str = "", problems: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.field = field
        self.problems = tuple(problems)


def check_name(name: str) -> str:
    """The name itself; raises InvalidProject where it breaks a rule."""
    if not NAME.fullmatch(name):
        raise InvalidProject(
            "name",
            "Only alphanumeric characters, dash, and underscore are supported",
            hint="A project name has 2 to 150 of them and begins with a letter or a digit.",
        )
    if name in RESERVED_NAMES:
        raise InvalidProject("name", f"“{name}” can't be a project's name.")
    return name


def check_description(description: str) -> str:
    if len(description) > MAX_DESCRIPTION:
        raise InvalidProject(
            "description", f"A description has at most {MAX_DESCRIPTION} characters, not {len(description)}."
        )
    return description


def check_timeout(minutes: int) -> int:
    """Minutes that a build may run."""
    return _within("timeoutInMinutes", "A build's timeout", minutes, TIMEOUT_MINUTES)


def check_queued_timeout(minutes: int) -> int:
    """Minutes that a build may wait."""
    return _within("queuedTimeoutInMinutes", "The timeout in the queue", minutes, QUEUED_TIMEOUT_MINUTES)


def check_source_version(version: str, max_characters: int = MAX_BUILD_SOURCE_VERSION) -> str:
    """A branch, a tag or a commit id; empty means the default branch."""
    if len(version) > max_characters:
        raise InvalidProject(
            "sourceVersion", f"A source version has at most {max_characters} characters, not {len(version)}."
        )
    if version.startswith("-") or any(one.isspace() or not one.isprintable() for one in version):
        raise InvalidProject(
            "sourceVersion", f"“{version}” is no source version.", hint="Give a branch, a tag or a commit id."
        )
    return version


def check_source(source: Mapping[str, Any]) -> dict[str, Any]:
    """A ProjectSource; an inline buildspec is read whole, and all its faults are told at once."""
    kind, location = source.get("type", ""), source.get("location", "")
    if kind not in SOURCE_TYPES:
        raise InvalidProject(
            "source.type",
            "Invalid type provided: Project source type",
            hint=f"This installation builds from {', '.join(SOURCE_TYPES)}.",
        )
    if kind == "NO_SOURCE":
        if location:
            raise InvalidProject("source.location", "Invalid source: source type NO_SOURCE should have null location")
    elif not location:
        raise InvalidProject("source.location", "Project source location is required")
    else:
        _check_location(kind, location)
    if int(source.get("gitCloneDepth") or 0) < 0:
        raise InvalidProject("source.gitCloneDepth", "Invalid git clone depth: it is 0 (everything) or more.")
    if source.get("reportBuildStatus") and kind not in GIT_SOURCES:
        raise InvalidProject(
            "source.reportBuildStatus", f"Build status reporting is not supported for source type {kind}"
        )
    check_buildspec(source.get("buildspec", ""), has_source=kind != "NO_SOURCE")
    return dict(source)


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
    elif not has_source and not text.startswith("arn:"):
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


def check_artifacts(artifacts: Mapping[str, Any]) -> dict[str, Any]:
    """A ProjectArtifacts."""
    kind, location = artifacts.get("type", ""), artifacts.get("location", "")
    if kind not in ARTIFACT_TYPES:
        raise InvalidProject(
            "artifacts.type", "Invalid type provided: Project artifacts type", hint="Use S3 or NO_ARTIFACTS."
        )
    if kind == "NO_ARTIFACTS":
        if location:
            raise InvalidProject(
                "artifacts.location", "Invalid artifacts: artifact type NO_ARTIFACTS should have null location"
            )
        return dict(artifacts)
    if not _BUCKET.fullmatch(location):
        raise InvalidProject(
            "artifacts.location",
            f"Invalid artifacts: “{location}” is no bucket name."
            if location
            else "Project artifacts location is required",
            hint="A bucket name has 3 to 63 lower-case letters, digits, dots and dashes.",
        )
    for member, values in (("packaging", ("NONE", "ZIP")), ("namespaceType", ("NONE", "BUILD_ID"))):
        if artifacts.get(member, values[0]) not in values:
            raise InvalidProject(f"artifacts.{member}", f"Invalid artifacts: {member} is one of {', '.join(values)}.")
    for member in ("path", "name"):
        value = artifacts.get(member, "")
        if ".." in value.split("/") or any(not one.isprintable() for one in value):
            raise InvalidProject(f"artifacts.{member}", f"Invalid artifacts: “{value}” can't be a {member}.")
    return dict(artifacts)


def check_environment(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A ProjectEnvironment, with what it leaves out filled in as CodeBuild answers it."""
    kind = wanted.get("type", "")
    if kind != "LINUX_CONTAINER":
        raise InvalidProject(
            "environment.type",
            f"Invalid environment type: {kind or 'none given'}",
            hint="This installation builds in LINUX_CONTAINER.",
        )
    image = wanted.get("image", "")
    if not _IMAGE.fullmatch(image) or ".." in image:
        raise InvalidProject(
            "environment.image",
            f"“{image}” is no image name." if image else "A build needs an image.",
            hint=f"For example {compute.DEFAULT_IMAGE}, or any image that this machine can pull.",
        )
    if wanted.get("computeType", "") not in compute.COMPUTE_TYPES:
        raise InvalidProject(
            "environment.computeType",
            f"Invalid compute type: {wanted.get('computeType', '') or 'none given'}",
            hint=f"There are {', '.join(compute.COMPUTE_TYPES)}.",
        )
    if wanted.get("fleet") or wanted.get("dockerServer"):
        raise InvalidProject("environment.fleet", "Fleets and Docker servers are not available here.")
    return {
        **wanted,
        "environmentVariables": check_variables(wanted.get("environmentVariables") or []),
        "privilegedMode": bool(wanted.get("privilegedMode", False)),
        "imagePullCredentialsType": wanted.get("imagePullCredentialsType") or "CODEBUILD",
    }


def check_variables(variables: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """EnvironmentVariables; every fault is told at once."""
    rows = [{"name": one["name"], "value": one["value"], "type": one.get("type") or "PLAINTEXT"} for one in variables]
    try:
        environment.check(environment.Variable(row["name"], row["value"], row["type"]) for row in rows)
    except environment.VariablesError as error:
        raise InvalidProject(
            "environment.environmentVariables", " ".join(error.problems), problems=error.problems
        ) from None
    return rows


def check_tags(tags: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    if len(tags) > MAX_TAGS:
        raise InvalidProject("tags", f"A project has at most {MAX_TAGS} tags, not {len(tags)}.")
    seen: set[str] = set()
    for tag in tags:
        key, value = tag.get("key", ""), tag.get("value", "")
        if key.lower().startswith("aws:"):
            raise InvalidProject("tags", f"Invalid tag key: “{key}”", hint="Keys that begin with aws: are AWS's own.")
        if not 1 <= len(key) <= 127 or not _TAG.fullmatch(key) or key in seen:
            raise InvalidProject("tags", f"Invalid tag key: “{key}”")
        if len(value) > 255 or not _TAG.fullmatch(value):
            raise InvalidProject("tags", f"Invalid tag value: “{value}”")
        seen.add(key)
    return [{"key": tag.get("key", ""), "value": tag.get("value", "")} for tag in tags]


def check_cache(cache: Mapping[str, Any]) -> dict[str, Any]:
    if cache.get("type", "NO_CACHE") not in CACHE_TYPES:
        raise InvalidProject("cache.type", f"Invalid cache type: {cache.get('type')}")
    return dict(cache)


def check_supported(fields: Mapping[str, Any]) -> None:
    """Refuse members that nothing here carries out yet."""
    for member, words in _UNSUPPORTED.items():
        if fields.get(member):
            raise InvalidProject(member, f"{words} are not available in this installation.")
    if (fields.get("vpcConfig") or {}).get("vpcId"):
        raise InvalidProject("vpcConfig", "This installation has no VPCs.")


def _check_location(kind: str, location: str) -> None:
    if kind == "CODECOMMIT":
        is_valid, example = bool(_CODECOMMIT_URL.fullmatch(location)), "https://HOST/v1/repos/NAME"
    elif kind == "S3":
        is_valid, example = bool(_S3_LOCATION.fullmatch(location)), "BUCKET/PATH/SOURCE.zip"
    else:
        parts = urlsplit(location)
        is_valid = parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc and " " not in location
        example = "https://HOST/OWNER/NAME.git"
    if not is_valid:
        raise InvalidProject(
            "source.location",
            f"Invalid project source: location “{location}” is not valid for type {kind}",
            hint=f"It looks like {example}.",
        )


def _within(member: str, words: str, value: int, limits: tuple[int, int]) -> int:
    low, high = limits
    if not low <= value <= high:
        raise InvalidProject(member, f"Invalid {member}: {words} is between {low} and {high} minutes, not {value}.")
    return value
