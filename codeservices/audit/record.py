"""The one way an event is written: an edge opens an act, services name it by what they authorize, its end records it.

    with act(principal, info) as current:
        ...                        # authorize() notes action and resource on the act
        current.parameters["repositoryName"] = name

A list filtered by policy is one act, not one a row: only the first `authorize` names it, unless a later one is denied.
A change is written down before it happens, when the first action that changes something is allowed, and again when the
act has ended; the two are one event (writer.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils import timezone

from codeservices.audit import drain, members, spool, writer
from codeservices.audit.acts import Act, RequestInfo, entered
from codeservices.audit.models import OpenAct, Outcome
from codeservices.errors import ServiceError
from codeservices.iam.principal import Principal


@contextmanager
def act(
    principal: Principal,
    info: RequestInfo,
    *,
    event_name: str = "",
    event_source: str = "",
    event_type: str = "AwsApiCall",
) -> Iterator[Act]:
    """Open an act at an edge; when the block ends or raises, exactly one event is written.

    An act in which nothing was authorized and that has no name (a static page) leaves no event.
    """
    current = Act(principal, info, event_name=event_name, event_source=event_source, event_type=event_type)
    try:
        with entered(current):
            yield current
    finally:
        record(current)


def begin(current: Act, *, is_deferred: bool = False) -> None:
    """Write down that an act is about to change something, unless that is done or it only reads.

    Args:
        is_deferred: Where this process dies, `settle` tells how the act ended.

    Raises:
        AuditUnavailable: That can't be written, so nothing may be changed.
    """
    if current.is_begun or current.reads_only or current.is_deferred is not is_deferred:
        return
    writer.begin(members.of_act(current, event_id=current.event_id, at=timezone.now()), is_deferred=is_deferred)
    current.is_begun = True


def record(ended: Act) -> None:
    """Write the event of an act that has ended, once; one without a name leaves none."""
    if not (ended.event_name or ended.action) or ended.is_only_a_form:
        if ended.is_begun:
            writer.drop(str(ended.event_id))
        return
    writer.end(members.of_act(ended, event_id=ended.event_id, at=timezone.now()))


def left_open() -> list[uuid.UUID]:
    """The ids of deferred acts whose process has died, for whoever knows how they ended to `settle`."""
    drain.drain()
    living = spool.living_tokens(drain.spool_root())
    return list(OpenAct.objects.filter(is_deferred=True).exclude(token__in=living).values_list("event_id", flat=True))


def settle(event_id: uuid.UUID, *, error: ServiceError | None, additional: dict[str, Any]) -> bool:
    """Tell how a deferred act ended whose process died; whether it was still open.

    Args:
        event_id: The act's.
        error: Why it failed, or None where it succeeded.
        additional: More members of additionalEventData.
    """
    drain.drain()
    left = OpenAct.objects.filter(event_id=event_id).first()
    if left is None:
        return False
    ended = left.members | {
        "outcome": Outcome.FAILED if error else Outcome.SUCCESS,
        "error_code": error.code if error else "",
        "error_message": error.message if error else "",
        "additional_event_data": (left.members["additional_event_data"] or {}) | additional,
    }
    writer.end(ended)
    return True
