"""Who has to wait after wrong tries to sign in, without a browser."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from codeservices.audit import record
from codeservices.iam import throttle
from codeservices.iam.models import SignInCounter
from codeservices.iam.shell import shell_act


class Command(BaseCommand):
    help = "List the names and addresses that have to wait after wrong tries to sign in, or lift such a wait."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--lift-name", metavar="NAME", help="let this user name try again")
        parser.add_argument("--lift-address", metavar="ADDRESS", help="let this address (or its /64) try again")

    def handle(self, *, lift_name: str | None, lift_address: str | None, **options: Any) -> None:
        if lift_name is not None or lift_address is not None:
            with shell_act("sign_in_locks") as current:
                current.event_name, current.event_source = "LiftSignInLock", "signin.amazonaws.com"
                current.parameters = {"userName": lift_name, "sourceIPAddress": lift_address}
                record.begin(current)
                count = throttle.lift(name=lift_name, address=lift_address)
            self.stdout.write(f"Lifted {count} locks.")
            return
        users = throttle.users_by_subject()
        rows = list(throttle.locks())
        for row in rows:
            is_name = row.kind == SignInCounter.Kind.NAME
            what = f"name {users.get(row.subject, '(nobody’s)')}" if is_name else f"address {row.subject}"
            assert row.locked_until is not None
            seconds = int((row.locked_until - timezone.now()).total_seconds()) + 1
            self.stdout.write(f"{what}: {row.count} tries, {seconds} s to wait")
        self.stdout.write(f"Found {len(rows)} locks.")
