"""Make the curated build images."""

from __future__ import annotations

import contextlib
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from builds import container
from builds.images import catalogue, making
from builds.runner import engine


class Command(BaseCommand):
    help = "Make the curated build images that the engine does not have yet, or has in an older form."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="which images (default: all)")
        parser.add_argument("--force", action="store_true", help="make them even though they are current")

    def handle(self, *, names: list[str], force: bool, **options: Any) -> None:
        known = catalogue.definitions()
        unknown = [name for name in names if name not in known]
        if unknown:
            raise CommandError(f"No image is called {', '.join(unknown)}; there are {', '.join(sorted(known))}.")
        count = 0
        bundle = container.ca_bundle()
        ca_bundle = bundle.read_bytes() if bundle else b""
        try:
            with contextlib.closing(engine.connect(settings.DOCKER_HOST)) as client:
                for name in names or sorted(known):
                    count += making.build(client, known[name], self.stdout.write, is_forced=force, ca_bundle=ca_bundle)
        except making.ImageError as error:
            raise CommandError(str(error)) from error
        except engine.ENGINE_ERRORS as error:
            raise CommandError(f"Docker Engine does not answer: {error}") from error
        self.stdout.write(f"Made {count} images, of {len(names or known)} asked for.")
