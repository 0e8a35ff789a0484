"""What headers say of an object, in and out: its type, its own metadata, its tags, and under which conditions it is
given or replaced.

Source: Amazon S3 API Reference, "PutObject", "GetObject"; RFC 9110, section 13 (conditional requests), 14 (ranges).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import parse_qsl

from codeservices.errors import InvalidInput, ServiceError
from codeservices.objects import tags
from codeservices.objects.models import StoredObject
from codeservices.objects.s3 import integrity
from codeservices.objects.s3.call import Call
from codeservices.objects.s3.errors import Refusal, precondition_failed
from codeservices.objects.services import About, Condition

_META = "x-amz-meta-"
# Amazon S3 User Guide, "Working with object metadata": names and values together.
MAX_METADATA_BYTES = 2048
MAX_HEADER_CHARACTERS = 1024
_KEPT = ("cache-control", "content-disposition", "content-encoding", "content-language", "expires")
DEFAULT_TYPE = "binary/octet-stream"
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)
_OVERRIDES = {
    "response-cache-control": "cache-control",
    "response-content-disposition": "content-disposition",
    "response-content-encoding": "content-encoding",
    "response-content-language": "content-language",
    "response-content-type": "content-type",
    "response-expires": "expires",
}


def read(call: Call) -> About:
    """What the headers of an upload say; raises InvalidInput MetadataTooLarge, InvalidArgument, InvalidTag."""
    metadata = {name[len(_META) :]: value for name, value in call.headers.items() if name.startswith(_META)}
    size_bytes = sum(len(name) + len(value.encode("latin-1", "replace")) for name, value in metadata.items())
    if size_bytes > MAX_METADATA_BYTES:
        raise InvalidInput(
            "Your metadata headers exceed the maximum allowed metadata size",
            code="MetadataTooLarge",
            hint=f"They have {size_bytes:,} bytes; at most {MAX_METADATA_BYTES:,} are allowed.",
        )
    headers = {name: call.headers[name] for name in _KEPT if call.headers.get(name)}
    encodings = [one.strip() for one in headers.pop("content-encoding", "").split(",")]
    encoding = ",".join(one for one in encodings if one and one.lower() != "aws-chunked")
    content_type = call.headers.get("content-type", "")
    if len(content_type) > 255 or any(len(value) > MAX_HEADER_CHARACTERS for value in headers.values()):
        raise InvalidInput("A header of the object is too long.", code="InvalidArgument")
    given = parse_qsl(call.headers.get("x-amz-tagging", ""), keep_blank_values=True)
    checked = tags.check(given, tags.MAX_OBJECT_TAGS)
    return About(content_type, headers | ({"content-encoding": encoding} if encoding else {}), metadata, checked)


def headers_of(stored: StoredObject, call: Call) -> dict[str, str]:
    """What an answer says of an object.

    A body never names itself something to look at in the browser: the console has the same origin.
    """
    told = {
        "etag": f'"{stored.etag}"',
        "last-modified": format_datetime(stored.modified_at.astimezone(UTC), usegmt=True),
        "accept-ranges": "bytes",
        "content-type": stored.content_type or DEFAULT_TYPE,
        **stored.headers,
        **{_META + name: value for name, value in stored.metadata.items()},
    }
    if stored.tags:
        told["x-amz-tagging-count"] = str(len(stored.tags))
    for name, header in _OVERRIDES.items():
        value = call.query.get(name)
        if value is not None:
            if not value.isprintable() or len(value) > MAX_HEADER_CHARACTERS:
                raise InvalidInput(f"The value of {name} is no header.", code="InvalidArgument")
            told[header] = value
    if call.method == "GET":
        _, semicolon, parameters = told.get("content-disposition", "").partition(";")
        told["content-disposition"] = f"attachment{semicolon}{parameters}"
    return told


def check_read(stored: StoredObject, headers: Mapping[str, str], prefix: str = "") -> None:
    """The conditions under which an object is given.

    Args:
        prefix: "x-amz-copy-source-" for those of a copy's source, all of which end in PreconditionFailed.

    Raises:
        Refusal: PreconditionFailed, or 304 NotModified.
    """
    matches, differs = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    since, until = _date(headers.get(f"{prefix}if-modified-since")), _date(headers.get(f"{prefix}if-unmodified-since"))
    modified_at = stored.modified_at.replace(microsecond=0)
    if matches is not None:
        if not _names(matches, stored.etag):
            raise precondition_failed("If-Match")
    elif until is not None and modified_at > until:
        raise precondition_failed("If-Unmodified-Since")
    if differs is not None:
        is_same = _names(differs, stored.etag)
    else:
        is_same = since is not None and modified_at <= since
    if is_same and prefix:
        raise precondition_failed("If-None-Match" if differs is not None else "If-Modified-Since")
    if is_same:
        told = {"etag": f'"{stored.etag}"', "last-modified": format_datetime(modified_at.astimezone(UTC), usegmt=True)}
        raise Refusal("Not Modified", code="NotModified", status=304, headers=told)


def condition_of(call: Call) -> Condition | None:
    """The condition under which an object is replaced; raises NotImplemented for what S3 does not take either."""
    matches, differs = call.headers.get("if-match"), call.headers.get("if-none-match")
    if differs not in (None, "*"):
        raise ServiceError(
            "A header you provided implies functionality that is not implemented",
            code="NotImplemented",
            status=501,
            hint="If-None-Match takes “*” alone here.",
        )
    if matches is None and differs is None:
        return None

    def check(old: StoredObject | None) -> None:
        if differs is not None and old is not None:
            raise precondition_failed("If-None-Match")
        if matches is not None and old is None:
            raise ServiceError("The specified key does not exist.", code="NoSuchKey", status=404)
        if matches is not None and old is not None and not _names(matches, old.etag):
            raise precondition_failed("If-Match")

    return check


def range_of(text: str | None, size_bytes: int) -> tuple[int, int] | None:
    """(first byte, how many) of a Range header; None for the whole, as for what is no range of bytes.

    Raises:
        Refusal: InvalidRange.
    """
    match = _RANGE.fullmatch((text or "").replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if match[1]:
        first, last = int(match[1]), min(int(match[2]), size_bytes - 1) if match[2] else size_bytes - 1
        if match[2] and int(match[2]) < first:
            return None
    else:
        first, last = max(0, size_bytes - int(match[2])), size_bytes - 1
    if first >= size_bytes or (not match[1] and int(match[2]) == 0):
        raise Refusal(
            "The requested range is not satisfiable",
            code="InvalidRange",
            status=416,
            headers={"content-range": f"bytes */{size_bytes}"},
            details={"RangeRequested": text or "", "ActualObjectSize": str(size_bytes)},
        )
    return first, last - first + 1


def checksum_headers(stored: StoredObject, call: Call) -> dict[str, str]:
    """The object's checksums, where they are asked for."""
    if call.headers.get("x-amz-checksum-mode", "").upper() != "ENABLED":
        return {}
    return integrity.headers_of(stored.checksums)


def _names(header: str, etag: str) -> bool:
    return any(one.strip().removeprefix("W/").strip('"') in (etag, "*") for one in header.split(","))


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
