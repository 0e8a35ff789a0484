"""Bodies in signed chunks, with the examples of the Amazon S3 API Reference."""

from __future__ import annotations

import hashlib

import pytest

from codeservices.aws import sigv4
from codeservices.errors import InvalidInput
from codeservices.objects.s3 import payload, xml
from codeservices.objects.s3.payload import ChainKey, Payload

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SCOPE = "20130524/us-east-1/s3/aws4_request"
KEY = sigv4.signing_key(SECRET, "20130524", "us-east-1", "s3")
CONTENT = b"a" * 66560
CHUNKED = ChainKey(KEY, "20130524T000000Z", SCOPE, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")
TRAILING = ChainKey(KEY, "20130524T000000Z", SCOPE, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e")


def framed(first: str, second: str, last: str, trailer: bytes = b"") -> bytes:
    return b"".join(
        [
            f"10000;chunk-signature={first}\r\n".encode() + CONTENT[:65536] + b"\r\n",
            f"400;chunk-signature={second}\r\n".encode() + CONTENT[65536:] + b"\r\n",
            f"0;chunk-signature={last}\r\n".encode() + trailer + b"\r\n",
        ]
    )


SIGNED = framed(
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
SIGNED_TRAILER = framed(
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
)
UNSIGNED_TRAILER = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"


def decoded(stated: str, body: bytes, chain: ChainKey, step: int) -> tuple[bytes, dict[str, str]]:
    one = Payload(stated, chain)
    content = b"".join(piece for start in range(0, len(body), step) for piece in one.feed(body[start : start + step]))
    one.finish()
    return content, one.trailers


@pytest.mark.parametrize("step", [97, 70_000])
def test_signed_chunks_are_taken_apart(step: int) -> None:
    assert decoded(payload.SIGNED, SIGNED, CHUNKED, step) == (CONTENT, {})


@pytest.mark.parametrize("step", [97, 70_000])
def test_signed_chunks_with_a_trailer_are_taken_apart(step: int) -> None:
    content, trailers = decoded(payload.SIGNED_TRAILER, SIGNED_TRAILER, TRAILING, step)
    assert (content, trailers) == (CONTENT, {"x-amz-checksum-crc32c": "sOO8/Q=="})


@pytest.mark.parametrize("step", [1, 1000])
def test_unsigned_chunks_with_a_trailer_are_taken_apart(step: int) -> None:
    content, trailers = decoded(payload.UNSIGNED_TRAILER, UNSIGNED_TRAILER, CHUNKED, step)
    assert (content, trailers) == (b"hello", {"x-amz-checksum-crc32": "NhCmhg=="})


@pytest.mark.parametrize(
    ("stated", "body", "chain", "code"),
    [
        (payload.SIGNED, SIGNED.replace(b"aaaa", b"aaab", 1), CHUNKED, "SignatureDoesNotMatch"),
        (payload.SIGNED, SIGNED.replace(b"b6c6ea8a", b"b6c6ea8b"), CHUNKED, "SignatureDoesNotMatch"),
        (payload.SIGNED, SIGNED, TRAILING, "SignatureDoesNotMatch"),
        (payload.SIGNED_TRAILER, SIGNED_TRAILER.replace(b"sOO8", b"sOO9"), TRAILING, "SignatureDoesNotMatch"),
        (
            payload.SIGNED_TRAILER,
            SIGNED_TRAILER.partition(b"x-amz-trailer")[0] + b"\r\n",
            TRAILING,
            "SignatureDoesNotMatch",
        ),
        (payload.SIGNED, SIGNED[:-100], CHUNKED, "IncompleteBody"),
        (payload.SIGNED, b"", CHUNKED, "IncompleteBody"),
        (payload.SIGNED, UNSIGNED_TRAILER, CHUNKED, "InvalidRequest"),
        (payload.UNSIGNED_TRAILER, b"5\r\nhellooo\r\n", CHUNKED, "InvalidRequest"),
        (payload.UNSIGNED_TRAILER, b"-5\r\nhello\r\n", CHUNKED, "InvalidRequest"),
        (payload.UNSIGNED_TRAILER, b"x" * 5000, CHUNKED, "InvalidRequest"),
        (payload.UNSIGNED_TRAILER, b"0\r\n" + b"a:b\r\n" * 9000, CHUNKED, "InvalidRequest"),
        (payload.UNSIGNED_TRAILER, UNSIGNED_TRAILER + b"more", CHUNKED, "InvalidRequest"),
        (hashlib.sha256(b"other").hexdigest(), b"hello", CHUNKED, "XAmzContentSHA256Mismatch"),
    ],
    ids=lambda value: None if isinstance(value, bytes | ChainKey) else str(value)[-26:],
)
def test_what_was_not_signed_or_is_not_framed_is_refused(stated: str, body: bytes, chain: ChainKey, code: str) -> None:
    for step in (61, 100_000):
        with pytest.raises(InvalidInput) as raised:
            decoded(stated, body, chain, step)
        assert raised.value.code == code


def test_a_hash_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput) as raised:
        Payload("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", CHUNKED)
    assert raised.value.code == "InvalidArgument"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Delete>",
        b"<Other/>",
        b'<!DOCTYPE Delete [<!ENTITY a "b">]><Delete>&a;</Delete>',
        b'<!DOCTYPE Delete SYSTEM "file:///etc/passwd"><Delete/>',
        b"<Delete>&a;</Delete>",
        b"<Delete>" + b"<a>" * 20 + b"</a>" * 20 + b"</Delete>",
        b"<Delete>" + b"<a/>" * 70_000 + b"</Delete>",
        b"<Delete>" + b"x" * (5 * 1024 * 1024) + b"</Delete>",
        b'<?xml version="1.0" encoding="no-such"?><Delete/>',
        b"\xff\xfe\xfd",
    ],
    ids=["empty", "open", "other", "entity", "system", "undefined", "deep", "many", "long", "encoding", "bytes"],
)
def test_hostile_xml_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput) as raised:
        xml.read(body, "Delete")
    assert raised.value.code == "MalformedXML"
