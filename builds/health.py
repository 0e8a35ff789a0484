"""Whether builds can run and are closed off: lines "docker", "build disk" and "build network"; figures for /metrics."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count
from django.utils import timezone

from builds import host, isolation
from builds.models import Build, Status
from codeservices import registry


def register() -> None:
    """Called once when the app is ready."""
    registry.register_health_check(registry.HealthCheck("docker", check_engine))
    registry.register_health_check(registry.HealthCheck("build disk", check_disk))
    registry.register_health_check(registry.HealthCheck("build network", isolation.network_problem, is_advisory=True))
    registry.register_meter(registry.Meter("builds", read))


def check_engine() -> str | None:
    """None when the engine answers within two seconds."""
    return host.engine_refusal() or None


def check_disk() -> str | None:
    """None while builds may start; else why they wait."""
    return host.disk_refusal() or None


def read() -> Iterable[tuple[str, str, dict[str, str], float]]:
    """Builds by status, and those that wait."""
    counts = dict(Build.objects.values_list("status").annotate(Count("pk")))
    for status in Status.values:
        yield "codeservices_builds", "Builds by status.", {"status": status}, counts.get(status, 0)
    waiting = Build.objects.filter(status=Status.IN_PROGRESS, lease_owner="")
    yield "codeservices_builds_queued", "Builds that wait for a worker.", {}, waiting.count()
    oldest = waiting.order_by("pk").values_list("started_at", flat=True).first()
    seconds = (timezone.now() - oldest).total_seconds() if oldest else 0
    yield "codeservices_builds_queue_seconds", "How long the oldest of them has waited.", {}, max(0, seconds)
