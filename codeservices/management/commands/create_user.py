"""A user without a browser."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from codeservices.errors import ServiceError
from codeservices.iam import onboarding, password_policy, secrets
from codeservices.iam.models import Policy
from codeservices.iam.shell import account, shell_act


class Command(BaseCommand):
    help = "Create a user with a generated password, which is printed once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the user's name")
        parser.add_argument("--email", default="", help="the user's e-mail address")
        parser.add_argument(
            "--policy",
            action="append",
            default=[],
            help="a policy to attach, by name or ARN, such as AWSCodeCommitPowerUser (may be repeated)",
        )

    def handle(self, *, name: str, email: str, policy: list[str], **options: Any) -> None:
        password = secrets.new_sign_in_password(password_policy.current().minimum_length)
        try:
            arns = [_policy_arn(one) for one in policy]
            with shell_act("create_user"):
                onboarding.create_user_with(account(), name, email=email, password=password, policy_arns=arns)
        except ServiceError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"username {name}\npassword {password}")
        self.stdout.write(f"Created 1 user with {len(arns)} policies. The password is not shown again.")


def _policy_arn(name_or_arn: str) -> str:
    if name_or_arn.startswith("arn:"):
        return name_or_arn
    found = Policy.objects.filter(name__iexact=name_or_arn).order_by("is_aws_managed").first()
    if found is None:
        raise CommandError(f"There is no policy called {name_or_arn}.")
    return found.arn
