"""The form of a project, as a browser posts it."""

from __future__ import annotations

from codeservices.iam.managed_policies import SERVICE_ROLE_NAME
from codeservices.iam.models import Role


def form(**changes: str) -> dict[str, str]:
    """Its fields; None leaves a field out, as an unticked box is."""
    fields = {
        "name": "website",
        "description": "",
        "repository": "demo",
        "source_version": "main",
        "build_on_push": "on",
        "image": "codeservices/base",
        "compute_type": "BUILD_GENERAL1_SMALL",
        "buildspec_kind": "path",
        "buildspec_path": "ci/buildspec.yml",
        "buildspec_inline": "",
        "timeout_minutes": "20",
        "queued_timeout_minutes": "60",
        "artifacts": "on",
        "artifact_build_id": "on",
        "artifact_packaging": "ZIP",
        "cache": "NO_CACHE",
        "secondary_artifacts-TOTAL_FORMS": "0",
        "secondary_artifacts-INITIAL_FORMS": "0",
        "service_role": Role.objects.get(name=SERVICE_ROLE_NAME).arn,
        "variables-TOTAL_FORMS": "2",
        "variables-INITIAL_FORMS": "0",
        "variables-0-name": "STAGE",
        "variables-0-value": "test",
        "variables-1-name": "",
        "variables-1-value": "",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}
