"""Every operation of the S3 door and the action that opens it: one without a line in DOORS fails here."""

from __future__ import annotations

import http.client
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from codeservices.iam.credentials import issue_access_key
from codeservices.iam.models import User
from codeservices.objects import multipart, pieces
from codeservices.objects.models import Bucket, MultipartUpload, StoredObject
from codeservices.objects.s3.call import registered
from codeservices.objects.services import About, ensure_bucket, store
from tests import factories

TAGS = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
DELETE = b"<Delete><Object><Key>key</Key></Object></Delete>"
COMPLETE = (
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
    b"<ETag>9dd4e461268c8034f5c8564e155c67a6</ETag></Part></CompleteMultipartUpload>"
)


@dataclass(frozen=True)
class Door:
    """A request that is right but for BUCKET and UPLOAD, and the actions that it needs all of."""

    method: str
    path: str
    actions: tuple[str, ...]
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    # Refusals of single keys stand inside an answer that is none.
    is_refused_inside: bool = False


def look(subresource: str, action: str, key: str = "") -> Door:
    return Door("GET", f"/BUCKET{key}?{subresource}", (f"s3:{action}",))


COPY = (("x-amz-copy-source", "/BUCKET/key"),)
DOORS = {
    "AbortMultipartUpload": Door("DELETE", "/BUCKET/parts?uploadId=UPLOAD", ("s3:AbortMultipartUpload",)),
    "CompleteMultipartUpload": Door("POST", "/BUCKET/parts?uploadId=UPLOAD", ("s3:PutObject",), COMPLETE),
    "CopyObject": Door("PUT", "/BUCKET/copy", ("s3:PutObject", "s3:GetObject"), headers=COPY),
    "CreateBucket": Door("PUT", "/BUCKET", ("s3:CreateBucket",)),
    "CreateMultipartUpload": Door("POST", "/BUCKET/more?uploads", ("s3:PutObject",)),
    "DeleteBucket": Door("DELETE", "/BUCKET", ("s3:DeleteBucket",)),
    "DeleteBucketTagging": Door("DELETE", "/BUCKET?tagging", ("s3:PutBucketTagging",)),
    "DeleteObject": Door("DELETE", "/BUCKET/key", ("s3:DeleteObject",)),
    "DeleteObjectTagging": Door("DELETE", "/BUCKET/key?tagging", ("s3:DeleteObjectTagging",)),
    "DeleteObjects": Door(
        "POST",
        "/BUCKET?delete",
        ("s3:DeleteObject",),
        DELETE,
        (("x-amz-checksum-sha256", "+57kJYO5u/sFFgP3tQ1PKlGPhoPCcGX8kbyt7O9fvoU="),),
        is_refused_inside=True,
    ),
    "GetBucketAccelerateConfiguration": look("accelerate", "GetAccelerateConfiguration"),
    "GetBucketAcl": look("acl", "GetBucketAcl"),
    "GetBucketCors": look("cors", "GetBucketCORS"),
    "GetBucketEncryption": look("encryption", "GetEncryptionConfiguration"),
    "GetBucketLifecycleConfiguration": look("lifecycle", "GetLifecycleConfiguration"),
    "GetBucketLocation": look("location", "GetBucketLocation"),
    "GetBucketLogging": look("logging", "GetBucketLogging"),
    "GetBucketNotificationConfiguration": look("notification", "GetBucketNotification"),
    "GetBucketOwnershipControls": look("ownershipControls", "GetBucketOwnershipControls"),
    "GetBucketPolicy": look("policy", "GetBucketPolicy"),
    "GetBucketPolicyStatus": look("policyStatus", "GetBucketPolicyStatus"),
    "GetBucketReplication": look("replication", "GetReplicationConfiguration"),
    "GetBucketRequestPayment": look("requestPayment", "GetBucketRequestPayment"),
    "GetBucketTagging": look("tagging", "GetBucketTagging"),
    "GetBucketVersioning": look("versioning", "GetBucketVersioning"),
    "GetBucketWebsite": look("website", "GetBucketWebsite"),
    "GetObject": Door("GET", "/BUCKET/key", ("s3:GetObject",)),
    "GetObjectAcl": look("acl", "GetObjectAcl", "/key"),
    "GetObjectLockConfiguration": look("object-lock", "GetBucketObjectLockConfiguration"),
    "GetObjectTagging": look("tagging", "GetObjectTagging", "/key"),
    "GetPublicAccessBlock": look("publicAccessBlock", "GetBucketPublicAccessBlock"),
    "HeadBucket": Door("HEAD", "/BUCKET", ("s3:ListBucket",)),
    "HeadObject": Door("HEAD", "/BUCKET/key", ("s3:GetObject",)),
    "ListBuckets": Door("GET", "/", ("s3:ListAllMyBuckets",)),
    "ListMultipartUploads": look("uploads", "ListBucketMultipartUploads"),
    "ListObjectVersions": look("versions", "ListBucket"),
    "ListObjects": Door("GET", "/BUCKET", ("s3:ListBucket",)),
    "ListObjectsV2": look("list-type=2", "ListBucket"),
    "ListParts": look("uploadId=UPLOAD", "ListMultipartUploadParts", "/parts"),
    "PutBucketTagging": Door("PUT", "/BUCKET?tagging", ("s3:PutBucketTagging",), TAGS),
    "PutObject": Door("PUT", "/BUCKET/new", ("s3:PutObject",), b"new"),
    "PutObjectTagging": Door("PUT", "/BUCKET/key?tagging", ("s3:PutObjectTagging",), TAGS),
    "UploadPart": Door("PUT", "/BUCKET/parts?partNumber=2&uploadId=UPLOAD", ("s3:PutObject",), b"more"),
    "UploadPartCopy": Door(
        "PUT", "/BUCKET/parts?partNumber=2&uploadId=UPLOAD", ("s3:PutObject", "s3:GetObject"), headers=COPY
    ),
}
ANSWERED = {200, 204, 404, 409}


