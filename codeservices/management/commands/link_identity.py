"""Binding an account at the OpenID Connect provider to a user, without a browser."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from codeservices.audit import record
from codeservices.errors import ServiceError
from codeservices.iam import oidc, users
from codeservices.iam.shell import shell_act


class Command(BaseCommand):
    help = "Let the account with this subject at the identity provider sign in as a user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the user's name")
        parser.add_argument("subject", help="the “sub” that the provider gives the account")
        parser.add_argument("--issuer", default=settings.OIDC_ISSUER, help="default: CODESERVICES_OIDC_ISSUER")

    def handle(self, *, name: str, subject: str, issuer: str, **options: Any) -> None:
        if not issuer:
            raise CommandError("Set CODESERVICES_OIDC_ISSUER, or name the provider with --issuer.")
        try:
            with shell_act("link_identity") as current:
                current.event_name, current.event_source = "LinkFederatedIdentity", "signin.amazonaws.com"
                current.parameters = {"userName": name, "issuer": issuer, "subject": subject}
                record.begin(current)
                user = users.find_user(name)
                oidc.bind(user, issuer, subject)
        except ServiceError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Linked 1 identity to {user.name}.")
