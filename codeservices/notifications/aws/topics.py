"""Topics, their attributes and tags."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.notifications import topic_tags, topics
from codeservices.notifications.access import topic_for
from codeservices.notifications.aws.shapes import listed, tags_of
from codeservices.notifications.message_attributes import invalid


@operation("sns", "CreateTopic")
def create_topic(call: Call) -> dict[str, Any]:
    if call.params.get("DataProtectionPolicy"):
        raise invalid("DataProtectionPolicy Reason: It is not available on this server.")
    topic = topics.create_topic(call.principal, call.params["Name"], call.params.get("Attributes"), tags_of(call))
    return {"TopicArn": topic.arn}


@operation("sns", "GetTopicAttributes")
def get_topic_attributes(call: Call) -> dict[str, Any]:
    topic = topic_for(call.principal, "sns:GetTopicAttributes", call.params["TopicArn"])
    return {"Attributes": topics.attributes_of(topic)}


@operation("sns", "SetTopicAttributes")
def set_topic_attributes(call: Call) -> None:
    topics.set_topic_attribute(
        call.principal, call.params["TopicArn"], call.params["AttributeName"], call.params.get("AttributeValue", "")
    )


@operation("sns", "DeleteTopic")
def delete_topic(call: Call) -> None:
    topics.delete_topic(call.principal, call.params["TopicArn"])


@operation("sns", "ListTopics")
def list_topics(call: Call) -> dict[str, Any]:
    found = topics.list_topics(call.principal)
    return listed(call, "Topics", found, lambda topic: topic.name, lambda topic: {"TopicArn": topic.arn})


@operation("sns", "TagResource")
def tag_resource(call: Call) -> dict[str, Any]:
    topic_tags.tag(call.principal, call.params["ResourceArn"], tags_of(call))
    return {}


@operation("sns", "UntagResource")
def untag_resource(call: Call) -> dict[str, Any]:
    topic_tags.untag(call.principal, call.params["ResourceArn"], call.params["TagKeys"])
    return {}


@operation("sns", "ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any]:
    tags = topic_tags.tags_of(call.principal, call.params["ResourceArn"])
    return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}
