"""Fetch and authorize buckets and objects, or raise.

What an object's bytes are asked for under is decided on `arn:aws:s3:::BUCKET/KEY`, all else on `arn:aws:s3:::BUCKET`.
Whether a key exists is told to those who may list its bucket.
"""

from __future__ import annotations

from codeservices.errors import NotFound
from codeservices.iam.authorize import Context, authorize
from codeservices.iam.principal import Principal
from codeservices.objects.models import Bucket, MultipartUpload, StoredObject
from codeservices.objects.names import check_key

LIST = "s3:ListBucket"


def bucket_arn(name: str) -> str:
    """A bucket's ARN; it names neither region nor account."""
    return f"arn:aws:s3:::{name}"


def object_arn(bucket_name: str, key: str) -> str:
    """An object's ARN."""
    return f"{bucket_arn(bucket_name)}/{key}"


def bucket_for(principal: Principal, action: str, name: str, context: Context | None = None) -> Bucket:
    """Authorize the action on the bucket, then fetch it.

    Raises:
        AccessDenied: Also for one that does not exist.
        NotFound: NoSuchBucket, told only to those who may ask.
    """
    authorize(principal, action, bucket_arn(name), context)
    return _bucket(name)


def bucket_of_key(
    principal: Principal, action: str, bucket_name: str, key: str, context: Context | None = None
) -> Bucket:
    """Authorize the action on a key, whether there is an object or not, then fetch its bucket; raises likewise.

    Raises:
        InvalidInput: KeyTooLongError or InvalidURI.
    """
    check_key(key)
    authorize(principal, action, object_arn(bucket_name, key), context)
    return _bucket(bucket_name)


def object_for(principal: Principal, action: str, bucket_name: str, key: str) -> StoredObject:
    """Authorize the action on an object, then fetch it.

    Raises:
        AccessDenied: Also for a key without an object, where its bucket may not be listed.
        NotFound: NoSuchBucket, NoSuchKey.
    """
    bucket = bucket_of_key(principal, action, bucket_name, key)
    found = StoredObject.objects.select_related("bucket").filter(bucket=bucket, key=key).first()
    if found is None:
        authorize(principal, LIST, bucket.arn, {"s3:prefix": key})
        raise NotFound("The specified key does not exist.", code="NoSuchKey", hint=f"{bucket.name} has no such object.")
    return found


def upload_for(principal: Principal, action: str, bucket_name: str, key: str, upload_id: str) -> MultipartUpload:
    """Authorize the action on the key of an upload in parts, then fetch it; raises NotFound NoSuchUpload."""
    bucket = bucket_of_key(principal, action, bucket_name, key)
    found = MultipartUpload.objects.select_related("bucket")
    wanted = found.filter(bucket=bucket, key=key, upload_id=upload_id).first() if is_upload_id(upload_id) else None
    if wanted is None:
        raise no_such_upload()
    return wanted


def is_upload_id(text: str) -> bool:
    """Whether an upload could have this id."""
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)


def no_such_bucket(name: str) -> NotFound:
    """The refusal of a bucket that does not exist."""
    return NotFound("The specified bucket does not exist", code="NoSuchBucket", hint=f"None is called {name[:70]}.")


def no_such_upload() -> NotFound:
    """The refusal of an upload that does not exist any more, or never did."""
    return NotFound(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or"
        " completed.",
        code="NoSuchUpload",
    )


def _bucket(name: str) -> Bucket:
    found = Bucket.objects.filter(name=name).first() if "\0" not in name else None
    if found is None:
        raise no_such_bucket(name)
    return found
