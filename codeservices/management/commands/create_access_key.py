"""An access key without a browser: what `aws`, boto3 and Terraform sign with."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from codeservices.errors import ServiceError
from codeservices.iam import user_credentials
from codeservices.iam.shell import account, shell_act


class Command(BaseCommand):
    help = "Create an access key for a user and print it once, in the form of an AWS credentials file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the user's name")

    def handle(self, *, name: str, **options: Any) -> None:
        try:
            with shell_act("create_access_key"):
                key, secret = user_credentials.create_access_key(account(), name)
        except ServiceError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"aws_access_key_id = {key.access_key_id}\naws_secret_access_key = {secret}")
        self.stdout.write("Created 1 access key. The secret is not shown again.")
