"""Forms of repositories. The rules themselves are in names.py and the services; forms only tell them apart by field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from codeservices.errors import InvalidInput
from codeservices.forms import ConsoleForm, plain_attributes
from repos import branches, names
from repos.git import log, refs


def checked(check: Callable[[str], str], value: str) -> str:
    """The value by a rule of the services, whose refusal becomes the field's."""
    try:
        return check(value)
    except InvalidInput as error:
        raise ValidationError(f"{error.message} {error.hint}".strip()) from error


def plain_input(**attributes: str) -> forms.TextInput:
    """An input whose text no browser completes, capitalizes or corrects."""
    return forms.TextInput(attrs=plain_attributes(maxlength=None, **attributes))


_SEARCH = plain_attributes(type="search")


class NameForm(ConsoleForm):
    """A repository's name."""

    name = forms.CharField(
        max_length=1000,
        label="Name",
        help_text="Up to 100 letters, digits, dots, dashes and underscores. It is part of the clone URL.",
        error_messages={"required": "A repository name is required."},
        widget=plain_input(),
    )

    def clean_name(self) -> str:
        """The name by the rules of names.py."""
        return checked(names.check_name, self.cleaned_data["name"])


class DescriptionForm(ConsoleForm):
    """A repository's description."""

    description = forms.CharField(
        required=False,
        label="Description",
        help_text=f"Up to {names.MAX_DESCRIPTION_CHARACTERS:,} characters.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def clean_description(self) -> str:
        """The description by the rules of names.py."""
        return checked(names.check_description, self.cleaned_data["description"])


class RepositoryForm(NameForm, DescriptionForm):
    """A new repository."""

    field_order: Sequence[str] = ("name", "description")


class DefaultBranchForm(ConsoleForm):
    """Which branch pages and clones begin with."""

    branch = forms.ChoiceField(
        label="Default branch",
        help_text="The branch that a clone checks out and that pages begin with. It can't be deleted.",
        error_messages={"invalid_choice": "No branch is called “%(value)s”."},
    )

    def __init__(self, *args: Any, branches: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["branch"].choices = [(name, name) for name in branches]  # type: ignore[attr-defined]


class DeleteForm(ConsoleForm):
    """The name, typed again."""

    confirmation = forms.CharField(
        label="Name",
        error_messages={"required": "Type the repository's name to delete it."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        self.fields["confirmation"].label = f"Type {name} to confirm"
        self.fields["confirmation"].widget.attrs["data-confirm-name"] = name

    def clean_confirmation(self) -> str:
        """Exactly the name."""
        typed: str = self.cleaned_data["confirmation"]
        if typed != self.name:
            raise ValidationError(f"“{typed}” is not “{self.name}”, so nothing was deleted.")
        return typed


class QuotaForm(ConsoleForm):
    """What a repository may take."""

    quota_gigabytes = forms.FloatField(
        required=False,
        label="Quota in GB",
        min_value=0,
        max_value=2**30,
        widget=forms.NumberInput(attrs={"step": "any"}),
        error_messages={"invalid": "A quota is a number, such as 2.5."},
    )

    def quota_bytes(self) -> int | None:
        """As a valid form says; None for the installation's default."""
        quota: float | None = self.cleaned_data["quota_gigabytes"]
        return None if quota is None else round(quota * 2**30)


class BranchForm(ConsoleForm):
    """A new branch."""

    name = forms.CharField(
        max_length=1000,
        label="Name",
        help_text="For instance feature/search.",
        error_messages={"required": "A branch name is required."},
        widget=plain_input(),
    )
    start = forms.CharField(
        max_length=1000,
        label="From",
        help_text="A branch, a tag, or a commit's full id.",
        error_messages={"required": "Say from which commit it starts."},
        widget=plain_input(),
    )

    def clean_name(self) -> str:
        """The name by the rules of branches."""
        return checked(refs.check_branch_name, self.cleaned_data["name"])


class TagForm(BranchForm):
    """A new tag."""

    message = forms.CharField(
        required=False,
        label="Message",
        max_length=branches.MAX_MESSAGE_CHARACTERS,
        help_text="With a message the tag is an annotated one, which says who made it and when.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    field_order = ("name", "start", "message")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].help_text = "For instance v1.0."
        self.fields["name"].error_messages["required"] = "A tag name is required."

    def clean_name(self) -> str:
        """The name by the rules of tags."""
        name: str = self.cleaned_data["name"]
        checked(branches.tag_refname, name)
        return name


class CommitSearchForm(ConsoleForm):
    """Which commits of a history are looked for."""

    message = forms.CharField(required=False, max_length=200, label="Message", widget=forms.TextInput(attrs=_SEARCH))
    author = forms.CharField(required=False, max_length=200, label="Author", widget=forms.TextInput(attrs=_SEARCH))
    since = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label="To", widget=forms.DateInput(attrs={"type": "date"}))

    def search(self) -> log.Search:
        """What a valid form looks for. A line feed would part two texts of which git takes either."""
        values = self.cleaned_data
        return log.Search(
            message=" ".join(values["message"].split()),
            author=" ".join(values["author"].split()),
            since=values["since"],
            until=values["until"],
        )


_NAMES = "Names with commas between them."


class ProtectionForm(ConsoleForm):
    """Whom a branch's protection binds, and how much."""

    groups = forms.MultipleChoiceField(
        required=False, label="Groups", widget=forms.CheckboxSelectMultiple, help_text="Everyone in them is bound."
    )
    users = forms.CharField(
        required=False,
        label="Users",
        max_length=4000,
        help_text=_NAMES,
        widget=plain_input(),
    )
    allows_merges = forms.BooleanField(
        required=False,
        label="Let them merge into it",
        help_text="Merges made on this server stay allowed; pushes, edits and deleting are denied.",
    )
    binds_oneself = forms.BooleanField(
        required=False,
        label="It may bind me as well",
        help_text="Needed where you are among them. You can still take the protection away.",
    )

    def __init__(self, *args: Any, group_names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if group_names:
            self.fields["groups"].choices = [(name, name) for name in group_names]  # type: ignore[attr-defined]
        else:  # there are none, or the person may not list them and has to know their names
            self.fields["groups"] = forms.CharField(
                required=False, label="Groups", max_length=4000, help_text=_NAMES, widget=plain_input()
            )

    def clean(self) -> dict[str, Any]:
        """Names as lists."""
        values: dict[str, Any] = super().clean() or {}
        for key in ("groups", "users"):
            value = values.get(key, "")
            values[key] = value.replace(",", " ").split() if isinstance(value, str) else value
        return values
