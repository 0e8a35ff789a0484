"""Uploads in parts: begin, add, complete, abort, list.

Parts become the object's pieces as they lie: completing an upload moves no byte.

Source: Amazon S3 User Guide, "Uploading and copying objects using multipart upload" and "Amazon S3 multipart upload
limits"; Amazon S3 API Reference, CreateMultipartUpload, UploadPart, CompleteMultipartUpload, AbortMultipartUpload.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from codeservices.errors import InvalidInput, ServiceError
from codeservices.iam.principal import Principal
from codeservices.objects import access, checksums, pieces
from codeservices.objects.buckets import locked
from codeservices.objects.listing import successor
from codeservices.objects.models import MultipartUpload, Piece, StoredObject
from codeservices.objects.services import About, Condition, begin_put, check_quota, count, replace

MAX_PARTS = 10_000
MAX_PART_BYTES = 5 * 1024**3
MIN_PART_BYTES = 5 * 1024**2  # of every part but the last


@dataclass(frozen=True)
class WantedPart:
    """A part as the completing request names it."""

    number: int
    etag: str
    checksums: Mapping[str, str] = field(default_factory=dict)


def begin(
    principal: Principal, bucket_name: str, key: str, about: About, *, algorithm: str = "", checksum_type: str = ""
) -> MultipartUpload:
    """A new upload; raises as `put_object` does, and ServiceError QuotaExceeded for one who has too many of them."""
    bucket = begin_put(principal, bucket_name, key, about)
    _check_number(principal)
    return MultipartUpload.objects.create(
        bucket=bucket,
        key=key,
        content_type=about.content_type,
        headers=dict(about.headers),
        metadata=dict(about.metadata),
        tags=dict(about.tags),
        checksum_algorithm=algorithm,
        checksum_type=checksum_type,
        started_by=principal.arn,
    )


def begin_part(
    principal: Principal, bucket_name: str, key: str, upload_id: str, number: int, size_bytes: int
) -> MultipartUpload:
    """Whether a part of that size may be added, before any byte of it is read.

    Raises:
        AccessDenied, NotFound: NoSuchBucket, NoSuchUpload.
        InvalidInput: InvalidArgument, EntityTooLarge.
        ServiceError: QuotaExceeded.
    """
    if not 1 <= number <= MAX_PARTS:
        raise InvalidInput(
            f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive", code="InvalidArgument"
        )
    upload = access.upload_for(principal, "s3:PutObject", bucket_name, key, upload_id)
    if size_bytes > MAX_PART_BYTES:
        raise pieces.too_large(MAX_PART_BYTES)
    check_quota(upload.bucket, size_bytes)
    return upload


def finish_part(upload: MultipartUpload, number: int, piece: Piece) -> None:
    """Make a finished piece a part, in place of the one that had its number; raises as `begin_part`."""
    with transaction.atomic():
        bucket = locked(upload.bucket)
        if not MultipartUpload.objects.filter(pk=upload.pk).exists():
            raise access.no_such_upload()
        old = Piece.objects.filter(upload=upload, number=number)
        added = piece.size_bytes - sum(one.size_bytes for one in old)
        check_quota(bucket, added)
        pieces.discard(old)
        pieces.attach_part(piece, number=number, upload=upload)
        count(bucket, added, 0)


def complete(
    principal: Principal,
    bucket_name: str,
    key: str,
    upload_id: str,
    wanted: Sequence[WantedPart],
    condition: Condition | None = None,
    expected: Mapping[str, str] | None = None,
) -> StoredObject:
    """Make the object of the parts that are named; the others are let go of.

    Args:
        expected: Checksums of the object by algorithm, as the caller knows them.

    Raises:
        AccessDenied, NotFound: NoSuchBucket, NoSuchUpload.
        InvalidInput: InvalidPart, InvalidPartOrder, EntityTooSmall, EntityTooLarge, BadDigest.
    """
    upload = access.upload_for(principal, "s3:PutObject", bucket_name, key, upload_id)
    numbers = [one.number for one in wanted]
    if numbers != sorted(set(numbers)):
        raise InvalidInput(
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
            code="InvalidPartOrder",
        )
    with transaction.atomic():
        bucket = locked(upload.bucket)
        parts = {part.number: part for part in Piece.objects.filter(upload=upload)}
        if not MultipartUpload.objects.filter(pk=upload.pk).exists():
            raise access.no_such_upload()
        chosen = [_chosen(parts, one) for one in wanted]
        for part in chosen[:-1]:
            if part.size_bytes < MIN_PART_BYTES:
                raise InvalidInput(
                    "Your proposed upload is smaller than the minimum allowed size",
                    code="EntityTooSmall",
                    hint=f"Part {part.number} has {part.size_bytes:,} bytes; all parts but the last have"
                    f" {MIN_PART_BYTES:,} or more.",
                )
        if sum(part.size_bytes for part in chosen) > settings.OBJECT_MAX_BYTES:
            raise pieces.too_large(settings.OBJECT_MAX_BYTES)
        kept = {part.pk for part in chosen}
        rest = [part for part in parts.values() if part.pk not in kept]

        def give_up() -> None:
            Piece.objects.filter(pk__in=kept).update(upload=None)
            pieces.discard(Piece.objects.filter(pk__in=[part.pk for part in rest]))
            upload.delete()

        return replace(
            bucket,
            key,
            chosen,
            About(upload.content_type, upload.headers, upload.metadata, upload.tags),
            etag=etag_of_parts(chosen),
            checksums=_checksums(upload, chosen, expected or {}),
            counted_bytes=sum(part.size_bytes for part in parts.values()),
            condition=condition,
            give_up=give_up,
        )


def abort(principal: Principal, bucket_name: str, key: str, upload_id: str) -> None:
    """Let go of an upload and its parts; raises NotFound NoSuchBucket or NoSuchUpload."""
    _let_go(access.upload_for(principal, "s3:AbortMultipartUpload", bucket_name, key, upload_id))


def aborted_at(upload: MultipartUpload) -> datetime:
    """When an upload that nobody has completed by then is aborted."""
    ends_at: datetime = upload.started_at + timedelta(days=settings.OBJECT_UPLOAD_DAYS)
    return ends_at


def abort_old() -> int:
    """Abort uploads that nobody completed in time; how many."""
    oldest = timezone.now() - timedelta(days=settings.OBJECT_UPLOAD_DAYS)
    left = list(MultipartUpload.objects.select_related("bucket").filter(started_at__lt=oldest))
    for upload in left:
        _let_go(upload)
    return len(left)


def list_parts(
    principal: Principal, bucket_name: str, key: str, upload_id: str
) -> tuple[MultipartUpload, QuerySet[Piece]]:
    """An upload and its parts by number; raises NotFound NoSuchBucket or NoSuchUpload."""
    upload = access.upload_for(principal, "s3:ListMultipartUploadParts", bucket_name, key, upload_id)
    return upload, upload.parts.order_by("number")


def list_uploads(
    principal: Principal, bucket_name: str, *, prefix: str = "", after_key: str = "", after_id: str = "", limit: int
) -> list[MultipartUpload]:
    """Uploads of a bucket that are neither completed nor aborted, by key and id.

    Args:
        prefix: What their keys begin with.
        after_key: Only those of keys behind it.
        after_id: With `after_key`, also those of that very key whose ids are behind this one.
        limit: How many at most; a bucket may have any number.

    Raises:
        AccessDenied, NotFound: NoSuchBucket.
    """
    bucket = access.bucket_for(principal, "s3:ListBucketMultipartUploads", bucket_name)
    if "\0" in prefix + after_key:
        return []
    found = bucket.uploads.order_by("key", "upload_id")
    if prefix:
        end = successor(prefix)
        found = found.filter(key__gte=prefix) if end is None else found.filter(key__gte=prefix, key__lt=end)
    if after_key:
        behind = Q(key__gt=after_key)
        if access.is_upload_id(after_id):
            behind |= Q(key=after_key, upload_id__gt=after_id)
        found = found.filter(behind)
    return list(found[:limit])


def etag_of_parts(parts: Sequence[Piece]) -> str:
    """The MD5 of the parts' MD5s, and how many there are: what S3 tells of an upload in parts."""
    digests = b"".join(bytes.fromhex(part.md5) for part in parts)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _check_number(principal: Principal) -> None:
    """Raises ServiceError QuotaExceeded where somebody has as many unfinished uploads as one may have."""
    begun = MultipartUpload.objects.filter(started_by=principal.arn)
    if principal.session_name:  # all sessions of a role are one
        begun = MultipartUpload.objects.filter(started_by__startswith=f"{principal.arn.rpartition('/')[0]}/")
    if begun.count() >= settings.OBJECT_UPLOADS_PER_PERSON:
        raise ServiceError(
            f"You have {settings.OBJECT_UPLOADS_PER_PERSON:,} uploads in parts that are neither completed nor aborted,"
            " and can begin no other.",
            code="QuotaExceeded",
            status=403,
            hint="Abort those that nobody will complete (aws s3api list-multipart-uploads), or have"
            " CODESERVICES_OBJECT_UPLOADS_PER_PERSON raised.",
        )


