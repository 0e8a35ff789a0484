"""The rules of a project's settings, shared by form and API. Shapes and error texts are CodeBuild's.

Source: AWS CodeBuild API reference, "CreateProject", "ProjectSource", "ProjectArtifacts" and "ProjectEnvironment", and
its error messages as clients see them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from builds import compute, environment, isolation
from builds.images import catalogue
from codeservices.errors import InvalidInput
from codeservices.objects import names

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-_]{1,149}")
# "new" is a page of the console.
RESERVED_NAMES = frozenset({"new"})
MAX_DESCRIPTION = 255
MAX_TAGS = 50
TIMEOUT_MINUTES = (5, 2160)
QUEUED_TIMEOUT_MINUTES = (5, 480)
DEFAULT_TIMEOUT_MINUTES = 60
DEFAULT_QUEUED_TIMEOUT_MINUTES = 480
ARTIFACT_TYPES = ("NO_ARTIFACTS", "S3")
# Source: AWS CodeBuild API Reference, "CreateProject", secondaryArtifacts.
MAX_SECONDARY_ARTIFACTS = 12
PULL_CREDENTIALS = ("CODEBUILD", "SERVICE_ROLE")
CACHE_TYPES = ("NO_CACHE", "S3", "LOCAL")
CACHE_MODES = ("LOCAL_SOURCE_CACHE", "LOCAL_CUSTOM_CACHE", "LOCAL_DOCKER_LAYER_CACHE")
MAX_PATH_CHARACTERS = 512
MAX_NAMESPACE_CHARACTERS = 255
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_]{1,127}")
_CACHE_LOCATION = re.compile(rf"(?P<bucket>{names.BUCKET})(/[^\s/][^/]*)*/?")
# Source: API reference, RegistryCredential; Secrets Manager's, CreateSecret, "Name".
_SECRET_ID = re.compile(r"[A-Za-z0-9/_+=.@:-]{1,2048}")
_TAG = re.compile(r"[\w\s.:/=@+-]*")
# Members that would change what a build does and that nothing here carries out: refused rather than ignored.
_UNSUPPORTED = {
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
    """The description, or InvalidProject where it is too long."""
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


def check_artifacts(artifacts: Mapping[str, Any], member: str = "artifacts") -> dict[str, Any]:
    """A ProjectArtifacts; `member` is where it stands, for the errors."""
    kind, location = artifacts.get("type", ""), artifacts.get("location", "")
    if kind not in ARTIFACT_TYPES:
        raise InvalidProject(
            f"{member}.type", "Invalid type provided: Project artifacts type", hint="Use S3 or NO_ARTIFACTS."
        )
    if kind == "NO_ARTIFACTS":
        if location:
            raise InvalidProject(
                f"{member}.location", "Invalid artifacts: artifact type NO_ARTIFACTS should have null location"
            )
        if artifacts.get("encryptionDisabled"):
            raise InvalidProject(
                f"{member}.encryptionDisabled",
                "Invalid artifacts: encryptionDisabled can be set only for artifacts of type S3",
            )
        return dict(artifacts)
    if not names.is_bucket_name(location):
        raise InvalidProject(
            f"{member}.location",
            f"Invalid artifacts: “{location}” is no bucket name."
            if location
            else "Project artifacts location is required",
            hint="A bucket name has 3 to 63 lower-case letters, digits, dots and dashes, and is no IP address.",
        )
    for name, values in (("packaging", ("NONE", "ZIP")), ("namespaceType", ("NONE", "BUILD_ID"))):
        if artifacts.get(name, values[0]) not in values:
            raise InvalidProject(f"{member}.{name}", f"Invalid artifacts: {name} is one of {', '.join(values)}.")
    for name in ("path", "name"):
        value = artifacts.get(name, "")
        if ".." in value.split("/") or any(not one.isprintable() for one in value):
            raise InvalidProject(f"{member}.{name}", f"Invalid artifacts: “{value}” can't be a {name}.")
        if len(value) > MAX_PATH_CHARACTERS:
            raise InvalidProject(
                f"{member}.{name}",
                f"Invalid artifacts: a {name} has at most {MAX_PATH_CHARACTERS} characters, not {len(value)}.",
            )
    return dict(artifacts)


def check_secondary_artifacts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """ProjectArtifacts with an artifactIdentifier each, by which the buildspec names them."""
    if len(rows) > MAX_SECONDARY_ARTIFACTS:
        raise InvalidProject(
            "secondaryArtifacts",
            f"A project has at most {MAX_SECONDARY_ARTIFACTS} secondary artifacts, not {len(rows)}.",
        )
    checked: list[dict[str, Any]] = []
    seen: set[str] = set()
    for row in rows:
        identifier = row.get("artifactIdentifier", "")
        if not _IDENTIFIER.fullmatch(identifier):
            raise InvalidProject(
                "secondaryArtifacts.artifactIdentifier",
                f"Invalid artifacts: “{identifier}” is no artifact identifier."
                if identifier
                else "Invalid artifacts: secondary artifacts need an artifactIdentifier.",
                hint="It has up to 127 letters, digits and underscores.",
            )
        if identifier in seen:
            raise InvalidProject(
                "secondaryArtifacts.artifactIdentifier",
                f"Invalid artifacts: two secondary artifacts are called {identifier}.",
            )
        seen.add(identifier)
        checked.append(check_artifacts(row, "secondaryArtifacts"))
    return checked


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
    compute_type = wanted.get("computeType", "")
    if compute.refusal(compute_type):
        raise InvalidProject(
            "environment.computeType",
            f"Invalid compute type: {compute_type or 'none given'}",
            hint=compute.refusal(compute_type),
        )
    if wanted.get("privilegedMode") and not settings.BUILD_PRIVILEGED:
        raise InvalidProject("environment.privilegedMode", isolation.PRIVILEGED_OFF, hint=isolation.PRIVILEGED_HINT)
    if wanted.get("fleet") or wanted.get("dockerServer"):
        raise InvalidProject("environment.fleet", "Fleets and Docker servers are not available here.")
    credential = wanted.get("registryCredential")
    kind = wanted.get("imagePullCredentialsType") or ("SERVICE_ROLE" if credential else "CODEBUILD")
    check_pull_credentials(image, kind, credential)
    return {
        **wanted,
        "environmentVariables": check_variables(wanted.get("environmentVariables") or []),
        "privilegedMode": bool(wanted.get("privilegedMode", False)),
        "imagePullCredentialsType": kind,
    }


def check_pull_credentials(image: str, kind: str, credential: Mapping[str, Any] | None) -> None:
    """With whose credentials an image is pulled. Source: API reference, "ProjectEnvironment", "RegistryCredential"."""
    if kind not in PULL_CREDENTIALS:
        raise InvalidProject(
            "environment.imagePullCredentialsType",
            f"Invalid image pull credentials type: {kind}",
            hint=f"It is one of {', '.join(PULL_CREDENTIALS)}.",
        )
    if not credential:
        return
    member = "environment.registryCredential"
    if kind != "SERVICE_ROLE":
        raise InvalidProject(
            member,
            "Invalid registry credential: it takes imagePullCredentialsType SERVICE_ROLE.",
        )
    if catalogue.resolve(image).startswith(catalogue.NAMESPACE):
        raise InvalidProject(member, "Invalid registry credential: a curated image is not pulled from a registry.")
    if credential.get("credentialProvider") != "SECRETS_MANAGER":
        raise InvalidProject(
            f"{member}.credentialProvider",
            f"Invalid credential provider: {credential.get('credentialProvider') or 'none given'}",
            hint="It is SECRETS_MANAGER.",
        )
    if not _SECRET_ID.fullmatch(credential.get("credential") or ""):
        raise InvalidProject(
            f"{member}.credential",
            "Invalid registry credential: credential is the name or the ARN of a secret.",
            hint="Its value is JSON with username and password.",
        )


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
    """The tags as they are stored; raises InvalidProject.

    Source: AWS CodeBuild API Reference, "Tag".
    """
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
    """A ProjectCache, without the members that its type ignores."""
    kind = cache.get("type", "NO_CACHE")
    if kind not in CACHE_TYPES:
        raise InvalidProject(
            "cache.type", f"Invalid cache type: {kind}", hint=f"The types are {', '.join(CACHE_TYPES)}."
        )
    if kind == "S3":
        return _check_cache_location(cache)
    if kind == "NO_CACHE":
        return {"type": kind}
    modes = list(dict.fromkeys(cache.get("modes") or ()))
    unknown = [one for one in modes if one not in CACHE_MODES]
    if unknown or not modes:
        raise InvalidProject(
            "cache.modes",
            f"Invalid cache: {unknown[0]} is no cache mode." if unknown else "Invalid cache: LOCAL needs a mode.",
            hint=f"The modes are {', '.join(CACHE_MODES)}.",
        )
    if "LOCAL_DOCKER_LAYER_CACHE" in modes:
        raise InvalidProject(
            "cache.modes",
            "Invalid cache: LOCAL_DOCKER_LAYER_CACHE is not available in this installation.",
            hint="Layers that one build leaves to the next would be those of whoever could run one. "
            "Save images with “docker save” under cache.paths instead, or pull them with --cache-from.",
        )
    return {"type": kind, "modes": modes}


def _check_cache_location(cache: Mapping[str, Any]) -> dict[str, Any]:
    location, namespace = cache.get("location", ""), cache.get("cacheNamespace", "")
    match = _CACHE_LOCATION.fullmatch(location)
    is_place = match is not None and names.is_bucket_name(match["bucket"]) and ".." not in location.split("/")
    if not is_place or len(location) > MAX_PATH_CHARACTERS:
        raise InvalidProject(
            "cache.location",
            f"Invalid cache: “{location}” is no bucket with a prefix."
            if location
            else "Invalid cache: a cache of type S3 needs a location.",
            hint="It looks like BUCKET/PREFIX.",
        )
    if len(namespace) > MAX_NAMESPACE_CHARACTERS or not namespace.isprintable():
        raise InvalidProject(
            "cache.cacheNamespace",
            f"Invalid cache: a namespace has at most {MAX_NAMESPACE_CHARACTERS} printable characters.",
        )
    return {"type": "S3", "location": location} | ({"cacheNamespace": namespace} if namespace else {})


def check_supported(fields: Mapping[str, Any]) -> None:
    """Refuse members that nothing here carries out yet."""
    for member, words in _UNSUPPORTED.items():
        if fields.get(member):
            raise InvalidProject(member, f"{words} are not available in this installation.")
    if (fields.get("vpcConfig") or {}).get("vpcId"):
        raise InvalidProject("vpcConfig", "This installation has no VPCs.")


def _within(member: str, words: str, value: int, limits: tuple[int, int]) -> int:
    low, high = limits
    if not low <= value <= high:
        raise InvalidProject(member, f"Invalid {member}: {words} is between {low} and {high} minutes, not {value}.")
    return value
