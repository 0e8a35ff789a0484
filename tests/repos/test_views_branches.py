"""Making and deleting branches and tags in the console."""

from __future__ import annotations

import pytest

from codeservices import registry
from codeservices.audit.models import Event, Outcome
from repos import provision
from repos.git import program, refs, tags
from repos.models import Push, Repository
from tests import factories, gitrepo


@pytest.fixture
def demo(db) -> Repository:
    """demo with main, side and the tag v1."""
    repository = factories.repository("demo")
    oid = gitrepo.commit(repository.git, {"a": "1"})
    gitrepo.update_ref(repository.git, "refs/heads/side", oid)
    gitrepo.tag(repository.git, "v1", oid)
    return repository


def url(what: str) -> str:
    return f"/repositories/demo/{what}"


def names(repository: Repository) -> list[str]:
    return list(refs.all_refs(repository.git))


def test_a_branch_is_made_from_a_branch_a_tag_or_an_id(alice_client, demo):
    oid = refs.tip(demo.git, "refs/heads/main")
    for number, start in enumerate(("side", "v1", oid)):
        answer = alice_client.post(url("branches/create"), {"name": f"new/{number}", "start": start}, follow=True)
        assert f"Branch new/{number} is made." in answer.content.decode()
        assert refs.tip(demo.git, f"refs/heads/new/{number}") == oid
    event = Event.objects.filter(event_name="CreateBranch").first()
    wanted = {"repositoryName": "demo", "commitId": oid}
    assert event.outcome == Outcome.SUCCESS and event.request_parameters.items() >= wanted.items()


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"name": "", "start": "main"}, "A branch name is required."),
        ({"name": "a b", "start": "main"}, "“a b” can&#x27;t name a branch."),
        ({"name": "side", "start": "main"}, "demo has “side” already."),
        ({"name": "side/x", "start": "main"}, "can&#x27;t be made beside “side”"),
        ({"name": "x", "start": "mian"}, "Did you mean “main”?"),
        ({"name": "x", "start": ""}, "Say from which commit it starts."),
    ],
)
def test_a_branch_that_can_not_be_made_is_told_beside_what_was_typed(alice_client, demo, form, sentence):
    answer = alice_client.post(url("branches/create"), form)
    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert not Push.objects.exists()


def test_a_branch_is_deleted_when_its_name_is_typed(alice_client, demo):
    for typed in ("", "Side"):
        answer = alice_client.post(url("branches/delete"), {"branch": "side", "confirm_name": typed})
        assert answer.status_code == 400
        assert "Nothing was deleted" in answer.content.decode()
    answer = alice_client.post(url("branches/delete"), {"branch": "side", "confirm_name": "side"}, follow=True)
    assert "Branch side is deleted. It stood at" in answer.content.decode()
    assert "refs/heads/side" not in names(demo)
    for branch, status in (("side", 404), ("main", 400), ("a..b", 400), ("", 400)):
        form = {"branch": branch, "confirm_name": branch}
        assert alice_client.post(url("branches/delete"), form).status_code == status, branch
    assert "refs/heads/main" in names(demo)


def test_a_name_that_is_no_utf8_can_be_deleted(alice_client, demo):
    gitrepo.update_ref(demo.git, b"refs/heads/caf\xe9", refs.tip(demo.git, "refs/heads/main"))
    page = alice_client.get(url("branches")).content.decode()
    assert 'name="branch" value="caf\\xe9"' in page
    form = {"branch": "caf\\xe9", "confirm_name": "caf\\xe9"}
    assert alice_client.post(url("branches/delete"), form).status_code == 302
    assert names(demo) == ["refs/heads/main", "refs/heads/side", "refs/tags/v1"]


def test_the_default_branch_is_chosen_in_the_list(alice_client, demo):
    answer = alice_client.post(url("settings/default-branch"), {"branch": "side", "from": "branches"})
    assert answer["Location"] == url("branches")
    assert demo.default_branch == "side"


def test_a_tag_is_made_with_and_without_a_message_and_deleted(alice_client, demo):
    form = {"name": "v2", "start": "main", "message": "Version 2"}
    assert "Tag v2 is made." in alice_client.post(url("tags/create"), form, follow=True).content.decode()
    alice_client.post(url("tags/create"), {"name": "v3", "start": "v2"})
    found = dict(refs.tags(demo.git))
    assert tags.describe(demo.git, found["v2"]).subject == "Version 2"
    assert found["v3"] == refs.tip(demo.git, "refs/heads/main")
    for name in ("v1", "-x", "a b", ""):
        assert alice_client.post(url("tags/create"), {"name": name, "start": "main"}).status_code == 400
    assert alice_client.post(url("tags/delete"), {"tag": "v2", "confirm_name": "v"}).status_code == 400
    answer = alice_client.post(url("tags/delete"), {"tag": "v2", "confirm_name": "v2"}, follow=True)
    assert "Tag v2 is deleted." in answer.content.decode()
    assert alice_client.post(url("tags/delete"), {"tag": "v2", "confirm_name": "v2"}).status_code == 404


