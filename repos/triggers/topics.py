"""Triggers that tell a topic, and those that name a function, for which functions have to come first."""

from __future__ import annotations

import re

from django.conf import settings
from django.db import transaction

from codeservices.errors import NotFound, ServiceError
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal
from codeservices.notifications.models import Topic
from codeservices.notifications.publish import publish_as_service
from repos.models import TriggerDelivery
from repos.triggers import deliveries, destinations, events
from repos.triggers.destinations import Choice, Destination

PUBLISH = "sns:Publish"


def register() -> None:
    """Called once when the app is ready."""
    destinations.register(
        Destination(
            service="sns",
            title="standard SNS topic",
            resource=re.compile(r"([A-Za-z0-9_-]{1,256})"),
            example="NAME",
            right=PUBLISH,
            deliver=publish,
            choices=choices,
        )
    )
    destinations.register(
        Destination(
            service="lambda",
            title="Lambda function",
            resource=re.compile(r"function:([A-Za-z0-9_-]{1,140}(?::[A-Za-z0-9$_-]{1,128})?)"),
            example="function:NAME",
            right="lambda:InvokeFunction",
            deliver=call_function,
        )
    )


def choices(principal: Principal) -> list[Choice]:
    """The topics that a principal may publish to, by name; none of those that were made for other endpoints."""
    topics = Topic.objects.filter(managed_by="")
    return [Choice(one.arn, one.name) for one in topics if is_allowed(principal, PUBLISH, one.arn)]


def publish(delivery: TriggerDelivery) -> None:
    """Publish the event as one message, once; the message and the note of it are one transaction."""
    if delivery.results:
        return  # the worker that published it died before it could say so
    name = delivery.destination_arn.rpartition(":")[2]
    topic = Topic.objects.filter(name=name).first()
    if topic is None:
        raise NotFound(f"There is no topic called {name}.")
    with transaction.atomic():
        message = publish_as_service(
            topic,
            delivery.payload,
            subject=events.subject(settings.REGION, delivery.repository.name),
            published_by=delivery.repository.arn,
        )
        deliveries.note(delivery, message_id=str(message.message_id))


def call_function(delivery: TriggerDelivery) -> None:
    """Always refused: the trigger is kept for the day when there are functions."""
    raise ServiceError(
        f"This server has no functions yet, so {delivery.destination_arn} was not called.",
        hint="The trigger is kept for the day when there are.",
    )
