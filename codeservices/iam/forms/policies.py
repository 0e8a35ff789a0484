"""Forms of policies and of the simulator."""

from __future__ import annotations

from typing import Any

from django import forms

from codeservices.errors import InvalidInput
from codeservices.forms import ConsoleForm
from codeservices.iam import policy
from codeservices.iam.models import Policy
from codeservices.iam.names import validate_name

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
