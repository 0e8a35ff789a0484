"""Start a build, or the same again; what a new build of a branch does to the older ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from builds import branches, isolation
from builds.access import project_for
from builds.lifecycle import records, stops
from builds.models import Build, Project
from builds.starting import Settings, environment_overrides, settings_of, settings_of_build
from codeservices.errors import InvalidInput, NotFound
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal

# The same token means the same build for so long. Source: AWS CodeBuild API reference, StartBuild, idempotencyToken.
TOKEN_LIFE = timedelta(minutes=5)


def start_build(
    principal: Principal,
    project_name: str,
    overrides: Mapping[str, Any] | None = None,
    *,
    initiator: str = "",
) -> Build:
    """Queue a build of a project.

    Args:
        overrides: StartBuild's members: sourceVersion, buildspecOverride, environmentVariablesOverride, …,
            idempotencyToken.
        initiator: Who started it, where that is somebody else than the principal.

    Raises:
        AccessDenied: Of codebuild:StartBuild on the project, or what `settings_of` needs.
        NotFound: There is no such project.
        InvalidInput: An override breaks a rule, or the token was used for another build.
        LimitExceeded: Too many builds wait.
    """
    overrides = overrides or {}
    context = isolation.environment_context(environment_overrides(overrides))
    project = project_for(principal, "codebuild:StartBuild", project_name, context)
    wanted = settings_of(principal, project, overrides)
    return _create(project, wanted, initiator or initiator_of(principal), overrides, supersedes=True)


def retry_build(principal: Principal, build: Build, token: str = "") -> Build:
    """Queue a build with the settings that an earlier one had. Newer builds of its branch go on.

    Args:
        token: RetryBuild's idempotencyToken.

    Raises:
        AccessDenied: Of codebuild:RetryBuild on the project.
        NotFound: The project is gone.
        InvalidInput: The token was used for another build.
        LimitExceeded: Too many builds wait.
    """
    context = isolation.environment_context(build.environment)
    authorize(principal, "codebuild:RetryBuild", build.project_arn, context)
    if build.project is None:
        raise NotFound(f"The project {build.project_name} is gone, so its builds can't be retried.")
    asked = {"idempotencyToken": token, "retried": build.api_id}
    return _create(build.project, settings_of_build(build), initiator_of(principal), asked, supersedes=False)


def initiator_of(principal: Principal) -> str:
    """As CodeBuild names it: the user, or ROLE/SESSION."""
    return f"{principal.name}/{principal.session_name}" if principal.session_name else principal.name


def _create(project: Project, wanted: Settings, initiator: str, asked: Mapping[str, Any], *, supersedes: bool) -> Build:
    token, digest = asked.get("idempotencyToken") or "", _digest(asked)
    with transaction.atomic():
        # Two calls with one token at once: the second one waits here and then finds the first one's build.
        project = Project.objects.select_for_update().get(pk=project.pk)
        known = _same_token(project, token, digest)
        if known is not None:
            return known
        build = records.create(project, wanted, initiator, token=token, request_digest=digest)
        if supersedes and project.cancels_superseded:
            for older in branches.older_builds(build):
                reason = f"Superseded by build #{build.number} of {branches.branch_of(build)}."
                stops.request(older, reason)
                transaction.on_commit(partial(stops.carry_out, older.pk))
    return build


def _same_token(project: Project, token: str, digest: str) -> Build | None:
    """The build that was started under the same token."""
    if not token:
        return None
    recent = project.builds.filter(idempotency_token=token, started_at__gt=timezone.now() - TOKEN_LIFE).first()
    if recent is not None and recent.request_digest != digest:
        raise InvalidInput(
            f"The idempotency token {token} was used for {recent.api_id} with other parameters.",
            hint="Use a token of its own for each build; the same one means the same build for five minutes.",
        )
    return recent


def _digest(asked: Mapping[str, Any]) -> str:
    # The project is the same one, whether it was asked for by its name or by its ARN.
    left_out = ("idempotencyToken", "projectName")
    known = {name: value for name, value in asked.items() if name not in left_out and value is not None}
    return hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()
