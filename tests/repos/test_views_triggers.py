"""The pages of a repository's triggers: list, add, look, edit, test, remove; deliveries and once more."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from codeservices.iam import arn
from codeservices.notifications import topics
from codeservices.notifications.models import Delivery, DeliveryState, Message, Subscription, SubscriptionState, Topic
from repos.models import Push, PushState, Repository, Trigger, TriggerDelivery
from repos.pushes import receive
from repos.triggers import config as trigger_config
from repos.triggers import deliveries as trigger_deliveries
from repos.triggers.config import TriggerSettings
from tests import factories, gitrepo
from tests.fixtures.people import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sent_tasks")]

PAGE = "/repositories/demo/triggers"
PROJECT_ARN = arn.project_arn("us-east-1", "123456789012", "website")
TOPIC_ARN = arn.topic_arn("us-east-1", "123456789012", "news")
URL = "https://8.8.8.8/hooks/s3cr3t"
FORM = {
    "name": "on-push",
    "destination": "other",
    "destination_arn": PROJECT_ARN,
    "branches": "main release/1",
    "events": ["createReference"],
}
ENDPOINT = {"name": "hook", "destination": "endpoint", "endpoint_url": URL, "events": ["updateReference"]}


@pytest.fixture
def repository(alice) -> Repository:
    return factories.repository("demo")


def told(repository: Repository, *, refname: str = "refs/heads/main") -> TriggerDelivery:
    """The delivery of a push by bob that the repository's last trigger was told of."""
    push = Push.objects.create(
        repository=repository,
        principal_arn="arn:aws:iam::123456789012:user/bob",
        principal_name="bob",
        state=PushState.RECORDED,
        commands=[{"refname": refname, "old_oid": "0" * 40, "new_oid": "1" * 40}],
    )
    receive.deliver(push.pk)
    return trigger_deliveries.run(push.trigger_deliveries.last().pk)


def text(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


# ---- list, add, edit, remove ----------------------------------------------------------------------------------------


def test_a_trigger_is_added_shown_and_removed(alice_client, repository):
    assert "No triggers yet" in text(alice_client, PAGE)
    assert alice_client.post(PAGE, FORM)["Location"] == f"{PAGE}/on-push"
    trigger = Trigger.objects.get()
    assert (trigger.destination_arn, trigger.branches) == (PROJECT_ARN, ["main", "release/1"])
    assert trigger.events == ["createReference"]
    for path in (PAGE, f"{PAGE}/on-push/"):
        page = text(alice_client, path)
        assert "/projects/website/" in page and "release/1" in page and "a branch or tag is created" in page
    assert alice_client.post(f"{PAGE}/on-push/delete")["Location"] == PAGE
    assert not Trigger.objects.exists()


def test_projects_and_topics_that_one_may_use_are_there_to_choose(alice, alice_client, repository):
    factories.project("website")
    topics.create_topic(alice.principal, "news")
    page = text(alice_client, PAGE)
    assert f'value="{PROJECT_ARN}">website' in page and f'value="{TOPIC_ARN}">news' in page
    alice_client.post(PAGE, FORM | {"destination": TOPIC_ARN, "destination_arn": "", "custom_data": "a\r\nb"})
    trigger = Trigger.objects.get()
    assert (trigger.destination_arn, trigger.custom_data) == (TOPIC_ARN, "a\nb")


def test_all_three_events_are_stored_as_all(alice_client, repository):
    alice_client.post(PAGE, FORM | {"events": ["createReference", "updateReference", "deleteReference"]})
    assert Trigger.objects.get().events == ["all"]


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


def test_a_trigger_is_edited_under_its_name(alice_client, repository):
    alice_client.post(PAGE, FORM | {"custom_data": "old"})
    page = text(alice_client, f"{PAGE}/on-push/edit")
    assert PROJECT_ARN in page and "main release/1" in page and "old" in page
    changed = FORM | {"name": "ignored", "branches": "", "events": ["deleteReference"], "custom_data": "new"}
    assert alice_client.post(f"{PAGE}/on-push/edit", changed)["Location"] == f"{PAGE}/on-push"
    trigger = Trigger.objects.get()
    assert (trigger.name, trigger.branches, trigger.events) == ("on-push", [], ["deleteReference"])
    assert trigger.custom_data == "new"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "bad name"}, "“bad name” can&#x27;t name a trigger."),
        ({"name": ""}, "This field is required."),
        ({"destination": ""}, "This field is required."),
        ({"destination_arn": ""}, "Which ARN?"),
        ({"destination_arn": "arn:aws:sqs:us-east-1:123456789012:q"}, "A trigger tells a standard SNS topic"),
        ({"destination": "endpoint"}, "An endpoint needs an address."),
        ({"destination": "endpoint", "endpoint_url": "https://10.0.0.1/"}, "of a private network"),
        ({"destination": TOPIC_ARN}, "is not one of the available choices"),
        ({"branches": "main~1"}, "“main~1” can&#x27;t name a branch."),
        ({"branches": " ".join(f"b{number}" for number in range(11))}, "at most 10 branches, not 11"),
        ({"events": []}, "This field is required."),
        ({"events": ["explode"]}, "explode is not one of the available choices"),
        ({"custom_data": "x" * 1001}, "at most 1000 characters, not 1001"),
        ({"name": "taken"}, "demo has a trigger called taken already."),
    ],
)
def test_bad_input_is_told_and_adds_nothing(alice_client, repository, changes, sentence):
    alice_client.post(PAGE, FORM | {"name": "taken"})
    response = alice_client.post(PAGE, FORM | changes)
    assert response.status_code == 400 and sentence in response.content.decode()
    assert Trigger.objects.count() == 1 and not Topic.objects.exists()