def test_every_operation_has_its_rule_here() -> None:
    assert registered() == sorted(DOORS)


class Doors:
    """A server, two buckets with the same in both, and people who knock."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        self.url = url

    def fill(self) -> None:
        """What operations need, put back where one has taken it."""
        for name in ("mine", "foreign"):
            bucket = ensure_bucket(name)
            if not StoredObject.objects.filter(bucket=bucket, key="key").exists():
                store(bucket, "key", io.BytesIO(b"content"))
            if not MultipartUpload.objects.filter(bucket=bucket, key="parts").exists():
                upload = multipart.begin(factories.SERVICE, name, "parts", About())
                with pieces.PieceWriter(100) as writer:
                    writer.write(b"x")
                    multipart.finish_part(upload, 1, writer.finish())

    def ask(self, door: Door, key: tuple[Any, str] | None, bucket: str) -> tuple[int, str]:
        """Status and body."""
        upload = MultipartUpload.objects.filter(bucket__name=bucket, key="parts").first()
        upload_id = upload.upload_id.hex if upload is not None else "0" * 32
        path = door.path.replace("BUCKET", bucket).replace("UPLOAD", upload_id)
        headers = {name: value.replace("BUCKET", bucket) for name, value in door.headers}
        request = AWSRequest(door.method, f"{self.url}{path}", headers=headers, data=door.body)
        if key is not None:
            signer = S3SigV4Auth(Credentials(key[0].access_key_id, key[1]), "s3", "us-east-1")
            signer.add_auth(request)
        self.connection.request(door.method, path, door.body, dict(request.headers))
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.fixture
def doors(live_server_url: str, settings: Any, tmp_path: Any) -> Iterator[Doors]:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path / "objects"}},
    }
    made = Doors(live_server_url)
    yield made
    made.connection.close()


def state() -> list[Any]:
    objects = list(StoredObject.objects.order_by("pk").values_list("bucket__name", "key", "tags", "modified_at"))
    uploads = list(MultipartUpload.objects.order_by("pk").values_list("key", "parts__number"))
    return [list(Bucket.objects.order_by("pk").values_list("name", "tags", "size_bytes")), objects, uploads]


def limit(user: User, document: dict[str, Any]) -> None:
    """Give a user this policy and no other."""
    user.inline_policies.all().delete()
    user.inline_policies.create(name="rights", document=json.dumps(document))


def is_refusal(door: Door, answer: tuple[int, str]) -> bool:
    status, text = answer
    if door.method == "HEAD":
        return status == 403
    if door.is_refused_inside:
        return "<Error><Key>key</Key><Code>AccessDenied</Code>" in text
    return status == 403 and "<Code>AccessDenied</Code>" in text


def test_an_operation_answers_those_whom_its_rule_names(doors: Doors, carol: User) -> None:
    limited = factories.user("lia")
    keys = {user.name: issue_access_key(user) for user in (carol, limited)}
    failures = []
    for name, door in DOORS.items():
        doors.fill()
        before = state()
        if not is_refusal(door, answer := doors.ask(door, keys["carol"], "mine")):
            failures.append((name, "nobody", answer))
        unsigned = doors.ask(door, None, "mine")
        if unsigned[0] < 300 and door.path != "/":
            failures.append((name, "unsigned", unsigned))
        for action in door.actions:
            denied = {"Effect": "Deny", "Action": action, "Resource": "*"}
            limit(limited, {"Version": "2012-10-17", "Statement": [*factories.allow("s3:*")["Statement"], denied]})
            answer = doors.ask(door, keys["lia"], "mine")
            is_named = door.method == "HEAD" or f"perform: {action} on" in answer[1]
            if not is_refusal(door, answer) or not is_named:
                failures.append((name, f"all but {action}", answer))
        if state() != before:
            failures.append((name, "changed something", (0, "")))
        limit(limited, factories.allow(*door.actions))
        status, text = doors.ask(door, keys["lia"], "mine")
        if status not in ANSWERED or "AccessDenied" in text:
            failures.append((name, "only its actions", (status, text)))
    assert not failures


def test_who_has_one_bucket_has_nothing_of_another(doors: Doors) -> None:
    """Somebody else's bucket and one that does not exist look the same."""
    owner = factories.user(
        "olga", document=factories.allow("s3:*", resource=["arn:aws:s3:::mine", "arn:aws:s3:::mine/*"])
    )
    key = issue_access_key(owner)
    failures = []
    for name, door in DOORS.items():
        doors.fill()
        before = state()
        told = [doors.ask(door, key, bucket) for bucket in ("foreign", "nowhere")]
        same = [text.partition("<Resource>")[0].replace("nowhere", "foreign") for _, text in told]
        if not all(is_refusal(door, one) for one in told) or same[0] != same[1] or state() != before:
            failures.append((name, told))
        if name != "ListBuckets" and is_refusal(door, answer := doors.ask(door, key, "mine")):
            failures.append((name, [answer]))
    assert not failures
