"""A new sign-in password for somebody who has lost theirs, the administrator included."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from codeservices.errors import ServiceError
from codeservices.iam import password_policy, passwords, secrets
from codeservices.iam.shell import account, shell_act


class Command(BaseCommand):
    help = "Give a user a new generated password, which is printed once. Signed-in browsers of the user are signed out."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the user's name")

    def handle(self, *, name: str, **options: Any) -> None:
        password = secrets.new_sign_in_password(password_policy.current().minimum_length)
        try:
            with shell_act("reset_password"):
                user = passwords.set_password(account(), name, password)
        except ServiceError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"username {user.name}\npassword {password}")
        self.stdout.write("Reset 1 password. It is not shown again.")
