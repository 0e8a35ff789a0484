"""Objects as boto3 puts, reads, copies and deletes them, against a real web server."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
from typing import Any

import pytest

from codeservices.audit import drain
from codeservices.audit.models import Event
from codeservices.objects.models import Piece, StoredObject
from tests import factories
from tests.codeservices.s3.clients import begun, body, client_of, get, refused


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


def test_many_are_deleted_at_once(s3: Any, reader: Any) -> None:
    for key in ("one", "two", "open/x"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"")
    wanted = {"Objects": [{"Key": "one"}, {"Key": "none"}, {"Key": "two", "VersionId": "null"}]}
    told = s3.delete_objects(Bucket="bucket", Delete=wanted)
    assert {one["Key"] for one in told["Deleted"]} == {"one", "two", "none"}
    denied = reader.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "open/x"}], "Quiet": True})
    assert [one["Code"] for one in denied["Errors"]] == ["AccessDenied"]
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["open/x"]


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
