"""Forms of users and groups. They check shapes; rules stand in the services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.html import format_html

from codeservices.forms import ConsoleForm, plain_attributes
from codeservices.iam.models import Group, Policy
from codeservices.iam.names import validate_name, validate_path, validate_user_name


class PolicyChoiceField(forms.ModelMultipleChoiceField):
    """Policies to tick, each with what it is for."""

    def label_from_instance(self, obj: Policy) -> str:
        return format_html('<span>{}</span><span class="row-note">{}</span>', obj.name, obj.description)


def path_field() -> forms.CharField:
    """A path, "/" where nothing is entered."""
    return forms.CharField(
        required=False,
        max_length=512,
        empty_value="/",
        initial="/",
        validators=[validate_path],
        widget=forms.TextInput(attrs=plain_attributes()),
        help_text="Part of the ARN, so that policies can speak of all below it: /division/team/.",
    )


class UserForm(ConsoleForm):
    """A new user, with what it starts with."""

    name = forms.CharField(
        label="User name",
        max_length=64,
        validators=[validate_user_name],
        widget=forms.TextInput(attrs=plain_attributes()),
        help_text="1 to 64 letters, digits or _ + = , . @ -. It becomes part of the user's ARN.",
    )
    path = path_field()
    email = forms.EmailField(label="E-mail", required=False, help_text="Optional.")
    password = forms.CharField(
        label="Sign-in password",
        required=False,
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Optional: a script that uses only keys needs none.",
    )
    reset_required = forms.BooleanField(
        label="Must be changed at the next sign-in", required=False, widget=forms.CheckboxInput(attrs={"checked": True})
    )
    groups = forms.ModelMultipleChoiceField(
        queryset=Group.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="The usual way: what a group may do, its members may.",
    )
    policies = PolicyChoiceField(
        queryset=Policy.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="What this user may do besides. Without any policy, nothing is allowed.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_bound:
            del self.fields["reset_required"].widget.attrs["checked"]
        for name, rows in (
            ("policies", Policy.objects.order_by("is_aws_managed", "name")),
            ("groups", Group.objects.order_by("name")),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ModelMultipleChoiceField)
            field.queryset = rows


class GroupForm(ConsoleForm):
    """A new group."""

    name = forms.CharField(
        label="Name",
        max_length=128,
        validators=[validate_name],
        widget=forms.TextInput(attrs=plain_attributes(placeholder="developers")),
    )
    path = path_field()


class PlaceForm(ConsoleForm):
    """Where a user or group stands: its name and path. The service checks the name."""

    name = forms.CharField(label="Name", max_length=128, widget=forms.TextInput(attrs=plain_attributes()))
    path = path_field()


class UserPlaceForm(PlaceForm):
    """A user's, and where it is written to."""

    email = forms.EmailField(label="E-mail", required=False, help_text="Optional.")


def joinable(groups: Any) -> Any:
    """The groups that a user is not in yet, for a picker."""
    return Group.objects.exclude(pk__in=groups.values("pk")).order_by("name")
