"""The file finder's page and list, and search in code: each from what works down to the wrong method."""

from __future__ import annotations

import gzip

import pytest

from codeservices.audit.models import Event, Outcome
from repos import searches
from repos.git import grep
from tests import factories
from tests.fixtures.people import signed_in
from tests.repos.doors import over_asgi

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def code(stored):
    """demo with some files; the oid of its commit."""
    return stored.commit(
        {
            "src/app.py": f"import os\n{HOSTILE}\n\trtl\u202e = 1\n",
            "README.md": "# Hello\n",
            b"caf\xe9/<b>.txt": "import\n",
        }
    )


def text(answer):
    return answer.content.decode()


# ---- Finder ----------------------------------------------------------------------------------------------------------


def test_without_scripts_the_server_finds_the_file(alice_client, code):
    page = text(alice_client.get("/repositories/demo/find/main", {"q": "app"}))
    assert '<a href="/repositories/demo/browse/main/src/app.py">src/app.py</a>' in page
    assert "README.md</a>" not in page
    assert "1 file" in page
    assert "No path holds" in text(alice_client.get("/repositories/demo/find/main", {"q": HOSTILE}))


def test_a_path_of_odd_bytes_is_found_and_can_be_opened(alice_client, code):
    _, page = over_asgi(alice_client, b"/repositories/demo/find/main?q=caf")
    assert '<a href="/repositories/demo/browse/main/caf%E9/%3Cb%3E.txt">caf\\xe9/&lt;b&gt;.txt</a>' in page


def test_the_list_is_compressed_kept_and_known_by_its_commit(alice_client, code):
    address = f"/repositories/demo/paths/{code}"
    answer = alice_client.get(address, headers={"Accept-Encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
    paths = "README.md\ncaf%E9/%3Cb%3E.txt\tcaf\\xe9/<b>.txt\nsrc/app.py"
    assert gzip.decompress(answer.content).decode() == paths
    assert (answer["ETag"], answer["Content-Type"]) == (f'"{code}-paths"', "text/plain; charset=utf-8")
    assert "private" in answer["Cache-Control"]
    assert "immutable" in answer["Cache-Control"]
    assert {"Accept-Encoding", "Cookie"} <= {one.strip() for one in answer["Vary"].split(",")}
    assert text(alice_client.get(address)) == paths
    assert alice_client.get(address, headers={"If-None-Match": answer["ETag"]}).status_code == 304


@pytest.mark.parametrize("oid", ["0" * 40, "main", "--all"])
def test_a_list_of_no_commit_is_not_found(alice_client, code, oid):
    assert alice_client.get(f"/repositories/demo/paths/{oid}").status_code == 404


# ---- Search in code --------------------------------------------------------------------------------------------------


def test_matches_are_shown_by_file_with_links_to_their_lines(alice_client, code):
    page = text(alice_client.get("/repositories/demo/search/main", {"q": "IMPORT"}))
    assert "2 matches in 2 files" in page
    assert '<a href="/repositories/demo/browse/main/src/app.py#L1">1</a>' in page
    assert '<a href="/repositories/demo/browse/main/caf%E9/%3Cb%3E.txt#L1">1</a>' in page
    assert "<mark>import</mark> os" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert HOSTILE not in page


def test_what_hides_in_a_line_is_shown_for_what_it_is(alice_client, code):
    page = text(alice_client.get("/repositories/demo/search/main", {"q": "rtl"}))
    assert "\t<mark>rtl</mark>\\u202e = 1" in page
    assert "\u202e" not in page


def test_the_choices_are_kept_in_the_form(alice_client, code):
    page = text(alice_client.get("/repositories/demo/search/main?q=Im.ort&regex=on&case=on&path=src%2F*.py"))
    assert "Nothing found" in page
    assert 'name="regex" checked' in page
    assert 'name="case" checked' in page
    assert 'name="word" checked' not in page
    assert 'value="src/*.py"' in page


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("q=(&regex=on", "is no regular expression: unmatched"),
        (f"q={'x' * 501}", "at most 500"),
        ("q=a%0Ab", "on one line"),
    ],
)
def test_a_query_that_can_not_be_searched_is_told_beside_it(alice_client, code, query, sentence):
    answer = alice_client.get(f"/repositories/demo/search/main?{query}")
    assert (answer.status_code, sentence in text(answer)) == (400, True)
    assert 'aria-invalid="true"' in text(answer)


def test_a_search_that_was_cut_says_why(alice_client, code, monkeypatch):
    monkeypatch.setattr(grep, "MAX_FILES", 1)
    page = text(alice_client.get("/repositories/demo/search/main", {"q": "import"}))
    assert "Only the first 100 files are shown. A longer text or a folder narrows it." in page


def test_a_second_search_of_the_same_person_waits_and_another_persons_does_not(
    alice, alice_client, bob_client, code, monkeypatch
):
    monkeypatch.setattr(searches, "WAIT_SECONDS", 0.05)
    with searches.place(alice.arn):
        assert bob_client.get("/repositories/demo/search/main", {"q": "x"}).status_code == 200
        answer = alice_client.get("/repositories/demo/search/main", {"q": "x"})
    assert answer.status_code == 429
    assert "Another search of yours is still running." in text(answer)
    assert alice_client.get("/repositories/demo/search/main", {"q": "x"}).status_code == 200


def test_the_trail_tells_what_was_looked_for(alice_client, code):
    alice_client.get("/repositories/demo/search/main", {"q": "import"})
    event = Event.objects.latest("pk")
    assert (event.event_name, event.outcome) == ("GetFile", Outcome.SUCCESS)
    assert event.request_parameters["query"] == "import"


# ---- Both ------------------------------------------------------------------------------------------------------------

PAGES = ["/repositories/demo/find/main?q=a", "/repositories/demo/search/main?q=a"]


@pytest.mark.parametrize("page", PAGES)
def test_readers_may_outsiders_may_not(bob_client, carol_client, client, code, page):
    assert bob_client.get(page).status_code == 200
    assert carol_client.get(page).status_code in (403, 404)
    assert client.get(page).status_code == 302
    assert bob_client.post(page).status_code == 405


def test_whoever_may_list_but_not_read_finds_files_and_searches_nothing(code):
    reader = signed_in(factories.user("lister", document=factories.allow("codecommit:GetFolder")))
    assert reader.get(PAGES[0]).status_code == 200
    answer = reader.get(PAGES[1])
    assert answer.status_code == 403
    assert "codecommit:GetFile" in text(answer)


@pytest.mark.parametrize("page", ["find", "search"])
@pytest.mark.parametrize("revision", ["gone", "--upload-pack=x"])
def test_an_unknown_revision_is_not_found(alice_client, code, page, revision):
    answer = alice_client.get(f"/repositories/demo/{page}/{revision}?q=a")
    assert (answer.status_code, "No branch, tag or commit" in text(answer)) == (404, True)
