"""Operations on objects: put, get, look, delete, copy, tag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote

from django.conf import settings

from codeservices.errors import InvalidInput, NotFound, ServiceError
from codeservices.objects import access, pieces, services, tags
from codeservices.objects.models import StoredObject
from codeservices.objects.pieces import PieceReader, PieceWriter
from codeservices.objects.s3 import about, errors, integrity, xml
from codeservices.objects.s3.call import Answer, Call, Receiving, not_implemented, operation, receiving

MAX_COPY_BYTES = 5 * 1024**3  # Amazon S3 API Reference, "CopyObject"
MAX_DELETED = 1000


class Source(NamedTuple):
    """What a copy is made of."""

    stored: StoredObject
    reader: PieceReader


@receiving("PutObject")
def put_object(call: Call) -> Receiving:
    said, condition = about.read(call), about.condition_of(call)
    bucket = services.begin_put(call.principal, call.bucket, call.key, said, call.size_bytes)
    if condition is not None:  # sooner than the bytes come, and again when they have come
        condition(StoredObject.objects.filter(bucket=bucket, key=call.key).first())
    writer = PieceWriter(settings.OBJECT_MAX_BYTES, integrity.algorithms(call.headers))

    def finish(_: Mapping[str, str]) -> Answer:
        piece = writer.finish()
        stored = services.replace(
            bucket,
            call.key,
            [piece],
            said,
            etag=piece.md5,
            sha256=call.stated_sha256,
            checksums=piece.checksums,
            condition=condition,
        )
        return Answer(headers={"etag": f'"{stored.etag}"', **integrity.headers_of(stored.checksums)})

    return Receiving(writer, finish)


@operation("GetObject")
def get_object(call: Call) -> Answer:
    _check_version(call)
    stored, reader = services.open_pieces(call.principal, call.bucket, call.key)
    try:
        return _read(call, stored, reader)
    except BaseException:
        reader.close()
        raise


@operation("HeadObject")
def head_object(call: Call) -> Answer:
    _check_version(call)
    stored = access.object_for(call.principal, "s3:GetObject", call.bucket, call.key)
    answer = _read(call, stored, pieces.PieceReader([]))
    return replace(answer, reader=None, headers={**answer.headers, "content-length": str(answer.length)})


@operation("DeleteObject")
def delete_object(call: Call) -> Answer:
    _check_version(call)
    services.delete_object(call.principal, call.bucket, call.key)
    return Answer(204)


@operation("DeleteObjects", is_slow=True)
def delete_objects(call: Call) -> Answer:
    wanted = xml.read(call.body, "Delete")
    keys = [(one.raw("Key"), one.get("VersionId")) for one in wanted.all("Object")]
    if not keys or len(keys) > MAX_DELETED or any(not key for key, _ in keys):
        raise xml.malformed()
    if "content-md5" not in call.headers and not integrity.algorithms(call.headers):
        raise InvalidInput(
            "Missing required header for this request: Content-MD5 OR x-amz-checksum-*", code="InvalidRequest"
        )
    is_quiet = wanted.get("Quiet").lower() == "true"
    call.act.parameters["keys"] = [key for key, _ in keys[:100]]
    told: list[str] = []
    for key, version in keys:
        try:
            if version not in ("", "null"):
                raise no_such_version()
            services.delete_object(call.principal, call.bucket, key)
        except ServiceError as failure:
            if failure.code == "NoSuchBucket":
                raise
            code, _ = errors.code_of(failure, is_presigned=False)
            sentence = f"{failure.message} {failure.hint}".strip()
            parts = [xml.text("Key", key), xml.text("Code", code), xml.text("Message", sentence)]
            told.append(xml.element("Error", parts))
            call.act.additional.setdefault("deniedKeys", []).append(key)
        else:
            if not is_quiet:
                told.append(xml.element("Deleted", [xml.text("Key", key)]))
    return Answer(content=xml.document("DeleteResult", told))


@operation("CopyObject", is_slow=True)
def copy_object(call: Call) -> Answer:
    said, condition = about.read(call), about.condition_of(call)
    stored, reader = open_source(call)
    with reader:
        if stored.size_bytes > MAX_COPY_BYTES:
            raise InvalidInput(
                "The specified copy source is larger than the maximum allowable size for a copy source:"
                f" {MAX_COPY_BYTES}",
                code="InvalidRequest",
            )
        keeps = _directive(call, "x-amz-metadata-directive") == "COPY"
        if keeps and (stored.bucket.name, stored.key) == (call.bucket, call.key):
            raise InvalidInput(
                "This copy request is illegal because it is trying to copy an object to itself without changing the"
                " object's metadata, storage class, website redirect location or encryption attributes.",
                code="InvalidRequest",
            )
        if keeps:
            said = services.About(stored.content_type, stored.headers, stored.metadata, said.tags)
        if _directive(call, "x-amz-tagging-directive") == "COPY":
            if stored.tags:
                access.object_for(call.principal, "s3:GetObjectTagging", stored.bucket.name, stored.key)
            said = services.About(said.content_type, said.headers, said.metadata, stored.tags)
        bucket = services.begin_put(call.principal, call.bucket, call.key, said, stored.size_bytes)
        with PieceWriter(settings.OBJECT_MAX_BYTES, integrity.algorithms(call.headers)) as writer:
            copy_bytes(reader, 0, stored.size_bytes, writer)
            piece = writer.finish()
            made = services.replace(
                bucket,
                call.key,
                [piece],
                said,
                etag=piece.md5,
                checksums=piece.checksums,
                condition=condition,
            )
    return Answer(content=xml.document("CopyObjectResult", copied(made.modified_at, made.etag)))


@operation("GetObjectTagging")
def get_object_tagging(call: Call) -> Answer:
    return tag_set(tags.of_object(call.principal, call.bucket, call.key))


@operation("PutObjectTagging")
def put_object_tagging(call: Call) -> Answer:
    tags.set_object(call.principal, call.bucket, call.key, read_tags(call))
    return Answer()


@operation("DeleteObjectTagging")
def delete_object_tagging(call: Call) -> Answer:
    tags.delete_object_tags(call.principal, call.bucket, call.key)
    return Answer(204)


# ---- what copies of parts and buckets share --------------------------------------------------------------------------


def open_source(call: Call) -> Source:
    """The source of a copy; raises as GetObject does, and Refusal PreconditionFailed."""
    path, _, query = call.headers["x-amz-copy-source"].partition("?")
    if query and query != "versionId=null":
        raise no_such_version()
    bucket, slash, key = unquote(path).removeprefix("/").partition("/")
    if not slash or not key:
        raise InvalidInput("Copy Source must mention the source bucket and key: BUCKET/KEY", code="InvalidArgument")
    stored, reader = services.open_pieces(call.principal, bucket, key)
    call.act.parameters["x-amz-copy-source"] = f"{bucket}/{key}"
    try:
        about.check_read(stored, call.headers, "x-amz-copy-source-")
    except ServiceError:
        reader.close()
        raise
    return Source(stored, reader)


def copy_bytes(reader: PieceReader, offset: int, length: int, writer: PieceWriter) -> None:
    """Write a stretch of an object."""
    reader.seek(offset)
    left = length
    while left:
        data = reader.read(min(left, 1024 * 1024))
        if not data:
            raise OSError("the bytes of an object are shorter than they were")
        writer.write(data)
        left -= len(data)


def copied(modified_at: datetime, etag: str) -> list[str]:
    """The two elements of a copy's answer."""
    return [xml.text("LastModified", xml.time(modified_at)), xml.text("ETag", f'"{etag}"')]


