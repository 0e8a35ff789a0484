"""What these views share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async

from builds.models import Build, PhaseType, Status
from codeservices.audit.acts import current_act
from codeservices.errors import InvalidInput

PENDING = ""


@dataclass(frozen=True)
class PhaseRow:
    """One line of the timeline.

    Attributes:
        status: A status, or PENDING for a phase that is still to come.
        seconds: How long it took; None while it runs, and then `started_at` says since when.
        messages: What its contexts tell of a failure.
        line, last_line: The numbers, from 1, of its first and last log line; None where nobody knows.
    """

    name: str
    label: str
    status: str
    started_at: datetime | None = None
    seconds: float | None = None
    messages: tuple[str, ...] = ()
    line: int | None = None
    last_line: int | None = None

    @property
    def is_failed(self) -> bool:
        return self.status not in (PENDING, Status.SUCCEEDED, Status.IN_PROGRESS)


def phase_rows(build: Build) -> list[PhaseRow]:
    """The timeline: phases that were, the one that runs, and of a running build those to come."""
    rows = []
    phases = list(build.phases.all())
    for phase, following in zip(phases, [*phases[1:], None], strict=True):
        if phase.phase_type == PhaseType.COMPLETED:
            continue
        is_running = phase.ended_at is None
        rows.append(
            PhaseRow(
                name=phase.phase_type,
                label=PhaseType(phase.phase_type).label,
                status=Status.IN_PROGRESS if is_running and not build.is_finished else phase.status or Status.SUCCEEDED,
                started_at=phase.started_at,
                seconds=None if is_running else phase.duration_seconds,
                messages=tuple(_sentences(phase.contexts)),
                line=None if phase.first_line is None else phase.first_line + 1,
                # The line before the next phase's first is the last one here.
                last_line=None if following is None else following.first_line,
            )
        )
    if not build.is_finished:
        known = {row.name for row in rows}
        order: list[PhaseType] = [one for one in PhaseType if one != PhaseType.COMPLETED]
        last = max((order.index(PhaseType(name)) for name in known), default=-1)
        rows += [PhaseRow(one.value, one.label, PENDING) for one in order[last + 1 :]]
    return rows


def _sentences(contexts: list[dict[str, str]]) -> Iterator[str]:
    for context in contexts:
        parts = (context.get("statusCode", ""), context.get("message", "").strip())
        if any(parts):
            yield ": ".join(part for part in parts if part)


def note(**parameters: object) -> None:
    """Parameters of the act for the audit trail, in the API's names."""
    act = current_act()
    if act is not None:
        act.parameters |= {name: value for name, value in parameters.items() if value not in (None, "")}


def note_answer(answer: dict[str, Any]) -> None:
    """What the act has made, as the API would answer, for the audit trail."""
    act = current_act()
    if act is not None:
        act.response |= answer


def line_number(name: str, text: str) -> int:
    """The number of a log's line that a parameter or a header gives; raises InvalidInput for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidInput(f"{name} must be the number of a line, not “{text[:40]}”.")
    return int(text)


async def in_steps(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces that are made by blocking code, one at a time in the request's own thread: nothing is held whole."""
    step = sync_to_async(lambda: next(pieces, None))
    while (piece := await step()) is not None:
        yield piece
