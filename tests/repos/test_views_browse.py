"""Folders, files and their bytes in the console: each page from what works down to the wrong method."""

from __future__ import annotations

import pytest

from codeservices.audit.models import Event, Outcome
from tests import factories
from tests.repos.doors import over_asgi

HX = {"HX-Request": "true"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def code(stored):
    """demo with folders, a README and two commits on main."""
    first = stored.commit({"README.md": "# Hello\n", "src/app.py": "one\n", "docs/a.txt": "a\n"}, "First")
    stored.commit({"README.md": "# Hello\n", "src/app.py": "one\ntwo\n", "docs/a.txt": "a\n"}, "Second", [first])
    return stored


def text(answer):
    return answer.content.decode()


def test_the_overview_shows_the_root_folder_and_the_readme_rendered(alice_client, stored):
    stored.commit({"README.md": f"# Hello\n{HOSTILE}\n", "src/app.py": "one\n"}, "First")
    page = text(alice_client.get("/repositories/demo/"))
    assert page.index("<span>src</span>") < page.index("<span>README.md</span>")
    assert '/repositories/demo/browse/main/src"' in page
    assert '<h1 id="user-content-hello">Hello</h1>' in page
    assert HOSTILE not in page
    assert "git clone http://testserver/v1/repos/demo" in page


def test_last_commits_are_asked_for_after_the_page_and_come_as_a_fragment(alice_client, code):
    page = text(alice_client.get("/repositories/demo/browse/main"))
    assert 'hx-get="/repositories/demo/browse/main?last_commits&amp;page=1" hx-trigger="load"' in page
    assert "First" not in page
    fragment = text(alice_client.get("/repositories/demo/browse/main?last_commits&page=1", headers=HX))
    assert "<html" not in fragment
    assert "First" in fragment
    assert "Second" in fragment
    assert 'hx-trigger="load"' not in fragment


def test_without_scripts_the_last_commits_are_a_page_of_their_own(alice_client, code):
    page = text(alice_client.get("/repositories/demo/browse/main/src?last_commits"))
    assert "<html" in page
    assert "Second" in page


def test_a_folder_of_many_entries_comes_in_pages(alice_client, stored, monkeypatch):
    monkeypatch.setattr("repos.views.folder.PAGE_SIZE", 3)
    stored.commit({f"f{number}": "x" for number in range(7)})
    page = alice_client.get("/repositories/demo/browse/main", {"page": 3})
    assert [row.name for row in page.context["rows"]] == ["f6"]


def test_a_branch_with_slashes_is_told_from_the_path_behind_it(alice_client, code):
    stored = code
    stored.commit({"src/app.py": "feature\n"}, branch="feature/x")
    page = alice_client.get("/repositories/demo/browse/feature/x/src/app.py")
    assert (page.context["at"].name, page.context["at"].path) == ("feature/x", "src/app.py")
    assert "<td>feature</td>" in text(page)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("a#b?c%d.txt", "a%23b?c%25d.txt".replace("?", "%3F")),
        ("new\nline", "new%0Aline"),
        ("sp ace+plus", "sp%20ace+plus"),
        ("--output=x", "--output=x"),
        ("$(id)", "$(id)"),
        ("ünïcode", "%C3%BCn%C3%AFcode"),
        (b"caf\xe9/\xff.txt", "caf%E9/%FF.txt"),
        ("<script>", "%3Cscript%3E"),
    ],
)
def test_files_of_any_name_are_linked_and_open(alice_client, stored, name, address):
    stored.commit({name: "content\n"})
    url = f"/repositories/demo/browse/main/{address}"
    folder = url.rpartition("/")[0] if "/" in address else "/repositories/demo/browse/main"
    assert f'href="{url}"' in over_asgi(alice_client, folder.encode())[1]
    status, page = over_asgi(alice_client, url.encode())
    assert (status, "<td>content</td>" in page) == (200, True)
    assert over_asgi(alice_client, url.replace("/browse/", "/raw/").encode()) == (200, "content\n")
    assert over_asgi(alice_client, url.replace("/browse/", "/commits/").encode())[0] == 200


def test_names_that_hide_or_reorder_are_shown_for_what_they_are(alice_client, stored):
    stored.commit({"rtl\u202egpj.exe": "x", b"\xff\xfe": "x"})
    page = text(alice_client.get("/repositories/demo/"))
    assert r"rtl\u202egpj.exe" in page
    assert r"\xff\xfe" in page
    assert "\u202e" not in page


def test_links_submodules_and_executables_are_told_apart(alice_client, stored):
    stored.commit({"latest": ("120000", stored.blob("README")), "vendor": ("160000", "1" * 40)})
    page = text(alice_client.get("/repositories/demo/"))
    assert "submodule: a commit of another repository" in page
    assert 'aria-label="Symbolic link"' in page


