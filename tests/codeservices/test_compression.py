"""Pages are compressed for those who take it, and nobody else, and never those that hold a secret."""

from __future__ import annotations

import gzip
import subprocess

import pytest
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

from codeservices.compression import MIN_BYTES, CompressionMiddleware, accepts_gzip, compressed

LONG = b"<p>one row of many</p>\n" * MIN_BYTES


def answered(response: HttpResponseBase, accept: str = "gzip, deflate, br") -> HttpResponseBase:
    request = RequestFactory().get("/", headers={"Accept-Encoding": accept})
    return CompressionMiddleware(lambda request: response)(request)


def test_a_browser_gets_a_page_in_a_fraction_of_its_bytes(alice_client: Client):
    plain = alice_client.get("/repositories/")
    packed = alice_client.get("/repositories/", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert plain.status_code == packed.status_code == 200
    assert "Content-Encoding" not in plain.headers
    assert packed["Content-Encoding"] == "gzip"
    assert int(packed["Content-Length"]) == len(packed.content) < len(plain.content) / 3
    assert b"<h1>Repositories" in gzip.decompress(packed.content)
    assert {"Accept-Encoding", "Cookie"} <= {one.strip() for one in plain["Vary"].split(",")}


def test_what_comes_out_is_what_went_in_for_other_programs_too():
    whole = compressed(LONG)
    assert gzip.decompress(whole) == LONG
    assert subprocess.run(["gzip", "-dc"], input=whole, capture_output=True, check=True).stdout == LONG


def test_equal_pages_have_lengths_that_tell_nothing():
    assert len({len(compressed(LONG)) for _ in range(200)}) > 20


@pytest.mark.parametrize(
    ("header", "is_taken"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("gzip; q=1.0", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("br, notgzip", False),
    ],
)
def test_who_takes_gzip(header: str, is_taken: bool):
    assert accepts_gzip(RequestFactory().get("/", headers={"Accept-Encoding": header})) is is_taken


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(b"short"),
        HttpResponse(LONG, headers={"Cache-Control": "max-age=0, no-cache, no-store, must-revalidate, private"}),
        HttpResponse(LONG, headers={"Content-Encoding": "br"}),
        HttpResponse(LONG, content_type="image/png"),
        HttpResponse(LONG, content_type="application/x-amz-json-1.1"),
        StreamingHttpResponse([LONG]),
    ],
    ids=["short", "with a secret", "compressed", "picture", "API", "stream"],
)
def test_what_passes_through_as_it_is(response: HttpResponseBase):
    encoding = response.get("Content-Encoding")
    before = None if response.streaming else response.content
    after = answered(response)
    assert after.get("Content-Encoding") == encoding
    assert after.streaming or after.content == before


def test_a_tag_of_the_bytes_becomes_one_of_the_meaning():
    assert answered(JsonResponse({"log": "x" * MIN_BYTES}, headers={"ETag": '"strong"'}))["ETag"] == 'W/"strong"'
    assert answered(HttpResponse(LONG, headers={"ETag": 'W/"weak"'}))["ETag"] == 'W/"weak"'
    assert answered(HttpResponse(LONG, headers={"ETag": '"strong"'}), accept="")["ETag"] == '"strong"'
