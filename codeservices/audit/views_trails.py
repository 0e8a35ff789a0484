"""Trails in the console, and the verification of the trail's chain."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from codeservices.audit import trails, verify
from codeservices.audit.acts import current_act
from codeservices.audit.models import ChainHead, Checkpoint, Trail
from codeservices.errors import AccessDenied, ServiceError
from codeservices.forms import ConsoleForm
from codeservices.http import ConsoleRequest, confirmed
from codeservices.iam.authorize import authorize, is_allowed

# A few seconds' walk; the command goes as far as the trail does.
VERIFIED_EVENTS = 20_000


class TrailForm(ConsoleForm):
    """A new trail."""

    name = forms.CharField(label="Name", max_length=128)
    bucket = forms.CharField(label="Bucket", max_length=63, help_text="A folder of the object store, made when needed.")
    key_prefix = forms.CharField(label="Key prefix", max_length=200, required=False)
    kind = forms.ChoiceField(
        label="Events", choices=[("All", "Reads and writes"), ("WriteOnly", "Writes"), ("ReadOnly", "Reads")]
    )


@require_http_methods(["GET", "POST"])
def trail_list(request: ConsoleRequest) -> HttpResponse:
    """All trails; a form makes one and starts it."""
    form = TrailForm(request.POST or None)
    if request.method == "POST":
        # Whoever may not make one is told so, whatever is in the form.
        authorize(request.principal, "cloudtrail:CreateTrail", trails.arn_of(request.POST.get("name", "")[:128] or "*"))
        if form.is_valid() and (made := _create(request, form)) is not None:
            messages.success(request, f"The trail {made.name} is logging.")
            return redirect("audit:trail", made.name)
    found = trails.visible_trails(request.principal, "cloudtrail:DescribeTrails")
    context = {
        "trails": found,
        "form": form,
        "may_create": is_allowed(request.principal, "cloudtrail:CreateTrail", trails.arn_of("*")),
    }
    return render(request, "codeservices/trail_list.html", context, status=400 if form.errors else 200)


def _create(request: ConsoleRequest, form: TrailForm) -> Trail | None:
    values = form.cleaned_data
    params: dict[str, Any] = {"Name": values["name"], "S3BucketName": values["bucket"]}
    if values["key_prefix"]:
        params["S3KeyPrefix"] = values["key_prefix"]
    _note(name=values["name"], s3BucketName=values["bucket"], s3KeyPrefix=values["key_prefix"])
    try:
        made = trails.create_trail(request.principal, params)
        if values["kind"] != "All":
            selector = {"ReadWriteType": values["kind"]}
            trails.put_event_selectors(request.principal, made.name, {"EventSelectors": [selector]})
        return trails.start_logging(request.principal, made.name)
    except AccessDenied:
        raise
    except ServiceError as error:
        act = current_act()
        if act is not None:
            act.fail(error)
        form.add_error(None, f"{error.message} {error.hint}".strip())
        return None


@require_GET
def trail(request: ConsoleRequest, name: str) -> HttpResponse:
    """One trail: what it delivers, where, and how that goes."""
    found = trails.trail_for(request.principal, "cloudtrail:GetTrail", name)
    head = ChainHead.objects.filter(pk=1).first()
    last = (head.sequence if head is not None else 0) if found.is_logging else found.until_sequence or 0
    may = {
        action: is_allowed(request.principal, f"cloudtrail:{action}", found.arn)
        for action in ("StartLogging", "StopLogging", "DeleteTrail")
    }
    context = {"trail": found, "waiting": max(0, last - found.delivered_sequence), "may": may}
    return render(request, "codeservices/trail.html", context)


@require_POST
def trail_logging(request: ConsoleRequest, name: str) -> HttpResponse:
    """Start or stop a trail."""
    change = request.POST.get("change", "")
    if change == "stop":
        trails.stop_logging(request.principal, name)
        messages.success(request, f"The trail {name} has stopped; what happened until now is still delivered.")
    else:
        trails.start_logging(request.principal, name)
        messages.success(request, f"The trail {name} is logging.")
    return redirect("audit:trail", name)


@require_POST
def trail_delete(request: ConsoleRequest, name: str) -> HttpResponse:
    """Delete a trail; its files stay."""
    found = trails.trail_for(request.principal, "cloudtrail:DeleteTrail", name)
    confirmed(request, found.name)
    trails.delete_trail(request.principal, found.name)
    messages.success(request, f"The trail {name} is deleted. Its files are where they were.")
    return redirect("audit:trail_list")


@require_http_methods(["GET", "POST"])
def verification(request: ConsoleRequest) -> HttpResponse:
    """How the trail is chained; the button walks the newest events of it."""
    authorize(request.principal, "cloudtrail:LookupEvents", "*")
    verdict = verify.verify(newest=VERIFIED_EVENTS) if request.method == "POST" else None
    context = {
        "verdict": verdict,
        "head": ChainHead.objects.filter(pk=1).first(),
        "checkpoint": Checkpoint.objects.order_by("-sequence").first(),
        "bound": VERIFIED_EVENTS,
    }
    return render(request, "codeservices/trail_verification.html", context)


def _note(**parameters: Any) -> None:
    act = current_act()
    if act is not None:
        act.parameters |= {key: value for key, value in parameters.items() if value}
