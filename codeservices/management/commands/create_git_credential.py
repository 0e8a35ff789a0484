"""A git user name and password without a browser."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from codeservices.errors import ServiceError
from codeservices.iam import user_credentials
from codeservices.iam.shell import account, shell_act


class Command(BaseCommand):
    help = "Create a git credential for a user and print it once, in the form that git credential helpers read."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the user's name")

    def handle(self, *, name: str, **options: Any) -> None:
        try:
            with shell_act("create_git_credential"):
                credential, password = user_credentials.create_git_credential(account(), name)
        except ServiceError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"username={credential.service_user_name}\npassword={password}")
        self.stdout.write("Created 1 git credential. The password is not shown again.")
