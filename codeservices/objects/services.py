"""Objects: put, read, delete, copy. The S3 door, the console, builds and the audit trail share these functions.

Source: Amazon S3 API Reference, PutObject, GetObject, DeleteObject, CopyObject.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from codeservices import storage
from codeservices.errors import NotFound, ServiceError
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from codeservices.objects import access, pieces
from codeservices.objects.buckets import ensure_bucket, locked
from codeservices.objects.models import Bucket, Piece, StoredObject

logger = logging.getLogger(__name__)

__all__ = ["About", "delete_object", "ensure_bucket", "open_object", "put_object", "remove", "store"]


@dataclass(frozen=True)
class About:
    """What whoever uploads an object says of it, beside its bytes.

    Attributes:
        content_type: What browsers are told, "" for application/octet-stream.
        headers: More headers to serve it with, by their lower-case names: content-encoding and the like.
        metadata: The client's own, without x-amz-meta-.
        tags: Of the object.
    """

    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


# Looks at the object that is to be replaced, or None, and raises where the caller wants that not to happen.
Condition = Callable[[StoredObject | None], None]
# Called in the transaction in which an object appears, to write the row that names it: both are there, or neither.
OnStored = Callable[[StoredObject], None]


def _nothing(_: StoredObject) -> None:
    """Nobody has to know."""


def put_object(
    principal: Principal,
    bucket: str,
    key: str,
    file: IO[bytes],
    *,
    content_type: str = "",
    metadata: Mapping[str, str] | None = None,
    condition: Condition | None = None,
    on_stored: OnStored = _nothing,
) -> StoredObject:
    """Store a file from its position on under a key, in place of the object that was there; whole or not at all.

    Args:
        condition: Asked once nobody else can change the object any more.
        on_stored: Writes what has to be there exactly when the object is.

    Raises:
        AccessDenied: s3:PutObject is not allowed on the key.
        NotFound: NoSuchBucket.
        InvalidInput: KeyTooLongError, EntityTooLarge.
        ServiceError: QuotaExceeded.
    """
    about = About(content_type, metadata=metadata or {})
    found = begin_put(principal, bucket, key, about)
    return store(found, key, file, about, condition=condition, on_stored=on_stored)


def begin_put(principal: Principal, bucket: str, key: str, about: About, size_bytes: int = 0) -> Bucket:
    """Whether something of that size may be put under a key, before any byte of it is read; raises as `put_object`.

    To store an object with tags takes the right to tag it. Source: Amazon S3 API Reference, "PutObject", "CopyObject",
    "CreateMultipartUpload": x-amz-tagging.
    """
    found = access.bucket_of_key(principal, "s3:PutObject", bucket, key)
    if about.tags:
        authorize(principal, "s3:PutObjectTagging", access.object_arn(bucket, key))
    if size_bytes > settings.OBJECT_MAX_BYTES:
        raise pieces.too_large(settings.OBJECT_MAX_BYTES)
    check_quota(found, size_bytes)
    return found


def store(
    bucket: Bucket,
    key: str,
    file: IO[bytes],
    about: About | None = None,
    *,
    condition: Condition | None = None,
    on_stored: OnStored = _nothing,
) -> StoredObject:
    """`put_object` of this server's own work: nobody is asked for a right."""
    with pieces.PieceWriter(settings.OBJECT_MAX_BYTES) as writer:
        for data in storage.pieces(file):
            writer.write(data)
        piece = writer.finish()
        with transaction.atomic():
            stored = replace(bucket, key, [piece], about or About(), etag=piece.md5, condition=condition)
            on_stored(stored)
        return stored


def open_object(principal: Principal, bucket: str, key: str) -> tuple[StoredObject, IO[bytes]]:
    """An object and its bytes, as a file that can be sought in and that the caller closes.

    Raises:
        AccessDenied: s3:GetObject is not allowed on the key.
        NotFound: NoSuchBucket, NoSuchKey.
    """
    found, reader = open_pieces(principal, bucket, key)
    return found, io.BufferedReader(reader, 128 * 1024)


