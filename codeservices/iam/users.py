"""What may be done to users. Console and API call these same functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from codeservices.errors import Conflict, NotFound
from codeservices.iam import arn, names, rules, sessions
from codeservices.iam.authorize import Context, authorize
from codeservices.iam.models import User
from codeservices.iam.principal import Principal

# IAM and AWS STS quotas.
MAX_USERS = 5000


def find_user(name: str) -> User:
    """The user of that name in any case; raises NotFound."""
    user = User.objects.filter(name__iexact=name).first()
    if user is None:
        raise NotFound(f"The user with name {name} cannot be found.", code="NoSuchEntity")
    return user


def user_for(principal: Principal, action: str, name: str, context: Context | None = None) -> User:
    """Authorize `action` on the user's ARN, then fetch; a missing user is told only to those who may ask."""
    user = User.objects.filter(name__iexact=name).first()
    rules.authorize_row(principal, action, user, arn.user_arn(settings.ACCOUNT_ID, "/", name), context)
    return user or find_user(name)


def list_users(principal: Principal) -> QuerySet[User]:
    """Every user, by name, for whoever may iam:ListUsers."""
    authorize(principal, "iam:ListUsers", "*")
    return User.objects.order_by("name")


def create_user(
    principal: Principal, name: str, *, path: str = "/", email: str = "", tags: Mapping[str, str] | None = None
) -> User:
    """A user without a password, keys or policies."""
    tags = dict(tags or {})
    context = rules.tag_context(tags) if tags else None
    authorize(principal, "iam:CreateUser", arn.user_arn(settings.ACCOUNT_ID, path, name), context)
    user = User(name=name, path=path, email=email, tags=names.check_tags(tags))
    user.set_unusable_password()
    rules.save_one_more(user, User.objects.all(), MAX_USERS, f"User with name {name} already exists.")
    return user


def update_user(
    principal: Principal,
    name: str,
    *,
    new_name: str | None = None,
    new_path: str | None = None,
    new_email: str | None = None,
) -> User:
    """Rename or move a user; both the old and the new ARN must be allowed. Git user names stay as they were made.

    Args:
        new_name, new_path: What they are from now on; None leaves them.
        new_email: Likewise; an empty text takes the address away.
    """
    found = user_for(principal, "iam:UpdateUser", name)
    with transaction.atomic():
        user = rules.lock(found)
        user.name, user.path = new_name or user.name, new_path or user.path
        if new_email is not None:
            user.email = new_email
        rules.authorize_row(principal, "iam:UpdateUser", user, user.arn)
        rules.save_changed(user, f"User with name {user.name} already exists.", ("name", "path", "email"))
    return user


def delete_user(principal: Principal, name: str) -> None:
    """Remove a user that has no password, keys, credentials, groups or policies left, as IAM wants it."""
    found = user_for(principal, "iam:DeleteUser", name)
    with transaction.atomic():
        user = rules.lock(found)
        _refuse_while_it_has_parts(user)
        user.delete()


def _refuse_while_it_has_parts(user: User) -> None:
    children = {
        "sign-in password": user.has_usable_password(),
        "access keys": user.access_keys.exists(),
        "git credentials": user.git_credentials.exists(),
        "SSH public keys": user.ssh_public_keys.exists(),
        "MFA devices": user.mfa_devices.exists(),
        "attached policies": user.policies.exists(),
        "inline policies": user.inline_policies.exists(),
        "group memberships": user.groups.exists(),
    }
    left = [what for what, is_there in children.items() if is_there]
    if left:
        raise Conflict(f"Cannot delete user {user.name}: remove its {', '.join(left)} first.", code="DeleteConflict")


@transaction.atomic
def delete_user_with_everything(principal: Principal, name: str) -> None:
    """Remove a user with all that hangs on it, as the console does: each part needs its own right, or nothing goes."""
    user = rules.lock(user_for(principal, "iam:DeleteUser", name))
    parts = {
        "iam:DeleteLoginProfile": user.has_usable_password(),
        "iam:DeleteAccessKey": user.access_keys.exists(),
        "iam:DeleteServiceSpecificCredential": user.git_credentials.exists(),
        "iam:DeleteSSHPublicKey": user.ssh_public_keys.exists(),
        "iam:DeactivateMFADevice": user.mfa_devices.exists(),
        "iam:DetachUserPolicy": user.policies.exists(),
        "iam:DeleteUserPolicy": user.inline_policies.exists(),
    }
    for action, is_there in parts.items():
        if is_there:
            authorize(principal, action, user.arn)
    for group in user.groups.all():
        authorize(principal, "iam:RemoveUserFromGroup", group.arn)
    user.delete()


def set_active(principal: Principal, name: str, is_active: bool) -> User:
    """Let a user in or lock it out, with all its keys, at once."""
    user = user_for(principal, "iam:UpdateUser", name)
    user.is_active = is_active
    user.save(update_fields=["is_active"])
    if not is_active:
        sessions.end_all(user)
    return user


def tag_user(principal: Principal, name: str, tags: Mapping[str, str]) -> None:
    """Add tags to a user, or give those that it has a new value."""
    rules.add_tags(user_for(principal, "iam:TagUser", name, rules.tag_context(tags)), tags)


def untag_user(principal: Principal, name: str, keys: Iterable[str]) -> None:
    """Take tags away from a user."""
    keys = list(keys)
    rules.remove_tags(user_for(principal, "iam:UntagUser", name, {"aws:TagKeys": keys}), keys)
