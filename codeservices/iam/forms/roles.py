"""Forms of roles. They check shapes; rules stand in the services."""

from __future__ import annotations

from typing import Any

from django import forms

from codeservices.forms import ConsoleForm, plain_attributes
from codeservices.iam.forms.identities import path_field
from codeservices.iam.names import validate_role_name

SESSION_HOURS = range(1, 13)
NEW_TRUST_POLICY = """{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {"Service": "codebuild.amazonaws.com"},
      "Action": "sts:AssumeRole"
    }
  ]
}"""


class RoleForm(ConsoleForm):
    """A new role, and whom it trusts."""

    name = forms.CharField(
        label="Role name",
        max_length=64,
        validators=[validate_role_name],
        widget=forms.TextInput(attrs=plain_attributes()),
        help_text="1 to 64 letters, digits or _ + = , . @ -. It becomes part of the role's ARN.",
    )
    path = path_field()
    description = forms.CharField(max_length=1000, required=False, help_text="Optional: what it is for.")
    trusted = forms.ChoiceField(
        label="Who may take it on",
        choices=[
            ("builds", "Builds: projects use it as their service role"),
            ("account", "Users and roles of this account, as their own policies allow"),
            ("principal", "One user or role of this account"),
            ("custom", "Whoever the trust policy below names"),
        ],
        initial="builds",
        widget=forms.RadioSelect,
    )
    principal = forms.CharField(
        label="ARN of that user or role",
        required=False,
        max_length=2048,
        widget=forms.TextInput(attrs=plain_attributes(placeholder="arn:aws:iam::…:user/alice")),
    )
    trust_policy = forms.CharField(
        label="Trust policy",
        required=False,
        initial=NEW_TRUST_POLICY,
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        for choice, field in (("principal", "principal"), ("custom", "trust_policy")):
            if values.get("trusted") == choice and not values.get(field):
                self.add_error(field, "The choice above needs this.")
        return values


class TrustPolicyForm(ConsoleForm):
    """Another trust policy for a role; the service reads it."""

    document = forms.CharField(label="Trust policy")


class RoleSettingsForm(ConsoleForm):
    """What may be changed of a role besides its policies."""

    description = forms.CharField(max_length=1000, required=False)
    hours = forms.TypedChoiceField(
        label="Longest session",
        coerce=int,
        choices=[(hours, f"{hours} hour{'' if hours == 1 else 's'}") for hours in SESSION_HOURS],
        help_text="How long the temporary credentials of one session last at most.",
    )
