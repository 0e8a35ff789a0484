"""What a request's headers say of its content, and whether the content is so.

Nothing is accepted and then ignored: what asks for a lock, a key, a right or a class of storage that is not here is
refused.

Source: Amazon S3 API Reference, "PutObject"; Amazon S3 User Guide, "Checking object integrity in Amazon S3".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping

from django.conf import settings

from codeservices.errors import InvalidInput, ServiceError
from codeservices.objects.checksums import ALGORITHMS, Checksum
from codeservices.objects.s3.call import Call, not_implemented

_HEADER = "x-amz-checksum-"
_SIZES = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}
_PRIVATE = ("private", "bucket-owner-full-control", "bucket-owner-read")
_ABSENT = {
    "x-amz-server-side-encryption": "Objects are not encrypted here: leave it out, and encrypt the disk.",
    "x-amz-object-lock-mode": "There are no object locks here.",
    "x-amz-object-lock-retain-until-date": "There are no object locks here.",
    "x-amz-bucket-object-lock-enabled": "There are no object locks here.",
    "x-amz-object-lock-legal-hold": "There are no object locks here.",
    "x-amz-website-redirect-location": "Buckets are no web sites here.",
    "x-amz-write-offset-bytes": "Objects are written whole here.",
}


def check_request(call: Call) -> None:
    """Before anything is done.

    Raises:
        ServiceError: NotImplemented, AccessControlListNotSupported, InvalidStorageClass, InvalidDigest, AccessDenied.
    """
    headers = call.headers
    owner = headers.get("x-amz-expected-bucket-owner", settings.ACCOUNT_ID)
    if owner != settings.ACCOUNT_ID or headers.get("x-amz-source-expected-bucket-owner", owner) != owner:
        raise ServiceError("Access Denied", code="AccessDenied", status=403, hint="This account does not own it.")
    if call.method not in ("PUT", "POST"):
        return
    for name, value in headers.items():
        if name in _ABSENT and value.lower() != "false":
            raise not_implemented(_ABSENT[name])
        if name.startswith("x-amz-server-side-encryption-") or "-server-side-encryption-customer-" in name:
            raise not_implemented(_ABSENT["x-amz-server-side-encryption"])
    if headers.get("x-amz-acl", "private") not in _PRIVATE or any(name.startswith("x-amz-grant-") for name in headers):
        raise InvalidInput("The bucket does not allow ACLs", code="AccessControlListNotSupported")
    if headers.get("x-amz-storage-class", "STANDARD") != "STANDARD":
        raise InvalidInput(
            "The storage class you specified is not valid", code="InvalidStorageClass", hint="STANDARD is the only one."
        )
    if "content-md5" in headers and len(_decoded(headers["content-md5"])) != 16:
        raise InvalidInput("The Content-MD5 you specified was invalid.", code="InvalidDigest")
    for algorithm, value in stated(headers).items():
        _check_form(algorithm, value)


def algorithms(headers: Mapping[str, str]) -> list[str]:
    """The checksums that are needed to check a body: those of the headers and those that a trailer will tell."""
    trailer = headers.get("x-amz-trailer", "").lower()
    return [name for name in ALGORITHMS if _HEADER + name.lower() in headers or _HEADER + name.lower() in trailer]


def check_body(call: Call, content: bytes) -> None:
    """Whether a small body is what its headers say; raises InvalidInput BadDigest."""
    made = {name: Checksum(name) for name in algorithms(call.headers)}
    for one in made.values():
        one.update(content)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    # What completes an upload tells the checksum of the object that it makes.
    if "uploadId" not in call.query:
        check_written(call, {}, md5, {name: one.text() for name, one in made.items()})


def check_written(call: Call, trailers: Mapping[str, str], md5: str, checksums: Mapping[str, str]) -> None:
    """Whether what was read is what headers and trailer say.

    Args:
        md5: Of the content, in hex.
        checksums: Of the content, by algorithm.

    Raises:
        InvalidInput: BadDigest, InvalidRequest where the trailer does not say what it was to say.
    """
    told = call.headers.get("content-md5")
    if told is not None and _decoded(told).hex() != md5:
        raise InvalidInput("The Content-MD5 you specified did not match what we received.", code="BadDigest")
    told_values = stated(call.headers) | stated(trailers)
    for algorithm, value in checksums.items():
        if algorithm not in told_values:
            raise InvalidInput(f"The body's trailer lacks {_HEADER}{algorithm.lower()}.", code="InvalidRequest")
        _check_form(algorithm, told_values[algorithm])
        if told_values[algorithm] != value:
            raise InvalidInput(
                f"The {algorithm} you specified did not match the calculated checksum.", code="BadDigest"
            )


def headers_of(checksums: Mapping[str, str]) -> dict[str, str]:
    """Checksums as an answer tells them."""
    told = {_HEADER + name.lower(): value for name, value in checksums.items()}
    if told:
        told[f"{_HEADER}type"] = "COMPOSITE" if "-" in next(iter(checksums.values())) else "FULL_OBJECT"
    return told


def stated(headers: Mapping[str, str]) -> dict[str, str]:
    """The checksums that headers or a trailer tell, by algorithm."""
    return {name: headers[_HEADER + name.lower()] for name in ALGORITHMS if _HEADER + name.lower() in headers}


def _check_form(algorithm: str, value: str) -> None:
    # Behind a composite checksum stands the number of parts.
    if len(_decoded(value.partition("-")[0])) != _SIZES[algorithm]:
        raise InvalidInput(f"Value for {_HEADER}{algorithm.lower()} header is invalid.", code="InvalidRequest")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
