"""The buildspec of a build: inline text, a file of its primary source, or an object that an ARN names.

Source: AWS CodeBuild User Guide, "Buildspec file name and storage location".
"""

from __future__ import annotations

from builds import buildspec, service_role
from builds.models import Build
from builds.runner.executor import PhaseError
from builds.sources import objects
from builds.sources.members import FileTooLarge
from builds.sources.wanted import Source
from builds.yaml_nodes import MAX_TEXT_BYTES
from codeservices.audit.record import act
from codeservices.errors import ServiceError
from codeservices.iam.principal import Principal

INLINE_LOCATION = "/codebuild/readonly/buildspec.yml"
DEFAULT_NAME = "buildspec.yml"
YAML_FILE_ERROR = "YAML_FILE_ERROR"
S3_PREFIX = "arn:aws:s3:::"


def read(build: Build, source: Source, principal: Principal) -> tuple[buildspec.Buildspec, str]:
    """The buildspec and the path that the log names.

    Raises:
        PhaseError: YAML_FILE_ERROR with file, line and key of every fault; CLIENT_ERROR where the role may not read the
            object.
    """
    wanted = build.source.get("buildspec") or ""
    if buildspec.looks_inline(wanted):
        return _parse(wanted, "buildspec"), INLINE_LOCATION
    if wanted.startswith(S3_PREFIX):
        return _parse(_text(_object(build, wanted, principal), wanted), wanted), INLINE_LOCATION
    if build.source.get("type") == "NO_SOURCE":
        raise PhaseError(YAML_FILE_ERROR, "a build without source needs its buildspec inline")
    path = (wanted or DEFAULT_NAME).removeprefix("./")
    location = f"{source.directory}/{path}"
    try:
        raw = source.read(path, MAX_TEXT_BYTES)
    except FileTooLarge:
        raise PhaseError(YAML_FILE_ERROR, f"{path} is larger than {MAX_TEXT_BYTES // 2**20} MiB") from None
    if raw is None:
        missing = f"stat {location}: no such file or directory" if wanted else "YAML file does not exist"
        raise PhaseError(YAML_FILE_ERROR, missing)
    return _parse(_text(raw, path), path), location


def _object(build: Build, object_arn: str, principal: Principal) -> bytes:
    try:
        with act(principal, service_role.request_info()) as current:
            current.additional["build"] = build.api_id
            return objects.read_object(principal, object_arn, MAX_TEXT_BYTES)
    except FileTooLarge:
        raise PhaseError(YAML_FILE_ERROR, f"{object_arn} is larger than {MAX_TEXT_BYTES // 2**20} MiB") from None
    except ServiceError as error:
        raise PhaseError("CLIENT_ERROR", f"{objects.failure(error)} for the buildspec {object_arn}") from error


def _text(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise PhaseError(YAML_FILE_ERROR, f"{name}: line {line}: a byte there is no UTF-8") from error


def _parse(text: str, name: str) -> buildspec.Buildspec:
    try:
        return buildspec.parse(text)
    except buildspec.BuildspecError as error:
        raise PhaseError(YAML_FILE_ERROR, error.context(name)) from error
