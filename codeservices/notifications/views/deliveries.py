"""What became of a topic's messages: the log, one delivery with its requests and answers, sending it once more."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from codeservices.http import ConsoleRequest
from codeservices.iam.authorize import is_allowed
from codeservices.notifications import delivery_log
from codeservices.notifications.access import arn_of, topic_for
from codeservices.notifications.forms import DeliveryFilterForm
from codeservices.notifications.models import MessageType
from codeservices.notifications.views.shared import PAGE


@require_GET
def delivery_list(request: ConsoleRequest, name: str) -> HttpResponse:
    """A topic's deliveries, newest first."""
    rows = delivery_log.deliveries_of(request.principal, arn_of(name))
    found = topic_for(request.principal, delivery_log.READ, arn_of(name))
    form = DeliveryFilterForm(request.GET)
    given = form.cleaned_data if form.is_valid() else {}
    if given.get("state"):
        rows = rows.filter(state=given["state"])
    if given.get("endpoint"):
        rows = rows.filter(subscription__endpoint__icontains=given["endpoint"])
    if given.get("message"):
        rows = rows.filter(message__message_id=message_id) if (message_id := _uuid(given["message"])) else rows.none()
    context = {
        "topic": found,
        "tab": "deliveries",
        "form": form,
        "is_filtered": any(given.values()),
        "page": Paginator(rows, PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "notifications/delivery_list.html", context)


@require_GET
def delivery(request: ConsoleRequest, name: str, delivery_id: uuid.UUID) -> HttpResponse:
    """One delivery: the message, and each attempt with its request and its answer.

    Its texts are for those who may subscribe: whoever may get the messages may read them.
    """
    found = delivery_log.delivery_for(request.principal, arn_of(name), delivery_id)
    is_notification = found.message.message_type == MessageType.NOTIFICATION
    context = {
        "topic": found.message.topic,
        "delivery": found,
        "attempts": found.attempts.order_by("-number"),
        "may_read": is_allowed(request.principal, "sns:Subscribe", found.message.topic.arn),
        "may_redeliver": is_notification
        and found.subscription.is_confirmed
        and is_allowed(request.principal, "sns:Publish", found.message.topic.arn),
    }
    return render(request, "notifications/delivery.html", context)


@require_POST
def redeliver(request: ConsoleRequest, name: str, delivery_id: uuid.UUID) -> HttpResponse:
    """Send the message once more, as a delivery of its own."""
    found = delivery_log.delivery_for(request.principal, arn_of(name), delivery_id)
    made = delivery_log.redeliver(request.principal, found.delivery_id)
    messages.success(request, "The message is on its way once more.")
    return redirect("notifications:delivery", name, made.delivery_id)


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        return None
