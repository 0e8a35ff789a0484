"""Make, show or remove the firewall rules of builds."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from builds import isolation
from builds.runner.firewall import FirewallError


class Command(BaseCommand):
    help = "Make the firewall rules that close this machine and private networks to builds, where they are missing."

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--check", action="store_true", help="change nothing; exit code 1 where they are missing")
        how.add_argument("--print", action="store_true", help="print them as a shell script, for another machine")
        how.add_argument("--remove", action="store_true", help="take them away")

    def handle(self, *, check: bool, remove: bool, **options: Any) -> None:
        if options["print"]:
            self.stdout.write(isolation.firewall().script(), ending="")
            return
        if remove:
            try:
                isolation.firewall().remove()
            except FirewallError as error:
                raise CommandError(str(error)) from error
            self.stdout.write("The firewall rules of builds are gone.")
            return
        if settings.BUILD_FIREWALL == "off":
            self.stdout.write("CODESERVICES_BUILD_FIREWALL is off: the firewall rules of builds are not ours to make.")
            return
        problem = isolation.network_problem(is_made=not check)
        if problem is None:
            self.stdout.write("The firewall rules of builds are there.")
        elif check or settings.BUILD_FIREWALL == "require":
            raise CommandError(problem)
        else:
            self.stdout.write(f"Builds can reach this machine's services and private networks. {problem}")
