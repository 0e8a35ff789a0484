"""`manage.py verify_audit_trail`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from codeservices.audit import trail, verify
from codeservices.iam.shell import shell_act


class Command(BaseCommand):
    help = "Walk the audit trail's hash chain; exit code 1 names the first event that was changed, removed or added."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", type=int, dest="first", help="begin with this event and believe those before it")
        parser.add_argument(
            "--accept-head",
            action="store_true",
            help="take the database's head for the true one, after a restore of the database alone",
        )

    def handle(self, *, first: int | None, accept_head: bool, **options: Any) -> None:
        if accept_head:
            with shell_act("verify_audit_trail --accept-head") as current:
                current.event_name, current.event_source = "AcceptTrailHead", "cloudtrail.amazonaws.com"
                current.is_read_only = False
                head = trail.accept_head()
                current.parameters["sequence"] = head.sequence
        try:
            verdict = verify.verify(first=first)
        except verify.Unknown as error:
            raise CommandError(str(error)) from None
        if verdict.fault is not None:
            raise CommandError(verdict.sentence)
        self.stdout.write(verdict.sentence)
