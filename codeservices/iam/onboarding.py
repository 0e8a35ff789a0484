"""A new user with all that it starts with, as the console and the command line make one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction

from codeservices.iam import attachments, groups, passwords, users
from codeservices.iam.models import User
from codeservices.iam.principal import Principal


@transaction.atomic
def create_user_with(
    principal: Principal,
    name: str,
    *,
    email: str,
    password: str,
    policy_arns: Iterable[str],
    path: str = "/",
    reset_required: bool = False,
    group_names: Iterable[str] = (),
    tags: Mapping[str, str] | None = None,
) -> User:
    """A user with what it starts with, or nothing at all: each part needs its own right.

    Args:
        name: Its name.
        email: May be empty.
        password: A sign-in password; empty for a user that only has keys.
        policy_arns: The policies to attach.
        path: Part of its ARN.
        reset_required: The password has to be changed at the first sign-in.
        group_names: The groups it joins.
        tags: Its tags.
    """
    user = users.create_user(principal, name, path=path, email=email, tags=tags)
    if password:
        user = passwords.create_login_profile(principal, name, password, reset_required=reset_required)
    for group_name in group_names:
        groups.add_user_to_group(principal, group_name, name)
    for policy_arn in policy_arns:
        attachments.attach(principal, attachments.USER, name, policy_arn)
    return user
