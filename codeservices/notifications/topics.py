"""Topics: make, read, change, delete. Console, API and triggers share these functions.

Source: Amazon SNS API Reference, CreateTopic, GetTopicAttributes, SetTopicAttributes, DeleteTopic, ListTopics.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet

from codeservices.errors import InvalidInput, LimitExceeded
from codeservices.iam import rules
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from codeservices.notifications import delivery_policy, topic_tags
from codeservices.notifications.access import TOPIC_NAME, arn_of, topic_for, topic_name
from codeservices.notifications.message_attributes import INVALID, invalid
from codeservices.notifications.models import SubscriptionState, Topic

MAX_TOPICS = 10_000
MAX_DISPLAY_NAME_CHARACTERS = 100
# Amazon SNS: a topic's policy has at most 30 KB.
MAX_POLICY_BYTES = 30 * 1024
# Attributes by the field that holds them.
_FIELDS = {
    "DisplayName": "display_name",
    "Policy": "policy",
    "DeliveryPolicy": "delivery_policy",
    "SignatureVersion": "signature_version",
}
# Attributes of Amazon SNS that have one value here, each with why no other can be set.
_FIXED = {
    "TracingConfig": ("PassThrough", "Tracing is not available on this server."),
    "KmsMasterKeyId": ("", "Topics are not encrypted with keys of their own on this server."),
    "ContentBasedDeduplication": ("false", "FIFO topics are not available on this server."),
    "FifoTopic": ("false", "FIFO topics are not available on this server."),
    "FifoThroughputScope": ("", "FIFO topics are not available on this server."),
    "ArchivePolicy": ("", "Topics keep no archive on this server."),
}
_ACTIONS_OF_OWNER = (
    "SNS:GetTopicAttributes",
    "SNS:SetTopicAttributes",
    "SNS:AddPermission",
    "SNS:RemovePermission",
    "SNS:DeleteTopic",
    "SNS:Subscribe",
    "SNS:ListSubscriptionsByTopic",
    "SNS:Publish",
)


def create_topic(
    principal: Principal,
    name: str,
    attributes: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Topic:
    """The topic of that name, made unless it is there with the same attributes and tags.

    Args:
        attributes: Of SetTopicAttributes, by their names.

    Raises:
        AccessDenied: Of sns:CreateTopic, or with tags sns:TagResource.
        InvalidInput: A value breaks a rule, or a topic of that name has others.
        LimitExceeded: There are MAX_TOPICS already, or too many tags.
    """
    attributes, tags = dict(attributes or {}), dict(tags or {})
    context = rules.tag_context(tags) if tags else None
    authorize(principal, "sns:CreateTopic", arn_of(name), context)
    if tags:
        authorize(principal, "sns:TagResource", arn_of(name), context)
    topic = _new(name, attributes, tags, principal.arn)
    with transaction.atomic():
        rules.lock_account()
        found = Topic.objects.filter(name=name).first()
        if found is None:
            _insert(topic)
            return topic
    _check_same(found, topic, attributes, tags)
    return found


def create_managed_topic(
    managed_by: str, name: str, *, created_by: str, attributes: Mapping[str, str] | None = None
) -> Topic:
    """A topic that belongs to something else, which removes it; the caller has authorized that.

    Args:
        managed_by: What it belongs to: "repository ID trigger NAME".
        created_by: The principal's ARN.

    Raises:
        InvalidInput: The name or an attribute breaks a rule, or the name is taken.
    """
    topic = _new(name, dict(attributes or {}), {}, created_by)
    topic.managed_by = managed_by
    try:
        with transaction.atomic():
            _insert(topic)
    except IntegrityError:
        raise invalid(f"Topic already exists: there is a topic called {name}.") from None
    return topic


def list_topics(principal: Principal, *, include_managed: bool = False) -> QuerySet[Topic]:
    """Every topic by name, for those who may list; managed ones where they are asked for."""
    authorize(principal, "sns:ListTopics", "*")
    return Topic.objects.all() if include_managed else Topic.objects.filter(managed_by="")


def set_topic_attribute(principal: Principal, topic_arn: str, name: str, value: str) -> Topic:
    """Change one attribute; an empty value puts the default back."""
    return set_topic_attributes(principal, topic_arn, {name: value})


def set_topic_attributes(principal: Principal, topic_arn: str, attributes: Mapping[str, str]) -> Topic:
    """Change attributes, all or, where one breaks a rule, none."""
    topic = topic_for(principal, "sns:SetTopicAttributes", topic_arn)
    _refuse_managed(topic)
    for name, value in attributes.items():
        _set(topic, name, value)
    topic.save(update_fields=[_FIELDS[name] for name in attributes if name in _FIELDS])
    return topic


def delete_topic(principal: Principal, topic_arn: str) -> None:
    """Remove a topic with its subscriptions and what was still to be delivered; one that isn't there is no error."""
    name = topic_name(topic_arn)
    if not name:
        raise invalid(f"TopicArn: “{topic_arn[:200]}” is not the ARN of a topic here, such as {arn_of('NAME')}.")
    authorize(principal, "sns:DeleteTopic", arn_of(name))
    topic = Topic.objects.filter(name=name).first()
    if topic is not None:
        _refuse_managed(topic)
        topic.delete()


