"""How deliveries went in one word each, down to the last subscriber: a published message has not arrived yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Q

from codeservices.notifications.models import DeliveryState, Message
from repos.models import TriggerDelivery, TriggerDeliveryState

_ENDED = (DeliveryState.SUCCEEDED, DeliveryState.FAILED)


@dataclass(frozen=True)
class Outcome:
    """A status as status_badge draws it, its word, and a sentence that may be empty."""

    status: str
    word: str
    sentence: str = ""


def of(deliveries: Iterable[TriggerDelivery]) -> dict[int, Outcome]:
    """The outcome of each delivery by its key, with one query for all their messages."""
    rows = list(deliveries)
    ids = {message_id for row in rows if (message_id := row.message_id)}
    messages = {str(one.message_id): one for one in _counted(ids)} if ids else {}
    return {row.pk: _outcome(row, messages.get(row.message_id)) for row in rows}


def _counted(ids: Iterable[str]) -> Iterable[Message]:
    return Message.objects.filter(message_id__in=ids).annotate(
        copies=Count("deliveries"),
        failed=Count("deliveries", filter=Q(deliveries__state=DeliveryState.FAILED)),
        under_way=Count("deliveries", filter=~Q(deliveries__state__in=_ENDED)),
    )


def _outcome(row: TriggerDelivery, message: Message | None) -> Outcome:
    if row.state != TriggerDeliveryState.SUCCEEDED or message is None:
        return Outcome(row.state, row.get_state_display(), row.error)
    copies, failed, under_way = message.copies, message.failed, message.under_way  # type: ignore[attr-defined]
    if failed:
        sentence = f"{failed} of {copies} subscribers could not be reached." if copies > 1 else ""
        return Outcome(TriggerDeliveryState.FAILED, "Failed", sentence or "The subscriber could not be reached.")
    if under_way:
        return Outcome(TriggerDeliveryState.WAITING, "Waiting", "Published, and on its way to the subscribers.")
    if not copies:
        return Outcome("INACTIVE", "Nobody told", "Published, but nobody had confirmed a subscription.")
    return Outcome(TriggerDeliveryState.SUCCEEDED, row.get_state_display())
