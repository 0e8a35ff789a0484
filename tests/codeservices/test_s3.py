"""The S3 door as boto3 uses it, against a real web server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import http.client
import io
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

from codeservices import places
from codeservices.audit import drain
from codeservices.audit.acts import Act, RequestInfo
from codeservices.audit.models import Event
from codeservices.iam.credentials import issue_access_key
from codeservices.iam.models import User
from codeservices.objects.checksums import Checksum
from codeservices.objects.models import MultipartUpload, Piece, StoredObject
from codeservices.objects.s3 import taking
from codeservices.objects.s3.call import Call
from codeservices.objects.s3.errors import Refusal
from tests import factories
from tests.gitserver import wait_for

MB = 1024 * 1024
READER = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/open/*"},
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::bucket",
            "Condition": {"StringLike": {"s3:prefix": "open/*"}},
        },
    ],
}


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> Path:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path / "objects"}},
    }
    return tmp_path / "objects"


def client_of(user: User, url: str, **more: Any) -> Any:
    key, secret = issue_access_key(user)
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, **more)
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=secret,
        config=config,
    )


@pytest.fixture
def s3(alice: User, live_server_url: str) -> Iterator[Any]:
    client = client_of(alice, live_server_url)
    client.create_bucket(Bucket="bucket")
    yield client
    client.close()


@pytest.fixture
def reader(live_server_url: str) -> Iterator[Any]:
    client = client_of(factories.user("rita", document=READER), live_server_url)
    yield client
    client.close()


def refused(call: Any, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as raised:
        call(**params)
    answer = raised.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def body(answer: Any) -> bytes:
    with answer["Body"] as stream:
        content: bytes = stream.read()
    return content


def get(url: str, *, method: str = "GET", data: bytes | None = None, **headers: str) -> tuple[int, bytes, Any]:
    request = urllib.request.Request(url, method=method, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def test_an_object_goes_up_and_comes_down(s3: Any) -> None:
    put = s3.put_object(
        Bucket="bucket",
        Key="a b/ü+%.txt",
        Body=b"hello",
        ContentType="text/plain",
        Metadata={"by": "alice"},
        CacheControl="max-age=1",
    )
    etag = hashlib.md5(b"hello").hexdigest()
    assert put["ETag"] == f'"{etag}"'
    found = s3.get_object(Bucket="bucket", Key="a b/ü+%.txt")
    assert body(found) == b"hello"
    assert (found["ContentType"], found["Metadata"], found["CacheControl"]) == (
        "text/plain",
        {"by": "alice"},
        "max-age=1",
    )
    assert found["ChecksumCRC32"] == put["ChecksumCRC32"]
    looked = s3.head_object(Bucket="bucket", Key="a b/ü+%.txt")
    assert (looked["ContentLength"], looked["ETag"], looked["AcceptRanges"]) == (5, f'"{etag}"', "bytes")
    assert "ContentDisposition" not in looked


def test_a_body_is_never_something_that_the_browser_opens(s3: Any) -> None:
    s3.put_object(
        Bucket="bucket",
        Key="x.html",
        Body=b"<script>",
        ContentType="text/html",
        ContentDisposition="inline; filename=x",
    )
    url = s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "x.html"})
    status, content, headers = get(url)
    assert (status, content) == (200, b"<script>")
    assert headers["content-disposition"] == "attachment; filename=x"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    ("asked", "content", "told"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=3-", b"3456789", "bytes 3-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
        ("bytes=-100", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_a_range_is_given(s3: Any, asked: str, content: bytes, told: str) -> None:
    s3.put_object(Bucket="bucket", Key="ten", Body=b"0123456789")
    found = s3.get_object(Bucket="bucket", Key="ten", Range=asked)
    assert (body(found), found["ContentRange"]) == (content, told)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_a_range_beyond_the_end_is_refused_and_no_range_is_all(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="ten", Body=b"0123456789")
    assert refused(s3.get_object, Bucket="bucket", Key="ten", Range="bytes=10-") == ("InvalidRange", 416)
    assert refused(s3.get_object, Bucket="bucket", Key="ten", Range="bytes=-0") == ("InvalidRange", 416)
    for asked in ("bytes=5-2", "lines=1-2", "bytes=0-1,4-5"):
        assert body(s3.get_object(Bucket="bucket", Key="ten", Range=asked)) == b"0123456789"


def test_conditions_are_kept(s3: Any) -> None:
    etag = s3.put_object(Bucket="bucket", Key="one", Body=b"1")["ETag"]
    here = {"Bucket": "bucket", "Key": "one"}
    modified_at = s3.head_object(**here)["LastModified"]
    assert refused(s3.get_object, **here, IfMatch='"other"') == ("PreconditionFailed", 412)
    assert refused(s3.get_object, **here, IfNoneMatch=etag) == ("304", 304)
    assert refused(s3.get_object, **here, IfModifiedSince=modified_at) == ("304", 304)
    assert body(s3.get_object(**here, IfMatch=etag, IfUnmodifiedSince=modified_at)) == b"1"
    assert refused(s3.put_object, **here, Body=b"2", IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert refused(s3.put_object, **here, Body=b"2", IfMatch='"other"') == ("PreconditionFailed", 412)
    s3.put_object(**here, Body=b"2", IfMatch=etag)
    s3.put_object(Bucket="bucket", Key="two", Body=b"2", IfNoneMatch="*")
    assert body(s3.get_object(**here)) == b"2"


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_a_checksum_is_checked_and_told(s3: Any, algorithm: str) -> None:
    put = s3.put_object(Bucket="bucket", Key="one", Body=io.BytesIO(b"hello"), ChecksumAlgorithm=algorithm)
    found = s3.get_object(Bucket="bucket", Key="one", ChecksumMode="ENABLED")
    assert (body(found), found[f"Checksum{algorithm}"]) == (b"hello", put[f"Checksum{algorithm}"])
    wrong = base64.b64encode(b"\0" * len(base64.b64decode(put[f"Checksum{algorithm}"]))).decode()
    assert refused(s3.put_object, Bucket="bucket", Key="one", Body=b"other", **{f"Checksum{algorithm}": wrong}) == (
        "BadDigest",
        400,
    )
    assert refused(s3.put_object, Bucket="bucket", Key="one", Body=b"x", **{f"Checksum{algorithm}": "eA=="}) == (
        "InvalidRequest",
        400,
    )
    assert body(s3.get_object(Bucket="bucket", Key="one")) == b"hello"


def test_a_sha256_is_known_where_it_was_stated(s3: Any) -> None:
    content = b"x" * 100_000
    s3.put_object(Bucket="bucket", Key="stated", Body=content)  # over plain HTTP the body is signed
    assert StoredObject.objects.get(key="stated").sha256 == hashlib.sha256(content).hexdigest()
    url = s3.generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "unsigned"})
    with contextlib.closing(begun(url, len(content))) as connection:
        connection.send(content)
        assert connection.getresponse().status == 200
    assert StoredObject.objects.get(key="unsigned").sha256 == ""


def test_an_md5_is_checked(s3: Any) -> None:
    md5 = base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    s3.put_object(Bucket="bucket", Key="one", Body=b"hello", ContentMD5=md5)
    assert refused(s3.put_object, Bucket="bucket", Key="one", Body=b"jello", ContentMD5=md5) == ("BadDigest", 400)
    assert refused(s3.put_object, Bucket="bucket", Key="one", Body=b"x", ContentMD5="eA==") == ("InvalidDigest", 400)
    assert Piece.objects.count() == 1


def test_uploads_in_parts_come_together(s3: Any, store: Path) -> None:
    content = bytes(range(256)) * (13 * MB // 256)
    config = TransferConfig(multipart_threshold=5 * MB, multipart_chunksize=5 * MB, max_concurrency=3)
    s3.upload_fileobj(io.BytesIO(content), "bucket", "big", Config=config)
    looked = s3.head_object(Bucket="bucket", Key="big")
    assert looked["ContentLength"] == 13 * MB and looked["ETag"].endswith('-3"')
    target = io.BytesIO()
    s3.download_fileobj("bucket", "big", target, Config=config)
    assert target.getvalue() == content
    over_an_edge = s3.get_object(Bucket="bucket", Key="big", Range=f"bytes={5 * MB - 2}-{5 * MB + 1}")
    assert body(over_an_edge) == content[5 * MB - 2 : 5 * MB + 2]
    part = s3.get_object(Bucket="bucket", Key="big", PartNumber=3)
    assert (part["ContentLength"], part["PartsCount"]) == (3 * MB, 3)
    part["Body"].close()
    s3.delete_object(Bucket="bucket", Key="big")
    assert not [path for path in store.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("CRC32C", "FULL_OBJECT"), ("CRC64NVME", "FULL_OBJECT")],
)
def test_the_checksum_of_an_upload_in_parts_is_that_of_its_bytes(s3: Any, algorithm: str, kind: str) -> None:
    here = {"Bucket": "bucket", "Key": "parts"}
    contents = [b"x" * 5 * MB, b"y" * (5 * MB + 3), b"end"]
    made = s3.create_multipart_upload(**here, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    upload = {**here, "UploadId": made["UploadId"]}
    name = f"Checksum{algorithm}"
    parts = []
    for number, content in enumerate(contents, 1):
        told = s3.upload_part(**upload, PartNumber=number, Body=content, ChecksumAlgorithm=algorithm)
        parts.append({"PartNumber": number, "ETag": told["ETag"], name: told[name]})
    whole = Checksum(algorithm)
    for one in [base64.b64decode(part[name]) for part in parts] if kind == "COMPOSITE" else contents:
        whole.update(one)
    expected = whole.text() + ("-3" if kind == "COMPOSITE" else "")
    chosen = {**upload, "MultipartUpload": {"Parts": parts}}
    wrong = {name: base64.b64encode(b"\0" * len(base64.b64decode(whole.text()))).decode()}
    assert refused(s3.complete_multipart_upload, **chosen, **wrong) == ("BadDigest", 400)
    s3.complete_multipart_upload(**chosen, **{name: whole.text()})
    looked = s3.head_object(**here, ChecksumMode="ENABLED")
    assert (looked[name], looked["ChecksumType"]) == (expected, kind)


def test_an_upload_is_listed_completed_or_aborted(s3: Any) -> None:
    here = {"Bucket": "bucket", "Key": "parts"}
    upload = {**here, "UploadId": s3.create_multipart_upload(**here, ContentType="text/plain")["UploadId"]}
    first = s3.upload_part(**upload, PartNumber=1, Body=b"x" * 5 * MB)
    s3.upload_part(**upload, PartNumber=2, Body=b"left out")
    last = s3.upload_part(**upload, PartNumber=7, Body=b"end")
    assert [one["Key"] for one in s3.list_multipart_uploads(Bucket="bucket")["Uploads"]] == ["parts"]
    page = s3.list_parts(**upload, MaxParts=2)
    assert ([one["PartNumber"] for one in page["Parts"]], page["IsTruncated"]) == ([1, 2], True)
    rest = s3.list_parts(**upload, PartNumberMarker=page["NextPartNumberMarker"])
    assert [one["Size"] for one in rest["Parts"]] == [3]

    def parts(*chosen: tuple[int, str]) -> dict[str, Any]:
        return {"MultipartUpload": {"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in chosen]}}

    one, seven = (1, first["ETag"]), (7, last["ETag"])
    complete = s3.complete_multipart_upload
    assert refused(complete, **upload, **parts(seven, one)) == ("InvalidPartOrder", 400)
    assert refused(complete, **upload, **parts(one, (3, one[1]))) == ("InvalidPart", 400)
    assert refused(complete, **upload, **parts(one, (7, one[1]))) == ("InvalidPart", 400)
    small = (2, hashlib.md5(b"left out").hexdigest())
    assert refused(complete, **upload, **parts(small, seven)) == ("EntityTooSmall", 400)
    assert refused(s3.upload_part, **upload, PartNumber=10_001, Body=b"") == ("InvalidArgument", 400)
    assert refused(s3.delete_bucket, Bucket="bucket") == ("BucketNotEmpty", 409)
    complete(**upload, **parts(one, seven))
    assert s3.head_object(**here)["ContentType"] == "text/plain"
    assert refused(complete, **upload, **parts(one, seven)) == ("NoSuchUpload", 404)
    assert (Piece.objects.count(), MultipartUpload.objects.count()) == (2, 0)
    other = {**here, "UploadId": s3.create_multipart_upload(**here)["UploadId"]}
    s3.upload_part(**other, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(**other)
    assert refused(s3.abort_multipart_upload, **other) == ("NoSuchUpload", 404)
    assert refused(s3.upload_part, **other, PartNumber=1, Body=b"x") == ("NoSuchUpload", 404)
    assert Piece.objects.count() == 2


def test_copies_are_objects_of_their_own(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="ü one", Body=b"0123456789", ContentType="text/plain", Metadata={"a": "b"})
    source = {"Bucket": "bucket", "Key": "ü one"}
    s3.copy_object(Bucket="bucket", Key="two", CopySource=source)
    s3.copy_object(Bucket="bucket", Key="three", CopySource=source, MetadataDirective="REPLACE", Metadata={"c": "d"})
    s3.delete_object(**source)
    two, three = (s3.get_object(Bucket="bucket", Key=key) for key in ("two", "three"))
    assert (body(two), two["Metadata"], two["ContentType"]) == (b"0123456789", {"a": "b"}, "text/plain")
    assert (body(three), three["Metadata"]) == (b"0123456789", {"c": "d"})
    assert refused(s3.copy_object, Bucket="bucket", Key="x", CopySource=source) == ("NoSuchKey", 404)
    same = {"Bucket": "bucket", "Key": "two"}
    assert refused(s3.copy_object, **same, CopySource=same) == ("InvalidRequest", 400)
    made = {**same, "UploadId": s3.create_multipart_upload(**same)["UploadId"]}
    part = s3.upload_part_copy(**made, PartNumber=1, CopySource=same, CopySourceRange="bytes=2-4")["CopyPartResult"]
    s3.complete_multipart_upload(**made, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert body(s3.get_object(**same)) == b"234"


def test_keys_are_listed_in_the_order_of_their_bytes_and_folded(s3: Any) -> None:
    keys = ["a", "a/1", "a/2", "b/x/1", "b/y", "Z", "é", "\U0001f600", "\uffee", "a b&<"]
    keys += [f"a/{number}" for number in range(10, 30)]
    for key in keys:
        s3.put_object(Bucket="bucket", Key=key, Body=b"")
    ordered = sorted(keys, key=str.encode)
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ordered
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="bucket", PaginationConfig={"PageSize": 3})
    assert [one["Key"] for page in pages for one in page["Contents"]] == ordered
    folded = s3.list_objects_v2(Bucket="bucket", Delimiter="/")
    assert [one["Prefix"] for one in folded["CommonPrefixes"]] == ["a/", "b/"]
    assert [one["Key"] for one in folded["Contents"]] == [key for key in ordered if "/" not in key]
    for name in ("list_objects_v2", "list_objects"):
        found = s3.get_paginator(name).paginate(Bucket="bucket", Delimiter="/", PaginationConfig={"PageSize": 1})
        seen = [one.get("Key") or one.get("Prefix") for page in found for one in self_or_prefix(page)]
        assert sorted(seen, key=str.encode) == sorted([*(k for k in keys if "/" not in k), "a/", "b/"], key=str.encode)
    below = s3.list_objects_v2(Bucket="bucket", Prefix="b/", Delimiter="/")
    assert ([one["Key"] for one in below["Contents"]], below["CommonPrefixes"]) == (["b/y"], [{"Prefix": "b/x/"}])
    after = s3.list_objects_v2(Bucket="bucket", StartAfter="b/y")["Contents"]
    assert [one["Key"] for one in after] == [key for key in ordered if key.encode() > b"b/y"]
    versions = s3.list_object_versions(Bucket="bucket")["Versions"]
    assert {one["VersionId"] for one in versions} == {"null"} and len(versions) == len(keys)
    assert refused(s3.list_objects_v2, Bucket="bucket", ContinuationToken="odd") == ("InvalidArgument", 400)
    assert s3.list_objects_v2(Bucket="bucket", MaxKeys=0)["KeyCount"] == 0


def self_or_prefix(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [*page.get("Contents", []), *page.get("CommonPrefixes", [])]


def test_many_are_deleted_at_once(s3: Any, reader: Any) -> None:
    for key in ("one", "two", "open/x"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"")
    wanted = {"Objects": [{"Key": "one"}, {"Key": "none"}, {"Key": "two", "VersionId": "null"}]}
    told = s3.delete_objects(Bucket="bucket", Delete=wanted)
    assert {one["Key"] for one in told["Deleted"]} == {"one", "two", "none"}
    denied = reader.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "open/x"}], "Quiet": True})
    assert [one["Code"] for one in denied["Errors"]] == ["AccessDenied"]
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["open/x"]


def test_policies_decide_by_key_and_prefix(s3: Any, reader: Any) -> None:
    s3.put_object(Bucket="bucket", Key="open/a", Body=b"a")
    s3.put_object(Bucket="bucket", Key="shut/a", Body=b"a")
    assert body(reader.get_object(Bucket="bucket", Key="open/a")) == b"a"
    assert refused(reader.get_object, Bucket="bucket", Key="open/missing") == ("NoSuchKey", 404)
    assert refused(reader.get_object, Bucket="bucket", Key="shut/a") == ("AccessDenied", 403)
    assert refused(reader.get_object, Bucket="bucket", Key="shut/missing") == ("AccessDenied", 403)
    assert refused(reader.put_object, Bucket="bucket", Key="open/a", Body=b"x") == ("AccessDenied", 403)
    assert reader.list_objects_v2(Bucket="bucket", Prefix="open/")["KeyCount"] == 1
    assert refused(reader.list_objects_v2, Bucket="bucket") == ("AccessDenied", 403)
    assert refused(reader.list_objects_v2, Bucket="other", Prefix="open/") == ("AccessDenied", 403)
    copy = {"CopySource": {"Bucket": "bucket", "Key": "shut/a"}}
    assert refused(reader.copy_object, Bucket="bucket", Key="open/b", **copy) == ("AccessDenied", 403)


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_lets_its_bearer_do_one_thing(s3: Any, alice: User, live_server_url: str, version: str) -> None:
    alice.access_keys.all().delete()
    client = client_of(alice, live_server_url, signature_version=version)
    here = {"Bucket": "bucket", "Key": "a b/ü"}
    put = client.generate_presigned_url("put_object", here, ExpiresIn=60)
    assert get(put, method="PUT", data=b"hello", **{"content-type": ""})[0] == 200
    url = client.generate_presigned_url("get_object", {**here, "ResponseContentType": "text/plain"}, ExpiresIn=60)
    status, content, headers = get(url)
    assert (status, content, headers["content-type"]) == (200, b"hello", "text/plain")
    assert get(url, method="DELETE")[0] == 403
    assert get(url.replace("/bucket/a", "/bucket/b"))[0] == 403
    assert get(url.replace("text%2Fplain", "text%2Fhtml"))[0] == 403
    client.close()


def signed_in_the_old_way(client: Any, method: str, path: str, signed: str, query: str) -> str:
    """A presigned URL of signature version 2.

    Args:
        signed: What is signed after the expiry: header lines, and the path with its own parameters.
        query: The parameters as they are sent, each percent-encoded.
    """
    secret, key_id = client._request_signer._credentials.secret_key, client._request_signer._credentials.access_key
    expires = int(time.time()) + 600
    text = f"{method}\n\n\n{expires}\n{signed}"
    signature = quote(base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")), safe="")
    own = f"AWSAccessKeyId={key_id}&Expires={expires}&Signature={signature}"
    return f"{client.meta.endpoint_url}{path}?{own}&{query}"


@pytest.mark.parametrize(
    ("signed", "query"),
    [
        ("x-amz-meta-a:1\r\nset-cookie: a=b\n/bucket/k", "x-amz-meta-a=1%0D%0Aset-cookie%3A%20a%3Db"),
        ("x-amz-meta-a\r\nset-cookie:1\n/bucket/k", "x-amz-meta-a%0D%0Aset-cookie=1"),
        # Signed for a copy, for a part: not to be read as the upload of an object.
        ("x-amz-copy-source:/bucket/a:b\n/bucket/k", "x-amz-copy-source%3A/bucket/a=b"),
        ("/bucket/k?partNumber=1&uploadId=0", "partNumber=1%26uploadId%3D0"),
    ],
)
def test_what_an_old_signature_covers_can_be_read_in_one_way(s3: Any, signed: str, query: str) -> None:
    url = signed_in_the_old_way(s3, "PUT", "/bucket/k", signed, query)
    status, _, headers = get(url, method="PUT", data=b"x", **{"content-type": ""})
    assert status == 400 and "set-cookie" not in headers
    assert refused(s3.head_object, Bucket="bucket", Key="k")[1] == 404


def test_unfinished_uploads_are_listed_page_by_page(s3: Any) -> None:
    wanted = []
    for key in ("a/1", "a/2", "a/2", "a/2", "A/3", "b"):
        wanted.append((key, s3.create_multipart_upload(Bucket="bucket", Key=key)["UploadId"]))
    pages = s3.get_paginator("list_multipart_uploads")

    def listed(**more: Any) -> list[tuple[str, str]]:
        found = pages.paginate(Bucket="bucket", PaginationConfig={"PageSize": 2}, **more)
        return [(one["Key"], one["UploadId"]) for page in found for one in page.get("Uploads", [])]

    assert listed() == sorted(wanted)
    assert listed(Prefix="a/") == sorted(one for one in wanted if one[0].startswith("a/"))
    behind = s3.list_multipart_uploads(Bucket="bucket", KeyMarker="a/2", UploadIdMarker="none")
    assert [one["Key"] for one in behind["Uploads"]] == ["b"]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="bucket", Prefix="a\0")


def test_unfinished_uploads_are_bounded_by_person_and_tell_when_they_end(s3: Any, alice: User, settings: Any) -> None:
    settings.OBJECT_UPLOADS_PER_PERSON = 2
    first = s3.create_multipart_upload(Bucket="bucket", Key="one")
    assert first["AbortDate"] - MultipartUpload.objects.get().started_at <= timedelta(days=7)
    assert first["AbortRuleId"] == "unfinished-uploads"
    assert s3.list_parts(Bucket="bucket", Key="one", UploadId=first["UploadId"])["AbortDate"] == first["AbortDate"]
    s3.create_multipart_upload(Bucket="bucket", Key="two")
    assert refused(s3.create_multipart_upload, Bucket="bucket", Key="three") == ("QuotaExceeded", 403)
    s3.abort_multipart_upload(Bucket="bucket", Key="one", UploadId=first["UploadId"])
    s3.create_multipart_upload(Bucket="bucket", Key="three")


def test_who_uploads_too_much_at_once_is_told_to_slow_down(alice: User, settings: Any, monkeypatch: Any) -> None:
    settings.OBJECT_CONCURRENCY = 1
    monkeypatch.setattr(places, "QUEUE_SECONDS", 0.01)
    call = Call(
        alice.principal,
        "PUT",
        "bucket",
        "key",
        {},
        {},
        Act(alice.principal, RequestInfo("1", "127.0.0.1", "", "api", is_secure=True)),
    )

    async def twice() -> None:
        async with taking.place(call):
            with pytest.raises(Refusal, match="reduce your request rate") as raised:
                async with taking.place(call):
                    pass
            assert (raised.value.code, raised.value.status) == ("SlowDown", 503)
            assert raised.value.headers == {"retry-after": "10"}
        async with taking.place(call):
            pass

    asyncio.run(twice())


def test_tags_are_a_right_of_their_own(s3: Any, live_server_url: str) -> None:
    def client(name: str, *actions: str) -> Any:
        everything = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": [everything]}
        return client_of(factories.user(name, document=document), live_server_url)

    s3.put_object(Bucket="bucket", Key="tagged", Body=b"1", Tagging="a=b")
    copy = {"Bucket": "bucket", "Key": "copy", "CopySource": "bucket/tagged"}
    writer = client("writer", "s3:PutObject", "s3:GetObject")
    here = {"Bucket": "bucket", "Key": "k", "Tagging": "a=b"}
    assert refused(writer.put_object, **here) == ("AccessDenied", 403)
    assert refused(writer.create_multipart_upload, **here) == ("AccessDenied", 403)
    assert refused(writer.copy_object, **copy) == ("AccessDenied", 403)
    writer.put_object(Bucket="bucket", Key="k", Body=b"1")
    writer.copy_object(**copy, TaggingDirective="REPLACE")
    tagger = client("tagger", "s3:PutObject", "s3:GetObject", "s3:PutObjectTagging")
    tagger.put_object(**here)
    assert refused(tagger.copy_object, **copy) == ("AccessDenied", 403)
    for one in (writer, tagger):
        one.close()


def test_a_presigned_copy_is_no_upload(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="from", Body=b"content")
    url = signed_in_the_old_way(
        s3, "PUT", "/bucket/to", "x-amz-copy-source:/bucket/from\n/bucket/to", "x-amz-copy-source=/bucket/from"
    )
    assert get(url, method="PUT", data=b"", **{"content-type": ""})[0] == 200
    assert body(s3.get_object(Bucket="bucket", Key="to")) == b"content"


def test_headers_in_a_presigned_query_count(s3: Any) -> None:
    """As clients that move headers into the query sign them."""
    wrong = base64.b64encode(hashlib.sha256(b"another").digest()).decode()
    right = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    for value, status in ((wrong, 400), (right, 200)):
        more = {"X-Amz-Checksum-Sha256": value, "X-Amz-Meta-By": "alice"}
        request = AWSRequest("PUT", f"{s3.meta.endpoint_url}/bucket/k", params=more)
        S3SigV4QueryAuth(s3._request_signer._credentials, "s3", "us-east-1").add_auth(request)
        assert get(request.url, method="PUT", data=b"hello")[0] == status
    assert s3.head_object(Bucket="bucket", Key="k")["Metadata"] == {"by": "alice"}


def test_a_number_without_end_is_refused(s3: Any) -> None:
    def lengthen(params: Any, **_: Any) -> None:
        params["url"] += "&max-keys=" + "0" * 12 + "9" * 5000

    s3.meta.events.register("before-call.s3.ListObjectsV2", lengthen)
    assert refused(s3.list_objects_v2, Bucket="bucket") == ("InvalidArgument", 400)


def test_a_presigned_url_ends(s3: Any, alice: User, live_server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put_object(Bucket="bucket", Key="one", Body=b"1")
    here = {"Bucket": "bucket", "Key": "one"}
    long = s3.generate_presigned_url("get_object", here, ExpiresIn=8 * 86400)
    assert b"AuthorizationQueryParametersError" in get(long)[1]
    alice.access_keys.all().delete()
    status, content, _ = get(s3.generate_presigned_url("get_object", here, ExpiresIn=60))
    assert status == 403 and b"InvalidAccessKeyId" in content


def test_what_is_not_signed_rightly_is_refused(s3: Any, alice: User, live_server_url: str) -> None:
    alice.access_keys.all().delete()
    assert refused(s3.list_buckets) == ("InvalidAccessKeyId", 403)
    client = client_of(alice, live_server_url)
    client._request_signer._credentials.secret_key = "wrong"
    assert refused(client.list_buckets) == ("SignatureDoesNotMatch", 403)
    client.close()


def test_a_bucket_without_configurations_says_so_as_aws_does(s3: Any) -> None:
    here = {"Bucket": "bucket"}
    assert s3.get_bucket_location(**here)["LocationConstraint"] is None
    assert s3.head_bucket(**here)["BucketRegion"] == "us-east-1"
    assert "Status" not in s3.get_bucket_versioning(**here)
    assert s3.get_bucket_acl(**here)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert s3.get_public_access_block(**here)["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True
    for call, code in (
        (s3.get_bucket_policy, "NoSuchBucketPolicy"),
        (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
        (s3.get_bucket_tagging, "NoSuchTagSet"),
        (s3.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError"),
        (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
    ):
        assert refused(call, **here) == (code, 404)
    tags = {"TagSet": [{"Key": "team", "Value": "build"}]}
    s3.put_bucket_tagging(**here, Tagging=tags)
    assert s3.get_bucket_tagging(**here)["TagSet"] == tags["TagSet"]
    s3.delete_bucket_tagging(**here)
    assert refused(s3.put_bucket_versioning, **here, VersioningConfiguration={"Status": "Enabled"}) == (
        "NotImplemented",
        501,
    )
    assert refused(s3.put_object, **here, Key="a", Body=b"", ServerSideEncryption="AES256") == ("NotImplemented", 501)
    assert refused(s3.put_object, **here, Key="a", Body=b"", ACL="public-read") == (
        "AccessControlListNotSupported",
        400,
    )
    assert refused(s3.list_objects_v2, **here, ExpectedBucketOwner="210987654321") == ("AccessDenied", 403)
    s3.put_object(**here, Key="tagged", Body=b"", Tagging="a=b&c=d")
    assert len(s3.get_object_tagging(**here, Key="tagged")["TagSet"]) == 2
    s3.delete_object_tagging(**here, Key="tagged")
    assert s3.get_object_tagging(**here, Key="tagged")["TagSet"] == []


def test_every_operation_is_one_event(s3: Any, reader: Any) -> None:
    s3.put_object(Bucket="bucket", Key="open/a", Body=b"abc")
    body(s3.get_object(Bucket="bucket", Key="open/a"))
    refused(reader.put_object, Bucket="bucket", Key="open/a", Body=b"x")
    drain.drain()
    told = [
        (one.event_name, one.outcome, one.is_read_only, one.resource_arn, one.error_code)
        for one in Event.objects.filter(event_source="s3.amazonaws.com").order_by("sequence")
    ]
    key = "arn:aws:s3:::bucket/open/a"
    assert told == [
        ("CreateBucket", "Success", False, "arn:aws:s3:::bucket", ""),
        ("PutObject", "Success", False, key, ""),
        ("GetObject", "Success", True, key, ""),
        ("PutObject", "Denied", False, key, "AccessDenied"),
    ]
    got = Event.objects.get(event_name="GetObject")
    assert got.request_parameters == {"bucketName": "bucket", "key": "open/a"}
    assert got.additional_event_data["bytesTransferredOut"] == 3


def begun(url: str, length: int) -> http.client.HTTPConnection:
    """A PUT of that many bytes, of which none is sent yet."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.putrequest("PUT", f"{parts.path}?{parts.query}")
    connection.putheader("Content-Length", str(length))
    connection.endheaders()
    return connection


def test_no_byte_is_waited_for_before_it_is_known_that_they_may_come(s3: Any, reader: Any) -> None:
    for client, length, code in ((reader, 10**10, b"AccessDenied"), (s3, 10**13, b"EntityTooLarge")):
        url = client.generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "open/one"})
        with contextlib.closing(begun(url, length)) as connection:
            assert code in connection.getresponse().read()
    assert not Piece.objects.exists()


def test_an_upload_that_breaks_off_leaves_nothing(s3: Any, store: Path) -> None:
    s3.put_object(Bucket="bucket", Key="one", Body=b"first")
    url = s3.generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "one"})
    connection = begun(url, 20 * MB)
    connection.send(b"x" * 9 * MB)
    assert wait_for(lambda: Piece.objects.count() == 2, 60)
    connection.close()
    assert wait_for(lambda: Piece.objects.count() == 1, 60)
    assert [path.read_bytes() for path in store.rglob("*") if path.is_file()] == [b"first"]
    drain.drain()
    assert Event.objects.get(error_code="ClientLeft").event_name == "PutObject"
