"""Forms of policies and of the simulator."""

from __future__ import annotations

from typing import Any

from django import forms

from codeservices.errors import InvalidInput
from codeservices.forms import ConsoleForm, plain_attributes
from codeservices.iam import policy
from codeservices.iam.forms.identities import path_field
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


def document_field() -> forms.CharField:
    """A policy's document, in the editor that static/js/policy_editor.js makes of it."""
    return forms.CharField(
        label="JSON document",
        initial=NEW_POLICY,
        widget=forms.Textarea(attrs={"class": "code", "rows": 22, "spellcheck": "false", "data-policy-editor": True}),
    )


def checked_document(document: str) -> str:
    """The document itself; its faults as those of a form."""
    try:
        policy.parse(document)
    except InvalidInput as error:
        raise forms.ValidationError(error.message) from None
    return document


class PolicyDocumentForm(ConsoleForm):
    """A new document for a policy that exists."""

    document = document_field()

    def clean_document(self) -> str:
        return checked_document(self.cleaned_data["document"])


class PolicyForm(PolicyDocumentForm):
    """A policy of this account."""

    name = forms.CharField(max_length=128, validators=[validate_name], widget=forms.TextInput(attrs=plain_attributes()))
    path = path_field()
    description = forms.CharField(max_length=1000, required=False, help_text="Optional: what it is for.")


class InlinePolicyForm(PolicyDocumentForm):
    """A policy that stands in one user, group or role."""

    name = forms.CharField(max_length=128, validators=[validate_name], widget=forms.TextInput(attrs=plain_attributes()))


def attachable(attached: Any) -> Any:
    """The policies that are not attached yet, for a picker."""
    return Policy.objects.exclude(pk__in=attached.values("pk")).order_by("is_aws_managed", "name")
