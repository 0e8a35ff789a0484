"""A page that the browser has is not made again while nothing changed; the right to see it is asked for each time."""

from __future__ import annotations

import json

import pytest

from builds import lifecycle
from codeservices.audit.models import Event, Outcome
from codeservices.iam import ssh_keys
from codeservices.iam.models import Policy
from repos import comments
from repos.text.child_pool import Stopped
from repos.views import kept, readme
from tests import factories
from tests.fixtures.people import signed_in

HX = {"HX-Request": "true"}


@pytest.fixture
def code(stored):
    stored.commit({"README.md": "# Hello\n", "src/app.py": "one\n"}, "First")
    return stored


@pytest.fixture
def pages(code):
    tip = (code.path / "refs/heads/main").read_text().strip()
    return [
        "/repositories/demo/",
        "/repositories/demo/browse/main",
        f"/repositories/demo/browse/{tip}/src/app.py",
        f"/repositories/demo/blame/{tip}/src/app.py",
        f"/repositories/demo/commits/{tip}",
        f"/repositories/demo/commit/{tip}",
    ]


def tag_of(client, address, **headers):
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200
    return answer["ETag"]


def again(client, address, tag, **headers):
    return client.get(address, headers={"If-None-Match": tag, **headers})


@pytest.fixture
def seen(alice_client, pages):
    """The pages with their tags, after the first one has set the cookie of forms and the file has its colours."""
    alice_client.get(pages[0])
    alice_client.get(pages[2], headers=HX)
    return [(address, tag_of(alice_client, address)) for address in pages]


def test_what_did_not_change_is_not_made_again(alice_client, seen):
    for address, tag in seen:
        answer = again(alice_client, address, tag)
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", tag), address
        assert answer["Cache-Control"] == "private, no-cache"


def test_it_is_recorded_as_the_act_it_is(alice_client, seen, pages):
    for address, tag in seen:
        again(alice_client, address, tag)
    events = list(Event.objects.order_by("-pk")[: len(seen)])[::-1]
    names = ["GetRepository", "GetFolder", "GetFile", "GetFile", "GetCommitHistory", "GetCommit"]
    assert [event.event_name for event in events] == names
    assert {event.outcome for event in events} == {Outcome.SUCCESS}
    assert events[0].request_parameters == {"repositoryName": "demo"}
    assert events[-1].request_parameters == {"repositoryName": "demo", "commitId": pages[-1].rpartition("/")[2]}


def test_a_push_changes_the_pages_of_branches_and_not_those_of_commits(alice_client, seen, code):
    code.commit({"README.md": "# Hello again\n"}, "Second", [(code.path / "refs/heads/main").read_text().strip()])
    statuses = [again(alice_client, address, tag).status_code for address, tag in seen]
    assert statuses == [200, 200, 304, 304, 304, 304]


def a_build_starts(alice, tip):
    factories.project("app")
    lifecycle.start_build(alice.principal, "app", {"sourceVersion": tip})


def a_key_is_uploaded(alice, tip):
    ssh_keys.upload(alice.principal, "alice", factories.ssh_key())


def somebody_comments(alice, tip):
    comments.post(alice.principal, "demo", tip, "Well done.")


@pytest.mark.parametrize("happens", [a_build_starts, a_key_is_uploaded, somebody_comments])
def test_what_is_told_of_commits_is_told_at_once(alice, alice_client, seen, happens):
    happens(alice, seen[-1][0].rpartition("/")[2])
    statuses = [again(alice_client, address, tag).status_code for address, tag in seen]
    assert statuses == [304, 304, 304, 304, 200, 200]


def test_a_commit_with_comments_is_always_made_again(alice, alice_client, pages):
    somebody_comments(alice, pages[-1].rpartition("/")[2])
    alice_client.get(pages[0])
    assert "ETag" not in alice_client.get(pages[-1])


def test_a_search_is_always_made_again(alice_client, pages):
    alice_client.get(pages[0])
    assert "ETag" in alice_client.get(pages[-2])
    assert "ETag" not in alice_client.get(f"{pages[-2]}?message=First")


