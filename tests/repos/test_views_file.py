"""The page of a file and its bytes: what is shown of content of any kind, and that none of it ever runs."""

from __future__ import annotations

import re
from concurrent.futures import Future

import pytest

from codeservices.audit.models import Event, Outcome
from repos.text import highlight
from repos.views import file, source
from tests import factories
from tests.repos.doors import over_asgi

HX = {"HX-Request": "true"}
HOSTILE = "<script>alert(1)</script>"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 600
SVG = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>\n"
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 12345\n"


def text(answer):
    return answer.content.decode()


@pytest.fixture
def page(alice_client, stored):
    """The page of a file that has this content, as text."""

    def get(content, path="x", query=""):
        stored.commit({path: content})
        return text(alice_client.get(f"/repositories/demo/browse/main/{path}{query}"))

    return get


@pytest.fixture
def patient(monkeypatch):
    """A page that waits for its colours."""
    monkeypatch.setattr(source, "PATIENCE_SECONDS", 60.0)


@pytest.fixture
def never(monkeypatch):
    """Colours that do not come while a page waits."""
    job: Future[highlight.Lines | None] = Future()
    monkeypatch.setattr(highlight, "begin", lambda text, filename: job)
    monkeypatch.setattr(source, "PATIENCE_SECONDS", 0.0)
    return job


def test_lines_are_numbered_can_be_linked_to_and_never_run(page):
    shown = page(f"import os\n{HOSTILE}\n", "src/app.py")
    assert '<tr id="L2"><th><a href="#L2">2</a></th><td>' in shown
    assert HOSTILE not in shown
    assert re.search(r'data-permanent-link="/repositories/demo/browse/[0-9a-f]{40}/src/app.py"', shown)
    for name in ("raw", "blame", "commits"):
        assert f"/repositories/demo/{name}/main/src/app.py" in shown


def test_lines_have_colours_where_they_are_ready_in_time(page, patient):
    shown = page(f"x = '{HOSTILE}'\n", "app.py")
    assert "<td>x = <span class=\"s1\">'&lt;script&gt;alert(1)&lt;/script&gt;'</span></td>" in shown
    assert "<tbody>" in shown


def test_the_last_commit_of_a_file_comes_after_its_lines(alice_client, stored):
    first = stored.commit({"app.py": "x = 1\n", "d/other.py": "y\n"}, "Set x & <b>")
    stored.commit({"app.py": "x = 1\n", "d/other.py": "z\n"}, "Change another file", [first])
    shown = text(alice_client.get("/repositories/demo/browse/main/app.py"))
    assert "Looking for the latest commit" in shown
    [address] = re.findall(r'<div class="blob-latest" hx-get="([^"]*)" hx-trigger="load">', shown)
    fragment = text(alice_client.get(address, headers=HX))
    assert fragment.strip().startswith('<div class="latest-commit">')
    assert f'<a href="/repositories/demo/commit/{first}">Set x &amp; &lt;b&gt;</a>' in fragment
    assert '<a href="/repositories/demo/browse/main/app.py?last_commit">' in shown
    without_scripts = text(alice_client.get("/repositories/demo/browse/main/app.py?last_commit"))
    assert "Set x &amp; &lt;b&gt;</a>" in without_scripts
    assert 'class="blob-latest">' in without_scripts


def test_colours_that_come_later_are_asked_for_by_the_commits_own_address(page, never, alice_client):
    shown = page("x = 1\n", "app.py")
    assert "<td>x = 1</td>" in shown
    [address] = re.findall(r'<tbody hx-get="([^"]*)" hx-trigger="load" hx-swap="outerHTML">', shown)
    assert re.fullmatch(r"/repositories/demo/browse/[0-9a-f]{40}/app.py", address)
    never.set_result([(highlight.Piece("", "x = "), highlight.Piece("mi", "1"))])
    fragment = text(alice_client.get(address, headers=HX))
    assert fragment.strip().startswith("<tbody>")
    assert '<tr id="L1"><th><a href="#L1">1</a></th><td>x = <span class="mi">1</span></td></tr>' in fragment
    assert 'class="mi"' in text(alice_client.get(address)), "what was made in the background is kept"


