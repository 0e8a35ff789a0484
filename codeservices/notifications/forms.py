"""The forms of topics: make one, change it, subscribe to it, publish to it, filter its deliveries."""

from __future__ import annotations

from typing import Any

from django import forms

from codeservices.forms import ConsoleForm, code_attributes
from codeservices.notifications.models import DeliveryState, Topic


class TopicForm(ConsoleForm):
    """A new topic."""

    name = forms.CharField(
        max_length=256,
        help_text="Letters, digits, dashes and underscores.",
        widget=forms.TextInput(attrs=code_attributes()),
    )
    display_name = forms.CharField(required=False, max_length=100, label="Display name")


class TopicSettingsForm(ConsoleForm):
    """What of a topic may be changed."""

    display_name = forms.CharField(required=False, max_length=100, label="Display name")
    signature_version = forms.ChoiceField(
        label="Signature",
        choices=[("1", "Version 1: SHA1 with RSA"), ("2", "Version 2: SHA256 with RSA")],
        help_text="Subscribers verify it with the certificate that each message names.",
    )
    delivery_policy = forms.CharField(
        required=False,
        label="Delivery policy",
        help_text="JSON, as SetTopicAttributes takes it. Empty: three retries, twenty seconds apart.",
        widget=forms.Textarea(attrs=code_attributes(rows="6")),
        strip=True,
    )

    @staticmethod
    def attributes() -> dict[str, str]:
        """Each field's attribute."""
        return {
            "display_name": "DisplayName",
            "signature_version": "SignatureVersion",
            "delivery_policy": "DeliveryPolicy",
        }

    @classmethod
    def of(cls, topic: Topic) -> TopicSettingsForm:
        return cls(initial={name: getattr(topic, name) for name in cls.attributes()})


class SubscribeForm(ConsoleForm):
    """An endpoint that is to get a topic's messages."""

    endpoint = forms.CharField(
        max_length=2048,
        help_text="An https:// or http:// address. It is asked first whether it wants the messages.",
        widget=forms.TextInput(attrs=code_attributes(placeholder="https://hooks.example.com/news", inputmode="url")),
    )
    filter_policy = forms.CharField(
        required=False,
        label="Filter policy",
        help_text='JSON: only messages with these attributes, such as {"kind": ["storm"]}. Empty: all.',
        widget=forms.Textarea(attrs=code_attributes(rows="3")),
    )
    is_raw = forms.BooleanField(
        required=False, label="Raw delivery", help_text="Send the message alone, without the envelope and signature."
    )

    @property
    def protocol(self) -> str:
        """What the endpoint begins with, as far as a protocol may."""
        endpoint: str = self.cleaned_data["endpoint"]
        return endpoint.partition(":")[0].lower()[:20]

    def wanted(self) -> dict[str, str]:
        """The attributes that a valid form asks for."""
        given: dict[str, Any] = self.cleaned_data
        found = {"FilterPolicy": given["filter_policy"]} if given["filter_policy"] else {}
        return {**found, "RawMessageDelivery": "true"} if given["is_raw"] else found


class PublishForm(ConsoleForm):
    """A message, to see what comes of it."""

    subject = forms.CharField(required=False, max_length=100)
    message = forms.CharField(widget=forms.Textarea(attrs=code_attributes(rows="5")), strip=False)


class DeliveryFilterForm(ConsoleForm):
    """Which deliveries of a topic are shown."""

    state = forms.ChoiceField(required=False, choices=[("", "All"), *DeliveryState.choices])
    endpoint = forms.CharField(required=False, max_length=200, label="Endpoint holds")
    message = forms.CharField(required=False, max_length=36, label="Message id")
