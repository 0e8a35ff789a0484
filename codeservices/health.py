"""/healthz: the process lives. /readyz: what it needs is there. /metrics: figures for Prometheus."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from codeservices import registry
from codeservices.celery import QUEUES, app
from codeservices.registry import HealthCheck

# Below this share of free space on the file system of var/, pushes and builds are about to fail.
MINIMUM_FREE_SHARE = 0.02


@login_not_required
@require_GET
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_GET
def readyz(request: HttpRequest) -> JsonResponse:
    """Each part with null or the sentence that says what is wrong; 503 when a needed one is down."""
    parts: dict[str, str | None] = {}
    is_ready = True
    for one in registry.health_checks:
        parts[one.name] = one.check()
        is_ready = is_ready and (parts[one.name] is None or one.is_advisory)
    body = {"status": "ready" if is_ready else "not ready", "parts": parts}
    return JsonResponse(body, status=200 if is_ready else 503)


@login_not_required
@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text format 0.0.4."""
    lines: list[str] = []
    told: set[str] = set()
    for meter in registry.meters:
        for name, help_text, labels, value in meter.read():
            if name not in told:
                told.add(name)
                lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"]
            inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            lines.append(f"{name}{{{inside}}} {value:g}" if inside else f"{name} {value:g}")
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")


def register() -> None:
    """Add the checks that every installation has; apps add their own in ready()."""
    registry.register_health_check(HealthCheck("database", check_database))
    registry.register_health_check(HealthCheck("redis", check_redis))
    registry.register_health_check(HealthCheck("workers", check_workers))
    registry.register_health_check(HealthCheck("disk", check_disk))
    registry.register_meter(registry.Meter("disk", read_disk))


def check_database() -> str | None:
    """None, or that the database takes no statement."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:  # whatever kind: DatabaseError, InterfaceError
        return f"The database does not answer: {type(error).__name__}."
    return None


def check_redis() -> str | None:
    """None, or that Redis does not answer within two seconds."""
    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2).ping()
    except redis.RedisError as error:
        return f"Redis does not answer: {type(error).__name__}."
    return None


def check_workers() -> str | None:
    """None, or which queues no Celery worker takes."""
    try:
        with app.connection_for_write(connect_timeout=2) as broker:
            answers = app.control.inspect(timeout=1.0, connection=broker).active_queues() or {}
    except Exception as error:  # kombu lets through whatever the broker's own library raises
        return f"The broker does not answer: {type(error).__name__}."
    if not answers:
        return "No Celery worker answers."
    served = {queue["name"] for queues in answers.values() for queue in queues}
    missing = [queue for queue in QUEUES if queue not in served]
    if missing:
        return f"No Celery worker takes the queue {' and '.join(missing)}."
    return None


def check_disk() -> str | None:
    """None, or how little room is left under var/."""
    usage = shutil.disk_usage(settings.VAR)
    if usage.free < usage.total * MINIMUM_FREE_SHARE:
        return f"Only {usage.free // 1024**2} MiB are free under {settings.VAR}."
    return None


def read_disk() -> Iterable[tuple[str, str, dict[str, str], float]]:
    """Free and total bytes of var/, for /metrics."""
    usage = shutil.disk_usage(settings.VAR)
    yield "codeservices_disk_free_bytes", "Free bytes on the file system of var/.", {}, usage.free
    yield "codeservices_disk_total_bytes", "Size of the file system of var/.", {}, usage.total


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