def read_tags(call: Call) -> list[tuple[str, str]]:
    """The tags of a Tagging document; raises InvalidInput MalformedXML."""
    found = xml.read(call.body, "Tagging").all("TagSet")
    if len(found) != 1:
        raise xml.malformed()
    return [(one.raw("Key"), one.raw("Value")) for one in found[0].all("Tag")]


def tag_set(found: Mapping[str, str]) -> Answer:
    """A Tagging document."""
    rows = [xml.element("Tag", [xml.text("Key", key), xml.text("Value", value)]) for key, value in found.items()]
    return Answer(content=xml.document("Tagging", [xml.element("TagSet", rows)]))


def no_such_version() -> NotFound:
    """The refusal of a versionId, which nothing has here."""
    return NotFound(
        "The specified version does not exist.", code="NoSuchVersion", hint="Buckets keep no versions here."
    )


def _check_version(call: Call) -> None:
    if call.query.get("versionId", "null") not in ("null", ""):
        raise no_such_version()


def _directive(call: Call, name: str) -> str:
    found = call.headers.get(name, "COPY")
    if found not in ("COPY", "REPLACE"):
        raise InvalidInput(f"Unknown {name}: it is COPY or REPLACE.", code="InvalidArgument")
    return found


def _read(call: Call, stored: StoredObject, reader: PieceReader) -> Answer:
    about.check_read(stored, call.headers)
    headers = about.headers_of(stored, call)
    part = call.query.get("partNumber")
    if part is not None:
        if "range" in call.headers:
            raise not_implemented("Ask for a range or for a part, not for both.")
        offset, length = _part_of(stored, call, headers)
    else:
        asked = about.range_of(call.headers.get("range"), stored.size_bytes)
        if asked is None:
            headers |= about.checksum_headers(stored, call)
            content_type = headers.pop("content-type")
            return Answer(200, b"", content_type, headers, reader, 0, stored.size_bytes)
        offset, length = asked
    headers["content-range"] = f"bytes {offset}-{offset + length - 1}/{stored.size_bytes}"
    return Answer(206, b"", headers.pop("content-type"), headers, reader, offset, length)


def _part_of(stored: StoredObject, call: Call, headers: dict[str, str]) -> tuple[int, int]:
    sizes = list(stored.pieces.order_by("number").values_list("size_bytes", flat=True))
    number = call.number("partNumber", 1, 10_001)
    if not 1 <= number <= len(sizes) or not sizes[number - 1]:
        raise errors.Refusal(
            "The requested partnumber is not satisfiable",
            code="InvalidPartNumber",
            status=416,
            details={"PartNumberRequested": str(number), "ActualPartCount": str(len(sizes))},
        )
    if "-" in stored.etag:
        headers["x-amz-mp-parts-count"] = str(len(sizes))
    return sum(sizes[: number - 1]), sizes[number - 1]
