"""What is built: sources as projects and builds hold them, and the credentials of other people's git servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone


@dataclass(frozen=True)
class SecondarySource:
    """A secondary source as pages show it; `repository_name` is "" for those that are not of this server."""

    identifier: str
    location: str
    version: str
    repository_name: str


class Sources:
    """What a project and its builds can tell of their sources alike."""

    source: Any
    secondary_sources: Any
    secondary_source_versions: Any

    @property
    def repository_name(self) -> str:
        """The name of the source repository on this server, or "" for other sources."""
        return repository_name_of(self.source)

    @property
    def secondary(self) -> list[SecondarySource]:
        """The secondary sources, each with the version that is asked for."""
        versions = {one["sourceIdentifier"]: one["sourceVersion"] for one in self.secondary_source_versions}
        return [
            SecondarySource(
                one["sourceIdentifier"],
                one.get("location", ""),
                versions.get(one["sourceIdentifier"], ""),
                repository_name_of(one),
            )
            for one in self.secondary_sources
        ]


def repository_name_of(source: dict[str, Any]) -> str:
    """The repository that a CODECOMMIT source's clone URL names, or ""."""
    if source.get("type") != "CODECOMMIT":
        return ""
    _, found, name = source.get("location", "").rstrip("/").rpartition("/v1/repos/")
    return name.removesuffix(".git") if found else ""


class SourceCredential(models.Model):
    """A token or password for the git servers of one kind. One installation is one account, which has one of each."""

    server_type = models.CharField(max_length=40, unique=True)
    auth_type = models.CharField(max_length=40)
    # The only host that it is ever sent to, with its port where that is not 443; "" until it is known.
    host = models.CharField(max_length=255, blank=True)
    username = models.CharField(max_length=255, blank=True)
    # Under the master key; empty where a secret of this server's store holds the token.
    encrypted_token = models.BinaryField(default=b"")
    secret_arn = models.CharField(max_length=600, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["server_type"]

    def __str__(self) -> str:
        return f"{self.server_type} {self.host}".strip()

    @property
    def arn(self) -> str:
        return f"arn:aws:codebuild:{settings.REGION}:{settings.ACCOUNT_ID}:token/{self.server_type.lower()}"