def test_colours_of_a_long_text_are_not_begun_before_they_are_asked_for(page, monkeypatch, alice_client):
    begun = []
    monkeypatch.setattr(highlight, "begin", lambda text, filename: begun.append(filename))
    shown = page("x = 1\n" * 5000, "app.py")
    [address] = re.findall(r'<tbody hx-get="([^"]*)" hx-trigger="load"', shown)
    assert begun == []
    alice_client.get(address, headers=HX)
    assert begun == ["app.py"]


def test_colours_that_nobody_has_time_for_change_nothing(page, monkeypatch, alice_client):
    monkeypatch.setattr(highlight, "begin", lambda text, filename: None)
    assert "<td>x = 1</td>" in page("x = 1\n", "app.py")
    answer = alice_client.get("/repositories/demo/browse/main/app.py", headers=HX)
    assert (answer.status_code, answer.content) == (204, b"")


def test_colours_of_what_has_no_lines_are_nothing(alice_client, stored):
    stored.commit({"x.png": PNG, "empty": "", "link": ("120000", stored.blob("empty"))})
    for name in ("x.png", "empty", "link"):
        assert alice_client.get(f"/repositories/demo/browse/main/{name}", headers=HX).status_code == 204


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x7fELF\0", "This is a program for Linux"),
        (b"\0\1\2", "This file is not text, so it is not shown."),
        (b"%PDF-1.7\n%\xe2\xe3", "This is a PDF document."),
        (b"", "This file is empty."),
        (LFS, "LFS pointer"),
        ("né\n".encode("utf-16"), "UTF-16, little-endian"),
        (b"na\xefve\n", "not UTF-8, read as ISO 8859-1"),
        (b"\xef\xbb\xbfx\n", "UTF-8 with a byte order mark"),
        (b"a\r\nb\r\n", ">CRLF<"),
        (b"a\r\nb\n", ">Mixed line ends<"),
        (b"a\nb", "No newline at the end"),
        (b"a\nb\n", "2 lines"),
    ],
)
def test_what_is_odd_about_a_file_is_said(page, content, sentence):
    assert sentence in page(content)


def test_an_ordinary_file_has_nothing_odd_said_about_it(page):
    shown = page("a\nb\n")
    for words in ("CRLF", "Mixed", "No newline", "UTF", "invisible", "Executable", "not shown"):
        assert words not in shown


def test_a_binary_shows_its_first_bytes(page):
    shown = page(b"\0<b>" + bytes(range(240, 256)))
    assert (
        '<th scope="row">00000000</th><td>00 3c 62 3e f0 f1 f2 f3  f4 f5 f6 f7 f8 f9 fa fb</td><td>.&lt;b&gt;......'
        in shown
    )
    assert '<th scope="row">00000010</th><td>fc fd fe ff  </td><td>....</td>' in shown


def test_characters_that_hide_or_reorder_are_marked_and_told(page):
    shown = page("a\nif admin\u202e:\nb\u200b\n\x0c\n")
    assert 'if admin<span class="invisible" title="RIGHT-TO-LEFT OVERRIDE">U+202E</span>:' in shown
    assert 'on lines <a href="#L2">2</a>, <a href="#L3">3</a>.' in shown
    assert '<span class="invisible" title="FORM FEED">U+000C</span>' in shown
    assert not {"\u202e", "\u200b", "\x0c"} & set(shown)


def test_characters_are_marked_inside_of_coloured_pieces_too(page, patient):
    assert '<span class="c1"># a<span class="invisible" title="ZERO WIDTH SPACE">U+200B</span>b</span>' in page(
        "# a\u200bb\n", "a.py"
    )


