"""The form of a trigger: one list of what it can tell, and a line each for an endpoint's address and for any ARN."""

from __future__ import annotations

from typing import Any

from django import forms

from codeservices.forms import ConsoleForm, code_attributes
from codeservices.iam.principal import Principal
from repos.models import Trigger
from repos.triggers import destinations
from repos.triggers.config import InvalidTrigger, TriggerSettings
from repos.triggers.matching import ALL, CREATE, DELETE, UPDATE

ENDPOINT, OTHER = "endpoint", "other"
EVENT_WORDS = {
    ALL: "a branch or tag is created, moved or deleted",
    CREATE: "a branch or tag is created",
    UPDATE: "a branch or tag moves",
    DELETE: "a branch or tag is deleted",
}


class TriggerForm(ConsoleForm):
    """What a trigger tells, of which events and branches. One that is there keeps its name."""

    name = forms.CharField(
        max_length=100,
        help_text="Letters, digits, dots, dashes and underscores.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    destination = forms.ChoiceField(label="Tells", help_text="What it starts, publishes to or calls.")
    endpoint_url = forms.CharField(
        required=False,
        label="Address",
        help_text="An https:// address. It gets a request to confirm first, then each event in a signed POST.",
        widget=forms.URLInput(attrs=code_attributes(placeholder="https://hooks.example.com/push")),
    )
    destination_arn = forms.CharField(
        required=False,
        label="ARN",
        help_text="Of a topic, a build project, or a function: functions are kept, and called once there are any.",
        widget=forms.TextInput(attrs=code_attributes()),
    )
    branches = forms.CharField(
        required=False,
        help_text="Short names with spaces between them. Empty means every branch and tag.",
        widget=forms.TextInput(attrs=code_attributes()),
    )
    events = forms.MultipleChoiceField(
        choices=[(name, EVENT_WORDS[name].capitalize()) for name in (CREATE, UPDATE, DELETE)],
        widget=forms.CheckboxSelectMultiple,
        label="When",
    )
    custom_data = forms.CharField(
        required=False,
        strip=False,
        help_text="Up to 1,000 characters that come with every event as they are.",
        widget=forms.Textarea(attrs=code_attributes(rows=2)),
    )

    def __init__(self, principal: Principal, *args: Any, trigger: Trigger | None = None, **kwargs: Any) -> None:
        choices = [
            (f"{kind.title[0].upper()}{kind.title[1:]}s", [(one.arn, one.name) for one in kind.choices(principal)])
            for kind in sorted(destinations.registered(), key=lambda one: one.title)
        ]
        choices = [(title, rows) for title, rows in choices if rows]
        known = {arn for _, rows in choices for arn, _ in rows}
        kwargs["initial"] = _initial(trigger, known)
        super().__init__(*args, **kwargs)
        elsewhere = [(ENDPOINT, "An HTTPS endpoint"), (OTHER, "Something else, by its ARN")]
        self.fields["destination"].choices = [*choices, ("Elsewhere", elsewhere)]  # type: ignore[attr-defined]
        self.trigger = trigger
        if trigger is not None:
            del self.fields["name"]

    def clean(self) -> dict[str, Any]:
        """The line that the chosen destination needs must be filled in."""
        given = super().clean() or {}
        chosen = given.get("destination")
        if chosen == ENDPOINT and not given.get("endpoint_url"):
            self.add_error("endpoint_url", "An endpoint needs an address.")
        if chosen == OTHER and not given.get("destination_arn"):
            self.add_error("destination_arn", "Which ARN?")
        return given

    def wanted(self) -> TriggerSettings:
        """The trigger that a valid form asks for."""
        given = self.cleaned_data
        chosen = given["destination"]
        events = tuple(given["events"])
        return TriggerSettings(
            name=self.trigger.name if self.trigger is not None else given["name"],
            destination_arn={ENDPOINT: "", OTHER: given["destination_arn"]}.get(chosen, chosen),
            events=(ALL,) if len(events) == len((CREATE, UPDATE, DELETE)) else events,
            branches=tuple(dict.fromkeys(given["branches"].split())),
            custom_data=given["custom_data"].replace("\r\n", "\n"),
            endpoint_url=given["endpoint_url"] if chosen == ENDPOINT else "",
        )

    def refuse(self, error: InvalidTrigger) -> None:
        """Put what a service has refused beside its field."""
        name = error.field
        if name == "destination_arn" and self.cleaned_data["destination"] != OTHER:
            name = "destination"
        self.add_error(name if name in self.fields else None, f"{error.message} {error.hint}".strip())


def _initial(trigger: Trigger | None, known: set[str]) -> dict[str, Any]:
    if trigger is None:
        return {"events": [CREATE, UPDATE]}
    destination = trigger.destination_arn if trigger.destination_arn in known else OTHER
    return {
        "destination": ENDPOINT if trigger.endpoint_url else destination,
        "endpoint_url": trigger.endpoint_url,
        "destination_arn": trigger.destination_arn if destination == OTHER and not trigger.endpoint_url else "",
        "branches": " ".join(trigger.branches),
        "events": [CREATE, UPDATE, DELETE] if ALL in trigger.events else trigger.events,
        "custom_data": trigger.custom_data,
    }
