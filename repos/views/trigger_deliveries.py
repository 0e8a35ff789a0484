"""One delivery of a trigger: what was sent, what came back, and once more."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from codeservices.http import ConsoleRequest, is_partial
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal
from codeservices.notifications.models import Delivery, DeliveryState, Message
from repos.models import TriggerDelivery
from repos.triggers import config as trigger_config
from repos.triggers import deliveries as trigger_deliveries
from repos.triggers import endpoints as trigger_endpoints
from repos.triggers import outcomes as trigger_outcomes
from repos.views.triggers import shown_url, target_of

# The page is brought up to date by itself as long as something happens within this time.
SOON = timedelta(minutes=1)
READ_TOPIC, READ_MESSAGES = "sns:ListSubscriptionsByTopic", "sns:Subscribe"


@dataclass(frozen=True)
class Copy:
    """A topic's message on its way to one subscriber."""

    endpoint: str
    delivery: Delivery

    @property
    def is_under_way(self) -> bool:
        return self.delivery.state in (DeliveryState.WAITING, DeliveryState.RUNNING)

    @property
    def is_soon_told(self) -> bool:
        return self.is_under_way and self.delivery.next_attempt_at < timezone.now() + SOON


@require_GET
def trigger_delivery(request: ConsoleRequest, name: str, trigger_name: str, delivery_id: str) -> HttpResponse:
    """A delivery with all that came of it; htmx asks for that part again while something is under way."""
    delivery = trigger_deliveries.delivery_of(request.principal, name, trigger_name, delivery_id)
    repository = delivery.repository
    message, may_see, copies = _message(request.principal, delivery)
    context = {
        "repository": repository,
        "tab": "triggers",
        "delivery": delivery,
        "outcome": trigger_outcomes.of([delivery])[delivery.pk],
        "target": target_of(request.principal, repository, delivery.destination_arn),
        "builds": [one for one in delivery.results if "number" in one],
        "refused": [one for one in delivery.results if "error" in one],
        "notes": [one["note"] for one in delivery.results if "note" in one],
        "message": message,
        "copies": copies,
        "may_see_answers": may_see,
        "may_see_topic": message is not None and is_allowed(request.principal, READ_TOPIC, message.topic.arn),
        "is_soon_told": (delivery.is_waiting and delivery.next_attempt_at < timezone.now() + SOON)
        or any(one.is_soon_told for one in copies),
        "payload": json.dumps(json.loads(delivery.payload), indent=2, ensure_ascii=False),
        "may_test": is_allowed(request.principal, trigger_config.FIRE, repository.arn),
    }
    template = "repos/_trigger_outcome.html" if is_partial(request) else "repos/trigger_delivery.html"
    return render(request, template, context)


@require_POST
def trigger_redeliver(request: ConsoleRequest, name: str, trigger_name: str, delivery_id: str) -> HttpResponse:
    """Send the same event once more, as a delivery of its own."""
    new = trigger_deliveries.redeliver(request.principal, name, trigger_name, delivery_id)
    messages.success(request, "Sent once more: this is the new delivery.")
    return redirect("repos:trigger_delivery", name, trigger_name, new.delivery_id)


def _message(principal: Principal, delivery: TriggerDelivery) -> tuple[Message | None, bool, list[Copy]]:
    """The topic's message that a delivery became; whether the principal may see what subscribers answered; its copies.

    An endpoint that was made for a trigger is seen in full by those who may change triggers, a topic's subscribers by
    those who may subscribe to it; all others see which servers there are and how it went.
    """
    found = Message.objects.select_related("topic")
    message = found.filter(message_id=delivery.message_id).first() if delivery.message_id else None
    if message is None:
        return None, False, []
    repository = delivery.repository
    is_own = message.topic.arn in trigger_endpoints.topics_of(repository)
    may_see = (
        is_allowed(principal, trigger_config.WRITE, repository.arn)
        if is_own
        else is_allowed(principal, READ_MESSAGES, message.topic.arn)
    )
    rows = message.deliveries.order_by("pk").select_related("subscription").prefetch_related("attempts")
    return message, may_see, [Copy(shown_url(one.subscription.endpoint, may_see), one) for one in rows]
