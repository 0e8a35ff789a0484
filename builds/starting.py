"""What a StartBuild call makes of its project: overrides applied and checked, in the API's own members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from builds import limit_rules
from builds import project_rules as rules
from builds.models import Build, Priority, Project
from builds.projects import authorize_role, authorize_sources
from builds.sources import rules as source_rules
from codeservices.errors import InvalidInput
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal

# Members that would change what the build does and that nothing here carries out: refused rather than ignored.
UNSUPPORTED = (
    "fleetOverride",
    "debugSessionEnabled",
    "reportBuildStatusOverride",
    "buildStatusConfigOverride",
)
_SOURCE_MEMBERS = {
    "sourceTypeOverride": "type",
    "sourceLocationOverride": "location",
    "sourceAuthOverride": "auth",
    "gitCloneDepthOverride": "gitCloneDepth",
    "gitSubmodulesConfigOverride": "gitSubmodulesConfig",
    "buildspecOverride": "buildspec",
    "insecureSslOverride": "insecureSsl",
}
_OF_ANY_TYPE = ("buildspec", "gitCloneDepth")
_ENVIRONMENT_MEMBERS = {
    "environmentTypeOverride": "type",
    "imageOverride": "image",
    "computeTypeOverride": "computeType",
    "privilegedModeOverride": "privilegedMode",
    "certificateOverride": "certificate",
    "imagePullCredentialsTypeOverride": "imagePullCredentialsType",
    "registryCredentialOverride": "registryCredential",
}


@dataclass(frozen=True)
class Settings:
    """With what a build runs: the project's settings after the overrides. Members as in the API."""

    source: dict[str, Any]
    source_version: str
    secondary_sources: list[dict[str, Any]]
    secondary_source_versions: list[dict[str, Any]]
    artifacts: dict[str, Any]
    secondary_artifacts: list[dict[str, Any]]
    environment: dict[str, Any]
    cache: dict[str, Any]
    service_role_arn: str
    timeout_minutes: int
    queued_timeout_minutes: int
    priority: int = Priority.NORMAL
    auto_retry_limit: int = 0
    cache_owner: str = ""


def settings_of(principal: Principal, project: Project, overrides: Mapping[str, Any]) -> Settings:
    """The project's settings with StartBuild's overrides.

    Raises:
        InvalidInput: An override breaks a rule or is not supported, or CodeBuild can't assume the role.
        AccessDenied: Of iam:PassRole on another role, or codecommit:GitPull on another repository.
    """
    for member in UNSUPPORTED:
        if overrides.get(member):
            raise InvalidInput(f"{member} is not available in this installation.")
    source = _source(project, overrides)
    secondary, versions = _secondary(project, overrides)
    authorize_sources(principal, [source, *secondary], known=[project.source, *project.secondary_sources])
    role_arn = overrides.get("serviceRoleOverride") or project.service_role_arn
    if role_arn != project.service_role_arn:
        authorize_role(principal, role_arn, project.arn)
    artifacts, more_artifacts = overrides.get("artifactsOverride"), overrides.get("secondaryArtifactsOverride")
    cache = overrides.get("cacheOverride")
    timeout, queued = overrides.get("timeoutInMinutesOverride"), overrides.get("queuedTimeoutInMinutesOverride")
    retries = overrides.get("autoRetryLimitOverride")
    limit_rules.check_encryption_key(overrides.get("encryptionKeyOverride") or "")
    limit_rules.check_logs(overrides.get("logsConfigOverride") or {}, project.name)
    wanted = Settings(
        source=source,
        source_version=source_rules.check_version(overrides.get("sourceVersion") or project.source_version),
        secondary_sources=secondary,
        secondary_source_versions=versions,
        artifacts=rules.check_artifacts(artifacts) if artifacts else project.artifacts,
        secondary_artifacts=(
            project.secondary_artifacts if more_artifacts is None else rules.check_secondary_artifacts(more_artifacts)
        ),
        environment=_environment(project, overrides),
        cache=rules.check_cache(cache) if cache else project.cache,
        service_role_arn=role_arn,
        timeout_minutes=project.timeout_minutes if timeout is None else rules.check_timeout(timeout),
        queued_timeout_minutes=project.queued_timeout_minutes if queued is None else rules.check_queued_timeout(queued),
        priority=project.priority,
        auto_retry_limit=project.auto_retry_limit if retries is None else limit_rules.check_auto_retry_limit(retries),
    )
    return replace(wanted, cache_owner=_cache_owner(principal, project, wanted))