def test_a_huge_file_is_cut_with_a_way_to_get_all(page, monkeypatch):
    monkeypatch.setattr(file, "MAX_SHOWN_BYTES", 100)
    shown = page("0123456789\n" * 1000)
    assert 'id="L9"' in shown and 'id="L10"' not in shown
    assert "9 lines shown" in shown and "Read all of it as plain text" in shown
    assert "Copy the content" not in shown


def test_a_line_of_megabytes_is_cut(page):
    shown = page("x" * 5_000_000)
    assert len(shown) < 40_000
    assert "519,288 more characters in this line" in shown


def test_a_picture_is_shown_from_its_raw_bytes(page):
    shown = page(PNG, "a.bin")
    assert '<img src="/repositories/demo/raw/main/a.bin" alt="a.bin">' in shown
    assert "PNG image" in shown


def test_a_large_picture_is_not_loaded_by_itself(page, monkeypatch):
    monkeypatch.setattr(file, "MAX_IMAGE_BYTES", 100)
    shown = page(PNG, "a.png")
    assert '<img src="/repositories' not in shown
    assert "This is a PNG image, too large to be shown here." in shown


def test_an_svg_is_a_picture_or_its_source_and_never_a_part_of_the_page(page):
    shown = page(SVG, "a.svg")
    assert '<img src="/repositories/demo/raw/main/a.svg" alt="a.svg">' in shown
    assert "alert(1)" not in shown
    shown = page(SVG, "a.svg", "?source")
    assert '<img src="/repositories' not in shown
    assert "alert(1)" in shown and HOSTILE not in shown


def test_links_and_executables_are_told(alice_client, stored):
    stored.commit(
        {
            "README": "x",
            "docs/latest": ("120000", stored.blob("../README")),
            "docs/here": ("120000", stored.blob(".")),
            "top": ("120000", stored.blob("docs/..")),
            "run.sh": ("100755", stored.blob("#!/bin/sh\n")),
        }
    )
    for path, target, address in (
        ("docs/latest", "../README", "main/README"),
        ("docs/here", ".", "main/docs"),
        ("top", "docs/..", "main"),
    ):
        shown = text(alice_client.get(f"/repositories/demo/browse/main/{path}"))
        assert f'Leads to <a href="/repositories/demo/browse/{address}"><code>{target}</code></a>' in shown
    assert "<span>Executable</span>" in text(alice_client.get("/repositories/demo/browse/main/run.sh"))


@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "gone", "javascript:alert(1)", HOSTILE, "a\0b", ""])
def test_a_link_out_of_the_tree_leads_nowhere(alice_client, stored, target):
    stored.commit({"link": ("120000", stored.blob(target))})
    shown = text(alice_client.get("/repositories/demo/browse/main/link"))
    assert "which is not in this repository at main" in shown or "Leads to <code>" not in shown
    assert '/etc/passwd">' not in shown and 'href="javascript' not in shown and HOSTILE not in shown


MODULES = """[submodule "a"]\n\tpath = vendor/own\n\turl = {}\n"""


@pytest.mark.parametrize(
    "url", ["../other", "../other.git", "http://testserver/v1/repos/other", "../hidden", "../gone"]
)
def test_a_submodule_of_this_server_is_linked_for_those_who_may_see_it(client, stored, url):
    factories.repository("other")
    factories.repository("hidden")
    stored.commit({"vendor/own": ("160000", "1" * 40), ".gitmodules": MODULES.format(url)})
    document = factories.allow("codecommit:GetFolder", "codecommit:GetFile")
    document["Statement"] += factories.allow("codecommit:GetRepository", resource="arn:aws:codecommit:*:*:other")[
        "Statement"
    ]
    erin = factories.user("erin", document=document)
    client.force_login(erin, backend="codeservices.iam.backends.SessionBackend")
    shown = text(client.get("/repositories/demo/browse/main/vendor/own"))
    assert "1" * 40 in shown
    assert (f'href="/repositories/other/browse/{"1" * 40}"' in shown) is ("other" in url)
    assert "/repositories/hidden/" not in shown


