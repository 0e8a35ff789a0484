"""The tags of topics. Source: Amazon SNS API Reference, Tag and TagResource; "Amazon SNS tag restrictions"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction

from codeservices.errors import LimitExceeded, NotFound
from codeservices.iam import rules
from codeservices.iam.principal import Principal
from codeservices.notifications.access import topic_for, topic_name
from codeservices.notifications.message_attributes import invalid
from codeservices.notifications.models import Topic

MAX_TAGS = 50
MAX_KEY_CHARACTERS = 128
MAX_VALUE_CHARACTERS = 256


def check(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags themselves; raises LimitExceeded or InvalidInput with the rule that they break."""
    if len(tags) > MAX_TAGS:
        raise LimitExceeded(
            f"Could not complete request: a topic has at most {MAX_TAGS} tags, not {len(tags)}.",
            code="TagLimitExceededException",
        )
    for key, value in tags.items():
        if not 1 <= len(key) <= MAX_KEY_CHARACTERS or len(value) > MAX_VALUE_CHARACTERS:
            raise invalid(
                f"A tag's key has 1 to {MAX_KEY_CHARACTERS} characters and its value at most {MAX_VALUE_CHARACTERS}; "
                f"“{key[:40]}” breaks that."
            )
        _check_not_system(key)
    return dict(tags)


def of_arn(resource: str) -> dict[str, str]:
    """The tags of the topic with that ARN, for conditions of policies; none where there is no such topic."""
    name = topic_name(resource)
    return dict(Topic.objects.filter(name=name).values_list("tags", flat=True).first() or {}) if name else {}


def tags_of(principal: Principal, resource_arn: str) -> dict[str, str]:
    """The tags of the topic with that ARN."""
    return dict(_topic(principal, "sns:ListTagsForResource", resource_arn, {}).tags)


def tag(principal: Principal, resource_arn: str, tags: Mapping[str, str]) -> None:
    """Add tags, or give those that are there new values."""
    topic = _topic(principal, "sns:TagResource", resource_arn, rules.tag_context(tags))
    check(tags)
    with transaction.atomic():
        locked = Topic.objects.select_for_update().get(pk=topic.pk)
        locked.tags = check({**locked.tags, **tags})
        locked.save(update_fields=["tags"])


def untag(principal: Principal, resource_arn: str, keys: Iterable[str]) -> None:
    """Remove tags by their keys; one that isn't there is no error."""
    unwanted = set(keys)
    topic = _topic(principal, "sns:UntagResource", resource_arn, {"aws:TagKeys": sorted(unwanted)})
    for key in unwanted:
        _check_not_system(key)
    with transaction.atomic():
        locked = Topic.objects.select_for_update().get(pk=topic.pk)
        locked.tags = {key: value for key, value in locked.tags.items() if key not in unwanted}
        locked.save(update_fields=["tags"])


def _topic(principal: Principal, action: str, resource_arn: str, conditions: Mapping[str, str | list[str]]) -> Topic:
    try:
        return topic_for(principal, action, resource_arn, conditions)
    except NotFound as missing:
        raise NotFound(missing.message, code="ResourceNotFoundException") from None


def _check_not_system(key: str) -> None:
    if key.lower().startswith("aws:"):
        raise invalid(f"“{key[:40]}” is kept for AWS: a tag's key may not begin with aws:.")