def settings_of_build(build: Build) -> Settings:
    """With what a build ran, so that it can be run again."""
    return Settings(
        source=build.source,
        source_version=build.source_version,
        artifacts=build.artifacts_config,
        environment=build.environment,
        cache=build.cache,
        service_role_arn=build.service_role_arn,
        timeout_minutes=build.timeout_minutes,
        queued_timeout_minutes=build.queued_timeout_minutes,
        secondary_sources=build.secondary_sources,
        secondary_source_versions=build.secondary_source_versions,
        secondary_artifacts=build.secondary_artifacts_config,
        priority=build.priority,
        auto_retry_limit=build.auto_retry_limit,
        cache_owner=build.cache_owner,
    )


def _cache_owner(principal: Principal, project: Project, wanted: Settings) -> str:
    """Whose caches the build writes: the starter's own where it runs something else than the project says.

    Whoever may change the project could have it run that as well, so that nothing is gained by keeping theirs apart.
    The source version is no such change, since caches are kept by ref; those of secondary sources are.
    """
    is_as_the_project_says = (
        wanted.source == project.source
        and wanted.secondary_sources == project.secondary_sources
        and _by_identifier(wanted.secondary_source_versions) == _by_identifier(project.secondary_source_versions)
        and wanted.environment == _environment(project, {})
        and wanted.cache == project.cache
        and wanted.service_role_arn == project.service_role_arn
    )
    if is_as_the_project_says or is_allowed(principal, "codebuild:UpdateProject", project.arn):
        return ""
    return principal.role_arn or principal.arn


def _by_identifier(versions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {one["sourceIdentifier"]: one["sourceVersion"] for one in versions}


def _source(project: Project, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The primary source. Of another type than the project's it keeps only what is not of that type alone."""
    base = project.source
    kind = overrides.get("sourceTypeOverride") or base.get("type")
    if kind != base.get("type"):
        base = {name: value for name, value in base.items() if name in _OF_ANY_TYPE}
        if kind not in ("S3", "NO_SOURCE"):
            base["location"] = project.source.get("location")
    source = _overridden(base, overrides, _SOURCE_MEMBERS)
    return source_rules.check_source(source) if source != project.source else source


def _secondary(project: Project, overrides: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Secondary sources as the project has them or in their place; a version that is given beats the project's."""
    sources = project.secondary_sources
    if overrides.get("secondarySourcesOverride") is not None:
        sources = source_rules.check_secondary(overrides["secondarySourcesOverride"])
    names = {one["sourceIdentifier"] for one in sources}
    given = source_rules.check_secondary_versions(overrides.get("secondarySourcesVersionOverride") or [], sources)
    given_for = {one["sourceIdentifier"] for one in given}
    kept = [one for one in project.secondary_source_versions if one["sourceIdentifier"] in names - given_for]
    return sources, [*kept, *given]


def environment_overrides(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a ProjectEnvironment that StartBuild's members override."""
    found = _overridden({}, overrides, _ENVIRONMENT_MEMBERS)
    if overrides.get("environmentVariablesOverride"):
        found["environmentVariables"] = overrides["environmentVariablesOverride"]
    return found


def _environment(project: Project, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The environment; variables are merged by name, all else is replaced."""
    environment = _overridden(project.environment, overrides, _ENVIRONMENT_MEMBERS)
    variables = overrides.get("environmentVariablesOverride") or []
    if variables:
        checked = rules.check_variables(variables)
        names = {one["name"] for one in checked}
        kept = [one for one in environment.get("environmentVariables") or [] if one["name"] not in names]
        environment["environmentVariables"] = kept + checked
    # Checked also where nothing is overridden: what a server allows may have changed since the project was made.
    return rules.check_environment(environment)


def _overridden(base: Mapping[str, Any], overrides: Mapping[str, Any], members: Mapping[str, str]) -> dict[str, Any]:
    return {**base, **{members[name]: overrides[name] for name in members if overrides.get(name) is not None}}