def test_bad_input_is_told_and_changes_nothing(alice_client, repository):
    alice_client.post(PAGE, FORM)
    response = alice_client.post(f"{PAGE}/on-push/edit", FORM | {"branches": "a..b"})
    assert response.status_code == 400 and "can&#x27;t name a branch" in response.content.decode()
    assert Trigger.objects.get().branches == ["main", "release/1"]


def test_an_eleventh_trigger_is_refused_in_words(alice_client, repository):
    for number in range(10):
        alice_client.post(PAGE, FORM | {"name": f"t{number}"})
    response = alice_client.post(PAGE, FORM)
    assert response.status_code == 400 and "demo has 10 triggers" in response.content.decode()


# ---- endpoints ------------------------------------------------------------------------------------------------------


def test_an_endpoint_is_added_waits_to_be_confirmed_and_is_asked_again(alice_client, repository):
    alice_client.post(PAGE, ENDPOINT)
    assert "waits to be confirmed" in text(alice_client, PAGE)
    assert "Resend confirmation" in text(alice_client, f"{PAGE}/hook/")
    assert alice_client.post(f"{PAGE}/hook/confirm")["Location"] == f"{PAGE}/hook"
    assert Message.objects.filter(message_type="SubscriptionConfirmation").count() == 2
    Subscription.objects.update(state=SubscriptionState.CONFIRMED)
    assert "Resend confirmation" not in text(alice_client, f"{PAGE}/hook/")
    assert alice_client.post(f"{PAGE}/hook/confirm").status_code == 404


def test_the_address_of_an_endpoint_is_cut_for_those_who_may_only_look(alice_client, bob_client, repository):
    alice_client.post(PAGE, ENDPOINT)
    Subscription.objects.update(state=SubscriptionState.CONFIRMED)
    delivery = told_endpoint(repository)
    path = f"{PAGE}/hook/deliveries/{delivery.delivery_id}"
    for page in (f"{PAGE}/hook/", path):
        assert "s3cr3t" in text(alice_client, page)
        assert "s3cr3t" not in text(bob_client, page) and "https://8.8.8.8/…" in text(bob_client, page)
    assert "kept to ourselves" in text(alice_client, path) and "kept to ourselves" not in text(bob_client, path)


