"""Operations on uploads in parts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import format_datetime
from urllib.parse import quote

from codeservices.errors import InvalidInput
from codeservices.objects import multipart
from codeservices.objects.checksums import ALGORITHMS, FULL_OBJECT_ALGORITHMS
from codeservices.objects.models import MultipartUpload
from codeservices.objects.multipart import MAX_PARTS, WantedPart
from codeservices.objects.pieces import PieceWriter
from codeservices.objects.s3 import about, integrity, xml
from codeservices.objects.s3.buckets import encoding_of, owner
from codeservices.objects.s3.call import Answer, Call, Receiving, operation, receiving
from codeservices.objects.s3.objects import copied, copy_bytes, open_source

MAX_LISTED = 1000
ABORT_RULE = "unfinished-uploads"


@operation("CreateMultipartUpload")
def create_multipart_upload(call: Call) -> Answer:
    algorithm = call.headers.get("x-amz-checksum-algorithm", "").upper()
    if algorithm and algorithm not in ALGORITHMS:
        raise InvalidInput("Checksum algorithm provided is unsupported.", code="InvalidRequest")
    default = "FULL_OBJECT" if algorithm == "CRC64NVME" else "COMPOSITE"
    checksum_type = call.headers.get("x-amz-checksum-type", default).upper() if algorithm else ""
    known = {"": [""], "COMPOSITE": ALGORITHMS, "FULL_OBJECT": FULL_OBJECT_ALGORITHMS}
    if algorithm not in known.get(checksum_type, []):
        raise InvalidInput("Value for x-amz-checksum-type header is invalid.", code="InvalidRequest")
    said = about.read(call)
    upload = multipart.begin(
        call.principal, call.bucket, call.key, said, algorithm=algorithm, checksum_type=checksum_type
    )
    told = [xml.text("Bucket", call.bucket), xml.text("Key", call.key), xml.text("UploadId", upload.upload_id.hex)]
    headers = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": checksum_type} if algorithm else {}
    headers |= _abort_headers(upload)
    return Answer(content=xml.document("InitiateMultipartUploadResult", told), headers=headers)


@receiving("UploadPart")
def upload_part(call: Call) -> Receiving:
    number = _part_number(call)
    upload_id = call.query["uploadId"]
    upload = multipart.begin_part(call.principal, call.bucket, call.key, upload_id, number, call.size_bytes)
    writer = PieceWriter(multipart.MAX_PART_BYTES, integrity.algorithms(call.headers))

    def finish(_: Mapping[str, str]) -> Answer:
        piece = writer.finish()
        multipart.finish_part(upload, number, piece)
        told = {name: value for name, value in integrity.headers_of(piece.checksums).items() if "-type" not in name}
        return Answer(headers={"etag": f'"{piece.md5}"', **told})

    return Receiving(writer, finish)


@operation("UploadPartCopy", is_slow=True)
def upload_part_copy(call: Call) -> Answer:
    number = _part_number(call)
    upload = multipart.begin_part(call.principal, call.bucket, call.key, call.query["uploadId"], number, 0)
    algorithms = [upload.checksum_algorithm] if upload.checksum_algorithm else []
    with PieceWriter(multipart.MAX_PART_BYTES, algorithms) as writer:
        stored, reader = open_source(call)
        with reader:
            asked = call.headers.get("x-amz-copy-source-range")
            found = about.range_of(asked, stored.size_bytes) if asked is not None else (0, stored.size_bytes)
            if found is None:
                raise InvalidInput(
                    "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are"
                    " the zero-based offsets of the first and last bytes to copy",
                    code="InvalidArgument",
                )
            copy_bytes(reader, *found, writer)
        piece = writer.finish()
        multipart.finish_part(upload, number, piece)
    return Answer(content=xml.document("CopyPartResult", copied(piece.created_at, piece.md5)))


@operation("CompleteMultipartUpload", is_slow=True)
def complete_multipart_upload(call: Call) -> Answer:
    wanted = [_wanted(one) for one in xml.read(call.body, "CompleteMultipartUpload").all("Part")]
    if not wanted or len(wanted) > MAX_PARTS:
        raise xml.malformed()
    stored = multipart.complete(
        call.principal,
        call.bucket,
        call.key,
        call.query["uploadId"],
        wanted,
        about.condition_of(call),
        integrity.stated(call.headers),
    )
    path = f"/{call.bucket}/{quote(call.key)}"
    host = call.headers.get("host", "")
    told = [
        xml.text("Location", f"http://{host}{path}" if host else path),
        xml.text("Bucket", call.bucket),
        xml.text("Key", call.key),
        xml.text("ETag", f'"{stored.etag}"'),
        *(xml.text(f"Checksum{name}", value) for name, value in stored.checksums.items()),
    ]
    return Answer(content=xml.document("CompleteMultipartUploadResult", told))


@operation("AbortMultipartUpload")
def abort_multipart_upload(call: Call) -> Answer:
    multipart.abort(call.principal, call.bucket, call.key, call.query["uploadId"])
    return Answer(204)


@operation("ListParts")
def list_parts(call: Call) -> Answer:
    upload, parts = multipart.list_parts(call.principal, call.bucket, call.key, call.query["uploadId"])
    marker = call.number("part-number-marker", 0, MAX_PARTS)
    limit = call.number("max-parts", MAX_LISTED, MAX_LISTED)
    rows = list(parts.filter(number__gt=marker)[: limit + 1])
    shown = rows[:limit]
    told = [
        xml.text("Bucket", call.bucket),
        xml.text("Key", encoding_of(call)(call.key)),
        xml.text("UploadId", upload.upload_id.hex),
        xml.element("Initiator", _initiator(upload)),
        owner(),
        xml.text("StorageClass", "STANDARD"),
        xml.text("PartNumberMarker", marker),
        *([xml.text("NextPartNumberMarker", shown[-1].number)] if shown else []),
        xml.text("MaxParts", limit),
        xml.text("IsTruncated", str(len(rows) > limit).lower()),
    ]
    if upload.checksum_algorithm:
        told.append(xml.text("ChecksumAlgorithm", upload.checksum_algorithm))
        told.append(xml.text("ChecksumType", upload.checksum_type))
    for part in shown:
        row = [
            xml.text("PartNumber", part.number),
            xml.text("LastModified", xml.time(part.created_at)),
            xml.text("ETag", f'"{part.md5}"'),
            xml.text("Size", part.size_bytes),
            *(xml.text(f"Checksum{name}", value) for name, value in part.checksums.items()),
        ]
        told.append(xml.element("Part", row))
    return Answer(content=xml.document("ListPartsResult", told), headers=_abort_headers(upload))


@operation("ListMultipartUploads")
def list_multipart_uploads(call: Call) -> Answer:
    encoded = encoding_of(call)
    prefix, marker = call.query.get("prefix", ""), call.query.get("key-marker", "")
    limit = call.number("max-uploads", MAX_LISTED, MAX_LISTED)
    if call.query.get("delimiter"):
        raise InvalidInput("Uploads are listed without a delimiter here.", code="InvalidArgument")
    rows = multipart.list_uploads(
        call.principal,
        call.bucket,
        prefix=prefix,
        after_key=marker,
        after_id=call.query.get("upload-id-marker", ""),
        limit=limit + 1,
    )
    shown = rows[:limit]
    told = [
        xml.text("Bucket", call.bucket),
        xml.text("KeyMarker", encoded(marker)),
        xml.text("UploadIdMarker", call.query.get("upload-id-marker", "")),
        *([xml.text("NextKeyMarker", encoded(shown[-1].key))] if shown else []),
        *([xml.text("NextUploadIdMarker", shown[-1].upload_id.hex)] if shown else []),
        xml.text("Prefix", encoded(prefix)),
        xml.text("MaxUploads", limit),
        *([xml.text("EncodingType", "url")] if call.query.get("encoding-type") else []),
        xml.text("IsTruncated", str(len(rows) > limit).lower()),
    ]
    for one in shown:
        row = [
            xml.text("Key", encoded(one.key)),
            xml.text("UploadId", one.upload_id.hex),
            xml.element("Initiator", _initiator(one)),
            owner(),
            xml.text("StorageClass", "STANDARD"),
            xml.text("Initiated", xml.time(one.started_at)),
        ]
        told.append(xml.element("Upload", row))
    return Answer(content=xml.document("ListMultipartUploadsResult", told))


def _abort_headers(upload: MultipartUpload) -> dict[str, str]:
    """When the upload is aborted, as S3 tells it where a bucket has a rule for that."""
    at = multipart.aborted_at(upload).astimezone(UTC)
    return {"x-amz-abort-date": format_datetime(at, usegmt=True), "x-amz-abort-rule-id": ABORT_RULE}


def _initiator(upload: MultipartUpload) -> list[str]:
    return [xml.text("ID", upload.started_by), xml.text("DisplayName", upload.started_by.rpartition("/")[2])]


def _part_number(call: Call) -> int:
    given = call.query.get("partNumber", "")
    if not (given.isascii() and given.isdigit()) or len(given) > 5:
        raise InvalidInput(
            f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive", code="InvalidArgument"
        )
    return int(given)


def _wanted(part: xml.Element) -> WantedPart:
    number = part.get("PartNumber")
    if not (number.isascii() and number.isdigit()) or len(number) > 5:
        raise xml.malformed()
    told = {name: part.get(f"Checksum{name}") for name in ALGORITHMS if part.get(f"Checksum{name}")}
    return WantedPart(int(number), part.get("ETag").strip('"'), told)
