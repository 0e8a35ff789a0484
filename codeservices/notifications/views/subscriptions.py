"""Subscribe, ask again, unsubscribe; publish a message by hand."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from codeservices.errors import AccessDenied, ServiceError
from codeservices.http import ConsoleRequest, confirmed
from codeservices.notifications import publish, subscriptions
from codeservices.notifications.access import arn_of, subscription_for, topic_for
from codeservices.notifications.forms import PublishForm, SubscribeForm
from codeservices.notifications.views.shared import told
from codeservices.notifications.views.topics import topic_page


@require_POST
def subscribe(request: ConsoleRequest, name: str) -> HttpResponse:
    """Ask an endpoint whether it wants the topic's messages."""
    found = topic_for(request.principal, "sns:Subscribe", arn_of(name))
    form = SubscribeForm(request.POST)
    if form.is_valid():
        try:
            made = subscriptions.subscribe(
                request.principal, found.arn, form.protocol, form.cleaned_data["endpoint"], form.wanted()
            )
        except AccessDenied:
            raise
        except ServiceError as error:
            told(form, error)
        else:
            messages.success(request, f"{made.endpoint} is asked to confirm that it wants the messages.")
            return redirect("notifications:topic", name)
    page = topic_for(request.principal, "sns:GetTopicAttributes", found.arn)
    return topic_page(request, page, form, PublishForm(), status=400)


@require_POST
def resend(request: ConsoleRequest, name: str, subscription_id: uuid.UUID) -> HttpResponse:
    """Ask a pending endpoint once more."""
    found = subscriptions.resend_confirmation(request.principal, f"{arn_of(name)}:{subscription_id}")
    messages.success(request, f"{found.endpoint} is asked once more; what it was sent before counts no longer.")
    return redirect("notifications:topic", name)


@require_POST
def unsubscribe(request: ConsoleRequest, name: str, subscription_id: uuid.UUID) -> HttpResponse:
    """End a subscription."""
    found = subscription_for(request.principal, "sns:Unsubscribe", f"{arn_of(name)}:{subscription_id}")
    confirmed(request, found.endpoint)
    subscriptions.unsubscribe(request.principal, found.arn)
    messages.success(request, f"{found.endpoint} gets no more messages of this topic.")
    return redirect("notifications:topic", name)


@require_POST
def publish_message(request: ConsoleRequest, name: str) -> HttpResponse:
    """Publish what is in the form, and show what becomes of it."""
    found = topic_for(request.principal, "sns:Publish", arn_of(name))
    form = PublishForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        try:
            made = publish.publish(request.principal, found.arn, given["message"], given["subject"])
        except AccessDenied:
            raise
        except ServiceError as error:
            told(form, error)
        else:
            count = made.deliveries.count()
            messages.success(request, f"Published to {count} subscriber{'' if count == 1 else 's'}: {made.message_id}.")
            return redirect("notifications:topic", name)
    page = topic_for(request.principal, "sns:GetTopicAttributes", found.arn)
    return topic_page(request, page, SubscribeForm(), form, status=400)