def told_endpoint(repository: Repository) -> TriggerDelivery:
    """A delivery whose one subscriber has answered with status 503."""
    repository.triggers.update(events=["all"])
    delivery = told(repository)
    copy = Delivery.objects.get(message__message_id=delivery.message_id)
    copy.attempts.create(number=1, response_status=503, response_body="kept to ourselves", duration_ms=12)
    Delivery.objects.filter(pk=copy.pk).update(state=DeliveryState.FAILED, last_error="Status 503.")
    return delivery


# ---- deliveries -----------------------------------------------------------------------------------------------------


def test_the_list_tells_how_the_last_delivery_went_down_to_the_subscriber(alice, alice_client, repository):
    trigger_config.add_trigger(alice.principal, "demo", TriggerSettings("tell", TOPIC_ARN))
    told(repository)
    assert "Failed" in text(alice_client, PAGE)
    topics.create_topic(alice.principal, "news")
    told(repository)
    assert "Nobody told" in text(alice_client, PAGE) and "Failed" not in text(alice_client, PAGE)
    trigger_config.remove_trigger(alice.principal, "demo", "tell")
    alice_client.post(PAGE, ENDPOINT)
    Subscription.objects.update(state=SubscriptionState.CONFIRMED)
    told_endpoint(repository)
    assert "Failed" in text(alice_client, PAGE)
    Delivery.objects.update(state=DeliveryState.SUCCEEDED)
    assert "Delivered" in text(alice_client, PAGE)
    Delivery.objects.update(state=DeliveryState.WAITING)
    assert "Waiting" in text(alice_client, PAGE)


def test_a_delivery_shows_the_event_and_what_came_back(alice, alice_client, repository):
    project = factories.project("website", repository_name="demo")
    gitrepo.commit(repository.git, {"a": "1"})
    trigger_config.add_trigger(alice.principal, "demo", TriggerSettings("build", project.arn))
    delivery = told(repository)
    listed = text(alice_client, f"{PAGE}/build/")
    assert "a push by bob" in listed and str(delivery.delivery_id) in listed
    page = text(alice_client, f"{PAGE}/build/deliveries/{delivery.delivery_id}")
    assert "/projects/website/builds/1/" in page and "ReferenceChanges" in page and "every 2s" not in page


def test_a_delivery_under_way_is_fetched_again_by_the_page(alice, alice_client, repository):
    trigger_config.add_trigger(alice.principal, "demo", TriggerSettings("tell", TOPIC_ARN))
    push = Push.objects.create(repository=repository, principal_arn="arn", state=PushState.RECORDED)
    [row] = trigger_deliveries.record(push, [receive.RefCommand("refs/heads/main", "0" * 40, "1" * 40)])
    path = f"{PAGE}/tell/deliveries/{row.delivery_id}"
    assert 'hx-trigger="every 2s"' in text(alice_client, path)
    assert "Redeliver" not in text(alice_client, path)
    trigger_deliveries.run(row.pk)
    fragment = alice_client.get(path, headers={"HX-Request": "true"}).content.decode()
    assert "There is no topic called news." in fragment and "<html" not in fragment and "hx-trigger" not in fragment


def test_a_test_goes_to_what_came_of_it(alice, alice_client, repository):
    topics.create_topic(alice.principal, "news")
    trigger_config.add_trigger(alice.principal, "demo", TriggerSettings("tell", TOPIC_ARN))
    location = alice_client.post(f"{PAGE}/tell/test")["Location"]
    page = text(alice_client, location)
    assert "TriggerEventTest" in page and "a test by alice" in page and "it went to nobody" in page


