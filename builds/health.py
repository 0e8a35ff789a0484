"""Whether builds can run: the line "docker" of /readyz, and figures about builds for /metrics."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count

from builds.models import Build, Status
from builds.runner import docker
from codeservices import registry


def register() -> None:
    """Called once when the app is ready."""
    registry.register_health_check(registry.HealthCheck("docker", docker.check_engine))
    registry.register_meter(registry.Meter("builds", read))


def read() -> Iterable[tuple[str, str, dict[str, str], float]]:
    """Builds by status, and those that wait."""
    counts = dict(Build.objects.values_list("status").annotate(Count("pk")))
    for status in Status.values:
        yield "codeservices_builds", "Builds by status.", {"status": status}, counts.get(status, 0)
    waiting = Build.objects.filter(status=Status.IN_PROGRESS, current_phase="QUEUED").count()
    yield "codeservices_builds_queued", "Builds that wait for a worker.", {}, waiting
