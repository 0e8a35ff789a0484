"""What /readyz, the dashboard and /metrics say of repositories: whether they are whole, and whether upkeep gets on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from codeservices import registry
from repos.models import Repository, Upkeep

# A job that fails once is tried again; one that goes on failing wants a person.
MAX_FAILURES = 3
OVERDUE = timedelta(hours=12)


def register() -> None:
    """Called once when the app is ready."""
    registry.register_health_check(registry.HealthCheck("repositories", check, is_advisory=True, has_notices=True))
    registry.register_meter(registry.Meter("repositories", read))


def check() -> str | None:
    """One sentence for administrators. It names no repository, since /readyz is open to everybody."""
    damaged = _rows().exclude(fsck_findings=[]).count()
    failing = _rows().filter(failure_count__gte=MAX_FAILURES).count()
    overdue = _overdue().count()
    told = []
    if damaged:
        told.append(f"Git's check found faults in {_repositories(damaged)}.")
    if failing:
        told.append(f"Upkeep of {_repositories(failing)} keeps failing.")
    if overdue:
        told.append(f"Upkeep of {_repositories(overdue)} is more than 12 hours late.")
    return " ".join([*told, "Look at Repositories → Upkeep (/upkeep/)."]) if told else None


def troubled() -> Iterator[tuple[Repository, str, str]]:
    """(repository, what is wrong with it, a sentence more) of those that want a person, damaged ones first."""
    rows = _rows().select_related("repository").order_by("repository__name")
    damaged = rows.exclude(fsck_findings=[])
    for row in damaged:
        yield row.repository, "is damaged", f"The first line of what git's check found: {row.fsck_findings[0]}"
    sound = rows.filter(fsck_findings=[])
    for row in sound.filter(failure_count__gte=MAX_FAILURES):
        yield row.repository, "is not kept up", f"Its upkeep failed {row.failure_count} times in a row."
    for row in sound.filter(failure_count__lt=MAX_FAILURES, pk__in=_overdue()):
        yield row.repository, "waits for its upkeep", "It is more than 12 hours late."


def read() -> Iterable[tuple[str, str, dict[str, str], float]]:
    """Figures of upkeep."""
    damaged = _rows().exclude(fsck_findings=[]).count()
    yield "codeservices_repository_fsck_failures", "Repositories whose last check found faults.", {}, damaged
    failing = _rows().filter(failure_count__gt=0).count()
    yield "codeservices_repository_upkeep_failures", "Repositories whose last upkeep failed.", {}, failing
    due = _rows().filter(due_at__lte=timezone.now()).count()
    yield "codeservices_repository_upkeep_due", "Repositories that wait for upkeep or have it.", {}, due


def _rows() -> QuerySet[Upkeep]:
    return Upkeep.objects.filter(repository__deleted_at=None)


def _overdue() -> QuerySet[Upkeep]:
    return _rows().filter(due_at__lt=timezone.now() - OVERDUE)


def _repositories(count: int) -> str:
    return f"{count} {'repository' if count == 1 else 'repositories'}"
