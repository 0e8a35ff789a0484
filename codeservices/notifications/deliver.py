"""Deliver: claim a delivery, send it, note what came of it, and tell when it is tried again.

A delivery belongs to whoever holds its lease; it is taken by compare-and-set while its receiver's row is locked, so
that one slow server never has more than MAX_IN_FLIGHT of the workers' places. Nothing is sent within a transaction.

Source: Amazon SNS Developer Guide, "Message delivery retries": what is tried again, the limit of time.
"""

from __future__ import annotations

import logging
import random
import ssl
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

import certifi
from django.conf import settings
from django.db import transaction
from django.db.models import F, Min, Q
from django.utils import timezone

from codeservices import outbound, work
from codeservices.notifications import delivery_policy, http_post, outbox, request
from codeservices.notifications.models import (
    Attempt,
    Delivery,
    DeliveryState,
    MessageType,
    Receiver,
    Subscription,
    SubscriptionState,
)

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 15.0
# Of the eight places of a worker; five servers have to stall before others wait.
MAX_IN_FLIGHT = 2
# An attempt takes TIMEOUT_SECONDS and what the resolver takes; whoever has not come back by then is dead.
LEASE = timedelta(seconds=120)
# Delays vary by a tenth, so that what failed together does not come back together.
JITTER = 0.1
_MAX_TEXT = 500


@dataclass(frozen=True)
class Outcome:
    """What one attempt came to: an answer, or a sentence that says why there is none."""

    request: request.Request
    duration_ms: int
    answer: http_post.Answer | None = None
    error: str = ""
    address: str = ""

    @property
    def is_success(self) -> bool:
        return self.answer is not None and 200 <= self.answer.status < 300

    @property
    def is_final(self) -> bool:
        """Whether trying again would be in vain: a redirect, or an error that is the request's own."""
        return self.answer is not None and 200 <= self.answer.status < 500 and self.answer.status != 429


def deliver(delivery_pk: int) -> bool:
    """Send one delivery that is due; False where it is not, is taken, or its receiver has its share of the places."""
    delivery = claim(delivery_pk)
    if delivery is None:
        return False
    outcome = _attempt(delivery)
    _note(delivery, outcome)
    following = _following(delivery.receiver_id)
    if following is not None:
        outbox.wake(following)
    return True


def due() -> list[int]:
    """The first delivery that is due of each receiver: those behind it are woken when it has ended."""
    rows = Delivery.objects.filter(_claimable(timezone.now())).values("receiver").annotate(first=Min("pk"))
    return [row["first"] for row in rows.order_by("first")]


# ---- claim -----------------------------------------------------------------------------------------------------------


def claim(delivery_pk: int) -> Delivery | None:
    """Take a delivery's lease, or None; one that is not wanted any more is ended instead."""
    now = timezone.now()
    with transaction.atomic():
        rows = Delivery.objects.filter(_claimable(now), pk=delivery_pk)
        receiver_pk = rows.values_list("receiver", flat=True).first()
        if receiver_pk is None:
            return None
        Receiver.objects.select_for_update().get(pk=receiver_pk)
        delivery = rows.select_related("message__topic", "subscription__topic", "receiver").first()
        if delivery is None or _in_flight(receiver_pk, now) >= MAX_IN_FLIGHT:
            return None
        if unwanted := _unwanted(delivery):
            _end(delivery, DeliveryState.FAILED, unwanted)
            return None
        if (free_at := _free_at(delivery)) > now:
            rows.update(next_attempt_at=free_at)
            transaction.on_commit(
                lambda: outbox.wake(delivery_pk, after_seconds=(free_at - timezone.now()).total_seconds())
            )
            return None
        delivery.lease_owner = work.new_owner()
        rows.update(
            state=DeliveryState.RUNNING,
            lease_owner=delivery.lease_owner,
            lease_expires_at=now + LEASE,
            attempt_count=F("attempt_count") + 1,
        )
        delivery.attempt_count += 1
        Subscription.all_objects.filter(pk=delivery.subscription_id).update(last_attempt_at=now)
    return delivery


def _claimable(now: datetime) -> Q:
    waiting = Q(state=DeliveryState.WAITING, next_attempt_at__lte=now)
    return waiting | Q(state=DeliveryState.RUNNING, lease_expires_at__lte=now)


def _in_flight(receiver_pk: int, now: datetime) -> int:
    running = Delivery.objects.filter(receiver=receiver_pk, state=DeliveryState.RUNNING)
    return running.filter(lease_expires_at__gt=now).count()


def _unwanted(delivery: Delivery) -> str:
    """Why a delivery is not to be sent any more; empty where it is."""
    state, kind = delivery.subscription.state, delivery.message.message_type
    if kind == MessageType.NOTIFICATION and state != SubscriptionState.CONFIRMED:
        return "The subscription was ended before this was delivered."
    if kind == MessageType.SUBSCRIPTION_CONFIRMATION and state != SubscriptionState.PENDING:
        return "The subscription was confirmed or ended before this was delivered."
    if kind == MessageType.UNSUBSCRIBE_CONFIRMATION and state != SubscriptionState.DELETED:
        return "The subscription was restored before this was delivered."
    if delivery.attempt_count >= _policy(delivery).max_attempts:
        return "The worker that sent this last has ended in the middle; how that went is not known."
    return ""


def _free_at(delivery: Delivery) -> datetime:
    """From when on the subscription's throttle lets the next message through."""
    rate, last = _policy(delivery).max_per_second, delivery.subscription.last_attempt_at
    return last + timedelta(seconds=1 / rate) if rate and last else delivery.created_at