def _let_go(upload: MultipartUpload) -> None:
    with transaction.atomic():
        bucket = locked(upload.bucket)
        if not MultipartUpload.objects.filter(pk=upload.pk).exists():
            raise access.no_such_upload()
        parts = Piece.objects.filter(upload=upload)
        size_bytes = sum(part.size_bytes for part in parts)
        pieces.discard(parts)
        upload.delete()
        count(bucket, -size_bytes, 0)


def _chosen(parts: Mapping[int, Piece], wanted: WantedPart) -> Piece:
    part = parts.get(wanted.number)
    if (
        part is None
        or part.md5 != wanted.etag
        or any(part.checksums.get(name, value) != value for name, value in wanted.checksums.items())
    ):
        raise InvalidInput(
            "One or more of the specified parts could not be found. The part may not have been uploaded, or the"
            " specified entity tag may not match the part's entity tag.",
            code="InvalidPart",
            hint=f"It is part {wanted.number}.",
        )
    return part


def _checksums(upload: MultipartUpload, parts: Sequence[Piece], expected: Mapping[str, str]) -> dict[str, str]:
    """The checksum of what the parts make, where every one of them has one; raises InvalidInput BadDigest."""
    name = upload.checksum_algorithm
    if not name or any(name not in part.checksums for part in parts):
        found = {}
    elif upload.checksum_type == "COMPOSITE":
        found = {name: checksums.of_parts(name, [part.checksums[name] for part in parts])}
    else:
        found = {name: checksums.of_whole(name, [(part.checksums[name], part.size_bytes) for part in parts])}
    for algorithm, value in expected.items():
        if found.get(algorithm, "").partition("-")[0] != value.partition("-")[0]:
            raise InvalidInput(
                f"The {algorithm} you specified did not match the calculated checksum.",
                code="BadDigest",
                hint="Name the algorithm when the upload begins, and give every part a checksum.",
            )
    return found
