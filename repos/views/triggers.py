"""The triggers of a repository: what a push starts or tells, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.errors import LimitExceeded, NotFound
from codeservices.http import ConsoleRequest
from codeservices.iam import arn
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal
from repos.access import repository_for
from repos.models import Repository, Trigger
from repos.triggers import config as trigger_config
from repos.triggers import deliveries as trigger_deliveries
from repos.triggers import destinations as trigger_destinations
from repos.triggers import endpoints as trigger_endpoints
from repos.triggers import outcomes as trigger_outcomes
from repos.triggers.config import InvalidTrigger, TriggerSettings
from repos.triggers.forms import EVENT_WORDS, TriggerForm

PAGE_LENGTH = 20


@dataclass(frozen=True)
class Target:
    """What a trigger tells, for people.

    Attributes:
        kind: "project", "topic", "endpoint" or "function".
        name: Of an endpoint its address, cut after the host for those who may not change triggers: it may hold a key.
        state: Of an endpoint, whether it wants to be told: as in trigger_endpoints.
    """

    kind: str
    name: str
    state: str = ""


_KINDS = {"codebuild": "project", "sns": "topic", "lambda": "function"}


@require_http_methods(["GET", "POST"])
def trigger_list(request: ConsoleRequest, name: str) -> HttpResponse:
    """The triggers with what they tell and how that went; a POST adds one."""
    if request.method == "GET":
        repository, triggers = trigger_config.triggers_of(request.principal, name)
        return _render_list(request, repository, triggers, TriggerForm(request.principal))
    repository = repository_for(request.principal, trigger_config.WRITE, name)
    form = TriggerForm(request.principal, request.POST)
    made = _saved(form, lambda wanted: trigger_config.add_trigger(request.principal, name, wanted))
    if made is None:
        return _render_list(request, repository, list(repository.triggers.all()), form, status=400)
    messages.success(request, f"Added {made.name}.")
    return redirect("repos:trigger", name, made.name)


@require_GET
def trigger(request: ConsoleRequest, name: str, trigger_name: str) -> HttpResponse:
    """One trigger with its deliveries, newest first; of one that is gone the deliveries alone."""
    deliveries = trigger_deliveries.deliveries_of(request.principal, name, trigger_name)
    repository, triggers = trigger_config.triggers_of(request.principal, name)
    found = next((one for one in triggers if one.name == trigger_name), None)
    if found is None and not deliveries.exists():
        raise NotFound(f"{repository.name} has no trigger called {trigger_name}.")
    page = Paginator(deliveries, PAGE_LENGTH).get_page(request.GET.get("page"))
    outcomes = trigger_outcomes.of(page)
    context = {
        **_frame(request.principal, repository),
        "trigger": found,
        "trigger_name": trigger_name,
        "target": target_of(request.principal, repository, found.destination_arn) if found is not None else None,
        "events": [EVENT_WORDS[event] for event in found.events] if found is not None else [],
        "page": page,
        "rows": [(one, outcomes[one.pk]) for one in page],
    }
    return render(request, "repos/trigger.html", context)


@require_http_methods(["GET", "POST"])
def trigger_edit(request: ConsoleRequest, name: str, trigger_name: str) -> HttpResponse:
    """The settings of one trigger; a POST saves them."""
    repository = repository_for(request.principal, trigger_config.WRITE, name)
    found = trigger_config.trigger_called(repository, trigger_name)
    form = TriggerForm(request.principal, request.POST or None, trigger=found)
    if request.method == "POST" and _saved(
        form, lambda wanted: trigger_config.change_trigger(request.principal, name, wanted)
    ):
        messages.success(request, f"Changed {trigger_name}.")
        return redirect("repos:trigger", name, trigger_name)
    context = {**_frame(request.principal, repository), "trigger": found, "form": form}
    return render(request, "repos/trigger_edit.html", context, status=400 if request.method == "POST" else 200)


@require_POST
def trigger_delete(request: ConsoleRequest, name: str, trigger_name: str) -> HttpResponse:
    """Remove one trigger; what it starts or tells stays, but for an endpoint that was made for it."""
    trigger_config.remove_trigger(request.principal, name, trigger_name)
    messages.success(request, f"Removed {trigger_name}.")
    return redirect("repos:trigger_list", name)


@require_POST
def trigger_test(request: ConsoleRequest, name: str, trigger_name: str) -> HttpResponse:
    """Send a sample now, and go to what came of it."""
    delivery = trigger_config.test_trigger(request.principal, name, trigger_name)
    return redirect("repos:trigger_delivery", name, trigger_name, delivery.delivery_id)


@require_POST
def trigger_confirm(request: ConsoleRequest, name: str, trigger_name: str) -> HttpResponse:
    """Ask an endpoint once more to confirm."""
    trigger_config.resend_confirmation(request.principal, name, trigger_name)
    messages.success(request, "Asked the endpoint again. It has three days to confirm.")
    return redirect("repos:trigger", name, trigger_name)


def target_of(principal: Principal, repository: Repository, destination_arn: str, *, is_brief: bool = False) -> Target:
    """What an ARN in a trigger or a delivery stands for, as far as the principal may see it."""
    endpoint = trigger_endpoints.endpoint_of(repository, destination_arn)
    if endpoint is not None:
        may_see = not is_brief and is_allowed(principal, trigger_config.WRITE, repository.arn)
        return Target("endpoint", shown_url(endpoint.url, may_see), endpoint.state)
    kind = _KINDS.get(arn.parse(destination_arn).service, "function")
    return Target(kind, trigger_destinations.name_of(destination_arn))


def shown_url(url: str, may_see: bool) -> str:
    """An address, or no more than its host: what follows may be a key."""
    parts = urlsplit(url)
    return url if may_see else f"{parts.scheme}://{parts.netloc}/…"


def _saved(form: TriggerForm, save: Any) -> Trigger | None:
    if not form.is_valid():
        return None
    wanted: TriggerSettings = form.wanted()
    try:
        saved: Trigger = save(wanted)
    except InvalidTrigger as error:
        form.refuse(error)
    except LimitExceeded as error:
        form.add_error(None, f"{error.message} {error.hint}".strip())
    else:
        return saved
    return None


def _frame(principal: Principal, repository: Repository) -> dict[str, Any]:
    """What all pages of triggers show."""
    return {
        "repository": repository,
        "tab": "triggers",
        "may_change": is_allowed(principal, trigger_config.WRITE, repository.arn),
        "may_test": is_allowed(principal, trigger_config.FIRE, repository.arn),
    }


def _render_list(
    request: ConsoleRequest, repository: Repository, triggers: list[Trigger], form: TriggerForm, status: int = 200
) -> HttpResponse:
    latest = trigger_deliveries.latest(repository)
    outcomes = trigger_outcomes.of(latest.values())
    context = {
        **_frame(request.principal, repository),
        "rows": [
            {
                "trigger": one,
                "target": target_of(request.principal, repository, one.destination_arn, is_brief=True),
                "events": [EVENT_WORDS[event] for event in one.events],
                "latest": latest.get(one.name),
                "outcome": outcomes[latest[one.name].pk] if one.name in latest else None,
            }
            for one in triggers
        ],
        "form": form,
    }
    return render(request, "repos/trigger_list.html", context, status=status)
