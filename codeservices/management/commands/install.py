"""Bring var/ and the database to what this code needs; `make up` runs it each time."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from codeservices import state, tls
from codeservices.iam import first_run

# Of what a long step says, one line in this time is shown: enough to see that it goes on.
_LINE_SECONDS = 2.0


class _Sparse(io.TextIOBase):
    """Passes on the newest line now and then."""

    def __init__(self, target: OutputWrapper) -> None:
        self._target = target
        self._start = self._shown = time.monotonic()

    def write(self, text: str) -> int:
        now = time.monotonic()
        if text.strip() and now - self._shown >= _LINE_SECONDS:
            self._target.write(f"    {now - self._start:.0f} s  {text.strip().splitlines()[-1][:100]}")
            self._target.flush()
            self._shown = now
        return len(text)


class Command(BaseCommand):
    help = "Prepare var/, the database, static files, certificates, the base image and the first administrator."
    # Django's own checks would read tables that are not there yet.
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        try:
            state.prepare(settings.VAR)
        except (state.NewerState, OSError) as error:
            raise CommandError(str(error)) from error
        self._migrate()
        with self._step("Static files"):
            call_command("collectstatic", interactive=False, verbosity=0)
        try:
            found = tls.ensure(settings.TLS_ROOT, tls.server_names(settings.BASE_URL))
        except tls.TlsError as error:
            raise CommandError(str(error)) from error
        with self._step("Build image: base"):
            call_command("build_images", "base", stdout=_Sparse(self.stdout))
        if first_run.ensure(tls.reachable_name()):
            self.stdout.write(f"    administrator made; login and keys are in {first_run.path()} (0600)")
        self.stdout.write(f"Installed in {settings.VAR}, with the authority {found.ca}.")

    def _migrate(self) -> None:
        try:
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except OperationalError as error:
            raise CommandError(
                f"The database can't be opened: {error}. Check DATABASE_URL, or who may write {settings.VAR}."
            ) from error
        with self._step(f"Database: {len(plan)} migrations to apply"):
            # Also with nothing to apply: what runs after migrations brings the newest managed policies.
            call_command("migrate", interactive=False, verbosity=0)

    @contextmanager
    def _step(self, title: str) -> Iterator[None]:
        start = time.monotonic()
        self.stdout.write(f"==> {title}")
        self.stdout.flush()
        yield
        self.stdout.write(f"    done ({time.monotonic() - start:.0f} s)")
        self.stdout.flush()
