"""Which operation a request is, by its method, the depth of its address and its sub-resources.

Source: Amazon S3 API Reference, the request syntax of each operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from codeservices.errors import InvalidInput, ServiceError

# Sub-resources of a bucket that can be looked at, and what looking is called.
BUCKET_SUBRESOURCES = {
    "accelerate": "BucketAccelerateConfiguration",
    "acl": "BucketAcl",
    "analytics": "BucketAnalyticsConfiguration",
    "cors": "BucketCors",
    "encryption": "BucketEncryption",
    "intelligent-tiering": "BucketIntelligentTieringConfiguration",
    "inventory": "BucketInventoryConfiguration",
    "lifecycle": "BucketLifecycleConfiguration",
    "logging": "BucketLogging",
    "metrics": "BucketMetricsConfiguration",
    "notification": "BucketNotificationConfiguration",
    "object-lock": "ObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus",
    "publicAccessBlock": "PublicAccessBlock",
    "replication": "BucketReplication",
    "requestPayment": "BucketRequestPayment",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
OBJECT_SUBRESOURCES = {
    "acl": "ObjectAcl",
    "attributes": "ObjectAttributes",
    "legal-hold": "ObjectLegalHold",
    "restore": "ObjectRestore",
    "retention": "ObjectRetention",
    "select": "ObjectContent",
    "tagging": "ObjectTagging",
    "torrent": "ObjectTorrent",
}
_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete", "POST": "Post", "HEAD": "Head"}


class Address(NamedTuple):
    """A path-style address: both empty for the service itself."""

    bucket: str
    key: str


def address_of(raw_path: str) -> Address:
    """Bucket and key of a path as it came over the wire; raises InvalidInput InvalidURI where it is no UTF-8."""
    try:
        path = unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        raise InvalidInput("Couldn't parse the specified URI: it is no UTF-8.", code="InvalidURI") from None
    bucket, _, key = path.removeprefix("/").partition("/")
    return Address(bucket, key)


def operation_of(method: str, address: Address, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """The operation's name; raises ServiceError MethodNotAllowed."""
    if method not in _VERBS:
        raise _not_allowed(method)
    if not address.bucket:
        name = {"GET": "ListBuckets"}.get(method, "")
    elif not address.key:
        name = _of_bucket(method, query)
    else:
        name = _of_object(method, query, headers)
    if not name:
        raise _not_allowed(method)
    return name


def _of_bucket(method: str, query: Mapping[str, str]) -> str:
    for subresource, noun in BUCKET_SUBRESOURCES.items():
        if subresource in query:
            return _VERBS[method] + noun
    if method == "GET":
        if "location" in query:
            return "GetBucketLocation"
        if "uploads" in query:
            return "ListMultipartUploads"
        if "versions" in query:
            return "ListObjectVersions"
        return "ListObjectsV2" if query.get("list-type") == "2" else "ListObjects"
    if method == "POST":
        return "DeleteObjects" if "delete" in query else ""
    return {"PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket"}[method]


def _of_object(method: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    for subresource, noun in OBJECT_SUBRESOURCES.items():
        if subresource in query:
            return _VERBS[method] + noun
    is_copy = "x-amz-copy-source" in headers
    if "uploadId" in query:
        if method == "PUT":
            return "UploadPartCopy" if is_copy else "UploadPart"
        return {"GET": "ListParts", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}.get(method, "")
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else ""
    if method == "PUT":
        return "CopyObject" if is_copy else "PutObject"
    return {"GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}[method]


def _not_allowed(method: str) -> ServiceError:
    return ServiceError(
        "The specified method is not allowed against this resource.",
        code="MethodNotAllowed",
        status=405,
        hint=f"It is {method[:20]}.",
    )
