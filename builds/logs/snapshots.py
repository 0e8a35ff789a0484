"""What the database says of watched builds: one look for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Prefetch
from django.utils import timezone

from builds.logs.access import stored_lines
from builds.models import Build, Phase

# A finished build whose log is not sealed ends its viewers' streams after this: its worker died, and the rest is gone.
SEAL_SECONDS = 60

RenderStatus = Callable[[Build], bytes]


@dataclass(frozen=True)
class Snapshot:
    """One build as it is now.

    Attributes:
        state: Differs where there is something new to show.
        data: What was rendered of it; empty where `state` is the known one.
        is_over: Whether it has ended and no more lines will come.
        line_count: Of the whole log where it is complete, else of what is stored.
    """

    state: Any
    data: bytes
    is_over: bool
    is_log_complete: bool
    line_count: int


def snapshots(known: Mapping[int, Any], render: RenderStatus) -> dict[int, Snapshot]:
    """A snapshot of each build that exists.

    Args:
        known: The builds' primary keys, each with the state that was seen last.
        render: Makes what is told of a build that has changed.
    """
    phases = Prefetch("phases", Phase.objects.order_by("pk"))
    builds = Build.objects.filter(pk__in=list(known)).prefetch_related(phases, "artifacts")
    stored = stored_lines(known)
    given_up = timezone.now() - timedelta(seconds=SEAL_SECONDS)
    found: dict[int, Snapshot] = {}
    for build in builds:
        state = _state(build)
        is_sealed = build.is_log_complete or (build.ended_at is not None and build.ended_at < given_up)
        found[build.pk] = Snapshot(
            state=state,
            data=render(build) if state != known[build.pk] else b"",
            is_over=build.is_finished and is_sealed,
            is_log_complete=build.is_log_complete,
            line_count=build.log_line_count if build.is_log_complete else stored.get(build.pk, 0),
        )
    return found


def _state(build: Build) -> Any:
    return (
        build.status,
        build.current_phase,
        build.ended_at,
        build.stop_requested_at,
        build.resolved_source_oid,
        tuple((one.pk, one.status, one.ended_at) for one in build.phases.all()),
        tuple(one.pk for one in build.artifacts.all()),
    )
