"""What builds leave in the object store and on workers' disks: artifacts, caches, and what belongs to nothing more."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from builds.models.build import Build
from builds.models.project import Project


class Packaging(models.TextChoices):
    """CodeBuild's ArtifactPackaging."""

    NONE = "NONE", "Files"
    ZIP = "ZIP", "ZIP"


class Artifact(models.Model):
    """What a build left behind in the object store: one ZIP, or a folder of files."""

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="artifacts")
    # "" for the primary artifact, else its artifactIdentifier.
    identifier = models.CharField(max_length=128, blank=True)
    name = models.CharField(max_length=255)
    packaging = models.CharField(max_length=4, choices=Packaging)
    bucket = models.CharField(max_length=63)
    # The object's key, or what the keys of the files begin with, without the slash behind it.
    key = models.CharField(max_length=1024, blank=True)
    # When the object was stored: one of another time, under the same key, is not this build's.
    object_modified_at = models.DateTimeField(null=True)
    # Where the list of a folder's files lies (see builds/artifacts/manifest.py); a ZIP lists its own.
    manifest_key = models.CharField(max_length=200, blank=True)
    size_bytes = models.PositiveBigIntegerField()
    file_count = models.PositiveIntegerField(default=0)
    # Of the ZIP, in hex.
    md5 = models.CharField(max_length=32, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["build", "identifier"], name="artifact_once_a_build")]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        """Where it is: what the API calls its location, and what policies decide on."""
        return f"arn:aws:s3:::{self.bucket}/{self.key}".rstrip("/")

    @property
    def is_zip(self) -> bool:
        return self.packaging == Packaging.ZIP


class CacheEntry(models.Model):
    """Files that later builds may begin with: an object in the object store, or a file on one worker's disk.

    Which builds find it is its `scope` (see builds/caches/scopes.py); what it is made of never changes under a key.
    """

    # Whose build wrote it; nobody's where the project is gone and others share its namespace.
    project = models.ForeignKey(Project, null=True, on_delete=models.SET_NULL, related_name="cache_entries")
    namespace = models.CharField(max_length=255, blank=True)
    refname = models.CharField(max_length=255, blank=True)
    # The worker's machine, of a local cache.
    host = models.CharField(max_length=64, blank=True)
    # A digest of all that keeps the caches of one apart from those of others.
    scope = models.CharField(max_length=64)
    # What the buildspec's cache.key gave, or "" where it has none, and a digest of cache.paths.
    cache_key = models.CharField(max_length=512, blank=True)
    version = models.CharField(max_length=64)
    # Where it lies: a bucket and a key, or without a bucket a file's name on the worker's disk.
    bucket = models.CharField(max_length=63, blank=True)
    key = models.CharField(max_length=1024)
    object_modified_at = models.DateTimeField(null=True)
    size_bytes = models.PositiveBigIntegerField()
    file_count = models.PositiveIntegerField(default=0)
    # What its bytes must give: others may write to a bucket, but not here.
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "cache"
        ordering = ["-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["scope", "version", "cache_key"], name="cache_entry_once")]
        indexes = [models.Index(fields=["host", "used_at"], name="cache_entry_by_use")]

    def __str__(self) -> str:
        return self.cache_key or "(no key)"


class Leftover(models.Model):
    """Bytes in the object store that belong to nothing any more; the sweep removes them (see builds/retention.py).

    Written in the transaction that removes what they belonged to. A build that stores many objects, which takes more
    than one transaction, writes one with each of them and takes them back with the row that names them all: what a
    killed worker has stored by then is left over as soon as its build has ended.
    """

    # The build that is storing them now; of one that runs they are not left over yet.
    build = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    bucket = models.CharField(max_length=63)
    key = models.CharField(max_length=1024, blank=True)
    # Only the object that was stored then is removed: what somebody put there later is theirs.
    object_modified_at = models.DateTimeField(null=True)
    manifest_key = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}"
