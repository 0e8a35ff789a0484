"""Imports: what fills a new repository from another server."""

from __future__ import annotations

from django.db import models

from repos.models.remote import RemoteRun, RemoteSource
from repos.models.repository import Repository


class Import(RemoteSource, RemoteRun):
    """The import of a repository: one row, that a retry uses again. Its credentials go when it has succeeded."""

    repository = models.OneToOneField(Repository, on_delete=models.CASCADE, related_name="import_run")
    # Keep fetching afterwards: a mirror is made of the same source.
    becomes_mirror = models.BooleanField(default=False)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["state"], name="import_by_state")]

    def __str__(self) -> str:
        return f"import of {self.repository_id} from {self.url}"
