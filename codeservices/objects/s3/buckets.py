"""Operations on buckets: list, make, delete, look into, tag."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote

from django.conf import settings

from codeservices.aws import paging
from codeservices.errors import InvalidInput
from codeservices.objects import access, buckets, listing, tags
from codeservices.objects.listing import MAX_KEYS, Listing
from codeservices.objects.models import StoredObject
from codeservices.objects.s3 import xml
from codeservices.objects.s3.call import Answer, Call, not_implemented, operation
from codeservices.objects.s3.objects import read_tags, tag_set

_BAD_TOKEN = InvalidInput("The continuation token provided is incorrect", code="InvalidArgument")


@operation("ListBuckets")
def list_buckets(call: Call) -> Answer:
    found = buckets.list_buckets(call.principal)
    if prefix := call.query.get("prefix", ""):
        found = found.filter(name__startswith=prefix)
    limit = max(1, call.number("max-buckets", 10_000, 10_000))
    if token := call.query.get("continuation-token"):
        found = found.filter(name__gt=paging.decode("buckets", token, _BAD_TOKEN))
    rows = list(found.order_by("name")[: limit + 1])
    shown = [
        xml.element("Bucket", [xml.text("Name", one.name), xml.text("CreationDate", xml.time(one.created_at))])
        for one in rows[:limit]
    ]
    told = [owner(), xml.element("Buckets", shown)]
    if len(rows) > limit:
        told.append(xml.text("ContinuationToken", paging.encode("buckets", rows[limit - 1].name)))
    return Answer(content=xml.document("ListAllMyBucketsResult", told))


@operation("CreateBucket")
def create_bucket(call: Call) -> Answer:
    given: list[tuple[str, str]] = []
    if call.body:
        wanted = xml.read(call.body, "CreateBucketConfiguration")
        # One installation is one region, whatever it is called.
        if wanted.all("Bucket") or wanted.all("Location"):
            raise not_implemented("Directory buckets are not available on this server.")
        given = [(one.raw("Key"), one.raw("Value")) for found in wanted.all("Tags") for one in found.all("Tag")]
    checked = tags.check(given, tags.MAX_BUCKET_TAGS)
    made = buckets.create_bucket(call.principal, call.bucket, checked)
    return Answer(headers={"location": f"/{made.name}"}, content_type="")


@operation("DeleteBucket")
def delete_bucket(call: Call) -> Answer:
    buckets.delete_bucket(call.principal, call.bucket)
    return Answer(204)


@operation("HeadBucket")
def head_bucket(call: Call) -> Answer:
    access.bucket_for(call.principal, access.LIST, call.bucket)
    return Answer(headers={"x-amz-bucket-region": settings.REGION})


@operation("GetBucketLocation")
def get_bucket_location(call: Call) -> Answer:
    access.bucket_for(call.principal, "s3:GetBucketLocation", call.bucket)
    # Amazon S3 API Reference, "GetBucketLocation": us-east-1 is told by nothing.
    region = "" if settings.REGION == "us-east-1" else settings.REGION
    return Answer(content=xml.document("LocationConstraint", [region]))


@operation("GetBucketTagging")
def get_bucket_tagging(call: Call) -> Answer:
    found = tags.of_bucket(call.principal, call.bucket)
    if not found:
        raise InvalidInput("The TagSet does not exist", code="NoSuchTagSet", status=404)
    return tag_set(found)


@operation("PutBucketTagging")
def put_bucket_tagging(call: Call) -> Answer:
    tags.set_bucket(call.principal, call.bucket, read_tags(call))
    return Answer(204)


@operation("DeleteBucketTagging")
def delete_bucket_tagging(call: Call) -> Answer:
    tags.set_bucket(call.principal, call.bucket, [])
    return Answer(204)


@operation("ListObjectsV2", event_name="ListObjects")
def list_objects_v2(call: Call) -> Answer:
    token = call.query.get("continuation-token")
    after = paging.decode("objects", token, _BAD_TOKEN) if token else call.query.get("start-after", "")
    found, encoded = _listed(call, after)
    told = [*_frame(call, encoded), xml.text("KeyCount", len(found.objects) + len(found.prefixes))]
    if token:
        told.append(xml.text("ContinuationToken", token))
    if "start-after" in call.query:
        told.append(xml.text("StartAfter", encoded(call.query["start-after"])))
    if found.is_truncated:
        told.append(xml.text("NextContinuationToken", paging.encode("objects", found.last)))
    has_owner = call.query.get("fetch-owner") == "true"
    return _told(found, encoded, told, has_owner=has_owner)


@operation("ListObjects")
def list_objects(call: Call) -> Answer:
    found, encoded = _listed(call, call.query.get("marker", ""))
    told = [*_frame(call, encoded), xml.text("Marker", encoded(call.query.get("marker", "")))]
    if found.is_truncated and call.query.get("delimiter"):
        told.append(xml.text("NextMarker", encoded(found.last)))
    return _told(found, encoded, told, has_owner=True)


@operation("ListObjectVersions")
def list_object_versions(call: Call) -> Answer:
    """Each object as its only version, which is called null: what there is in a bucket without versions."""
    found, encoded = _listed(call, call.query.get("key-marker", ""))
    told = [*_frame(call, encoded), xml.text("IsTruncated", str(found.is_truncated).lower())]
    told.append(xml.text("KeyMarker", encoded(call.query.get("key-marker", ""))))
    if found.is_truncated:
        told += [xml.text("NextKeyMarker", encoded(found.last)), xml.text("NextVersionIdMarker", "null")]
    for one in found.objects:
        version = [xml.text("VersionId", "null"), xml.text("IsLatest", "true"), owner()]
        told.append(xml.element("Version", [*_object(one, encoded), *version]))
    return Answer(content=xml.document("ListVersionsResult", [*told, *_prefixes(found, encoded)]))


def owner() -> str:
    """This account, which owns all."""
    return xml.element("Owner", [xml.text("ID", settings.ACCOUNT_ID), xml.text("DisplayName", settings.ACCOUNT_ID)])


def encoding_of(call: Call) -> Callable[[str], str]:
    """How keys are written in the answer; raises InvalidInput InvalidArgument."""
    wanted = call.query.get("encoding-type")
    if wanted not in (None, "", "url"):
        raise InvalidInput("Invalid Encoding Method specified in Request", code="InvalidArgument")
    return (lambda text: quote(text, safe="/-_.~*")) if wanted else str


def _listed(call: Call, after: str) -> tuple[Listing, Callable[[str], str]]:
    encoded = encoding_of(call)
    found = listing.list_objects(
        call.principal,
        call.bucket,
        prefix=call.query.get("prefix", ""),
        delimiter=call.query.get("delimiter", ""),
        after=after,
        max_keys=call.number("max-keys", MAX_KEYS, MAX_KEYS),
    )
    return found, encoded


def _frame(call: Call, encoded: Callable[[str], str]) -> list[str]:
    told = [xml.text("Name", call.bucket), xml.text("Prefix", encoded(call.query.get("prefix", "")))]
    told.append(xml.text("MaxKeys", call.number("max-keys", MAX_KEYS, MAX_KEYS)))
    if call.query.get("delimiter"):
        told.append(xml.text("Delimiter", encoded(call.query["delimiter"])))
    if call.query.get("encoding-type"):
        told.append(xml.text("EncodingType", "url"))
    return told


def _told(found: Listing, encoded: Callable[[str], str], frame: Sequence[str], *, has_owner: bool) -> Answer:
    told = [*frame, xml.text("IsTruncated", str(found.is_truncated).lower())]
    owned = [owner()] if has_owner else []
    told += [xml.element("Contents", [*_object(one, encoded), *owned]) for one in found.objects]
    return Answer(content=xml.document("ListBucketResult", [*told, *_prefixes(found, encoded)]))


def _object(one: StoredObject, encoded: Callable[[str], str]) -> list[str]:
    return [
        xml.text("Key", encoded(one.key)),
        xml.text("LastModified", xml.time(one.modified_at)),
        xml.text("ETag", f'"{one.etag}"'),
        *(xml.text("ChecksumAlgorithm", name) for name in one.checksums),
        xml.text("Size", one.size_bytes),
        xml.text("StorageClass", "STANDARD"),
    ]


def _prefixes(found: Listing, encoded: Callable[[str], str]) -> list[str]:
    return [xml.element("CommonPrefixes", [xml.text("Prefix", encoded(one))]) for one in found.prefixes]
