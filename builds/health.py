"""Whether builds can run and are closed off: lines "docker" and "build network" of /readyz; figures for /metrics."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.db.models import Count

from builds import isolation
from builds.models import Build, Status
from builds.runner import engine
from codeservices import registry


def register() -> None:
    """Called once when the app is ready."""
    registry.register_health_check(registry.HealthCheck("docker", check_engine))
    registry.register_health_check(registry.HealthCheck("build network", isolation.network_problem, is_advisory=True))
    registry.register_meter(registry.Meter("builds", read))


def check_engine() -> str | None:
    """None when the engine answers within two seconds."""
    try:
        client = engine.connect(settings.DOCKER_HOST, timeout_seconds=2)
        try:
            client.ping()
        finally:
            client.close()
    except Exception as error:
        return f"Docker Engine does not answer: {type(error).__name__}."
    return None


def read() -> Iterable[tuple[str, str, dict[str, str], float]]:
    """Builds by status, and those that wait."""
    counts = dict(Build.objects.values_list("status").annotate(Count("pk")))
    for status in Status.values:
        yield "codeservices_builds", "Builds by status.", {"status": status}, counts.get(status, 0)
    waiting = Build.objects.filter(status=Status.IN_PROGRESS, current_phase="QUEUED").count()
    yield "codeservices_builds_queued", "Builds that wait for a worker.", {}, waiting
