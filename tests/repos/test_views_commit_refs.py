"""The branches and tags that have a commit, on its page; and the beginning of an id, which leads there."""

from __future__ import annotations

import re

import pytest

from repos.git import abbreviation, program
from tests import factories

HX = {"HX-Request": "true"}


def commit_url(oid: str) -> str:
    return f"/repositories/demo/commit/{oid}"


def told(client, oid: str, **headers: str) -> str:
    """What is said of refs, as words."""
    page = client.get(f"{commit_url(oid)}?refs=1", headers=HX).content.decode()
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


@pytest.fixture
def history(stored):
    """Two commits of main, one more of "aside"; two tags of the first, the younger one first by name."""
    first = stored.commit({"a": "1\n"}, "First")
    second = stored.commit({"a": "2\n"}, "Second", [first])
    aside = stored.commit({"a": "3\n"}, "Aside", [first], branch="aside")
    stored.git("tag", "z-early", first)
    stored.git("tag", "a-late", aside)
    return first, second, aside


def test_the_page_asks_for_the_refs_that_have_its_commit(alice_client, history):
    first, second, aside = history
    page = alice_client.get(commit_url(first)).content.decode()
    assert f'hx-get="{commit_url(first)}?refs=1" hx-trigger="load"' in page
    assert told(alice_client, first) == "main aside z-early a-late"
    assert told(alice_client, second) == "main"
    assert told(alice_client, aside) == "aside a-late"
    fragment = alice_client.get(f"{commit_url(aside)}?refs=1", headers=HX).content.decode()
    assert 'href="/repositories/demo/browse/aside"' in fragment
    assert "hx-get" not in fragment


def test_without_scripts_a_link_brings_them(alice_client, history):
    page = alice_client.get(commit_url(history[0])).content.decode()
    assert '<noscript><a href="?refs=1">' in page
    answer = alice_client.get(f"{commit_url(history[0])}?refs=1")
    assert 'href="/repositories/demo/browse/z-early"' in answer.content.decode()
    assert "ETag" not in answer  # refs move, and the page by an id would be kept


def test_many_refs_are_counted(alice_client, stored, history):
    instructions = "".join(
        f"create refs/{kind}/n{number:02} {history[1]}\n" for kind in ("heads", "tags") for number in range(12)
    )
    stored.git("update-ref", "--stdin", given=instructions.encode())
    words = told(alice_client, history[1])
    assert "main n00" in words
    assert "and 3 more branches" in words
    assert "and 2 later tags" in words
    assert "n11" not in words


def test_a_tag_that_a_branch_is_called_like_is_linked_by_its_full_name(alice_client, stored, history):
    stored.git("tag", "main", history[1])
    page = alice_client.get(f"{commit_url(history[1])}?refs=1", headers=HX).content.decode()
    assert 'href="/repositories/demo/browse/main"' in page
    assert 'href="/repositories/demo/browse/refs/tags/main"' in page


def test_a_commit_that_no_ref_has_says_so(alice_client, stored):
    stored.commit({"a": "1\n"})
    lost = stored.commit({"a": "2\n"}, branch="gone")
    stored.git("update-ref", "-d", "refs/heads/gone")
    assert told(alice_client, lost) == "no branch and no tag that you may see"


def test_what_takes_too_long_is_told(alice_client, history, monkeypatch):
    def too_long(*args: object) -> list[str]:
        raise program.GitTimeout("for-each-ref", 4)

    monkeypatch.setattr("repos.git.containing.branches", too_long)
    assert told(alice_client, history[0]) == "The branches and tags that have it could not be found in time."


def test_names_are_for_those_who_may_list_them(client, history):
    erin = factories.user("erin", document=factories.allow("codecommit:GetCommit"))
    client.force_login(erin, backend="codeservices.iam.backends.SessionBackend")
    assert "commit-refs" not in client.get(commit_url(history[0])).content.decode()
    assert told(client, history[0]) == "no branch and no tag that you may see"
    frank = factories.user("frank", document=factories.allow("codecommit:GetCommit", "codecommit:ListBranches"))
    client.force_login(frank, backend="codeservices.iam.backends.SessionBackend")
    assert told(client, history[0]) == "main aside"


def test_the_beginning_of_an_id_leads_to_the_whole(alice_client, carol_client, history):
    oid = history[0]
    answer = alice_client.get(f"{commit_url(oid[:8].upper())}?view=split")
    assert (answer.status_code, answer.url) == (302, f"{commit_url(oid)}?view=split")
    assert carol_client.get(commit_url(oid[:8])).status_code == 403


def test_a_beginning_means_a_commit_whatever_else_is_called_so(alice_client, stored, history):
    stored.git("update-ref", f"refs/heads/{history[0][:7]}", history[1])
    assert alice_client.get(commit_url(history[0][:7])).url == commit_url(history[0])
    blob = stored.blob("no commit\n")
    page = alice_client.get(commit_url(blob[:12]))
    assert page.status_code == 404
    assert f"No commit&#x27;s id begins with “{blob[:12]}”." in page.content.decode()


def test_a_beginning_of_several_ids_is_refused_with_their_number(made):
    seen: dict[str, int] = {}
    tree = made.tree({"a": "a\n"})
    number = 0
    while all(count < 2 for count in seen.values()):  # of 65,536 beginnings two are alike after some hundred
        people = f"author A <a@x> {number} +0000\ncommitter A <a@x> {number} +0000\n"
        oid = made.raw("commit", f"tree {tree}\n{people}\nOne of many\n".encode())
        seen[oid[:4]] = seen.get(oid[:4], 0) + 1
        number += 1
    twice = next(beginning for beginning, count in seen.items() if count == 2)
    with pytest.raises(abbreviation.NotFound, match=f"The ids of 2 commits begin with “{twice}”"):
        abbreviation.commit_oid(made.repository, twice)
