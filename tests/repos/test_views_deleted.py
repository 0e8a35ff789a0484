"""The pages of deleted repositories, from what works down to the wrong method."""

from __future__ import annotations

import uuid

import pytest

from codeservices.audit.models import Event
from repos import deletion
from repos.models import Repository
from tests import factories, gitrepo


@pytest.fixture
def gone(alice) -> Repository:
    """demo, deleted by alice."""
    repository = factories.repository("demo", "A demonstration")
    gitrepo.commit(repository.git, {"a": "1"})
    deletion.delete_repository(alice.principal, "demo")
    return Repository.all_objects.get()


def url(row: Repository, what: str = "") -> str:
    return f"/deleted-repositories/{row.name}/{row.repository_id}/{what}"


def test_the_list_says_who_deleted_what_and_is_linked_where_there_is_something(alice_client, bob_client, gone):
    assert "/deleted-repositories/" in alice_client.get("/repositories/").content.decode()
    page = alice_client.get("/deleted-repositories/").content.decode()
    assert url(gone) in page and "by <span" in page and "user/alice" in page and "in 7 days" in page
    assert "/deleted-repositories/" not in bob_client.get("/repositories/").content.decode()
    assert "Nothing to restore" in bob_client.get("/deleted-repositories/").content.decode()


def test_a_repository_is_restored_under_its_name(alice_client, gone):
    assert 'value="demo"' in alice_client.get(url(gone)).content.decode()
    answer = alice_client.post(url(gone, "restore"), {"name": "demo"}, follow=True)
    assert answer.redirect_chain == [("/repositories/demo/", 302)]
    assert "Repository demo is back." in answer.content.decode()
    event = Event.objects.get(event_name="RestoreRepository")
    assert event.request_parameters == {"repositoryName": "demo", "repositoryId": str(gone.repository_id)}
    assert alice_client.get(url(gone)).status_code == 404


def test_where_the_name_is_taken_another_is_asked_for(alice_client, gone):
    factories.repository("demo")
    assert "choose another name" in alice_client.get(url(gone)).content.decode()
    for name, sentence in (("demo", "Choose another name."), ("a b", "is none of them"), ("", "name is required")):
        answer = alice_client.post(url(gone, "restore"), {"name": name})
        assert answer.status_code == 400
        assert sentence in answer.content.decode()
    assert alice_client.post(url(gone, "restore"), {"name": "demo-2"}).status_code == 302
    assert Repository.objects.get(name="demo-2").pk == gone.pk


def test_a_purge_needs_the_name_typed(alice_client, gone):
    for typed in ("", "Demo"):
        assert alice_client.post(url(gone, "purge"), {"confirm_name": typed}).status_code == 400
    assert gone.git.path.exists()
    answer = alice_client.post(url(gone, "purge"), {"confirm_name": "demo"}, follow=True)
    assert "Repository demo is gone for good." in answer.content.decode()
    assert not gone.git.path.exists() and not Repository.all_objects.exists()
    assert Event.objects.filter(event_name="PurgeRepository", error_code="").count() == 1


@pytest.mark.parametrize("who", ["bob_client", "carol_client"])
def test_others_are_refused_and_told_nothing_of_what_is_kept(request, gone, who):
    client = request.getfixturevalue(who)
    for row_id in (gone.repository_id, uuid.uuid4()):
        page = f"/deleted-repositories/demo/{row_id}/"
        answers = [client.get(page), client.post(f"{page}restore", {"name": "x"}), client.post(f"{page}purge")]
        assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert Repository.all_objects.get() == gone


def test_the_missing_the_anonymous_and_the_wrong_method(alice_client, client, gone):
    assert alice_client.get(f"/deleted-repositories/other/{gone.repository_id}/").status_code == 404
    assert alice_client.get("/deleted-repositories/demo/nonsense/").status_code == 404
    assert client.get(url(gone)).status_code == 302
    for what in ("restore", "purge"):
        assert alice_client.get(url(gone, what)).status_code == 405
    assert alice_client.post(url(gone)).status_code == 405
