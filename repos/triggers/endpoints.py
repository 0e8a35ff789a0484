"""A trigger that tells an HTTPS endpoint: a topic with one subscription is made for it, and goes with it.

The topic is managed (codeservices/notifications): nobody changes it but through the trigger. It belongs to the
repository rather than to a trigger's row, since the API replaces all triggers at each change; whichever topic of the
repository none of its triggers tells any more is removed.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.signals import post_delete

from codeservices import outbound
from codeservices.errors import NotFound
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from codeservices.notifications import subscriptions, topics
from codeservices.notifications.access import arn_of
from codeservices.notifications.models import Subscription, Topic
from repos.models import Repository
from repos.triggers.destinations import INVALID_ARN

SCHEME = "https"
# As CodeCommit's console begins the names of topics that it makes: AWS's policies for CodeCommit allow these.
NAME_PREFIX = "codecommit-"
PENDING, CONFIRMED, ENDED = "pending", "confirmed", "ended"


@dataclass(frozen=True)
class Endpoint:
    """Where a trigger's events are posted, and whether they are: once it is CONFIRMED.

    It is PENDING for three days after it was asked, and ENDED when it has not confirmed by then, or has unsubscribed.
    """

    url: str
    state: str


def connect() -> None:
    """Called once when the app is ready: the topics go when the repository's row does, however that comes about."""
    post_delete.connect(_remove_all, sender=Repository, dispatch_uid="repos.triggers.endpoints")


def check_url(url: str) -> None:
    """Raises InvalidInput where this server does not deliver: another scheme, a private address, a password in it."""
    try:
        outbound.resolve(url, settings.OUTBOUND_RULES, schemes=(SCHEME,))
    except outbound.OutboundRefused as error:
        raise outbound.OutboundRefused(error.message, code=INVALID_ARN, hint=error.hint) from None


def make(principal: Principal, repository: Repository, trigger_name: str, url: str) -> str:
    """A topic with a subscription of that URL, which is asked to confirm; the topic's ARN.

    Raises:
        AccessDenied: Of sns:CreateTopic or sns:Subscribe on the topic.
        InvalidInput: The URL breaks a rule.
    """
    readable = re.sub(r"[^A-Za-z0-9_-]", "-", f"{repository.name}-{trigger_name}")
    name = f"{NAME_PREFIX}{readable}-{secrets.token_hex(4)}"
    authorize(principal, "sns:CreateTopic", arn_of(name))
    authorize(principal, "sns:Subscribe", arn_of(name), {"sns:Protocol": SCHEME, "sns:Endpoint": url})
    with transaction.atomic():
        topic = topics.create_managed_topic(
            f"{_owner(repository)}trigger {trigger_name}", name, created_by=principal.arn
        )
        subscriptions.subscribe_as_service(topic, SCHEME, url, owner_arn=principal.arn)
    return topic.arn


def endpoint_of(repository: Repository, topic_arn: str) -> Endpoint | None:
    """The endpoint that a trigger of this repository tells through that topic; None of any other topic."""
    trigger = repository.triggers.filter(destination_arn=topic_arn).exclude(endpoint_url="").first()
    if trigger is None:
        return None
    subscription = _subscription(topic_arn)
    if subscription is None:
        return Endpoint(trigger.endpoint_url, ENDED)
    return Endpoint(trigger.endpoint_url, PENDING if subscription.is_pending else CONFIRMED)


def topics_of(repository: Repository) -> set[str]:
    """The ARNs of the topics that were made for this repository's triggers."""
    return {topic.arn for topic in _topics(repository)}


def ask_again(principal: Principal, repository: Repository, topic_arn: str) -> None:
    """Ask an endpoint once more to confirm, which has not or has unsubscribed; raises NotFound where there is none."""
    endpoint = endpoint_of(repository, topic_arn)
    topic = _topics(repository).filter(name=_name(topic_arn)).first()
    if endpoint is None or endpoint.state == CONFIRMED or topic is None:
        raise NotFound("No endpoint of this trigger waits to be confirmed.")
    subscriptions.subscribe_as_service(topic, SCHEME, endpoint.url, owner_arn=principal.arn)


def remove_unused(repository: Repository) -> None:
    """Remove the topics of endpoints that no trigger of the repository tells any more."""
    used = set(repository.triggers.values_list("destination_arn", flat=True))
    for topic in _topics(repository):
        if topic.arn not in used:
            topic.delete()


def _subscription(topic_arn: str) -> Subscription | None:
    return Subscription.objects.filter(topic__name=_name(topic_arn)).first()


def _name(topic_arn: str) -> str:
    return topic_arn.rpartition(":")[2]


def _topics(repository: Repository) -> QuerySet[Topic]:
    return Topic.objects.filter(managed_by__startswith=_owner(repository))


def _owner(repository: Repository) -> str:
    return f"repository {repository.repository_id} "


def _remove_all(sender: object, *, instance: Repository, **_: Any) -> None:
    _topics(instance).delete()
