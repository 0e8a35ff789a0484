"""A new user with all that it starts with, as the console and the command line make one."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from codeservices.iam import attachments, passwords, users
from codeservices.iam.models import User
from codeservices.iam.principal import Principal


@transaction.atomic
def create_user_with(principal: Principal, name: str, *, email: str, password: str, policy_arns: Iterable[str]) -> User:
    """A user with what it starts with, or nothing at all: each part needs its own right.

    Args:
        name: Its name.
        email: May be empty.
        password: A sign-in password; empty for a user that only has keys.
        policy_arns: The policies to attach.
    """
    user = users.create_user(principal, name, email=email)
    if password:
        user = passwords.create_login_profile(principal, name, password)
    for policy_arn in policy_arns:
        attachments.attach(principal, attachments.USER, name, policy_arn)
    return user