@pytest.mark.parametrize(
    ("url", "is_link"),
    [
        ("https://example.org/x.git", True),
        ("javascript:alert(1)", False),
        ("git@example.org:x.git", False),
        ("https://[x", False),
        ("https://x]", False),
        ("https://a℀b/", False),
        ("https:x", False),
        ("", False),
    ],
)
def test_a_submodule_from_elsewhere_shows_its_address(page, stored, alice_client, url, is_link):
    stored.commit({"own": ("160000", "1" * 40), ".gitmodules": MODULES.replace("vendor/own", "own").format(url)})
    shown = text(alice_client.get("/repositories/demo/browse/main/own"))
    assert (f'href="{url}"' in shown) is is_link
    assert (f"<code>{url}</code>" if url else "says nothing of where that is") in shown


@pytest.mark.parametrize("name", ["x.html", "x.svg", "x.js", "x.pdf", "x.xml", "x.ipynb", "x.png"])
@pytest.mark.parametrize("destination", ["", "document", "iframe", "script"])
def test_raw_text_is_never_anything_that_a_browser_runs(alice_client, stored, name, destination):
    stored.commit({name: SVG})
    answer = alice_client.get(f"/repositories/demo/raw/main/{name}", headers={"Sec-Fetch-Dest": destination})
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["Content-Disposition"] == f'inline; filename="{name}"'
    assert b"".join(answer) == SVG.encode()


def test_an_svg_is_a_picture_only_in_the_place_of_one(alice_client, stored):
    stored.commit({"x.svg": SVG, "x.html": SVG})
    answer = alice_client.get("/repositories/demo/raw/main/x.svg", headers={"Sec-Fetch-Dest": "image"})
    assert answer["Content-Type"] == "image/svg+xml"
    assert answer["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert "Sec-Fetch-Dest" in answer["Vary"]
    etag = answer["ETag"]
    assert alice_client.get("/repositories/demo/raw/main/x.svg", headers={"If-None-Match": etag}).status_code == 200
    answer = alice_client.get("/repositories/demo/raw/main/x.html", headers={"Sec-Fetch-Dest": "image"})
    assert answer["Content-Type"] == "text/plain; charset=utf-8"


def test_a_raster_image_has_its_own_type_whatever_its_name(alice_client, stored):
    stored.commit({"x.html": PNG})
    answer = alice_client.get("/repositories/demo/raw/main/x.html")
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert answer["Content-Disposition"].startswith("inline; ")
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_binary_and_a_download_are_attachments(alice_client, stored):
    stored.commit({"x.png": b"\x89PNG\0", "x.html": HOSTILE, "y.png": PNG})
    for url in ("x.png", "x.html?download", "y.png?download"):
        answer = alice_client.get(f"/repositories/demo/raw/main/{url}")
        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"].startswith("attachment; ")
        assert "sandbox" in answer["Content-Security-Policy"]


def test_raw_text_states_the_encoding_that_it_has(alice_client, stored):
    stored.commit({"latin": b"na\xefve", "wide": "né\n".encode("utf-16")})
    assert alice_client.get("/repositories/demo/raw/main/latin")["Content-Type"] == "text/plain; charset=iso-8859-1"
    assert alice_client.get("/repositories/demo/raw/main/wide")["Content-Type"] == "text/plain; charset=utf-16"


def test_bytes_that_are_known_already_are_not_sent_again(alice_client, stored):
    stored.commit({"x": "one\n"})
    first = alice_client.get("/repositories/demo/raw/main/x")
    again = alice_client.get("/repositories/demo/raw/main/x", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, b"".join(first)) == (304, b"one\n")


def test_a_head_request_tells_type_and_length_without_the_bytes(alice_client, stored):
    stored.commit({"x": "0123456789"})
    answer = alice_client.head("/repositories/demo/raw/main/x")
    assert (answer.status_code, answer["Content-Length"], answer["Accept-Ranges"]) == (200, "10", "bytes")
    assert answer.content == b""


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "content"),
    [
        ("bytes=2-4", 206, "bytes 2-4/10", b"234"),
        ("bytes=7-", 206, "bytes 7-9/10", b"789"),
        ("bytes=-3", 206, "bytes 7-9/10", b"789"),
        ("bytes=-99", 206, "bytes 0-9/10", b"0123456789"),
        ("bytes=8-99", 206, "bytes 8-9/10", b"89"),
        ("bytes=10-", 416, "bytes */10", b"The file has 10 bytes.\n"),
        ("bytes=-0", 416, "bytes */10", b"The file has 10 bytes.\n"),
        ("bytes=4-2", 200, None, b"0123456789"),
        ("bytes=0-1,3-4", 200, None, b"0123456789"),
        ("bytes=-", 200, None, b"0123456789"),
        ("lines=1-2", 200, None, b"0123456789"),
    ],
)
def test_a_range_of_bytes_is_that_range(alice_client, stored, asked, status, content_range, content):
    stored.commit({"x": "0123456789"})
    answer = alice_client.get("/repositories/demo/raw/main/x", headers={"Range": asked})
    body = b"".join(answer) if answer.streaming else answer.content
    assert (answer.status_code, answer.get("Content-Range"), body) == (status, content_range, content)
    assert answer["Content-Length"] == str(len(content))


