"""Forms of sign-in and of passwords."""

from __future__ import annotations

from typing import Any

from django import forms

from codeservices.forms import ConsoleForm, plain_attributes
from codeservices.iam import password_policy
from codeservices.iam.models import AccountPasswordPolicy


def _password_field(label: str, autocomplete: str) -> forms.CharField:
    """A password as it was typed, blanks at its ends included; `autocomplete` says which one the browser may offer."""
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, strip=False, max_length=4096, widget=widget)


class SignInForm(ConsoleForm):
    """Name and password."""

    username = forms.CharField(
        label="User name",
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True, "autocapitalize": "none"}),
    )
    password = _password_field("Password", "current-password")


class PasswordForm(ConsoleForm):
    """A person's own new password."""

    old_password = _password_field("Current password", "current-password")
    new_password = _password_field("New password", "new-password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new_password"].help_text = password_policy.sentence(password_policy.current())


class NewPasswordForm(ConsoleForm):
    """A password that an administrator gives."""

    password = _password_field("New password", "new-password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        told = password_policy.sentence(password_policy.current())
        self.fields["password"].help_text = f"{told} Hand it over by a safe way; the user can change it."


def _code_field(label: str, *, help_text: str = "", autofocus: bool = False) -> forms.CharField:
    attributes = plain_attributes(autocomplete="one-time-code")
    if autofocus:
        attributes["autofocus"] = ""
    return forms.CharField(label=label, max_length=32, help_text=help_text, widget=forms.TextInput(attrs=attributes))


class SecondFactorForm(ConsoleForm):
    """The code that follows the password."""

    code = _code_field(
        "Code", help_text="Six digits from your authenticator app, or one of your recovery codes.", autofocus=True
    )


class EnrolmentForm(ConsoleForm):
    """Two codes in a row, which prove that the app has the secret."""

    first_code = _code_field("Code", help_text="The six digits that the app shows now.")
    second_code = _code_field("Next code", help_text="Wait for the next six digits, at most 30 seconds.")


class ProofForm(ConsoleForm):
    """Password and code once more, before the second factor is changed."""

    mfa_password = _password_field("Password", "current-password")
    mfa_code = _code_field("Code")


class PasswordPolicyForm(forms.ModelForm):
    """The account's password policy, field by field."""

    class Meta:
        model = AccountPasswordPolicy
        fields = [
            "minimum_length",
            "require_uppercase",
            "require_lowercase",
            "require_numbers",
            "require_symbols",
            "allow_users_to_change_password",
            "max_age_days",
            "hard_expiry",
            "remembered_passwords",
        ]
        labels = {
            "minimum_length": "Minimum length",
            "require_uppercase": "An uppercase letter (A to Z)",
            "require_lowercase": "A lowercase letter (a to z)",
            "require_numbers": "A number",
            "require_symbols": "A symbol",
            "allow_users_to_change_password": "Users may change their own password",
            "max_age_days": "Days until a password expires",
            "hard_expiry": "Only an administrator can replace an expired password",
            "remembered_passwords": "Passwords that may not be used again",
        }
        help_texts = {
            "minimum_length": "6 to 128 characters.",
            "max_age_days": "1 to 1095; empty: never.",
            "remembered_passwords": "The last 1 to 24 of each user; empty: none.",
            "allow_users_to_change_password": "Without a policy of theirs that allows iam:ChangePassword.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
