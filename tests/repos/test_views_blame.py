"""The page that tells which commit each line of a file is from."""

from __future__ import annotations

import pytest

from repos.git import blame as git_blame
from repos.views import blame
from tests.repos.doors import over_asgi

URL = "/repositories/demo/blame/main/src/app.py"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def code(stored):
    """demo with src/app.py of two commits."""
    stored.first = stored.commit({"src/app.py": "one\ntwo\nthree\n"}, "Begin")
    stored.second = stored.commit(
        {"src/app.py": f"one\n{HOSTILE}\nthree\n"},
        f"Change {HOSTILE}",
        [stored.first],
        author=f'Eve "{HOSTILE.replace("<", "(").replace(">", ")")}" <eve@example.org>',
    )
    return stored


def text(answer):
    return answer.content.decode()


def test_each_group_of_lines_shows_its_commit_and_links_to_it(alice_client, code):
    page = text(alice_client.get(URL))
    assert page.count('<td class="origin"') == 3
    assert f'href="/repositories/demo/commit/{code.first}"' in page
    assert f'href="/repositories/demo/commit/{code.second}"' in page
    assert 'title="eve@example.org"' in page
    assert '<tr id="L3"><td class="origin" data-age="0">' in page
    assert '<tr id="L2"><td class="origin" data-age="7">' in page


def test_neighbouring_lines_of_one_commit_share_a_cell(alice_client, stored):
    stored.commit({"a": "1\n2\n3\n"})
    page = text(alice_client.get("/repositories/demo/blame/main/a"))
    assert page.count('class="origin"') == 1
    assert '<tr id="L1"><td rowspan="3" class="origin"' in page
    assert '<tr id="L3"><th><a href="#L3">3</a></th><td>3</td></tr>' in page


def test_a_group_leads_to_the_blame_before_its_commit(alice_client, code):
    page = text(alice_client.get(URL))
    before = f"/repositories/demo/blame/{code.first}/src/app.py"
    assert page.count(f'class="before" href="{before}"') == 1
    assert "two" in text(alice_client.get(before))


def test_names_subjects_and_lines_never_run(alice_client, code):
    page = text(alice_client.get(URL))
    assert HOSTILE not in page
    assert "Change &lt;script&gt;" in page


def test_a_long_file_comes_in_windows(alice_client, stored, monkeypatch):
    monkeypatch.setattr(blame, "WINDOW", 4)
    stored.commit({"a": "".join(f"line {number}\n" for number in range(1, 11))})
    page = text(alice_client.get("/repositories/demo/blame/main/a?page=3"))
    assert 'id="L9"' in page and 'id="L10"' in page and 'id="L8"' not in page
    assert "<td>line 9</td>" in page
    assert "9–10 of 10" in page


def test_what_was_not_found_in_time_is_told_with_a_way_to_ask_for_less(alice_client, code, monkeypatch):
    whole = git_blame.groups

    def hurried(*args, **options):
        return [one._replace(origin=None) if one.first == 2 else one for one in whole(*args, **options)]

    monkeypatch.setattr(git_blame, "groups", hurried)
    page = text(alice_client.get(URL))
    assert "the commits of 1 line were not found in time" in page
    assert '<a href="?few">Look at fewer lines at once</a>' in page
    assert "Loading the page again may find more." in text(alice_client.get(f"{URL}?few"))
    monkeypatch.undo()
    assert "not found in time" not in text(alice_client.get(URL)), "what time cut off must not be remembered"


def test_a_page_seen_again_asks_git_for_nothing(alice_client, code, monkeypatch):
    first = text(alice_client.get(URL))

    def fails(*args, **options):
        raise AssertionError("git was asked again")

    monkeypatch.setattr(git_blame, "groups", fails)
    monkeypatch.setattr(git_blame, "ignored", fails)
    assert text(alice_client.get(URL)).count("commit/") == first.count("commit/")


def test_commits_of_the_ignore_file_are_looked_through_and_that_is_told(alice_client, code):
    ignored = f"# moved\n{code.second}\n"
    code.commit({"src/app.py": "one\n2\nthree\n", ".git-blame-ignore-revs": ignored}, "Ignore", [code.second])
    page = text(alice_client.get(URL))
    assert 'href="/repositories/demo/browse/main/.git-blame-ignore-revs"' in page
    assert f"commit/{code.second}" not in page


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        (b"\0\1", 400, "is not text, so it has no lines to tell the commits of"),
        (b"", 200, "This file is empty."),
        (b"\x7fELF is text to git", 400, "is not text"),
    ],
)
def test_what_has_no_lines_is_told_in_a_sentence(alice_client, stored, content, status, sentence):
    stored.commit({"x": content})
    answer = alice_client.get("/repositories/demo/blame/main/x")
    assert (answer.status_code, sentence in text(answer)) == (status, True)


@pytest.mark.parametrize("path", ["main", "main/src", "main/gone", "main/own", "gone/x"])
def test_what_is_no_file_is_told_in_a_sentence(alice_client, stored, path):
    stored.commit({"src/x": "1", "own": ("160000", "1" * 40)})
    answer = alice_client.get(f"/repositories/demo/blame/{path}")
    assert answer.status_code == 404
    assert "Request <code>" in text(answer)


def test_files_of_any_name_have_a_page(alice_client, stored):
    stored.commit({b"caf\xe9/--x \"'": "1\n"})
    status, page = over_asgi(alice_client, b"/repositories/demo/blame/main/caf%E9/--x%20%22'")
    assert (status, "<td>1</td>" in page) == (200, True)


def test_the_switch_leads_to_the_blame_of_another_branch(alice_client, code):
    code.commit({"src/app.py": "x\n"}, branch="side")
    assert "/repositories/demo/blame/side/src/app.py" in text(
        alice_client.get(f"{URL}?q=sid", headers={"HX-Request": "true"})
    )


def test_a_reader_reads_an_outsider_does_not_and_it_is_only_got(bob_client, carol_client, client, alice_client, code):
    assert bob_client.get(URL).status_code == 200
    assert carol_client.get(URL).status_code == 403
    assert client.get(URL).status_code == 302
    assert alice_client.post(URL).status_code == 405
