"""Buckets, the objects in them, uploads in parts, and the pieces of bytes that both are made of."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.utils import timezone

from codeservices.objects.names import MAX_KEY_BYTES


class KeyField(models.CharField):
    """A key, in the order in which S3 lists keys: that of their bytes in UTF-8, whatever the database's locale."""

    def db_parameters(self, connection: Any) -> Any:
        return {
            **super().db_parameters(connection),
            "collation": "C" if connection.vendor == "postgresql" else "BINARY",
        }


class Bucket(models.Model):
    """What objects lie in, by name."""

    name = models.CharField(max_length=63, unique=True)
    created_by = models.CharField(max_length=600, blank=True)  # the principal's ARN
    created_at = models.DateTimeField(default=timezone.now)
    tags = models.JSONField(default=dict, blank=True)
    # Of its objects and of the parts of unfinished uploads; kept by whoever adds and removes them.
    size_bytes = models.PositiveBigIntegerField(default=0)
    object_count = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.name}"


class StoredObject(models.Model):
    """An object: what S3 tells of it. Its bytes are its pieces, in the order of their numbers."""

    bucket = models.ForeignKey(Bucket, on_delete=models.PROTECT, related_name="stored_objects")
    key = KeyField(max_length=MAX_KEY_BYTES)
    size_bytes = models.PositiveBigIntegerField()
    # Without its quotes: the MD5 in hex, or for an upload in parts the MD5 of the parts' and their number.
    etag = models.CharField(max_length=40)
    # In hex, where whoever put it said so and it was; else empty: to work it out costs more than all the rest.
    sha256 = models.CharField(max_length=64, blank=True)
    # As clients gave and checked them: {"CRC32": base64}.
    checksums = models.JSONField(default=dict, blank=True)
    content_type = models.CharField(max_length=255, blank=True)
    # Other headers that it is served with, such as Content-Encoding, and the client's own x-amz-meta-….
    headers = models.JSONField(default=dict, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    modified_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "object"
        ordering = ["bucket", "key"]
        constraints = [models.UniqueConstraint(fields=["bucket", "key"], name="object_key_unique")]

    def __str__(self) -> str:
        return f"{self.bucket.name}/{self.key}"

    @property
    def arn(self) -> str:
        return f"{self.bucket.arn}/{self.key}"


class MultipartUpload(models.Model):
    """An object that is being uploaded in parts; nobody sees it before it is completed."""

    upload_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    bucket = models.ForeignKey(Bucket, on_delete=models.PROTECT, related_name="uploads")
    key = KeyField(max_length=MAX_KEY_BYTES)
    content_type = models.CharField(max_length=255, blank=True)
    headers = models.JSONField(default=dict, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    checksum_algorithm = models.CharField(max_length=16, blank=True)
    checksum_type = models.CharField(max_length=16, blank=True)
    started_by = models.CharField(max_length=600, blank=True)  # the principal's ARN
    started_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["key", "started_at", "pk"]

    def __str__(self) -> str:
        return f"{self.bucket.name}/{self.key}"


class Piece(models.Model):
    """A run of bytes in the store, under a key of our own: an object, a part of one, or of an upload.

    Its row is there before its bytes are, and goes after them. One that belongs to nothing any more, because it was
    replaced or deleted, or because whoever wrote it died, is removed by the sweep.
    """

    storage_key = models.CharField(max_length=600, unique=True)
    stored_object = models.ForeignKey(StoredObject, null=True, on_delete=models.PROTECT, related_name="pieces")
    upload = models.ForeignKey(MultipartUpload, null=True, on_delete=models.PROTECT, related_name="parts")
    number = models.PositiveIntegerField(default=1)
    size_bytes = models.PositiveBigIntegerField(default=0)
    md5 = models.CharField(max_length=32, blank=True)
    checksums = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    discarded_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["stored_object", "number"], name="piece_once_an_object"),
            models.UniqueConstraint(fields=["upload", "number"], name="piece_once_an_upload"),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                name="piece_of_nothing",
                condition=models.Q(stored_object=None, upload=None),
            )
        ]

    def __str__(self) -> str:
        return self.storage_key
