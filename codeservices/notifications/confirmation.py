"""The handshake with an endpoint: it is asked, confirms with the token it got, and is told when it is unsubscribed.

Source: Amazon SNS API Reference, ConfirmSubscription and Unsubscribe; Developer Guide, "HTTP/HTTPS subscription
confirmation JSON format" and "HTTP/HTTPS unsubscribe confirmation JSON format".
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from codeservices.errors import AccessDenied, Conflict
from codeservices.iam import secrets
from codeservices.iam.principal import Principal
from codeservices.notifications import outbox
from codeservices.notifications.access import find_subscription, split, topic_for, topic_name
from codeservices.notifications.message_attributes import INVALID, invalid
from codeservices.notifications.models import Message, MessageType, Subscription, SubscriptionState, Topic

TOKEN_LIFE = timedelta(days=3)


def ask(subscription: Subscription) -> Message:
    """Send a confirmation with a new token to a pending endpoint; the tokens before it are worth nothing any more."""
    text = (
        f"You have chosen to subscribe to the topic {subscription.topic.arn}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message."
    )
    return _tell(subscription, MessageType.SUBSCRIPTION_CONFIRMATION, text)


def confirm(
    principal: Principal, topic_arn: str, token: str, *, needs_principal_to_unsubscribe: bool = False
) -> Subscription:
    """Confirm in the name of a principal, who may do sns:ConfirmSubscription on the topic.

    Args:
        needs_principal_to_unsubscribe: AuthenticateOnUnsubscribe: the URL that messages carry does not unsubscribe.

    Raises:
        InvalidInput: No subscription of the topic waits for this token, or it has expired.
    """
    topic = topic_for(principal, "sns:ConfirmSubscription", topic_arn)
    return _confirm(topic, token, by_principal=True, needs_principal_to_unsubscribe=needs_principal_to_unsubscribe)


def confirm_by_url(topic_arn: str, token: str) -> Subscription:
    """Confirm as the endpoint does that visits its SubscribeURL: the token is all that it has to know."""
    topic = Topic.objects.filter(name=topic_name(topic_arn)).first()
    if topic is None:
        raise _wrong_token()
    return _confirm(topic, token, by_principal=False)


def unsubscribe_by_url(subscription_arn: str) -> None:
    """Unsubscribe as the endpoint does that visits the UnsubscribeURL of a message: the ARN is all that it has to know.

    Raises:
        AccessDenied: The subscription was confirmed so that this needs a principal.
    """
    found = find_subscription(*split(subscription_arn))
    if found is None:
        return
    if found.needs_principal_to_unsubscribe:
        raise AccessDenied("anonymous", "sns:Unsubscribe", found.topic.arn)
    end(found, may_return=True)


def end(subscription: Subscription, *, may_return: bool) -> None:
    """Delete a subscription, and tell an endpoint that had confirmed.

    Args:
        may_return: Whether the endpoint can take that back by the link in its message: it may where somebody who had
            its own link ended it. What a principal has ended stays so, or nobody could be sent away.
    """
    with transaction.atomic():
        was_confirmed = subscription.state == SubscriptionState.CONFIRMED
        ended = Subscription.objects.filter(pk=subscription.pk).update(
            state=SubscriptionState.DELETED, deleted_at=timezone.now(), token_hash=""
        )
        if not ended:
            return
        Topic.objects.filter(pk=subscription.topic_id).update(deleted_subscriptions=F("deleted_subscriptions") + 1)
        if was_confirmed:
            way_back = (
                "To cancel this operation and restore the subscription, visit the SubscribeURL included in this "
                "message."
                if may_return
                else "It was ended by an owner of the topic, whom you may ask to subscribe you anew; the SubscribeURL "
                "included in this message does not restore it."
            )
            text = f"You have chosen to deactivate subscription {subscription.arn}.\n{way_back}"
            _tell(subscription, MessageType.UNSUBSCRIBE_CONFIRMATION, text, accepts_token=may_return)


def end_expired() -> int:
    """End the subscriptions whose endpoints have not confirmed in time; how many."""
    expired = Subscription.objects.filter(state=SubscriptionState.PENDING, token_expires_at__lt=timezone.now())
    found = list(expired.select_related("topic"))
    for one in found:
        end(one, may_return=False)
    return len(found)


def _tell(subscription: Subscription, message_type: MessageType, text: str, *, accepts_token: bool = True) -> Message:
    token = secrets.new_session_token()
    subscription.token_hash = secrets.keyed_hash(token) if accepts_token else ""
    subscription.token_expires_at = timezone.now() + TOKEN_LIFE
    Subscription.all_objects.filter(pk=subscription.pk).update(
        token_hash=subscription.token_hash, token_expires_at=subscription.token_expires_at
    )
    message = Message.objects.create(
        topic=subscription.topic,
        message_type=message_type,
        bodies={"default": text},
        sealed_token=secrets.seal(token),
        published_by=subscription.owner_arn,
    )
    outbox.add(message, [subscription])
    return message


def _confirm(
    topic: Topic, token: str, *, by_principal: bool, needs_principal_to_unsubscribe: bool = False
) -> Subscription:
    rows = Subscription.all_objects.select_related("topic")
    found = rows.filter(topic=topic, token_hash=secrets.keyed_hash(token)).first()
    if found is None or not secrets.matches(token, found.token_hash):
        raise _wrong_token()
    if found.token_expires_at is None or found.token_expires_at < timezone.now():
        raise invalid("Token", "It has expired: subscribe again for a new one.")
    if found.state == SubscriptionState.CONFIRMED:
        return found
    with transaction.atomic():
        Topic.objects.select_for_update().get(pk=topic.pk)
        others = Subscription.objects.filter(topic=topic, protocol=found.protocol, endpoint=found.endpoint)
        if others.exclude(pk=found.pk).exists():
            raise Conflict(
                f"{found.endpoint} was subscribed anew meanwhile: confirm that subscription.", code=INVALID, status=400
            )
        found.state, found.confirmed_at, found.deleted_at = SubscriptionState.CONFIRMED, timezone.now(), None
        found.was_confirmed_by_principal = by_principal
        found.needs_principal_to_unsubscribe = by_principal and needs_principal_to_unsubscribe
        found.save(
            update_fields=[
                "state",
                "confirmed_at",
                "deleted_at",
                "was_confirmed_by_principal",
                "needs_principal_to_unsubscribe",
            ]
        )
    return found


def _wrong_token() -> Exception:
    return invalid("Token", "No subscription of this topic waits for it.")
