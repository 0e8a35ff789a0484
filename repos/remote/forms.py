"""Forms of imports and mirrors: where to fetch from, and how. The rules are those of sources.py and mirrors.py."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from codeservices.errors import Conflict, InvalidInput, LimitExceeded, ServiceError
from codeservices.forms import ConsoleForm, code_attributes, plain_attributes
from repos.forms import RepositoryForm
from repos.git import patterns, remote
from repos.models import Mirror, RemoteSource
from repos.remote import sources
from repos.remote.mirrors import DEFAULT_INTERVAL_SECONDS, Plan

INTERVALS = (
    (300, "5 minutes"),
    (900, "15 minutes"),
    (3600, "hour"),
    (6 * 3600, "6 hours"),
    (12 * 3600, "12 hours"),
    (86400, "day"),
    (7 * 86400, "week"),
)
_PASSWORD_CODES = ("AuthenticationFailed", "PasswordUnreadable")


class SourceForm(ConsoleForm):
    """A repository on another server. A password is never shown again, nor sent anywhere but where it was given for."""

    url = forms.CharField(
        max_length=2100,
        label="URL",
        help_text="The https:// or http:// address that git clones from, without user name and password.",
        error_messages={"required": "The URL of the repository is required."},
        widget=forms.URLInput(attrs=plain_attributes(placeholder="https://git.example.com/team/project.git")),
    )
    user_name = forms.CharField(
        required=False,
        max_length=sources.MAX_USER_NAME_CHARACTERS,
        label="User name",
        widget=forms.TextInput(attrs=plain_attributes()),
    )
    password = forms.CharField(
        required=False,
        strip=False,
        max_length=sources.MAX_PASSWORD_CHARACTERS,
        label="Password or token",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
    )
    tolerates_identity_defects = forms.BooleanField(
        required=False,
        label="Take commits whose author or date lines are malformed",
        help_text="As old tools wrote them. Everything else that is wrong with an object is still refused.",
    )

    def __init__(self, *args: Any, stored: RemoteSource | None = None, **kwargs: Any) -> None:
        if stored is not None:
            shown = ("url", "user_name", "tolerates_identity_defects")
            kwargs["initial"] = {name: getattr(stored, name) for name in shown} | kwargs.get("initial", {})
        super().__init__(*args, **kwargs)
        if stored is not None and stored.sealed_password:
            self.fields["password"].help_text = "Leave it empty to keep the one that is stored."

    def clean_url(self) -> str:
        """The URL in its one form; where it leads is for the service to judge."""
        try:
            return remote.check_url(self.cleaned_data["url"])
        except InvalidInput as error:
            raise ValidationError(error.message) from error

    def given(self) -> sources.Given:
        """The source of a valid form."""
        data = self.cleaned_data
        return sources.Given(data["url"], data["user_name"], data["password"], data["tolerates_identity_defects"])

    def add_service_error(self, error: ServiceError) -> None:
        """Tell a refusal beside the field that it is about; what the repository's state forbids, by its name."""
        field: str | None = "password" if error.code in _PASSWORD_CODES else "url"
        if isinstance(error, Conflict | LimitExceeded):
            field = "name" if "name" in self.fields else None
        self.add_error(field, f"{error.message} {error.hint}".strip())


class ImportForm(RepositoryForm, SourceForm):
    """A new repository, and where its contents come from."""

    becomes_mirror = forms.BooleanField(
        required=False,
        label="Mirror it from now on",
        help_text="It is fetched again every hour, and its branches and tags can't be pushed to here.",
    )
    field_order = ("url", "user_name", "password", "name", "description", "becomes_mirror")


class MirrorForm(SourceForm):
    """How a repository follows another one."""

    interval_seconds = forms.TypedChoiceField(
        coerce=int, choices=INTERVALS, initial=DEFAULT_INTERVAL_SECONDS, label="Run every"
    )
    which = forms.ChoiceField(
        choices=[("all", "All branches, tags and notes"), ("chosen", "Only these")],
        initial="all",
        widget=forms.RadioSelect,
        label="What to follow",
    )
    patterns = forms.CharField(
        required=False,
        label="Branches and tags",
        help_text="One a line: main, release/*, refs/tags/v*.",
        widget=forms.Textarea(attrs=code_attributes(rows=3)),
    )
    prunes = forms.BooleanField(
        required=False, initial=True, label="Also remove here what the mirror brought and what is gone there"
    )
    confirmation = forms.CharField(required=False, widget=forms.TextInput(attrs=plain_attributes()))

    def __init__(self, *args: Any, mirror: Mirror | None, name: str, overwrites: bool, **kwargs: Any) -> None:
        if mirror is not None:
            kwargs["initial"] = {
                "interval_seconds": mirror.interval_seconds,
                "which": "chosen" if mirror.patterns else "all",
                "patterns": "\n".join(one.removeprefix("refs/heads/") for one in mirror.patterns),
                "prunes": mirror.prunes,
            }
        super().__init__(*args, stored=mirror, **kwargs)
        self.name, self.overwrites = name, overwrites
        if overwrites:
            self.fields["confirmation"].label = f"Type {name} to confirm"
            self.fields["confirmation"].widget.attrs["data-confirm-name"] = name
        else:
            del self.fields["confirmation"]

    def clean(self) -> dict[str, Any]:
        """The patterns, where some are asked for, as full refnames."""
        data: dict[str, Any] = super().clean() or {}
        try:
            chosen = patterns.parse(data.get("patterns", "")) if data.get("which") == "chosen" else []
        except InvalidInput as error:
            self.add_error("patterns", error.message)
        else:
            if data.get("which") == "chosen" and not chosen:
                self.add_error("patterns", "Name at least one branch or tag.")
            data["chosen"] = chosen
        if self.overwrites and data.get("confirmation") != self.name:
            self.add_error("confirmation", "Type the repository's name: what it has now may be overwritten.")
        return data

    def plan(self) -> Plan:
        """The plan of a valid form."""
        data = self.cleaned_data
        return Plan(tuple(data["chosen"]), data["interval_seconds"], data["prunes"])
