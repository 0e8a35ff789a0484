"""Buckets as boto3 lists and asks about them, against a real web server."""

from __future__ import annotations

from typing import Any

from tests.codeservices.s3.clients import body, refused


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


def test_a_number_without_end_is_refused(s3: Any) -> None:
    def lengthen(params: Any, **_: Any) -> None:
        params["url"] += "&max-keys=" + "0" * 12 + "9" * 5000

    s3.meta.events.register("before-call.s3.ListObjectsV2", lengthen)
    assert refused(s3.list_objects_v2, Bucket="bucket") == ("InvalidArgument", 400)


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