def attributes_of(topic: Topic) -> dict[str, str]:
    """The answer of GetTopicAttributes; every value is text."""
    live = topic.subscriptions.aggregate(
        pending=Count("pk", filter=Q(state=SubscriptionState.PENDING)),
        confirmed=Count("pk", filter=Q(state=SubscriptionState.CONFIRMED)),
    )
    found = {
        "TopicArn": topic.arn,
        "Owner": settings.ACCOUNT_ID,
        "DisplayName": topic.display_name,
        "Policy": topic.policy or default_policy(topic),
        "SubscriptionsPending": str(live["pending"]),
        "SubscriptionsConfirmed": str(live["confirmed"]),
        "SubscriptionsDeleted": str(topic.deleted_subscriptions),
        "EffectiveDeliveryPolicy": delivery_policy.parse_topic(topic.delivery_policy).for_topic(),
        "SignatureVersion": topic.signature_version,
        "TracingConfig": _FIXED["TracingConfig"][0],
    }
    if topic.delivery_policy:
        found["DeliveryPolicy"] = topic.delivery_policy
    return found


def default_policy(topic: Topic) -> str:
    """What Amazon SNS shows of a topic whose policy nobody has set: its account may do everything with it."""
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": list(_ACTIONS_OF_OWNER),
        "Resource": topic.arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": settings.ACCOUNT_ID}},
    }
    document = {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
    return json.dumps(document, separators=(",", ":"))


# ---- rules -----------------------------------------------------------------------------------------------------------


def check_name(name: str) -> None:
    """Raises InvalidInput where no topic here can have that name."""
    if name.endswith(".fifo") and TOPIC_NAME.fullmatch(name.removesuffix(".fifo")):
        raise invalid("FIFO topics are not available on this server.", "A name that ends in .fifo is one of theirs.")
    if not TOPIC_NAME.fullmatch(name):
        raise invalid("Topic Name", "It has 1 to 256 letters of ASCII, digits, dashes and underscores.")


def _new(name: str, attributes: Mapping[str, str], tags: Mapping[str, str], created_by: str) -> Topic:
    check_name(name)
    topic = Topic(name=name, tags=topic_tags.check(tags), created_by=created_by)
    for attribute, value in attributes.items():
        _set(topic, attribute, value)
    return topic


def _insert(topic: Topic) -> None:
    if Topic.objects.count() >= MAX_TOPICS:
        raise LimitExceeded(f"This account has {MAX_TOPICS} topics already.", code="TopicLimitExceededException")
    topic.save(force_insert=True)


def _check_same(found: Topic, wanted: Topic, attributes: Mapping[str, str], tags: Mapping[str, str]) -> None:
    _refuse_managed(found)
    for name in attributes:
        field = _FIELDS.get(name)
        if field is not None and getattr(found, field) != getattr(wanted, field):
            raise invalid("Attributes Reason: Topic already exists with different attributes", f"{name} is one.")
    if tags and found.tags != wanted.tags:
        raise invalid("Tags Reason: Topic already exists with different tags")


def _refuse_managed(topic: Topic) -> None:
    if topic.managed_by:
        raise InvalidInput(
            f"The topic {topic.name} belongs to the {topic.managed_by}: change or delete it there.", code=INVALID
        )


def _set(topic: Topic, name: str, value: str) -> None:
    if name in _FIXED:
        only, why = _FIXED[name]
        if value not in ("", only):
            raise invalid(f"{name} Reason: {why}")
        return
    if name.endswith(("FeedbackRoleArn", "FeedbackSampleRate")):
        # Terraform's provider says of every topic that none of its deliveries is logged.
        if value not in ("", "0" if name.endswith("Rate") else ""):
            raise invalid(
                f"{name} Reason: Every delivery is logged by this server itself.", "Look at the topic's deliveries."
            )
        return
    if name not in _FIELDS:
        raise invalid("AttributeName", f"A topic has no attribute “{name[:60]}” that can be set.")
    setattr(topic, _FIELDS[name], _CHECKS[name](value))


def _display_name(value: str) -> str:
    if len(value) > MAX_DISPLAY_NAME_CHARACTERS or not value.isprintable():
        raise invalid(f"DisplayName Reason: It has at most {MAX_DISPLAY_NAME_CHARACTERS} printable characters.")
    return value


def _signature_version(value: str) -> str:
    if value not in ("", "1", "2"):
        raise invalid("SignatureVersion Reason: It is 1 (SHA1) or 2 (SHA256).")
    return value or "1"


def _delivery_policy(value: str) -> str:
    try:
        delivery_policy.parse_topic(value)
    except delivery_policy.PolicyError as error:
        raise invalid(f"DeliveryPolicy: {error}") from None
    return value


def _policy(value: str) -> str:
    """Kept and shown. It gives nobody more than the policies of users and roles do, so it may take nothing away."""
    if not value:
        return ""
    if len(value.encode()) > MAX_POLICY_BYTES:
        raise invalid(f"Policy Reason: It has at most {MAX_POLICY_BYTES} bytes.")
    try:
        document: Any = json.loads(value)
    except (ValueError, RecursionError):
        raise invalid("Policy Reason: It is not JSON.") from None
    statements = document.get("Statement") if isinstance(document, dict) else None
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        raise invalid("Policy Reason: It has no Statement.")
    for statement in statements:
        if not isinstance(statement, dict) or not {"Effect", "Principal", "Action", "Resource"} <= statement.keys():
            raise invalid("Policy Reason: Each statement needs Effect, Principal, Action and Resource.")
        if statement["Effect"] != "Allow":
            raise invalid(
                "Policy Reason: A topic's policy can't deny on this server, which would not be obeyed.",
                "Deny in the policies of users and roles instead.",
            )
    return value


_CHECKS = {
    "DisplayName": _display_name,
    "Policy": _policy,
    "DeliveryPolicy": _delivery_policy,
    "SignatureVersion": _signature_version,
}
