"""`flush` as Django's TransactionTestCase calls it, see tests/emptying."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import flush

from tests import emptying


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        emptying.put_back()
