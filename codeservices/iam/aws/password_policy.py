"""The account's password policy."""

from __future__ import annotations

from typing import Any

from codeservices.aws.dispatch import Call, operation
from codeservices.iam import password_policy

# What IAM calls a field of AccountPasswordPolicy.
_FIELDS = {
    "MinimumPasswordLength": "minimum_length",
    "RequireSymbols": "require_symbols",
    "RequireNumbers": "require_numbers",
    "RequireUppercaseCharacters": "require_uppercase",
    "RequireLowercaseCharacters": "require_lowercase",
    "AllowUsersToChangePassword": "allow_users_to_change_password",
    "MaxPasswordAge": "max_age_days",
    "PasswordReusePrevention": "remembered_passwords",
    "HardExpiry": "hard_expiry",
}


@operation("iam", "GetAccountPasswordPolicy")
def get_account_password_policy(call: Call) -> dict[str, Any]:
    policy = password_policy.get_policy(call.principal)
    told = {name: getattr(policy, field) for name, field in _FIELDS.items()}
    return {"PasswordPolicy": {**told, "ExpirePasswords": policy.max_age_days is not None}}


@operation("iam", "UpdateAccountPasswordPolicy")
def update_account_password_policy(call: Call) -> None:
    """No parameter is required; one that is left out goes back to its default."""
    password_policy.update_policy(call.principal, **{_FIELDS[name]: value for name, value in call.params.items()})


@operation("iam", "DeleteAccountPasswordPolicy")
def delete_account_password_policy(call: Call) -> None:
    password_policy.delete_policy(call.principal)