def open_pieces(principal: Principal, bucket: str, key: str) -> tuple[StoredObject, pieces.PieceReader]:
    """The same, as the pieces that lie in the store."""
    for is_last in (False, True):
        found = access.object_for(principal, "s3:GetObject", bucket, key)
        try:
            return found, pieces.reader(found)
        except FileNotFoundError:
            # It may have been replaced or deleted in this very moment.
            if is_last:
                logger.error("the bytes of %s are not in the object store", found.pk)
    raise NotFound("The bytes of this object are not in the object store any more.", code="NoSuchKey")


def delete_object(principal: Principal, bucket: str, key: str) -> None:
    """Delete an object; that there is none is no error.

    Raises:
        AccessDenied: s3:DeleteObject is not allowed on the key.
        NotFound: NoSuchBucket.
    """
    remove(access.bucket_of_key(principal, "s3:DeleteObject", bucket, key), key)


def remove(bucket: Bucket, key: str, *, modified_at: datetime | None = None) -> bool:
    """`delete_object` of this server's own work: nobody is asked for a right. Whether there was one.

    Args:
        modified_at: Only the object that was stored at that very time, not one that took its place.
    """
    with transaction.atomic():
        home = locked(bucket)
        old = StoredObject.objects.filter(bucket=home, key=key).first()
        if old is None or (modified_at is not None and old.modified_at != modified_at):
            return False
        pieces.discard(old.pieces.all())
        old.delete()
        count(home, -old.size_bytes, -1)
    return True


def replace(
    bucket: Bucket,
    key: str,
    content: Sequence[Piece],
    about: About,
    *,
    etag: str,
    sha256: str = "",
    checksums: Mapping[str, str] | None = None,
    counted_bytes: int = 0,
    condition: Condition | None = None,
    give_up: Callable[[], None] = lambda: None,
) -> StoredObject:
    """Make pieces the object under a key, in one transaction with letting go of what was there.

    Args:
        content: Finished pieces in their order.
        counted_bytes: How much of them the bucket's size has already, as parts of an upload.
        condition: Asked once nobody else can change the object any more.
        give_up: Called in the transaction before the pieces are attached, for whoever had them.
    """
    size_bytes = sum(piece.size_bytes for piece in content)
    with transaction.atomic():
        home = locked(bucket)
        old = StoredObject.objects.filter(bucket=home, key=key).first()
        if condition is not None:
            condition(old)
        added = size_bytes - counted_bytes - (old.size_bytes if old else 0)
        check_quota(home, added)
        give_up()
        stored = old or StoredObject(bucket=home, key=key)
        if old is not None:
            pieces.discard(old.pieces.all())
        stored.size_bytes, stored.etag, stored.sha256 = size_bytes, etag, sha256
        stored.checksums, stored.content_type = dict(checksums or {}), about.content_type
        stored.headers, stored.metadata, stored.tags = dict(about.headers), dict(about.metadata), dict(about.tags)
        stored.modified_at = timezone.now()
        stored.save()
        for number, piece in enumerate(content, 1):
            pieces.attach(piece, number=number, stored_object=stored)
        count(home, added, 0 if old else 1)
    return stored


def check_quota(bucket: Bucket, added_bytes: int) -> None:
    """Raises ServiceError QuotaExceeded where the bucket may not grow by so much."""
    quota = settings.BUCKET_QUOTA_BYTES
    if quota and added_bytes > 0 and bucket.size_bytes + added_bytes > quota:
        raise ServiceError(
            f"The bucket {bucket.name} may hold {quota:,} bytes, and this would be more.",
            code="QuotaExceeded",
            status=403,
            hint="Delete objects, or have CODESERVICES_BUCKET_QUOTA_BYTES raised.",
        )


def count(bucket: Bucket, size_bytes: int, objects: int) -> None:
    """Change the bucket's figures; under its lock."""
    bucket.size_bytes = max(0, bucket.size_bytes + size_bytes)
    bucket.object_count = max(0, bucket.object_count + objects)
    bucket.save(update_fields=["size_bytes", "object_count"])