def test_a_range_of_another_version_is_all_of_this_one(alice_client, stored):
    stored.commit({"x": "0123456789"})
    headers = {"Range": "bytes=2-4", "If-Range": '"another"'}
    assert b"".join(alice_client.get("/repositories/demo/raw/main/x", headers=headers)) == b"0123456789"
    headers["If-Range"] = alice_client.get("/repositories/demo/raw/main/x")["ETag"]
    assert b"".join(alice_client.get("/repositories/demo/raw/main/x", headers=headers)) == b"234"


def test_a_range_of_a_large_file_is_cut_out_of_its_pieces(alice_client, stored):
    data = bytes(range(256)) * 4096
    stored.commit({"x": data})
    answer = alice_client.get("/repositories/demo/raw/main/x", headers={"Range": "bytes=262100-600000"})
    assert b"".join(answer) == data[262100:600001]


def test_a_folder_has_no_raw_bytes(alice_client, stored):
    stored.commit({"src/x": "1"})
    answer = alice_client.get("/repositories/demo/raw/main/src")
    assert answer.status_code == 404
    assert "“src” is a folder, not a file." in text(answer)


@pytest.mark.parametrize("name", [b"caf\xe9/\xff.py", b"--help", b"a'b\"c<d>.py"])
def test_pages_of_files_of_any_name_link_to_each_other(alice_client, stored, name):
    stored.commit({name: "x = 1\n"})
    address = b"/repositories/demo/browse/main/" + b"".join(b"%%%02X" % byte if byte != 47 else b"/" for byte in name)
    status, shown = over_asgi(alice_client, address)
    assert status == 200
    for page_name in ("raw", "blame", "commits"):
        [link] = set(re.findall(rf'href="(/repositories/demo/{page_name}/main/[^"?]+)"', shown))
        assert over_asgi(alice_client, link.replace("&#x27;", "'").encode())[0] == 200


def test_looking_at_a_submodule_is_recorded_as_reading_a_file(alice_client, carol_client, stored):
    stored.commit({"own": ("160000", "1" * 40)})
    alice_client.get("/repositories/demo/browse/main/own")
    event = Event.objects.latest("pk")
    assert (event.event_name, event.outcome) == ("GetFile", Outcome.SUCCESS)
    assert carol_client.get("/repositories/demo/browse/main/own").status_code == 403
