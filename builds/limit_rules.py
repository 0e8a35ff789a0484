"""The rules of a project's settings that say how often, in which order and how its builds run, beside their content.

Source: AWS CodeBuild API reference, "CreateProject" and "LogsConfig".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from builds.logs.groups import group_name
from builds.models import Priority
from builds.project_rules import InvalidProject

# What removes a project's limit, as Terraform sends it.
NO_LIMIT = -1
MAX_AUTO_RETRIES = 10


def check_concurrent_build_limit(limit: int) -> int | None:
    """How many builds of a project may run at once; None is any number."""
    if limit == NO_LIMIT:
        return None
    if not 1 <= limit <= 100_000:
        raise InvalidProject(
            "concurrentBuildLimit",
            f"Invalid concurrent build limit: it is 1 or more, not {limit}.",
            hint=f"{NO_LIMIT} removes the limit.",
        )
    return limit


def check_auto_retry_limit(limit: int) -> int:
    """How often a build that failed is started again by itself."""
    if not 0 <= limit <= MAX_AUTO_RETRIES:
        raise InvalidProject(
            "autoRetryLimit", f"Invalid auto-retry limit: it is between 0 and {MAX_AUTO_RETRIES}, not {limit}."
        )
    return limit


def check_priority(priority: Any) -> int:
    """Which builds go first. A setting of this server's console; CodeBuild has none."""
    if priority not in Priority.values:
        raise InvalidProject("priority", "A priority is -1 (low), 0 (normal) or 1 (high).")
    return int(priority)


def check_logs(wanted: Mapping[str, Any], project_name: str) -> dict[str, Any]:
    """A LogsConfig, with what it leaves out filled in as CodeBuild answers it.

    The log of every build is kept, where policies about logs look for it; another place, or none, is refused.
    """
    watch, objects = dict(wanted.get("cloudWatchLogs") or {}), dict(wanted.get("s3Logs") or {})
    group = group_name(project_name)
    if watch.get("status") == "DISABLED":
        raise InvalidProject("logsConfig", "The log of every build is kept in this installation: it can't be disabled.")
    if watch.get("groupName", group) != group or watch.get("streamName"):
        raise InvalidProject(
            "logsConfig",
            f"The logs of {project_name} lie in the log group {group}, one stream for each build.",
            hint="Leave groupName and streamName out.",
        )
    if objects.get("status") == "ENABLED":
        raise InvalidProject(
            "logsConfig",
            "Logs are not written to a bucket in this installation.",
            hint="The console and the logs API have every build's whole log; leave s3Logs DISABLED.",
        )
    return {
        "cloudWatchLogs": {"status": "ENABLED", **watch},
        "s3Logs": {"status": "DISABLED", "encryptionDisabled": False, **objects},
    }


def encryption_key() -> str:
    """The alias that CodeBuild names where a project has no key of its own."""
    return f"arn:aws:kms:{settings.REGION}:{settings.ACCOUNT_ID}:alias/aws/s3"


def check_encryption_key(key: str) -> None:
    """There is no KMS here: the one key is this server's, whose alias may be told."""
    if key not in ("", "alias/aws/s3", encryption_key()):
        raise InvalidProject(
            "encryptionKey",
            "This server encrypts with its own key: leave encryptionKey out.",
            hint=f"Or name {encryption_key()}.",
        )


def check_visibility(visibility: str) -> None:
    """Builds are for those whom a policy lets see them."""
    if visibility != "PRIVATE":
        raise InvalidProject(
            "projectVisibility",
            "Builds are never public in this installation: their visibility is PRIVATE.",
            hint="A badge (badgeEnabled) shows a project's status to everybody.",
        )


def badge_path(badge_uuid: object) -> str:
    """Where a project's badge is; it takes &branch=NAME or &tag=NAME."""
    return f"/badges?uuid={badge_uuid}"
