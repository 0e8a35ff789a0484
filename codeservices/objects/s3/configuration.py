"""What clients ask routinely of a bucket that has none of it: answered as AWS answers for such a bucket.

Source: Amazon S3 API Reference, each operation's answer and "List of error codes".
"""

from __future__ import annotations

from typing import NamedTuple

from codeservices.errors import NotFound
from codeservices.objects import access
from codeservices.objects.s3 import xml
from codeservices.objects.s3.buckets import owner
from codeservices.objects.s3.call import Answer, Call, Handler, operation


class Absent(NamedTuple):
    """A configuration that no bucket has here: the action that asks for it, and the error that tells."""

    action: str
    code: str
    sentence: str


class Fixed(NamedTuple):
    """A configuration that is the same for every bucket here."""

    action: str
    root: str
    content: str = ""


_ABSENT = {
    "GetBucketCors": Absent("GetBucketCORS", "NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "GetBucketEncryption": Absent(
        "GetEncryptionConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
        "The server side encryption configuration was not found",
    ),
    "GetBucketLifecycleConfiguration": Absent(
        "GetLifecycleConfiguration", "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"
    ),
    "GetBucketPolicy": Absent("GetBucketPolicy", "NoSuchBucketPolicy", "The bucket policy does not exist"),
    "GetBucketPolicyStatus": Absent("GetBucketPolicyStatus", "NoSuchBucketPolicy", "The bucket policy does not exist"),
    "GetBucketReplication": Absent(
        "GetReplicationConfiguration",
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    ),
    "GetBucketWebsite": Absent(
        "GetBucketWebsite",
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    ),
    "GetObjectLockConfiguration": Absent(
        "GetBucketObjectLockConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
}
_RULE = xml.element("Rule", [xml.text("ObjectOwnership", "BucketOwnerEnforced")])
_BLOCKED = "".join(
    xml.text(name, "true")
    for name in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
)
_FIXED = {
    "GetBucketAccelerateConfiguration": Fixed("GetAccelerateConfiguration", "AccelerateConfiguration"),
    "GetBucketLogging": Fixed("GetBucketLogging", "BucketLoggingStatus"),
    "GetBucketNotificationConfiguration": Fixed("GetBucketNotification", "NotificationConfiguration"),
    "GetBucketOwnershipControls": Fixed("GetBucketOwnershipControls", "OwnershipControls", _RULE),
    "GetBucketRequestPayment": Fixed(
        "GetBucketRequestPayment", "RequestPaymentConfiguration", xml.text("Payer", "BucketOwner")
    ),
    "GetBucketVersioning": Fixed("GetBucketVersioning", "VersioningConfiguration"),
    # Nobody without a signature reads anything here.
    "GetPublicAccessBlock": Fixed("GetBucketPublicAccessBlock", "PublicAccessBlockConfiguration", _BLOCKED),
}


def _absent(told: Absent) -> Handler:
    def answer(call: Call) -> Answer:
        access.bucket_for(call.principal, f"s3:{told.action}", call.bucket)
        raise NotFound(told.sentence, code=told.code)

    return answer


def _fixed(told: Fixed) -> Handler:
    def answer(call: Call) -> Answer:
        access.bucket_for(call.principal, f"s3:{told.action}", call.bucket)
        return Answer(content=xml.document(told.root, [told.content]))

    return answer


for _name, _told in _ABSENT.items():
    operation(_name)(_absent(_told))
for _name, _told_fixed in _FIXED.items():
    operation(_name)(_fixed(_told_fixed))


@operation("GetBucketAcl")
def get_bucket_acl(call: Call) -> Answer:
    access.bucket_for(call.principal, "s3:GetBucketAcl", call.bucket)
    return _full_control()


@operation("GetObjectAcl")
def get_object_acl(call: Call) -> Answer:
    access.object_for(call.principal, "s3:GetObjectAcl", call.bucket, call.key)
    return _full_control()


def _full_control() -> Answer:
    """The account's own full control: policies decide, and no list beside them."""
    inside = owner().removeprefix("<Owner>").removesuffix("</Owner>")
    kind = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"'
    grant = xml.element("Grant", [f"<Grantee {kind}>{inside}</Grantee>", xml.text("Permission", "FULL_CONTROL")])
    return Answer(content=xml.document("AccessControlPolicy", [owner(), xml.element("AccessControlList", [grant])]))
