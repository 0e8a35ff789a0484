"""Branches and commits in the quick search: what is found, and by whom."""

from __future__ import annotations

import pytest

from repos import quick_search
from tests import factories


@pytest.fixture
def oid(stored, monkeypatch) -> str:
    monkeypatch.setattr(quick_search, "MAX_SECONDS", 60.0)
    return stored.commit({"a": "1\n"}, "Fix the <door>", branch="feature/Login")


def hits(client, text: str) -> str:
    return client.get("/search/", {"q": text}, headers={"HX-Request": "true"}).content.decode()


def test_a_branch_is_found_by_a_part_of_its_name(alice_client, oid):
    page = hits(alice_client, "login")
    assert 'href="/repositories/demo/browse/feature/Login"' in page
    assert "Branch of demo" in page
    assert "feature/Login" in alice_client.get("/search/", {"q": "LOGIN"}).content.decode()
    assert "Branch" not in hits(alice_client, "lo")


def test_a_commit_is_found_by_its_id_and_by_the_beginning_of_it(alice_client, oid):
    for text in (oid, oid[:7], oid[:20].upper()):
        page = hits(alice_client, text)
        assert f'href="/repositories/demo/commit/{oid}"' in page
        assert f"{oid[:8]} Fix the &lt;door&gt;" in page
        assert "Commit of demo" in page
    for text in (oid[:6], "f" * 40, "f" * 12, f"{oid}0"):
        assert "Commit of" not in hits(alice_client, text)


def test_an_object_that_is_no_commit_is_none(alice_client, stored, oid):
    blob = stored.blob("text\n")
    assert "Commit of" not in hits(alice_client, blob)
    assert "Commit of" not in hits(alice_client, blob[:10])


def test_only_those_who_may_see_them_find_them(carol_client, client, oid):
    assert "demo" not in hits(carol_client, "feature/login")
    assert "demo" not in hits(carol_client, oid)
    erin = factories.user("erin", document=factories.allow("codecommit:ListBranches"))
    client.force_login(erin, backend="codeservices.iam.backends.SessionBackend")
    assert "Branch of demo" in hits(client, "login")
    assert "demo" not in hits(client, oid)


def test_no_more_repositories_are_looked_at_than_there_is_time_for(alice_client, oid, monkeypatch):
    monkeypatch.setattr(quick_search, "MAX_SECONDS", -1.0)
    assert "Commit of" not in hits(alice_client, oid)
    assert "Branch of" not in hits(alice_client, "login")
