"""Forms of sign-in, users, groups and policies. They check shapes; rules stand in `users.py`."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.html import format_html

from codeservices.errors import InvalidInput
from codeservices.forms import ConsoleForm
from codeservices.iam import policy
from codeservices.iam.models import Group, Policy
from codeservices.iam.names import validate_name, validate_user_name

NEW_POLICY = """{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["codecommit:GitPull", "codecommit:GetRepository"],
      "Resource": "*"
    }
  ]
}"""


class SignInForm(ConsoleForm):
    username = forms.CharField(
        label="User name",
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True, "autocapitalize": "none"}),
    )
    password = forms.CharField(
        max_length=4096, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )


class PasswordForm(ConsoleForm):
    """A person's own new password."""

    old_password = forms.CharField(
        label="Current password",
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new_password = forms.CharField(
        label="New password",
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters, not among the common ones.",
    )


class NewPasswordForm(ConsoleForm):
    """A password that an administrator gives."""

    password = forms.CharField(
        label="New password",
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters. Hand it over by a safe way; the user can change it.",
    )


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


class PolicyForm(ConsoleForm):
    """A policy of this account."""

    name = forms.CharField(max_length=128, validators=[validate_name])
    description = forms.CharField(max_length=1000, required=False, help_text="Optional.")
    document = forms.CharField(
        label="JSON document",
        initial=NEW_POLICY,
        widget=forms.Textarea(attrs={"class": "code", "rows": 18, "spellcheck": "false"}),
        help_text="Version, and a list of statements with Effect, Action, Resource and, if wanted, Condition.",
    )

    def clean_document(self) -> str:
        document: str = self.cleaned_data["document"]
        try:
            policy.parse(document)
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from None
        return document


class PolicyDocumentForm(PolicyForm):
    """A new document for a policy that exists."""

    name = None  # type: ignore[assignment]
    description = None  # type: ignore[assignment]


class SimulatorForm(ConsoleForm):
    """One question to the policy engine."""

    user = forms.CharField(label="User", max_length=64, widget=forms.TextInput(attrs={"list": "user-names"}))
    action = forms.CharField(max_length=128, widget=forms.TextInput(attrs={"placeholder": "codecommit:GitPush"}))
    resource = forms.CharField(max_length=2048, initial="*", help_text="An ARN, or * for all.")


def attachable(attached: Any) -> Any:
    """The policies that are not attached yet, for a select."""
    return Policy.objects.exclude(pk__in=attached.values("pk")).order_by("is_aws_managed", "name")


def joinable(groups: Any) -> Any:
    """The groups that a user is not in yet, for a select."""
    return Group.objects.exclude(pk__in=groups.values("pk")).order_by("name")