def test_another_description_changes_them_all(alice_client, seen):
    alice_client.post("/repositories/demo/settings/description", {"description": "Something else"})
    alice_client.get("/repositories/demo/settings")  # which shows “Saved”
    assert {again(alice_client, address, tag).status_code for address, tag in seen} == {200}


def test_a_message_that_waits_is_shown(alice_client, seen):
    alice_client.post("/repositories/demo/settings/description", {"description": ""})
    address, tag = seen[1]
    assert "messages" in alice_client.cookies
    assert again(alice_client, address, tag).status_code == 200


def test_who_lost_the_right_is_refused(db, pages):
    dora = factories.user("dora", document=factories.allow("codecommit:Get*"))
    client = signed_in(dora)
    client.get(pages[0])
    tags = [tag_of(client, address) for address in pages]
    Policy.objects.get(name="dora-policy").delete()
    for address, tag in zip(pages, tags, strict=True):
        answer = again(client, address, tag)
        assert answer.status_code == 403, address
        assert Event.objects.latest("pk").outcome == Outcome.DENIED


def test_another_policy_is_another_page(db, pages):
    dora = factories.user("dora", document=factories.allow("codecommit:Get*"))
    client = signed_in(dora)
    client.get(pages[0])
    tag = tag_of(client, pages[1])
    document = json.dumps(factories.allow("codecommit:GitPush"))
    dora.policies.add(Policy.objects.create_with_document(document, name="more"))
    assert again(client, pages[1], tag).status_code == 200


def test_a_tag_is_worth_nothing_to_others(alice_client, bob_client, carol_client, seen):
    address, tag = seen[1]
    assert again(bob_client, address, tag).status_code == 200
    assert again(carol_client, address, tag).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        lambda tag: tag.replace("GetFolder", "GetRepository"),
        lambda tag: tag.replace("codecommit:GetFolder", "codecommit:GetFolder,codecommit:GetFile"),
        lambda tag: f'W/"{"0" * 64}.codecommit:GetFolder"',
        lambda tag: f'W/"{"0" * 64}.iam:DeleteUser"',
        lambda tag: 'W/"."',
        lambda tag: "*",
    ],
    ids=["other action", "more actions", "other digest", "no reading", "nothing", "any"],
)
def test_a_tag_that_was_not_given_makes_the_page_anew(alice_client, seen, change):
    address, tag = seen[1]
    assert "GetFolder" in tag
    assert again(alice_client, address, change(tag)).status_code == 200


def test_a_fragment_is_no_page(alice_client, seen):
    address, tag = seen[1]
    assert again(alice_client, address, tag, **HX).status_code == 200


def test_an_error_has_no_tag(alice_client, code):
    assert "ETag" not in alice_client.get("/repositories/demo/browse/nothing")


def test_words_of_time_are_an_hour_old_at_most(alice_client, seen, monkeypatch):
    later = kept.timezone.now() + kept.timezone.timedelta(hours=1)
    monkeypatch.setattr(kept.timezone, "now", lambda: later)
    address, tag = seen[2]
    assert again(alice_client, address, tag).status_code == 200


def test_a_page_whose_readme_had_no_time_is_made_again(alice_client, pages, monkeypatch):
    def busy(*args, **kwargs):
        raise Stopped(is_final=False)

    alice_client.get(pages[2])
    with monkeypatch.context() as patch:
        patch.setattr(readme.markup, "render", busy)
        assert "ETag" not in alice_client.get(pages[0])
    assert "<h1" in alice_client.get(pages[0]).content.decode()
    assert "ETag" in alice_client.get(pages[0])


def test_a_page_whose_colours_had_no_time_is_made_again(alice_client, pages, monkeypatch):
    from repos.views import file, source

    monkeypatch.setattr(source, "PATIENCE_SECONDS", source.COLOUR_SECONDS)  # on the slowest machine
    alice_client.get(pages[0])
    with monkeypatch.context() as patch:
        patch.setattr(file.File, "source", lambda self, wait: source.Source(["one"], is_final=False))
        assert "ETag" not in alice_client.get(pages[2])
    assert "ETag" in alice_client.get(pages[2])
