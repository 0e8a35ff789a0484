"""`manage.py rotate_master_key`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from codeservices import key_rotation
from codeservices.audit import record
from codeservices.errors import ServiceError
from codeservices.iam.shell import shell_act


class Command(BaseCommand):
    help = "Change the master key while the server runs; interrupted, it goes on when it is run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--retire", action="store_true", help="forget the old key, an hour or more after the change"
        )

    def handle(self, *, retire: bool, **options: Any) -> None:
        self.stdout.write("Encrypting what is stored with the newest key ...")
        self.stdout.flush()
        try:
            with shell_act("rotate_master_key") as current:
                current.event_name = "RetireMasterKey" if retire else "RotateMasterKey"
                current.event_source, current.is_read_only = "kms.amazonaws.com", False
                record.begin(current)
                outcome = key_rotation.retire() if retire else key_rotation.rotate()
                current.parameters["resealed"] = outcome.resealed
        except ServiceError as error:
            raise CommandError(f"{error.message} {error.hint}".strip()) from None
        for column, count in outcome.unreadable.items():
            self.stderr.write(
                f"{column}: {count} values can be decrypted with none of the keys; they stay as they are."
            )
        said = "the old keys are retired" if retire else "the old key still decrypts; retire it with --retire"
        self.stdout.write(f"Encrypted {outcome.resealed} values anew; {said}.")
