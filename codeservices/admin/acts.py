"""Acts of the admin panel: one request may change many rows, and each change is an event of its own in the audit trail.

with row_act(request, admin):             # one row of a bulk action
    users.set_active(request.principal, name, False)

with together():                          # a form: all that it changes, or nothing
    with row_act(request, admin): ...
    with row_act(request, admin): ...
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from codeservices.audit.acts import Act, entered
from codeservices.audit.record import record

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    from codeservices.http import ConsoleRequest

_UNDONE = "Undone, as another change of the same form was refused. "

_pending: ContextVar[list[Act] | None] = ContextVar("pending_acts", default=None)


@contextmanager
def row_act(request: ConsoleRequest, admin: ModelAdmin[Any], **parameters: Any) -> Iterator[Act]:
    """One change of one row, recorded apart from the request's own act and with its own outcome.

    Args:
        parameters: What the event tells as requestParameters; never secrets.
    """
    current = Act(
        request.principal, request.info, parameters=parameters, additional={"adminPanel": admin.opts.label_lower}
    )
    try:
        with entered(current):
            yield current
    finally:
        pending = _pending.get()
        if pending is None:
            record(current)
        else:
            pending.append(current)


@contextmanager
def together() -> Iterator[None]:
    """Around a transaction in which several changes stand or fall together.

    Their events are written when it has ended, so that none of them claims what was undone.
    """
    pending: list[Act] = []
    token = _pending.set(pending)
    try:
        yield
    except BaseException as error:
        for each in pending:
            if not each.error_code:
                each.fail(error)
                each.is_denied, each.error_message = False, f"{_UNDONE}{each.error_message}"
        raise
    finally:
        _pending.reset(token)
        for each in pending:
            record(each)
