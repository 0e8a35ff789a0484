"""End what runs on this host before its workers are stopped, so that nothing is left half-done."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from builds import lifecycle
from builds.models import Build, Status
from codeservices import work
from codeservices.iam.shell import account, shell_act

_POLL_SECONDS = 0.3
_HEARTBEAT_SECONDS = 2.0
# A build whose stop was requested ends within 5 seconds; its container and log need a moment more.
_STOP_SECONDS = 20


class Command(BaseCommand):
    help = (
        "Give the builds that run on this host time to end, then stop those that still run. Queued builds stay queued."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--grace",
            type=int,
            default=settings.BUILD_STOP_SECONDS,
            help="seconds to wait before stopping them (default: %(default)s, CODESERVICES_BUILD_STOP_SECONDS)",
        )

    def handle(self, *, grace: int, **options: Any) -> None:
        if grace < 0:
            raise CommandError(f"--grace must be 0 or more, not {grace}.")
        logging.getLogger().setLevel(logging.WARNING)
        count = running().count()
        if not count:
            return
        self._wait(grace, "letting end")
        left = list(running())
        for build in left:
            self.stdout.write(f"    stopping build {build}")
            with shell_act("stop_builds"):
                lifecycle.stop_build(account(), build)
        self._wait(_STOP_SECONDS, "stopping")
        self.stdout.write(f"    {count} builds were running, {len(left)} of them were stopped.")

    def _wait(self, seconds: float, what: str) -> None:
        start = time.monotonic()
        shown = start - _HEARTBEAT_SECONDS
        while (left := list(running())) and time.monotonic() - start < seconds:
            now = time.monotonic()
            if now - shown >= _HEARTBEAT_SECONDS:
                names = ", ".join(str(build) for build in left[:3])
                more = f" and {len(left) - 3} more" if len(left) > 3 else ""
                self.stdout.write(f"    {now - start:.0f} s  {what} {names}{more}")
                self.stdout.flush()
                shown = now
            time.sleep(_POLL_SECONDS)


def running() -> QuerySet[Build]:
    """Builds that a worker of this host holds."""
    return Build.objects.filter(status=Status.IN_PROGRESS, lease_owner__startswith=f"{work.host()}:")
