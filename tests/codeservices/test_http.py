from __future__ import annotations

import asyncio

import pytest
from django.test import RequestFactory

from codeservices import http


@pytest.mark.parametrize(
    ("headers", "partial"),
    [
        ({}, False),
        ({"HX-Request": "true"}, True),
        ({"HX-Request": "true", "HX-Boosted": "true"}, False),
        ({"HX-Request": "true", "HX-History-Restore-Request": "true"}, False),
    ],
)
def test_only_a_plain_htmx_request_gets_a_fragment(headers, partial):
    assert http.is_partial(RequestFactory().get("/", headers=headers)) is partial


def test_an_event_stream_opens_at_once_and_no_proxy_may_hold_it_back():
    async def events():
        yield http.event("<p>one\ntwo</p>", name="status", event_id=7)

    async def read():
        return [chunk async for chunk in http.event_stream(events())]

    response = http.event_stream(events())
    assert response["Content-Type"].startswith("text/event-stream")
    assert response["Cache-Control"] == "no-cache, no-transform"
    assert response["X-Accel-Buffering"] == "no"
    assert asyncio.run(read()) == [b": open\n\n", b"id: 7\nevent: status\ndata: <p>one\ndata: two</p>\n\n"]


def test_an_event_cannot_be_forged_by_a_line_break_in_its_name_or_id():
    assert http.event("x", name="a\nid: 9", event_id="1\ndata: y") == b"id: 1 data: y\nevent: a id: 9\ndata: x\n\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("app.zip", 'attachment; filename="app.zip"'),
        ('a"b\r\nSet-Cookie: x.txt', 'attachment; filename="a_b__Set-Cookie_ x.txt"'),
        ("../../etc/passwd", 'attachment; filename="_.._etc_passwd"'),
        ("grün 100%.txt", "attachment; filename=\"grun 100_.txt\"; filename*=UTF-8''gr%C3%BCn%20100%25.txt"),
        ("日本", "attachment; filename=\"download\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC"),
        ("", 'attachment; filename="download"'),
    ],
)
def test_a_download_is_named_safely_for_old_and_new_clients(name, value):
    assert http.content_disposition(name) == value


def test_a_long_name_keeps_its_ending():
    value = http.content_disposition("x" * 500 + ".tar")
    assert value.endswith('.tar"')
    assert len(value) < 220


def test_a_download_never_runs_in_our_origin():
    response = http.download(b"<script>", "page.html", content_type="text/html")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    assert response["Content-Length"] == "8"


@pytest.mark.django_db  # the end of an answer looks at this process's connections
def test_a_file_is_sent_in_chunks_under_asgi_and_closed(tmp_path):
    file = tmp_path / "big"
    file.write_bytes(b"x" * (http.CHUNK_BYTES + 5))
    opened = file.open("rb")
    response = http.download(opened, "big", size_bytes=file.stat().st_size)

    async def read():
        return [len(part) async for part in response]

    assert asyncio.run(read()) == [http.CHUNK_BYTES, 5]
    response.close()
    assert opened.closed


def test_a_download_s_name_reads_as_it_is():
    value = http.content_disposition("invoice\u202egnp.exe\x9b")
    assert "%E2%80%AE" not in value and "%C2%9B" not in value and value.isprintable()
    assert 'filename="invoice_gnp.exe_"' in value
