"""The triggers of a repository: what a push starts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from codeservices.errors import LimitExceeded
from codeservices.http import ConsoleRequest
from codeservices.iam import arn
from codeservices.iam.authorize import is_allowed
from repos import trigger_config
from repos.access import repository_for
from repos.models import Repository, Trigger
from repos.trigger_config import InvalidTrigger, TriggerSettings
from repos.triggers import ALL, CREATE, DELETE, UPDATE

_PROJECT_PREFIX = "project/"
EVENT_WORDS = {
    ALL: "everything",
    CREATE: "a branch or tag is created",
    UPDATE: "a branch or tag moves",
    DELETE: "a branch or tag is deleted",
}


class TriggerForm(forms.Form):
    """A trigger that starts a build project."""

    name = forms.CharField(max_length=100, help_text="Letters, digits, dots, dashes and underscores.")
    project = forms.CharField(
        label="Build project",
        max_length=150,
        help_text="Its name. It builds what was pushed.",
    )
    branches = forms.CharField(
        required=False,
        help_text="Short names with spaces between them. Empty means every branch and tag.",
        widget=forms.TextInput(attrs={"class": "code", "autocomplete": "off", "spellcheck": "false"}),
    )
    events = forms.MultipleChoiceField(
        choices=[(name, EVENT_WORDS[name].capitalize()) for name in (CREATE, UPDATE, DELETE)],
        initial=[CREATE, UPDATE],
        widget=forms.CheckboxSelectMultiple,
        label="When",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)

    def wanted(self) -> TriggerSettings:
        """The trigger that a valid form asks for."""
        given = self.cleaned_data
        destination = arn.project_arn(settings.REGION, settings.ACCOUNT_ID, given["project"])
        return TriggerSettings(
            given["name"], destination, tuple(given["events"]), tuple(dict.fromkeys(given["branches"].split()))
        )


@require_http_methods(["GET", "POST"])
def trigger_list(request: ConsoleRequest, name: str) -> HttpResponse:
    """The triggers with what they start; a POST adds one that starts a build project."""
    if request.method == "GET":
        repository, triggers = trigger_config.triggers_of(request.principal, name)
        return _render(request, repository, triggers, TriggerForm())
    repository = repository_for(request.principal, trigger_config.WRITE, name)
    form = TriggerForm(request.POST)
    if form.is_valid():
        try:
            made = trigger_config.add_trigger(request.principal, name, form.wanted())
        except InvalidTrigger as error:
            field = "project" if error.field == "destination_arn" else error.field
            form.add_error(field if field in form.fields else None, f"{error.message} {error.hint}".strip())
        except LimitExceeded as error:
            form.add_error(None, f"{error.message} {error.hint}".strip())
        else:
            messages.success(request, f"Added {made.name}.")
            return redirect("repos:trigger_list", name)
    return _render(request, repository, list(repository.triggers.all()), form, status=400)


@require_POST
def trigger_delete(request: ConsoleRequest, name: str, trigger_name: str) -> HttpResponse:
    """Remove one trigger; what it starts stays."""
    trigger_config.remove_trigger(request.principal, name, trigger_name)
    messages.success(request, f"Removed {trigger_name}.")
    return redirect("repos:trigger_list", name)


def _render(
    request: ConsoleRequest, repository: Repository, triggers: list[Trigger], form: TriggerForm, status: int = 200
) -> HttpResponse:
    context = {
        "repository": repository,
        "tab": "triggers",
        "rows": [(one, _target(one), [EVENT_WORDS.get(event, event) for event in one.events]) for one in triggers],
        "form": form,
        "may_change": is_allowed(request.principal, trigger_config.WRITE, repository.arn),
    }
    return render(request, "repos/trigger_list.html", context, status=status)


def _target(trigger: Trigger) -> tuple[str, str]:
    """What kind of thing a trigger tells, and its name."""
    parsed = arn.parse(trigger.destination_arn)
    if parsed.service == "codebuild" and parsed.resource.startswith(_PROJECT_PREFIX):
        return "project", parsed.resource.removeprefix(_PROJECT_PREFIX)
    return parsed.service, trigger.destination_arn
