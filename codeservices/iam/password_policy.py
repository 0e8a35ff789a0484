"""The account's password policy: what passwords must be like, how long they live, who may change their own.

Source: IAM User Guide, "Set an account password policy for IAM users"; IAM API Reference, UpdateAccountPasswordPolicy.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.hashers import check_password
from django.core.exceptions import ValidationError
from django.utils import timezone

from codeservices.errors import AccessDenied, InvalidInput, NotFound
from codeservices.iam.authorize import authorize
from codeservices.iam.models import AccountPasswordPolicy, PreviousPassword, User
from codeservices.iam.principal import Principal

SYMBOLS = "!@#$%^&*()_+-=[]{}|'"
# What holds while nobody has set a policy: the length that helps most, and no rules that make people write them down.
MINIMUM_LENGTH_WITHOUT_POLICY = 10


def current() -> AccountPasswordPolicy:
    """The policy in force: the one that was set, or the product's own."""
    return _row() or AccountPasswordPolicy(minimum_length=MINIMUM_LENGTH_WITHOUT_POLICY)


def get_policy(principal: Principal) -> AccountPasswordPolicy:
    """The policy that was set.

    Raises:
        NotFound: Nobody has set one (NoSuchEntity).
    """
    found = _row()
    try:
        authorize(principal, "iam:GetAccountPasswordPolicy", "*")
    except AccessDenied as denied:
        # Who may change their own password by the policy's leave may read what it must be like.
        if principal.kind != "user" or denied.statement or not (found and found.allow_users_to_change_password):
            raise
    if found is None:
        raise _no_policy()
    return found


def update_policy(principal: Principal, **values: Any) -> AccountPasswordPolicy:
    """Set the policy; what is left out goes back to its default, as in IAM.

    Args:
        values: Fields of AccountPasswordPolicy.

    Raises:
        InvalidInput: A value is out of its bounds (ValidationError).
    """
    authorize(principal, "iam:UpdateAccountPasswordPolicy", "*")
    policy = AccountPasswordPolicy(pk=1, **values)
    try:
        policy.clean_fields()
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages), code="ValidationError") from None
    policy.save()
    return policy


def delete_policy(principal: Principal) -> None:
    """Go back to the product's own rules; raises NotFound (NoSuchEntity) where no policy is set."""
    authorize(principal, "iam:DeleteAccountPasswordPolicy", "*")
    if not AccountPasswordPolicy.objects.filter(pk=1).delete()[0]:
        raise _no_policy()


def problems(policy: AccountPasswordPolicy, password: str) -> list[str]:
    """A sentence for each rule of the policy that the password breaks."""
    wanted = {
        "one of the symbols " + " ".join(SYMBOLS): (policy.require_symbols, lambda c: c in SYMBOLS),
        "a number": (policy.require_numbers, lambda c: c in "0123456789"),
        "an uppercase letter (A to Z)": (policy.require_uppercase, lambda c: "A" <= c <= "Z"),
        "a lowercase letter (a to z)": (policy.require_lowercase, lambda c: "a" <= c <= "z"),
    }
    found = []
    if len(password) < policy.minimum_length:
        found.append(f"This password is too short. It must contain at least {policy.minimum_length} characters.")
    for what, (is_required, fits) in wanted.items():
        if is_required and not any(fits(character) for character in password):
            found.append(f"This password must contain {what}.")
    return found


def sentence(policy: AccountPasswordPolicy) -> str:
    """What a new password must be like, for people to read."""
    kinds = {
        "a symbol": policy.require_symbols,
        "a number": policy.require_numbers,
        "an uppercase letter": policy.require_uppercase,
        "a lowercase letter": policy.require_lowercase,
    }
    named = [kind for kind, is_required in kinds.items() if is_required]
    listed = ", ".join(named[:-1]) + " and " + named[-1] if len(named) > 1 else "".join(named)
    rest = f" with {listed}" if named else ""
    return f"At least {policy.minimum_length} characters{rest}, not among the common ones."


class AccountPolicyValidator:
    """The policy's rules beside Django's own validators, so that every place that sets a password knows them."""

    def validate(self, password: str, user: Any = None) -> None:
        found = problems(current(), password)
        if found:
            raise ValidationError(found)

    def get_help_text(self) -> str:
        return sentence(current())


def is_expired(user: User) -> bool:
    """Whether the user's password is older than the policy lets passwords become."""
    days = current().max_age_days
    return days is not None and timezone.now() - (user.password_set_at or user.created_at) > timedelta(days=days)


def was_used_before(user: User, password: str) -> bool:
    """Whether it is the user's present password or one of those that the policy remembers."""
    count = current().remembered_passwords
    if not count:
        return False
    older = user.previous_passwords.values_list("password", flat=True)[: count - 1]
    hashes = [*([user.password] if user.has_usable_password() else []), *older]
    return any(check_password(password, one) for one in hashes)


def remember(user: User) -> None:
    """Keep the hash of the password that is about to be replaced, as long as the policy asks for it."""
    count = current().remembered_passwords or 0
    if count > 1 and user.has_usable_password():
        user.previous_passwords.create(password=user.password)
    kept = user.previous_passwords.values_list("pk", flat=True)[: max(0, count - 1)]
    PreviousPassword.objects.filter(user=user).exclude(pk__in=list(kept)).delete()


def _row() -> AccountPasswordPolicy | None:
    return AccountPasswordPolicy.objects.filter(pk=1).first()


def _no_policy() -> NotFound:
    return NotFound("The Password Policy with domain name account cannot be found.", code="NoSuchEntity")
