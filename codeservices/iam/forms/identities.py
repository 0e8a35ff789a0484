"""Forms of users and groups. They check shapes; rules stand in the services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.html import format_html

from codeservices.forms import ConsoleForm
from codeservices.iam.models import Group, Policy
from codeservices.iam.names import validate_name, validate_user_name


class PolicyChoiceField(forms.ModelMultipleChoiceField):
    """Policies to tick, each with what it is for."""

    def label_from_instance(self, obj: Policy) -> str:
        return format_html('<span>{}</span><span class="row-note">{}</span>', obj.name, obj.description)


class UserForm(ConsoleForm):
    """A new user, with what it starts with."""

    name = forms.CharField(
        label="User name",
        max_length=64,
        validators=[validate_user_name],
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
        help_text="1 to 64 letters, digits or _ + = , . @ -. It becomes part of the user's ARN.",
    )
    email = forms.EmailField(label="E-mail", required=False, help_text="Optional.")
    password = forms.CharField(
        label="Sign-in password",
        required=False,
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Optional: a script that uses only keys needs none.",
    )
    policies = PolicyChoiceField(
        queryset=Policy.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="What the user may do. Without any policy, nothing is allowed.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        policies = self.fields["policies"]
        assert isinstance(policies, PolicyChoiceField)
        policies.queryset = Policy.objects.order_by("is_aws_managed", "name")


class GroupForm(ConsoleForm):
    name = forms.CharField(
        label="New group",
        max_length=128,
        validators=[validate_name],
        widget=forms.TextInput(attrs={"placeholder": "developers", "autocomplete": "off"}),
    )


def joinable(groups: Any) -> Any:
    """The groups that a user is not in yet, for a select."""
    return Group.objects.exclude(pk__in=groups.values("pk")).order_by("name")
