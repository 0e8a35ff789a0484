"""Buckets: list, make, delete.

Source: Amazon S3 API Reference, ListBuckets, CreateBucket, DeleteBucket.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, QuerySet

from codeservices.errors import Conflict, LimitExceeded
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from codeservices.objects.access import bucket_arn, bucket_for, no_such_bucket
from codeservices.objects.models import Bucket
from codeservices.objects.names import check_bucket

MAX_BUCKETS = 10_000  # Amazon S3 User Guide, "Bucket quotas"


def list_buckets(principal: Principal) -> QuerySet[Bucket]:
    """Every bucket by name. As on AWS the right to list them is one for all."""
    authorize(principal, "s3:ListAllMyBuckets", "*")
    return Bucket.objects.all()


def create_bucket(principal: Principal, name: str, tags: dict[str, str] | None = None) -> Bucket:
    """A new bucket.

    Raises:
        InvalidInput: InvalidBucketName.
        Conflict: BucketAlreadyOwnedByYou.
        LimitExceeded: TooManyBuckets.
    """
    authorize(principal, "s3:CreateBucket", bucket_arn(name))
    check_bucket(name)
    if Bucket.objects.count() >= MAX_BUCKETS:
        raise LimitExceeded("You have attempted to create more buckets than allowed", code="TooManyBuckets", status=400)
    bucket, is_new = _made(name, principal.arn, tags or {})
    if not is_new:
        raise Conflict(
            "Your previous request to create the named bucket succeeded and you already own it.",
            code="BucketAlreadyOwnedByYou",
        )
    return bucket


def ensure_bucket(name: str) -> Bucket:
    """The bucket of that name, made where there is none. For this server's own work: nobody is asked for a right.

    Raises:
        InvalidInput: InvalidBucketName.
    """
    found = Bucket.objects.filter(name=name).first()
    return found or _made(check_bucket(name), "", {})[0]


def delete_bucket(principal: Principal, name: str) -> None:
    """Delete an empty bucket.

    Raises:
        Conflict: BucketNotEmpty, for one with objects or with uploads that are neither completed nor aborted.
    """
    bucket = bucket_for(principal, "s3:DeleteBucket", name)
    try:
        with transaction.atomic():
            locked(bucket).delete()
    except (ProtectedError, IntegrityError):
        raise Conflict(
            "The bucket you tried to delete is not empty",
            code="BucketNotEmpty",
            hint="Delete its objects and abort its uploads first.",
        ) from None


def locked(bucket: Bucket) -> Bucket:
    """The bucket's row, whose lock everybody takes who adds or removes objects; raises NotFound NoSuchBucket."""
    found = Bucket.objects.select_for_update().filter(pk=bucket.pk).first()
    if found is None:
        raise no_such_bucket(bucket.name)
    return found


def _made(name: str, created_by: str, tags: dict[str, str]) -> tuple[Bucket, bool]:
    return Bucket.objects.get_or_create(name=name, defaults={"created_by": created_by, "tags": tags})
