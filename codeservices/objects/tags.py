"""Tags of buckets and objects.

Source: Amazon S3 User Guide, "Categorizing your objects using tags"; AWS Billing, "User-defined tag restrictions".
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.db import transaction

from codeservices.errors import InvalidInput
from codeservices.iam.principal import Principal
from codeservices.objects import access
from codeservices.objects.buckets import locked
from codeservices.objects.models import Bucket, StoredObject

MAX_OBJECT_TAGS = 10
MAX_BUCKET_TAGS = 50
_TAG = re.compile(r"[\w .:/=+@-]*")


def check(given: Iterable[tuple[str, str]], maximum: int) -> dict[str, str]:
    """The tags as a mapping; raises InvalidInput InvalidTag."""
    found: dict[str, str] = {}
    for key, value in given:
        is_reserved = key.lower().startswith("aws:")
        if not key or is_reserved or len(key) > 128 or len(value) > 256:
            raise InvalidInput(
                "The TagKey you have provided is invalid", code="InvalidTag", hint=f"It is “{key[:130]}”."
            )
        if not _TAG.fullmatch(key) or not _TAG.fullmatch(value):
            raise InvalidInput(
                "The TagValue you have provided is invalid",
                code="InvalidTag",
                hint="Letters, digits, blanks and . : / = + - @ _ make keys and values.",
            )
        if key in found:
            raise InvalidInput("Cannot provide multiple Tags with the same key", code="InvalidTag")
        found[key] = value
    if len(found) > maximum:
        raise InvalidInput(f"There are at most {maximum} tags.", code="BadRequest")
    return found


def of_bucket(principal: Principal, name: str) -> dict[str, str]:
    """A bucket's tags; raises AccessDenied, NotFound NoSuchBucket."""
    found: dict[str, str] = access.bucket_for(principal, "s3:GetBucketTagging", name).tags
    return found


def set_bucket(principal: Principal, name: str, given: Iterable[tuple[str, str]]) -> None:
    """Replace a bucket's tags; raises likewise, and InvalidInput InvalidTag."""
    bucket = access.bucket_for(principal, "s3:PutBucketTagging", name)
    checked = check(given, MAX_BUCKET_TAGS)
    Bucket.objects.filter(pk=bucket.pk).update(tags=checked)


def of_object(principal: Principal, bucket: str, key: str) -> dict[str, str]:
    """An object's tags; raises AccessDenied, NotFound NoSuchBucket or NoSuchKey."""
    found: dict[str, str] = access.object_for(principal, "s3:GetObjectTagging", bucket, key).tags
    return found


def set_object(principal: Principal, bucket: str, key: str, given: Iterable[tuple[str, str]]) -> None:
    """Replace an object's tags; raises likewise, and InvalidInput InvalidTag."""
    _set(access.object_for(principal, "s3:PutObjectTagging", bucket, key), check(given, MAX_OBJECT_TAGS))


def delete_object_tags(principal: Principal, bucket: str, key: str) -> None:
    """Leave an object without tags; raises likewise."""
    _set(access.object_for(principal, "s3:DeleteObjectTagging", bucket, key), {})


def _set(stored: StoredObject, tags: dict[str, str]) -> None:
    with transaction.atomic():
        locked(stored.bucket)
        StoredObject.objects.filter(pk=stored.pk).update(tags=tags)
