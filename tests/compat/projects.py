"""A project as boto3 makes one, and builds of it."""

from __future__ import annotations

from builds.models import Build, Project

ACCOUNT = "123456789012"
PREFIX = f"arn:aws:codebuild:us-east-1:{ACCOUNT}:"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/codebuild-service-role"
BUILDSPEC = "version: 0.2\nphases:\n  build:\n    commands:\n      - echo hello\n"
NEW = {
    "name": "demo",
    "source": {"type": "NO_SOURCE", "buildspec": BUILDSPEC},
    "artifacts": {"type": "NO_ARTIFACTS"},
    "environment": {
        "type": "LINUX_CONTAINER",
        "image": "codeservices/base",
        "computeType": "BUILD_GENERAL1_SMALL",
    },
    "serviceRole": ROLE,
}


def build_of(project: Project, number: int, **fields) -> Build:
    """A build row as the queue leaves it."""
    return Build.objects.create(
        project=project,
        project_name=project.name,
        number=number,
        initiator="alice",
        source=project.source,
        artifacts_config=project.artifacts,
        environment=project.environment,
        service_role_arn=project.service_role_arn,
        **fields,
    )


def environment(**change) -> dict:
    """The change of a project whose environment has these members otherwise than NEW."""
    return {"environment": {**NEW["environment"], **change}}
