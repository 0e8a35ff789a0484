"""Builds with logs, made by the parts that a worker has, without a worker."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from typing import Any

import redis
from django.conf import settings
from django.utils import timezone

from builds import lifecycle, reporter
from builds.logs.writer import LogWriter
from builds.models import Artifact, Build, Phase, PhaseType, Project, Status
from codeservices.objects import services as objects
from codeservices.objects.services import ensure_bucket


def running_build(project: Project, number: int = 1, **fields: Any) -> Build:
    """A build whose worker is in its BUILD phase."""
    now = timezone.now()
    build = Build.objects.create(
        **{
            "project": project,
            "project_name": project.name,
            "number": number,
            "initiator": "alice",
            "source": project.source,
            "artifacts_config": project.artifacts,
            "environment": project.environment,
            "service_role_arn": project.service_role_arn,
            "current_phase": PhaseType.BUILD,
            "lease_owner": "worker:1:token",
            "lease_expires_at": now + timedelta(hours=1),
            **fields,
        }
    )
    for phase_type in (PhaseType.SUBMITTED, PhaseType.QUEUED, PhaseType.PROVISIONING, PhaseType.DOWNLOAD_SOURCE):
        Phase.objects.create(
            build=build, phase_type=phase_type, status=Status.SUCCEEDED, started_at=now, ended_at=now, first_line=0
        )
    Phase.objects.create(build=build, phase_type=PhaseType.BUILD, started_at=now, first_line=0)
    return build


def writer_of(build: Build, url: str = "") -> LogWriter:
    """The writer of the build's log, as a worker has it."""
    client = redis.Redis.from_url(url or settings.REDIS_URL, socket_timeout=60, socket_connect_timeout=60)
    return LogWriter(str(build.uuid), client, reporter.chunk_putter(build))


def end(build: Build, writer: LogWriter | None = None, status: str = Status.SUCCEEDED, message: str = "") -> Build:
    """The build's last phase ends, its log is closed, it gets its status."""
    contexts = [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": message}] if message else []
    build.phases.filter(phase_type=PhaseType.BUILD).update(status=status, ended_at=timezone.now(), contexts=contexts)
    summary = (writer or writer_of(build)).close()
    lifecycle.finish(build, status, line_count=summary.line_count)
    return build


def logged_build(project: Project, lines: list[str], number: int = 1, **fields: Any) -> Build:
    """A finished build with these log lines."""
    build = running_build(project, number, **fields)
    writer = writer_of(build)
    writer.write("".join(f"{line}\n" for line in lines).encode())
    return end(build, writer)


def zip_of(files: dict[str, bytes]) -> bytes:
    """A ZIP of these files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content)
    return packed.getvalue()


def artifact_of(build: Build, content: bytes = b"", name: str = "demo.zip") -> Artifact:
    """An artifact as a build stores it: these bytes, or a ZIP with one file."""
    content = content or zip_of({"dist/demo.whl": bytes(2048)})
    bucket = ensure_bucket("codebuild-artifacts")
    stored = objects.store(bucket, f"{build.uuid}/{name}", io.BytesIO(content))
    return Artifact.objects.create(
        build=build,
        name=name,
        packaging="ZIP",
        bucket=bucket.name,
        key=stored.key,
        object_modified_at=stored.modified_at,
        size_bytes=len(content),
        file_count=1,
        md5=stored.etag,
        sha256=stored.sha256,
    )
