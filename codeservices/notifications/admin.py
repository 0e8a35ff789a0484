"""Topics and what becomes of their messages, as an operator sees them. They change through the product alone."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from codeservices.admin import columns
from codeservices.admin.base import ActionAdmin, LookOnlyInline
from codeservices.iam.authorize import is_allowed
from codeservices.notifications.models import (
    Attempt,
    Delivery,
    Message,
    Receiver,
    SigningCertificate,
    Subscription,
    Topic,
)


class OfTopic(ActionAdmin):
    """Rows of topics: those that one may look at, as in the console."""

    list_action, view_action = "sns:ListTopics", "sns:ListSubscriptionsByTopic"
    # From a row to its topic, as lookups say it.
    topic_field = "topic"

    def owner_of(self, obj: Any) -> Topic:
        topic: Topic = obj.topic
        return topic

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        hidden = [
            one.pk
            for one in Topic.objects.only("name")
            if not is_allowed(request.principal, self.view_action, one.arn)  # type: ignore[attr-defined]
        ]
        return found.exclude(**{f"{self.topic_field}__in": hidden}) if hidden else found

    @admin.display(description="topic")
    def topic_link(self, obj: Any) -> str:
        return columns.link(self.owner_of(obj))


@admin.register(Topic)
class TopicAdmin(OfTopic):
    """Topics, those that belong to triggers among them."""

    view_action, topic_field = "sns:GetTopicAttributes", "pk"
    list_display = ("name", "managed_by", "subscription_count", "subscribers", "created_at")
    search_fields = ("name", "managed_by")
    search_help_text = "Name, or what it belongs to"
    fields = (
        "name",
        "row_arn",
        "display_name",
        "managed_by",
        "policy",
        "delivery_policy",
        "signature_version",
        "tags",
        "subscribers",
        "deleted_subscriptions",
        "created_by",
        "created_at",
        "elsewhere",
    )

    def owner_of(self, obj: Topic) -> Topic:
        return obj

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(subscription_count=columns.count_of(Subscription, "topic"))

    @admin.display(description="subscriptions", ordering="subscription_count")
    def subscription_count(self, obj: Any) -> int:
        count: int = obj.subscription_count
        return count

    @admin.display(description="subscribers")
    def subscribers(self, obj: Topic) -> str:
        return columns.list_link(Subscription, "Subscriptions", topic__id__exact=obj.pk)

    @admin.display(description="ARN")
    def row_arn(self, obj: Topic) -> str:
        return obj.arn

    @admin.display(description="elsewhere")
    def elsewhere(self, obj: Topic) -> str:
        return columns.console_link("notifications:topic", obj.name)


@admin.register(Subscription)
class SubscriptionAdmin(OfTopic):
    """Endpoints and whether they have confirmed."""

    list_display = ("endpoint", "topic_link", "state", "created_at", "confirmed_at")
    list_filter = ("state", "protocol")
    list_select_related = ("topic",)
    filter_links = ("topic",)
    search_fields = ("endpoint", "subscription_id", "topic__name")
    search_help_text = "Endpoint, id or topic"
    fields = (
        "subscription_id",
        "topic_link",
        "protocol",
        "endpoint",
        "state",
        "is_raw",
        "filter_policy",
        "filter_policy_scope",
        "delivery_policy",
        "owner_arn",
        "was_confirmed_by_principal",
        "needs_principal_to_unsubscribe",
        "token_expires_at",
        "created_at",
        "confirmed_at",
        "last_attempt_at",
    )


@admin.register(Message)
class MessageAdmin(OfTopic):
    """What was published, newest first."""

    list_display = ("message_id", "topic_link", "message_type", "subject", "published_by", "published_at")
    list_filter = ("message_type",)
    list_select_related = ("topic",)
    filter_links = ("topic",)
    search_fields = ("message_id", "subject", "topic__name")
    search_help_text = "Message id, subject or topic"
    date_hierarchy = "published_at"
    fields = ("message_id", "topic_link", "message_type", "subject", "texts", "published_by", "published_at")

    @admin.display(description="message and attributes")
    def texts(self, obj: Message) -> str:
        whole = {"bodies": obj.bodies, "attributes": obj.attributes}
        return columns.code(json.dumps(whole, indent=2, ensure_ascii=False))


class AttemptInline(LookOnlyInline):
    """The requests of a delivery and what came back."""

    model, view_action = Attempt, "sns:ListSubscriptionsByTopic"
    fields = ("number", "started_at", "duration_ms", "address", "response_status", "error")

    def owner_of(self, obj: Any) -> Topic:
        delivery = obj.delivery if isinstance(obj, Attempt) else obj
        topic: Topic = delivery.message.topic
        return topic


@admin.register(Delivery)
class DeliveryAdmin(OfTopic):
    """Each message's way to each subscriber, newest first."""

    topic_field = "message__topic"
    list_display = ("delivery_id", "topic_link", "endpoint", "state", "attempt_count", "last_error", "created_at")
    list_filter = ("state",)
    list_select_related = ("message__topic", "subscription")
    search_fields = ("delivery_id", "message__message_id", "subscription__endpoint")
    search_help_text = "Delivery id, message id or endpoint"
    date_hierarchy = "created_at"
    inlines = (AttemptInline,)
    fields = (
        "delivery_id",
        "topic_link",
        "endpoint",
        "state",
        "is_redelivery",
        "attempt_count",
        "last_status",
        "last_error",
        "next_attempt_at",
        "lease_owner",
        "lease_expires_at",
        "created_at",
        "finished_at",
        "elsewhere",
    )

    def owner_of(self, obj: Delivery) -> Topic:
        topic: Topic = obj.message.topic
        return topic

    @admin.display(description="endpoint")
    def endpoint(self, obj: Delivery) -> str:
        return obj.subscription.endpoint

    @admin.display(description="elsewhere")
    def elsewhere(self, obj: Delivery) -> str:
        return columns.console_link("notifications:delivery", obj.message.topic.name, obj.delivery_id)


@admin.register(Attempt)
class AttemptAdmin(OfTopic):
    """Single requests, newest first."""

    topic_field = "delivery__message__topic"
    list_display = ("delivery", "number", "response_status", "error", "duration_ms", "started_at")
    list_select_related = ("delivery__message__topic",)
    fields = ("delivery", "number", "address", "response_status", "error", "duration_ms", "started_at")
    ordering = ("-pk",)

    def owner_of(self, obj: Attempt) -> Topic:
        topic: Topic = obj.delivery.message.topic
        return topic


class OfEveryTopic(ActionAdmin):
    """What belongs to all topics together."""

    list_action = view_action = "sns:ListTopics"

    def resource_of(self, obj: Any) -> str:
        return "*"


@admin.register(Receiver)
class ReceiverAdmin(OfEveryTopic):
    """The servers that deliveries go to."""

    list_display = fields = ("origin",)
    search_fields = ("origin",)


@admin.register(SigningCertificate)
class SigningCertificateAdmin(OfEveryTopic):
    """What messages are signed with. The keys are shown to nobody."""

    list_display = ("name", "created_at")
    fields = ("name", "certificate_pem", "created_at")