def test_a_delivery_is_sent_again_from_its_page(alice, alice_client, repository, sent_tasks):
    topics.create_topic(alice.principal, "news")
    trigger_config.add_trigger(alice.principal, "demo", TriggerSettings("tell", TOPIC_ARN))
    old = told(repository)
    location = alice_client.post(f"{PAGE}/tell/deliveries/{old.delivery_id}/redeliver")["Location"]
    new = TriggerDelivery.objects.first()
    assert location == f"{PAGE}/tell/deliveries/{new.delivery_id}" and new.redelivery_of == old
    assert "a redelivery by alice" in text(alice_client, location)
    assert alice_client.post(f"{PAGE}/tell/deliveries/{new.delivery_id}/redeliver").status_code == 409


def test_deliveries_of_a_trigger_that_is_gone_stay_readable(alice, alice_client, repository):
    trigger_config.add_trigger(alice.principal, "demo", TriggerSettings("tell", TOPIC_ARN))
    delivery = told(repository)
    trigger_config.remove_trigger(alice.principal, "demo", "tell")
    assert "has been removed" in text(alice_client, f"{PAGE}/tell/")
    path = f"{PAGE}/tell/deliveries/{delivery.delivery_id}"
    assert json.loads(delivery.payload)["Records"][0]["eventId"] in text(alice_client, path)
    response = alice_client.post(f"{path}/redeliver")
    assert response.status_code == 409 and "does not tell" in response.content.decode()


# ---- who may --------------------------------------------------------------------------------------------------------


def test_a_reader_sees_triggers_and_changes_none(alice_client, bob_client, repository):
    alice_client.post(PAGE, FORM)
    page = text(bob_client, PAGE) + text(bob_client, f"{PAGE}/on-push/")
    assert "on-push" in page
    assert not [word for word in ("Add a trigger", "Edit", "Test", "/delete") if f"{word}<" in page or word in page]
    assert bob_client.post(PAGE, FORM | {"name": "mine"}).status_code == 403
    for path in ("delete", "test", "edit", "confirm"):
        assert bob_client.post(f"{PAGE}/on-push/{path}", FORM).status_code == 403
    assert bob_client.get(f"{PAGE}/on-push/edit").status_code == 403
    assert Trigger.objects.count() == 1 and not TriggerDelivery.objects.exists()


def test_a_trigger_takes_the_right_to_use_its_destination(repository):
    dave = signed_in(factories.user("dave", document=factories.allow("codecommit:*")))
    for form, right in ((FORM, "codebuild:StartBuild"), (ENDPOINT, "sns:CreateTopic")):
        denied = dave.post(PAGE, form)
        assert denied.status_code == 403 and right in denied.content.decode()
    assert not Trigger.objects.exists() and not Topic.objects.exists()


def test_an_outsider_learns_nothing(carol_client, repository):
    for path in (PAGE, "/repositories/nowhere/triggers", f"{PAGE}/on-push/"):
        assert carol_client.get(path).status_code == 403


def test_the_anonymous_are_sent_to_sign_in(repository):
    assert Client().get(PAGE)["Location"].startswith("/sign-in/")


def test_what_is_missing_is_not_found(alice_client, repository):
    for path in ("/repositories/nowhere/triggers", f"{PAGE}/nothing/", f"{PAGE}/nothing/edit"):
        assert alice_client.get(path).status_code == 404
    for path in ("delete", "test", "confirm"):
        assert alice_client.post(f"{PAGE}/nothing/{path}").status_code == 404
    assert alice_client.get(f"{PAGE}/nothing/deliveries/{'0' * 36}").status_code == 404


def test_other_methods_are_refused(alice_client, repository):
    assert alice_client.put(PAGE).status_code == 405
    for path in ("delete", "test", "confirm", f"deliveries/{'0' * 36}/redeliver"):
        assert alice_client.get(f"{PAGE}/on-push/{path}").status_code == 405
