"""Uploads: in parts, one at a time and many at once, and those that break off."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from codeservices import places
from codeservices.audit import drain
from codeservices.audit.acts import Act, RequestInfo
from codeservices.audit.models import Event
from codeservices.iam.models import User
from codeservices.objects.checksums import Checksum
from codeservices.objects.models import MultipartUpload, Piece
from codeservices.objects.s3 import taking
from codeservices.objects.s3.call import Call
from codeservices.objects.s3.errors import Refusal
from tests.codeservices.s3.clients import begun, body, refused
from tests.gitserver import wait_for

MB = 1024 * 1024


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

    def left() -> Event | None:  # the act ends after its pieces have gone
        drain.drain()
        return Event.objects.filter(error_code="ClientLeft").first()

    event = wait_for(left)
    assert event is not None and event.event_name == "PutObject"
