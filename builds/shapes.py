"""Projects and builds as the API shows them.

Source: AWS CodeBuild API Reference, "Project" and "Build"; members that AWS always answers are always there.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from builds import limit_rules
from builds.artifacts import naming
from builds.limit_rules import encryption_key
from builds.logs import groups
from builds.models import Artifact, Build, Phase, PhaseType, Project, SourceCredential, Status
from codeservices.aws import redact
from codeservices.aws.model import SERVICES

NO_CACHE = {"type": "NO_CACHE"}
LOGS_ENABLED = {"cloudWatchLogs": {"status": "ENABLED"}, "s3Logs": {"status": "DISABLED", "encryptionDisabled": False}}


def project(row: Project, origin: str) -> dict[str, Any]:
    """Project; `origin` is the address under which the caller reaches the console."""
    return {
        "name": row.name,
        "arn": row.arn,
        "description": row.description or None,
        "source": row.source,
        "sourceVersion": row.source_version or None,
        "secondarySources": row.secondary_sources or None,
        "secondarySourceVersions": row.secondary_source_versions or None,
        "artifacts": row.artifacts,
        "secondaryArtifacts": row.secondary_artifacts or None,
        "cache": row.cache or NO_CACHE,
        "environment": row.environment,
        "serviceRole": row.service_role_arn,
        "timeoutInMinutes": row.timeout_minutes,
        "queuedTimeoutInMinutes": row.queued_timeout_minutes,
        "encryptionKey": encryption_key(),
        "tags": row.tags,
        "created": row.created_at,
        "lastModified": row.updated_at,
        "badge": _badge(row, origin),
        "logsConfig": row.logs_config or LOGS_ENABLED,
        "concurrentBuildLimit": row.concurrent_build_limit,
        "autoRetryLimit": row.auto_retry_limit or None,
        "projectVisibility": "PRIVATE",
    }


def _badge(row: Project, origin: str) -> dict[str, Any]:
    """ProjectBadge; it has an address where it is switched on."""
    if not row.badge_enabled:
        return {"badgeEnabled": False}
    return {"badgeEnabled": True, "badgeRequestUrl": f"{origin}{limit_rules.badge_path(row.badge_uuid)}&branch=main"}


def started_for_trail(row: Build) -> dict[str, Any]:
    """What the audit trail keeps as StartBuild's answer, whichever door the build was started at."""
    operation = SERVICES["codebuild"].operation("StartBuild")
    assert operation is not None
    kept: dict[str, Any] = redact.for_trail(operation.output_shape, {"build": build(row, settings.BASE_URL)})
    return kept


def build(row: Build, origin: str) -> dict[str, Any]:
    """Build, with its phases so far; `origin` is the address under which the caller reaches the console."""
    return {
        "id": row.api_id,
        "arn": row.arn,
        "buildNumber": row.number,
        "startTime": row.started_at,
        "endTime": row.ended_at,
        "currentPhase": row.current_phase,
        "buildStatus": row.status,
        "sourceVersion": row.source_version or None,
        "resolvedSourceVersion": row.resolved_source_oid or None,
        "projectName": row.project_name,
        "phases": [_phase(one) for one in row.phases.all()],
        "source": row.source,
        "secondarySources": row.secondary_sources or None,
        "secondarySourceVersions": row.secondary_source_versions or None,
        "artifacts": _artifacts(row, "", row.artifacts_config),
        "secondaryArtifacts": [
            _artifacts(row, one["artifactIdentifier"], one) for one in row.secondary_artifacts_config
        ]
        or None,
        "cache": row.cache or NO_CACHE,
        "environment": row.environment,
        "serviceRole": row.service_role_arn,
        "logs": _logs(row, origin),
        "timeoutInMinutes": row.timeout_minutes,
        "queuedTimeoutInMinutes": row.queued_timeout_minutes,
        "buildComplete": row.is_finished,
        "initiator": row.initiator,
        "encryptionKey": encryption_key(),
        "exportedEnvironmentVariables": row.exported_variables,
        "autoRetryConfig": _auto_retry(row),
    }


def _auto_retry(row: Build) -> dict[str, Any] | None:
    """AutoRetryConfig of a build that is retried when it fails, or that is such a retry."""
    if not (row.auto_retry_limit or row.auto_retry_number):
        return None
    following = Build.objects.filter(auto_retry_of=row).first()
    return {
        "autoRetryLimit": row.auto_retry_limit,
        "autoRetryNumber": row.auto_retry_number,
        "nextAutoRetry": following.arn if following else None,
        "previousAutoRetry": row.auto_retry_of.arn if row.auto_retry_of else None,
    }


def _phase(row: Phase) -> dict[str, Any]:
    """BuildPhase: COMPLETED has a start alone, a running phase neither status nor end."""
    shown: dict[str, Any] = {"phaseType": row.phase_type, "startTime": row.started_at}
    if row.phase_type != PhaseType.COMPLETED and row.ended_at is not None:
        shown |= {
            "phaseStatus": row.status or Status.SUCCEEDED,
            "endTime": row.ended_at,
            "durationInSeconds": int(row.duration_seconds),
            "contexts": row.contexts or None,
        }
    return shown


def _artifacts(row: Build, identifier: str, config: dict[str, Any]) -> dict[str, Any]:
    """BuildArtifacts: where it lies, or will lie where the build's end does not name it anew; a ZIP's checksums."""
    shown: dict[str, Any] = {
        "artifactIdentifier": identifier or config.get("artifactIdentifier"),
        "overrideArtifactName": config.get("overrideArtifactName"),
        "encryptionDisabled": config.get("encryptionDisabled"),
        "bucketOwnerAccess": config.get("bucketOwnerAccess"),
    }
    stored: Artifact | None = next((one for one in row.artifacts.all() if one.identifier == identifier), None)
    if stored is not None:
        shown["location"] = stored.arn
        if stored.is_zip:
            shown |= {"md5sum": stored.md5, "sha256sum": stored.sha256}
    elif config.get("type") == "S3":
        name = naming.clean_name(naming.default_name(config, row.project_name))
        key = naming.object_key(config, str(row.uuid), name)
        shown["location"] = f"arn:aws:s3:::{config.get('location', '')}/{key}".rstrip("/")
    return shown


def _logs(row: Build, origin: str) -> dict[str, Any]:
    """LogsLocation: the link leads to the build in the console; group and stream are there once a container is made."""
    shown: dict[str, Any] = {
        "deepLink": f"{origin}/projects/{row.project_name}/builds/{row.number}/",
        "cloudWatchLogs": LOGS_ENABLED["cloudWatchLogs"],
    }
    if row.current_phase not in (PhaseType.SUBMITTED, PhaseType.QUEUED):
        shown |= {
            "groupName": groups.group_name(row.project_name),
            "streamName": str(row.uuid),
            "cloudWatchLogsArn": groups.log_arn(row),
        }
    return shown


def source_credential(row: SourceCredential) -> dict[str, Any]:
    """SourceCredentialsInfo: of what is secret nothing."""
    return {
        "arn": row.arn,
        "serverType": row.server_type,
        "authType": row.auth_type,
        "resource": row.secret_arn or None,
    }
