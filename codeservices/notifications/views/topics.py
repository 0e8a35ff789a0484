"""Topics in the console: list, one with its subscriptions, settings, delete."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.errors import AccessDenied, ServiceError
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam.authorize import authorize, is_allowed
from codeservices.notifications import topics
from codeservices.notifications.access import arn_of, topic_for
from codeservices.notifications.forms import PublishForm, SubscribeForm, TopicForm, TopicSettingsForm
from codeservices.notifications.models import SubscriptionState, Topic
from codeservices.notifications.views.shared import PAGE, told

LIST = "sns:ListSubscriptionsByTopic"


@require_GET
def topic_list(request: ConsoleRequest) -> HttpResponse:
    """All topics by name; those that belong to something else on request."""
    include_managed = request.GET.get("managed") == "yes"
    rows = topics.list_topics(request.principal, include_managed=include_managed)
    query = request.GET.get("q", "")[:256]
    if query:
        rows = rows.filter(name__icontains=query)
    rows = rows.order_by("name").annotate(
        confirmed=Count("subscriptions", filter=Q(subscriptions__state=SubscriptionState.CONFIRMED)),
        pending=Count("subscriptions", filter=Q(subscriptions__state=SubscriptionState.PENDING)),
    )
    context = {
        "page": Paginator(rows, PAGE).get_page(request.GET.get("page")),
        "query": query,
        "include_managed": include_managed,
        "has_managed": Topic.objects.exclude(managed_by="").exists(),
        "may_create": is_allowed(request.principal, "sns:CreateTopic", arn_of("*")),
    }
    return render(request, "notifications/topic_list.html", context)


@require_http_methods(["GET", "POST"])
def topic_create(request: ConsoleRequest) -> HttpResponse:
    """The form of a new topic."""
    # Whoever may make none is told so, whatever is in the form.
    authorize(request.principal, "sns:CreateTopic", arn_of(request.POST.get("name", "")[:256] or "*"))
    form = TopicForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        attributes = {"DisplayName": given["display_name"]} if given["display_name"] else {}
        try:
            made = topics.create_topic(request.principal, given["name"], attributes)
        except AccessDenied:
            raise
        except ServiceError as error:
            told(form, error)
        else:
            return redirect("notifications:topic", made.name)
    return render(request, "notifications/topic_create.html", {"form": form}, status=400 if form.errors else 200)


@require_GET
def topic(request: ConsoleRequest, name: str) -> HttpResponse:
    """One topic with its subscriptions; the forms that subscribe and publish."""
    found = topic_for(request.principal, "sns:GetTopicAttributes", arn_of(name))
    return topic_page(request, found, SubscribeForm(), PublishForm())


def topic_page(
    request: ConsoleRequest, found: Topic, subscribe_form: SubscribeForm, publish_form: PublishForm, status: int = 200
) -> HttpResponse:
    """The page of a topic, also where one of its forms has to be filled in anew."""
    may = {
        action: is_allowed(request.principal, f"sns:{action}", found.arn)
        for action in ("Subscribe", "Unsubscribe", "Publish", "SetTopicAttributes", "ListSubscriptionsByTopic")
    }
    rows = found.subscriptions.order_by("endpoint") if may["ListSubscriptionsByTopic"] else found.subscriptions.none()
    context = {
        "topic": found,
        "tab": "topic",
        "page": Paginator(rows, PAGE).get_page(request.GET.get("page")),
        "may": may,
        "subscribe_form": subscribe_form,
        "publish_form": publish_form,
    }
    return render(request, "notifications/topic.html", context, status=status)


@require_http_methods(["GET", "POST"])
def topic_settings(request: ConsoleRequest, name: str) -> HttpResponse:
    """A topic's settings, and its end."""
    found = topic_for(request.principal, "sns:SetTopicAttributes", arn_of(name))
    form = TopicSettingsForm(request.POST) if request.method == "POST" else TopicSettingsForm.of(found)
    if request.method == "POST" and form.is_valid():
        wanted = {attribute: form.cleaned_data[field] for field, attribute in form.attributes().items()}
        try:
            topics.set_topic_attributes(request.principal, found.arn, wanted)
        except AccessDenied:
            raise
        except ServiceError as error:
            told(form, error)
        else:
            messages.success(request, "The settings are saved.")
            return redirect("notifications:topic_settings", name)
    context = {
        "topic": found,
        "tab": "settings",
        "form": form,
        "may_delete": is_allowed(request.principal, "sns:DeleteTopic", found.arn),
    }
    return render(request, "notifications/topic_settings.html", context, status=400 if form.errors else 200)


@require_POST
def topic_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete a topic with its subscriptions and its log."""
    found = topic_for(request.principal, "sns:DeleteTopic", arn_of(name))
    confirmed(request, found.name)
    topics.delete_topic(request.principal, found.arn)
    messages.success(request, f"The topic {name} is deleted.")
    return redirect("notifications:topic_list")
