"""Topics, their subscriptions, and each message's way to each subscriber: message, deliveries, attempts."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from codeservices.iam import arn


class Topic(models.Model):
    """What messages are published to. Known by its name, which is part of its ARN.

    A managed topic belongs to something else (`managed_by`, such as "repository ID trigger NAME"): lists leave it out,
    and it goes with what it belongs to.
    """

    name = models.CharField(max_length=256, unique=True)
    display_name = models.CharField(max_length=100, blank=True)
    # JSON documents as they were given; empty stands for the default.
    policy = models.TextField(blank=True)
    delivery_policy = models.TextField(blank=True)
    signature_version = models.CharField(max_length=1, default="1")
    tags = models.JSONField(default=dict, blank=True)
    managed_by = models.CharField(max_length=256, blank=True, db_index=True)
    created_by = models.CharField(max_length=600, blank=True)  # the principal's ARN
    created_at = models.DateTimeField(default=timezone.now)
    # Of subscriptions that were ended, once their rows are pruned as well.
    deleted_subscriptions = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return arn.topic_arn(settings.REGION, settings.ACCOUNT_ID, self.name)


class Receiver(models.Model):
    """A server that deliveries go to, "https://host:443": what all endpoints there have in common.

    Its row is locked while a delivery to it is claimed, so that one slow server can't take every place.
    """

    origin = models.CharField(max_length=300, unique=True)

    def __str__(self) -> str:
        return self.origin


class SubscriptionState(models.TextChoices):
    """Whether an endpoint has agreed to be told."""

    PENDING = "PENDING", "Pending confirmation"
    CONFIRMED = "CONFIRMED", "Confirmed"
    # Kept for a while: the endpoint may take its unsubscription back.
    DELETED = "DELETED", "Deleted"


class LiveSubscriptions(models.Manager["Subscription"]):
    """Those that are not deleted."""

    def get_queryset(self) -> models.QuerySet[Subscription]:
        """Without the deleted ones."""
        return super().get_queryset().exclude(state=SubscriptionState.DELETED)


class Subscription(models.Model):
    """An endpoint that gets a topic's messages, once it has confirmed that it wants them.

    A deleted one keeps its row until its token expires; `objects` leaves it out, `all_objects` has it.
    """

    subscription_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="subscriptions")
    receiver = models.ForeignKey(Receiver, on_delete=models.PROTECT, related_name="subscriptions")
    protocol = models.CharField(max_length=16)
    endpoint = models.CharField(max_length=2048)
    state = models.CharField(max_length=9, choices=SubscriptionState, default=SubscriptionState.PENDING)
    owner_arn = models.CharField(max_length=600, blank=True)  # who subscribed
    # A keyed hash; the token itself is told to the endpoint alone.
    token_hash = models.CharField(max_length=64, blank=True)
    token_expires_at = models.DateTimeField(null=True)
    was_confirmed_by_principal = models.BooleanField(default=False)
    needs_principal_to_unsubscribe = models.BooleanField(default=False)
    is_raw = models.BooleanField(default=False)
    filter_policy = models.TextField(blank=True)
    filter_policy_scope = models.CharField(max_length=20, default="MessageAttributes")
    delivery_policy = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    last_attempt_at = models.DateTimeField(null=True)  # for a policy that says how often it may be

    objects = LiveSubscriptions()
    all_objects = models.Manager["Subscription"]()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["topic", "protocol", "endpoint"],
                condition=~models.Q(state=SubscriptionState.DELETED),
                name="subscription_unique_while_live",
            )
        ]

    def __str__(self) -> str:
        return self.endpoint

    @property
    def arn(self) -> str:
        return f"{self.topic.arn}:{self.subscription_id}"

    @property
    def is_pending(self) -> bool:
        return self.state == SubscriptionState.PENDING

    @property
    def is_confirmed(self) -> bool:
        return self.state == SubscriptionState.CONFIRMED


class MessageType(models.TextChoices):
    """What a delivery tells its endpoint, in SNS's words."""

    NOTIFICATION = "Notification", "Notification"
    SUBSCRIPTION_CONFIRMATION = "SubscriptionConfirmation", "Subscription confirmation"
    UNSUBSCRIBE_CONFIRMATION = "UnsubscribeConfirmation", "Unsubscribe confirmation"


class Message(models.Model):
    """One message. Its id and its text are the same for every subscriber and every attempt.

    `bodies` maps a protocol, or "default", to the text for it; `attributes` a name to {"Type", "Value"}.
    """

    message_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="messages")
    message_type = models.CharField(max_length=24, choices=MessageType, default=MessageType.NOTIFICATION)
    subject = models.CharField(max_length=100, blank=True)
    bodies = models.JSONField(default=dict)
    attributes = models.JSONField(default=dict)
    # Of confirmations, the token that they carry, encrypted.
    sealed_token = models.TextField(blank=True)
    published_by = models.CharField(max_length=600, blank=True)  # the principal's ARN, or what did it
    published_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return str(self.message_id)

    def body(self, protocol: str) -> str:
        """The text for subscribers of a protocol."""
        text: str = self.bodies.get(protocol, self.bodies.get("default", ""))
        return text


class DeliveryState(models.TextChoices):
    """What has become of a delivery."""

    WAITING = "WAITING", "Waiting"
    RUNNING = "RUNNING", "Being sent"
    SUCCEEDED = "SUCCEEDED", "Delivered"
    FAILED = "FAILED", "Failed"


class Delivery(models.Model):
    """One message's way to one subscriber: the outbox, and the log of what came of it."""

    delivery_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="deliveries")
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="deliveries")
    receiver = models.ForeignKey(Receiver, on_delete=models.PROTECT, related_name="deliveries")
    state = models.CharField(max_length=9, choices=DeliveryState, default=DeliveryState.WAITING)
    is_redelivery = models.BooleanField(default=False)
    attempt_count = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    # Whoever holds the lease sends; when it has run out, another may.
    lease_owner = models.CharField(max_length=128, blank=True)
    lease_expires_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    last_status = models.PositiveSmallIntegerField(null=True)
    last_error = models.CharField(max_length=500, blank=True)
    # As it was sent last, with a confirmation's token blanked.
    request_body = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["state", "next_attempt_at"], name="delivery_by_state"),
            models.Index(fields=["receiver", "state", "next_attempt_at"], name="delivery_by_receiver"),
        ]

    def __str__(self) -> str:
        return str(self.delivery_id)


class Attempt(models.Model):
    """One request of a delivery and what came back; no status where nothing did."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField(default=timezone.now)
    duration_ms = models.PositiveIntegerField(default=0)
    address = models.CharField(max_length=64, blank=True)
    request_headers = models.JSONField(default=dict)
    response_status = models.PositiveSmallIntegerField(null=True)
    response_headers = models.JSONField(default=dict)
    response_body = models.TextField(blank=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="attempt_number_unique")]

    def __str__(self) -> str:
        return f"{self.delivery_id} attempt {self.number}"


class SigningCertificate(models.Model):
    """A key that messages are signed with, and the certificate that tells subscribers its public half.

    The key is encrypted with the master key, so that every worker of an installation signs with the same one. Old rows
    stay: messages that are on their way name their certificate.
    """

    name = models.CharField(max_length=64, unique=True)  # the HEX of SimpleNotificationService-HEX.pem
    certificate_pem = models.TextField()
    sealed_key = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name