def test_the_switch_offers_branches_and_tags_of_commits_whose_names_contain_what_is_typed(alice_client, code):
    tip = code.git("rev-parse", "main").decode().strip()
    code.git("update-ref", "refs/heads/feature/x", tip)
    code.git("update-ref", "refs/tags/v1.0", tip)
    code.git("update-ref", "refs/tags/feature/x", tip)
    code.git("update-ref", "refs/tags/a-blob", code.blob("alone"))
    page = text(alice_client.get("/repositories/demo/browse/main/src?q=", headers=HX))
    for address in ("main/src", "feature/x/src", "v1.0/src", "refs/tags/feature/x/src"):
        assert f'href="/repositories/demo/browse/{address}"' in page
    assert "a-blob" not in page
    page = text(alice_client.get("/repositories/demo/browse/main/src?q=FEAT", headers=HX))
    assert "feature/x" in page
    assert "v1.0" not in page
    assert "No branch or tag" in text(alice_client.get("/repositories/demo/browse/main?q=zzz", headers=HX))


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("relase/src", "No branch, tag or commit is called"),
        ("main/src/gone.py", "the folder “src” has no “gone.py”"),
        ("main/src/app.py/deeper", "“src/app.py” is a file, not a folder"),
        ("f" * 40, "names no commit: No object ffff"),
        ("--upload-pack=x", "No branch, tag or commit is called"),
        ("..%2F..%2Fetc/passwd", "No branch, tag or commit is called"),
    ],
)
@pytest.mark.parametrize("page", ["browse", "raw"])
def test_what_is_not_there_is_told_in_a_sentence(alice_client, code, page, spec, sentence):
    answer = alice_client.get(f"/repositories/demo/{page}/{spec}")
    assert answer.status_code == 404
    assert sentence in text(answer)


def test_a_repository_without_its_default_branch_shows_another(alice_client, stored):
    stored.commit({"a": "1"}, branch="trunk")
    page = alice_client.get("/repositories/demo/")
    assert page.context["at"].name == "trunk"


def test_a_repository_with_tags_alone_says_so(alice_client, stored):
    stored.git("update-ref", "refs/tags/v1", stored.blob("x"))
    assert "This repository has tags but no branch yet." in text(alice_client.get("/repositories/demo/"))


PAGES = ["/repositories/demo/", "/repositories/demo/browse/main/src", "/repositories/demo/browse/main/src/app.py"]
RAW = "/repositories/demo/raw/main/src/app.py"


@pytest.mark.parametrize("path", [*PAGES, RAW])
def test_a_reader_reads_an_outsider_does_not_and_the_anonymous_sign_in(bob_client, carol_client, client, code, path):
    assert bob_client.get(path).status_code == 200
    answer = carol_client.get(path)
    assert answer.status_code == 403
    assert "two" not in text(answer)
    answer = client.get(path)
    assert (answer.status_code, answer.url) == (302, f"/sign-in/?next={path}")


@pytest.mark.parametrize("path", [*PAGES, RAW])
def test_pages_are_only_got(alice_client, code, path):
    assert alice_client.post(path).status_code == 405


def reader_of(client, *actions):
    erin = factories.user("erin", document=factories.allow(*(f"codecommit:{action}" for action in actions)))
    client.force_login(erin, backend="codeservices.iam.backends.SessionBackend")
    return client


def test_who_may_see_the_repository_but_not_its_files_is_told_so(client, code):
    page = text(reader_of(client, "GetRepository").get("/repositories/demo/"))
    assert "no policy of yours allows <code>codecommit:GetFolder</code>" in page
    assert "README" not in page


def test_who_may_list_folders_but_not_read_files_sees_no_content(client, code):
    reader = reader_of(client, "GetRepository", "GetFolder")
    assert "# Hello" not in text(reader.get("/repositories/demo/"))
    answer = reader.get("/repositories/demo/browse/main/src/app.py")
    assert answer.status_code == 403
    assert "codecommit:GetFile" in text(answer)


def test_looking_at_a_file_is_recorded_as_that(alice_client, carol_client, code):
    alice_client.get("/repositories/demo/browse/main/src/app.py")
    event = Event.objects.latest("pk")
    assert (event.event_name, event.outcome, event.is_read_only) == ("GetFile", Outcome.SUCCESS, True)
    assert event.request_parameters == {"repositoryName": "demo"}
    carol_client.get(RAW)
    event = Event.objects.latest("pk")
    assert (event.event_name, event.outcome, event.principal_name) == ("GetFile", Outcome.DENIED, "carol")


@pytest.mark.parametrize("address", ["browse/nowhere/", "browse/main/nothing", "commits/nowhere", "find/nowhere"])
def test_what_is_not_found_in_a_repository_leads_back_to_it(alice_client, code, address):
    answer = alice_client.get(f"/repositories/demo/{address}")
    assert answer.status_code == 404
    assert 'href="/repositories/demo/">Go to demo</a>' in text(answer)


def test_a_repository_that_is_not_there_is_no_way_back(alice_client):
    answer = alice_client.get("/repositories/nowhere/browse/main/")
    assert answer.status_code == 404
    assert "Go to nowhere" not in text(answer)
