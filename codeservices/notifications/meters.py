"""Figures for /metrics, and an advisory line of /readyz."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count
from django.utils import timezone

from codeservices import registry
from codeservices.notifications.models import Delivery, DeliveryState, Subscription

# A sweep finds what is due every few seconds: what waits for longer has no worker.
LATE = timedelta(minutes=5)


def register() -> None:
    """Called once when the app is ready."""
    registry.register_meter(registry.Meter("notifications", _figures))
    registry.register_health_check(registry.HealthCheck("notifications", _late, is_advisory=True))


def _figures() -> Iterator[tuple[str, str, dict[str, str], float]]:
    counts = dict(Delivery.objects.values_list("state").annotate(Count("pk")).order_by())
    for state in DeliveryState:
        yield (
            "codeservices_deliveries",
            "Deliveries to subscribers that are kept, by state.",
            {"state": state.value},
            counts.get(state.value, 0),
        )
    subscriptions = dict(Subscription.objects.values_list("state").annotate(Count("pk")).order_by())
    for state, count in sorted(subscriptions.items()):
        yield "codeservices_subscriptions", "Subscriptions of topics, by state.", {"state": state}, count


def _late() -> str | None:
    late = Delivery.objects.filter(state=DeliveryState.WAITING, next_attempt_at__lt=timezone.now() - LATE).count()
    if not late:
        return None
    noun = "delivery waits" if late == 1 else "deliveries wait"
    minutes = LATE.seconds // 60
    return f"{late} {noun} for longer than {minutes} minutes: is a worker of the queue “notifications” running?"
