"""The page of a repository's triggers: list, add, remove."""

from __future__ import annotations

import pytest
from django.test import Client

from codeservices.iam import arn
from repos.models import Repository, Trigger
from tests import factories
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db

PAGE = "/repositories/demo/triggers"
PROJECT_ARN = arn.project_arn("us-east-1", "123456789012", "website")
FORM = {"name": "on-push", "project": "website", "branches": "main release/1", "events": ["createReference"]}


@pytest.fixture
def repository(alice) -> Repository:
    return factories.repository("demo")


def test_a_trigger_is_added_shown_and_removed(alice_client, repository):
    assert "No triggers yet" in alice_client.get(PAGE).content.decode()
    assert alice_client.post(PAGE, FORM)["Location"] == PAGE
    trigger = Trigger.objects.get()
    assert (trigger.destination_arn, trigger.branches) == (PROJECT_ARN, ["main", "release/1"])
    assert trigger.events == ["createReference"]
    page = alice_client.get(PAGE).content.decode()
    assert "/projects/website/" in page and "release/1" in page and "a branch or tag is created" in page
    assert alice_client.post(f"{PAGE}/on-push/delete")["Location"] == PAGE
    assert not Trigger.objects.exists()


def test_each_change_renews_the_configuration_and_keeps_the_order(alice_client, repository):
    ids = {repository.trigger_configuration_id}
    for name in ("a", "b", "c"):
        alice_client.post(PAGE, FORM | {"name": name})
        repository.refresh_from_db()
        ids.add(repository.trigger_configuration_id)
    alice_client.post(f"{PAGE}/b/delete")
    repository.refresh_from_db()
    assert len(ids | {repository.trigger_configuration_id}) == 5
    assert list(repository.triggers.values_list("name", "position")) == [("a", 0), ("c", 1)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "bad name"}, "“bad name” can&#x27;t name a trigger."),
        ({"name": ""}, "This field is required."),
        ({"project": ""}, "This field is required."),
        ({"branches": "main~1"}, "“main~1” can&#x27;t name a branch."),
        ({"branches": " ".join(f"b{number}" for number in range(11))}, "at most 10 branches, not 11"),
        ({"events": []}, "This field is required."),
        ({"events": ["explode"]}, "explode is not one of the available choices"),
        ({"name": "taken"}, "demo has a trigger called taken already."),
    ],
)
def test_bad_input_is_told_and_adds_nothing(alice_client, repository, changes, sentence):
    alice_client.post(PAGE, FORM | {"name": "taken"})
    response = alice_client.post(PAGE, FORM | changes)
    assert response.status_code == 400 and sentence in response.content.decode()
    assert Trigger.objects.count() == 1


def test_an_eleventh_trigger_is_refused_in_words(alice_client, repository):
    for number in range(10):
        alice_client.post(PAGE, FORM | {"name": f"t{number}"})
    response = alice_client.post(PAGE, FORM)
    assert response.status_code == 400 and "demo has 10 triggers" in response.content.decode()


def test_a_reader_sees_triggers_and_changes_none(alice_client, bob_client, repository):
    alice_client.post(PAGE, FORM)
    page = bob_client.get(PAGE).content.decode()
    assert "on-push" in page and "Remove" not in page and "Add a trigger" not in page
    assert bob_client.post(PAGE, FORM | {"name": "mine"}).status_code == 403
    assert bob_client.post(f"{PAGE}/on-push/delete").status_code == 403
    assert Trigger.objects.count() == 1


def test_a_trigger_of_a_project_takes_the_right_to_start_it(repository):
    dave = factories.user("dave", "AWSCodeCommitFullAccess")
    denied = signed_in(dave).post(PAGE, FORM)
    assert denied.status_code == 403 and "codebuild:StartBuild" in denied.content.decode()
    assert not Trigger.objects.exists()


def test_an_outsider_learns_nothing(carol_client, repository):
    for path in (PAGE, "/repositories/nowhere/triggers"):
        assert carol_client.get(path).status_code == 403


def test_the_anonymous_are_sent_to_sign_in(repository):
    assert Client().get(PAGE)["Location"].startswith("/sign-in/")


def test_what_is_missing_is_not_found(alice_client, repository):
    assert alice_client.get("/repositories/nowhere/triggers").status_code == 404
    assert alice_client.post(f"{PAGE}/nothing/delete").status_code == 404


def test_other_methods_are_refused(alice_client, repository):
    assert alice_client.put(PAGE).status_code == 405
    assert alice_client.get(f"{PAGE}/on-push/delete").status_code == 405