@pytest.mark.parametrize(
    ("what", "form", "action"),
    [
        ("branches/create", {"name": "x", "start": "main"}, "CreateBranch"),
        ("branches/delete", {"branch": "side", "confirm_name": "side"}, "DeleteBranch"),
        ("tags/create", {"name": "v2", "start": "main"}, "GitPush"),
        ("tags/delete", {"tag": "v1", "confirm_name": "v1"}, "GitPush"),
    ],
)
def test_readers_and_outsiders_may_not_and_nobody_may_while_it_is_archived(
    alice, alice_client, bob_client, carol_client, client, demo, what, form, action
):
    before = names(demo)
    for each in (bob_client, carol_client):
        answer = each.post(url(what), form)
        assert answer.status_code == 403 and f"codecommit:{action}" in answer.content.decode()
    assert client.post(url(what), form)["Location"].startswith("/sign-in/")
    assert alice_client.get(url(what)).status_code == 405
    page = bob_client.get(url(what.partition("/")[0])).content.decode()
    assert "/create" not in page and "/delete" not in page
    provision.archive_repository(alice.principal, "demo")
    answer = alice_client.post(url(what), form)
    assert answer.status_code == 409 and "demo is archived since" in answer.content.decode()
    page = alice_client.get(url(what.partition("/")[0])).content.decode()
    assert "/create" not in page and "/delete" not in page
    assert names(demo) == before


def test_how_far_branches_are_apart_is_counted_after_the_page_and_remembered(alice_client, demo, monkeypatch):
    for number in range(3):
        gitrepo.commit(demo.git, {"a": f"more {number}"})
    gitrepo.commit(demo.git, {"b": "1"}, branch="side")
    page = alice_client.get(url("branches"))
    assert [row.apart for row in page.context["rows"]] == [None, None]
    assert 'hx-get="/repositories/demo/branches?divergence=1" hx-trigger="load"' in page.content.decode()
    rows = alice_client.get(url("branches"), {"divergence": "1"}, headers={"HX-Request": "true"})
    assert {row.name: row.apart for row in rows.context["rows"]} == {"main": (0, 0), "side": (1, 3)}
    text = rows.content.decode()
    assert 'href="/repositories/demo/compare/main...side"' in text and "hx-trigger" not in text

    def never(*args, **options):
        raise AssertionError("counted again")

    monkeypatch.setattr("repos.git.divergence.ahead_behind", never)
    rows = alice_client.get(url("branches"), {"divergence": "1"})
    assert {row.name: row.apart for row in rows.context["rows"]} == {"main": (0, 0), "side": (1, 3)}


def test_what_takes_too_long_to_count_is_left_open(alice_client, demo, monkeypatch):
    def slow(*args, **options):
        raise program.GitTimeout("rev-list", 2)

    monkeypatch.setattr("repos.git.divergence.ahead_behind", slow)
    page = alice_client.get(url("branches"), {"divergence": "1"})
    assert [row.apart for row in page.context["rows"]] == [None, None]
    assert "Not counted within the time" in page.content.decode()


def test_branches_and_tags_show_what_became_of_their_commits(alice_client, demo, monkeypatch):
    status = registry.CommitStatus("FAILED", "Failed", "/projects/x/builds/1/")
    found = (lambda principal, name, oids: dict.fromkeys(oids, status), lambda: 0)
    monkeypatch.setattr(registry, "commit_status_sources", [found])
    for what in ("branches", "tags"):
        assert 'data-status="FAILED" href="/projects/x/builds/1/"' in alice_client.get(url(what)).content.decode()


def test_a_tag_tells_its_tagger(alice_client, demo):
    signature = "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----"
    gitrepo.tag(demo.git, "v2", refs.tip(demo.git, "refs/heads/main"), f"Second\n\nAnd why\n{signature}")
    page = alice_client.get(url("tags")).content.decode()
    assert 'title="carl@example.com">Carl Committer</span>' in page
    assert "signed (GPG)" in page and "And why" in page and "BEGIN PGP" not in page