def _following(receiver_pk: int) -> int | None:
    rows = Delivery.objects.filter(_claimable(timezone.now()), receiver=receiver_pk)
    return rows.order_by("pk").values_list("pk", flat=True).first()


# ---- send ------------------------------------------------------------------------------------------------------------


def _attempt(delivery: Delivery) -> Outcome:
    made = request.Request({}, "", "")
    started = time.monotonic()
    try:
        made = request.of(delivery)
        outcome = _sent(delivery, made)
    except Exception as error:  # a defect of ours must not leave the delivery to its lease's end, again and again
        logger.exception("delivery %s", delivery.delivery_id)
        outcome = Outcome(made, 0, error=f"An error of this server: {type(error).__name__}. Its log has the details.")
    return replace(outcome, duration_ms=round((time.monotonic() - started) * 1000))


def _sent(delivery: Delivery, made: request.Request) -> Outcome:
    subscription = delivery.subscription
    try:
        destination = outbound.resolve(subscription.endpoint, settings.OUTBOUND_RULES, schemes=(subscription.protocol,))
    except outbound.OutboundRefused as refused:
        return Outcome(made, 0, error=f"{refused.message} {refused.hint}".strip())
    try:
        answer = http_post.post(
            destination, made.headers, made.body.encode(), timeout_seconds=TIMEOUT_SECONDS, tls=_tls()
        )
    except http_post.PostError as error:
        return Outcome(made, 0, error=str(error), address=error.address)
    return Outcome(made, 0, answer, _sentence(answer), answer.address)


def _sentence(answer: http_post.Answer) -> str:
    """What is wrong with an answer; empty where nothing is."""
    if 200 <= answer.status < 300:
        return ""
    if 300 <= answer.status < 400:
        return (
            f"The endpoint answered with a redirect ({answer.status}), and none is followed: subscribe where it leads."
        )
    return f"The endpoint answered with status {answer.status}."


def _tls() -> ssl.SSLContext:
    return _context(settings.OUTBOUND_CA_BUNDLE)


@lru_cache(maxsize=2)
def _context(ca_file: str) -> ssl.SSLContext:
    """Trusts what the machine trusts, and certifi's list unless an administrator has named a bundle."""
    context = ssl.create_default_context(cafile=ca_file or None)
    if not ca_file:
        context.load_verify_locations(certifi.where())
    return context


# ---- note ------------------------------------------------------------------------------------------------------------


def _note(delivery: Delivery, outcome: Outcome) -> None:
    """Write the attempt down, and end the delivery or say when it is tried again."""
    with transaction.atomic():
        held = Delivery.objects.select_for_update().filter(
            pk=delivery.pk, state=DeliveryState.RUNNING, lease_owner=delivery.lease_owner
        )
        if held.first() is None:
            logger.warning("delivery %s was taken from this worker", delivery.delivery_id)
            return
        answer = outcome.answer
        Attempt.objects.create(
            delivery=delivery,
            number=delivery.attempt_count,
            started_at=timezone.now() - timedelta(milliseconds=outcome.duration_ms),
            duration_ms=outcome.duration_ms,
            address=outcome.address,
            request_headers=outcome.request.headers,
            response_status=answer.status if answer else None,
            response_headers=_kept_headers(answer.headers) if answer else {},
            response_body=_text(answer.body) if answer else "",
            error=outcome.error[:_MAX_TEXT],
        )
        delivery.request_body = outcome.request.shown_body
        delivery.last_status = answer.status if answer else None
        delays = _policy(delivery).delays()
        if outcome.is_success:
            _end(delivery, DeliveryState.SUCCEEDED, "")
        elif outcome.is_final or delivery.attempt_count > len(delays):
            _end(delivery, DeliveryState.FAILED, outcome.error)
        else:
            _again(delivery, delays[delivery.attempt_count - 1], outcome.error)


def _again(delivery: Delivery, delay_seconds: float, error: str) -> None:
    delay = delay_seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  nothing secret hangs on it
    delivery.next_attempt_at = timezone.now() + timedelta(seconds=delay)
    delivery.state, delivery.last_error = DeliveryState.WAITING, error[:_MAX_TEXT]
    _release(delivery)
    transaction.on_commit(lambda: outbox.wake(delivery.pk, after_seconds=delay))


def _end(delivery: Delivery, state: DeliveryState, error: str) -> None:
    delivery.state, delivery.last_error, delivery.finished_at = state, error[:_MAX_TEXT], timezone.now()
    _release(delivery)


def _release(delivery: Delivery) -> None:
    delivery.lease_owner, delivery.lease_expires_at = "", None
    delivery.save(
        update_fields=[
            "state",
            "last_error",
            "finished_at",
            "next_attempt_at",
            "lease_owner",
            "lease_expires_at",
            "request_body",
            "last_status",
        ]
    )


def _policy(delivery: Delivery) -> delivery_policy.DeliveryPolicy:
    return delivery_policy.effective(delivery.subscription.topic.delivery_policy, delivery.subscription.delivery_policy)


def _kept_headers(headers: dict[str, str]) -> dict[str, str]:
    return {_text(name.encode("latin-1")): _text(value.encode("latin-1")) for name, value in headers.items()}


def _text(data: bytes) -> str:
    """What a server sent as text that every database keeps."""
    return data.decode("utf-8", "replace").replace("\0", "�")
