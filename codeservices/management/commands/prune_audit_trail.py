"""`manage.py prune_audit_trail`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from codeservices.audit import retention


class Command(BaseCommand):
    help = "Remove audit events older than --days, except those that a trail has still to deliver."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, required=True, help="age in days")

    def handle(self, *, days: int, **options: Any) -> None:
        if days < 1:
            raise CommandError(f"--days must be 1 or more, not {days}.")
        count = retention.prune(days)
        self.stdout.write(f"Removed {count} events.")
