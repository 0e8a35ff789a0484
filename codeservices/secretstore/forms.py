"""The forms of parameters and secrets: make one, give it a new value, delete a secret with or without a way back."""

from __future__ import annotations

from django import forms

from codeservices.forms import ConsoleForm, code_attributes
from codeservices.secretstore.models import ParameterType


def _value(help_text: str = "") -> forms.CharField:
    return forms.CharField(widget=forms.Textarea(attrs=code_attributes(rows="5")), strip=False, help_text=help_text)


class OneLineEnds(ConsoleForm):
    """A form with a value: browsers send line ends as CR LF, which nobody typed."""

    def clean_value(self) -> str:
        value: str = self.cleaned_data["value"]
        return value.replace("\r\n", "\n")


class ParameterForm(OneLineEnds):
    """A new parameter."""

    name = forms.CharField(
        max_length=1011,
        help_text="Letters, digits and . - _; in a hierarchy it begins with a slash, as in /shop/db-password.",
        widget=forms.TextInput(attrs=code_attributes(placeholder="/shop/production/db-password")),
    )
    type = forms.ChoiceField(
        choices=ParameterType.choices,
        initial=ParameterType.SECURE_STRING,
        help_text="A secure string is told only to those who ask for it decrypted. All types are stored encrypted.",
    )
    value = _value("Up to 8,192 characters.")
    description = forms.CharField(required=False, max_length=1024)
    allowed_pattern = forms.CharField(
        required=False,
        max_length=1024,
        label="Allowed pattern",
        help_text="A regular expression that this value and later ones must match, such as ^[0-9]+$.",
        widget=forms.TextInput(attrs=code_attributes()),
    )


class ParameterValueForm(OneLineEnds):
    """A new version of a parameter."""

    value = _value()
    description = forms.CharField(required=False, max_length=1024)


class SecretForm(OneLineEnds):
    """A new secret."""

    name = forms.CharField(
        max_length=512,
        help_text="Letters, digits and / _ + = . @ -.",
        widget=forms.TextInput(attrs=code_attributes(placeholder="shop/production/db")),
    )
    value = _value(
        'Any text of up to 65,536 bytes; as JSON, builds can ask for one key: {"user": "shop", "password": …}.'
    )
    description = forms.CharField(required=False, max_length=2048)


class SecretValueForm(OneLineEnds):
    """A new version of a secret."""

    value = _value("It becomes AWSCURRENT; what is current now stays as AWSPREVIOUS.")


class SecretDescriptionForm(ConsoleForm):
    """What a secret is for."""

    description = forms.CharField(required=False, max_length=2048)


class SecretDeleteForm(ConsoleForm):
    """How long a deleted secret can be restored."""

    days = forms.TypedChoiceField(
        label="It can be restored for",
        choices=[("30", "30 days"), ("14", "14 days"), ("7", "7 days"), ("0", "no time: remove it now")],
        coerce=int,
        initial="30",
    )
