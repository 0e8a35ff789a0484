"""Topics in the console, and what belongs to others; figures and health."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery.concurrency import prefork, thread
from django.utils import timezone

from codeservices import outbound, registry
from codeservices.audit import cloudtrail, drain, workers, writer
from codeservices.audit.models import Event
from codeservices.errors import InvalidInput
from codeservices.notifications import confirmation, meters, outbox, publish, search, subscriptions, topics
from codeservices.notifications.models import Delivery, Message, Receiver, Subscription, SubscriptionState, Topic
from tests import factories
from tests.codeservices.behind_doors import delivered_topic
from tests.factories import allow
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db

ENDPOINT = "https://hooks.example.com/news"


@pytest.fixture(autouse=True)
def _resolved(monkeypatch) -> None:
    def resolve(url, rules, *, schemes):
        raise (
            outbound.HostUnresolved("No name server here.") if outbound.parse(url, schemes=schemes) else AssertionError
        )

    monkeypatch.setattr(outbound, "resolve", resolve)


def text(response) -> str:
    return response.content.decode()


def test_a_topic_is_made_subscribed_to_published_to_and_deleted(alice_client):
    assert "No topics yet" in text(alice_client.get("/topics/"))
    made = alice_client.post("/topics/new", {"name": "news", "display_name": "News"})
    assert made["Location"] == "/topics/news/"
    assert "Nobody has subscribed yet" in text(alice_client.get("/topics/news/"))
    asked = alice_client.post(
        "/topics/news/subscribe", {"endpoint": ENDPOINT, "filter_policy": '{"a": ["b"]}'}, follow=True
    )
    assert f"{ENDPOINT} is asked to confirm" in text(asked)
    found = Subscription.objects.get()
    assert (found.state, found.filter_policy, found.is_raw) == (SubscriptionState.PENDING, '{"a": ["b"]}', False)
    again = alice_client.post(f"/topics/news/subscriptions/{found.subscription_id}/resend", follow=True)
    assert "is asked once more" in text(again)
    Subscription.objects.update(state=SubscriptionState.CONFIRMED, filter_policy="")
    sent = alice_client.post("/topics/news/publish", {"subject": "Hello", "message": " as typed "}, follow=True)
    assert "Published to 1 subscriber:" in text(sent)
    assert Message.objects.first().bodies == {"default": " as typed "}
    page = text(alice_client.get("/topics/news/deliveries"))
    assert "Hello" in page and "Waiting" in page and ENDPOINT in page
    wrong = alice_client.post(f"/topics/news/subscriptions/{found.subscription_id}/delete", {"confirm_name": "x"})
    assert (wrong.status_code, Subscription.objects.count()) == (400, 1)
    alice_client.post(f"/topics/news/subscriptions/{found.subscription_id}/delete", {"confirm_name": ENDPOINT})
    assert not Subscription.objects.exists()
    assert alice_client.post("/topics/news/delete", {"confirm_name": "new"}).status_code == 400
    assert alice_client.post("/topics/news/delete", {"confirm_name": "news"})["Location"] == "/topics/"
    assert not Topic.objects.exists()


@pytest.mark.parametrize(
    ("path", "form", "sentence"),
    [
        ("/topics/new", {"name": "two words"}, "It has 1 to 256 letters"),
        ("/topics/bell/subscribe", {"endpoint": "ftp://hooks.example.com/"}, "It is http or https."),
        ("/topics/bell/subscribe", {"endpoint": ENDPOINT, "filter_policy": "{"}, "failed to parse JSON"),
        ("/topics/bell/publish", {"subject": "Grüße", "message": "x"}, "A subject has at most 100 ASCII characters"),
        (
            "/topics/bell/settings",
            {"signature_version": "2", "delivery_policy": "x"},
            "A delivery policy must be JSON.",
        ),
    ],
)
def test_a_form_that_breaks_a_rule_says_which_and_changes_nothing(alice_client, path, form, sentence):
    delivered_topic("bell")
    answer = alice_client.post(path, form)
    assert answer.status_code == 400
    assert sentence in text(answer)
    assert (Topic.objects.count(), Subscription.objects.count(), Message.objects.count()) == (1, 1, 1)
    assert Topic.objects.get().signature_version == "1"


def test_what_a_server_answered_is_shown_as_text(alice_client):
    delivery = delivered_topic("bell")
    nasty = "<script>alert(1)</script>"
    delivery.attempts.update(response_status=500, response_body=nasty, response_headers={"X": nasty}, error=nasty)
    delivery.request_body = nasty
    delivery.save()
    page = text(alice_client.get(f"/topics/bell/deliveries/{delivery.delivery_id}/"))
    assert nasty not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4


def test_deliveries_are_filtered(alice_client):
    delivery = delivered_topic("bell")
    address = f"/topics/bell/deliveries/{delivery.delivery_id}/"
    for query, is_there in {
        "state=FAILED": True,
        "state=WAITING": False,
        "endpoint=93.184": True,
        "endpoint=nothing": False,
        f"message={delivery.message.message_id}": True,
        "message=nonsense": False,
    }.items():
        assert (address in text(alice_client.get(f"/topics/bell/deliveries?{query}"))) is is_there, query


def test_a_delivery_is_sent_again_from_its_page(alice_client):
    delivery = delivered_topic("bell")
    path = f"/topics/bell/deliveries/{delivery.delivery_id}/"
    assert "Redeliver" not in text(alice_client.get(path))  # its endpoint has not confirmed
    assert alice_client.post(f"{path}redeliver").status_code == 400
    Subscription.objects.update(state=SubscriptionState.CONFIRMED)
    assert "Redeliver" in text(alice_client.get(path))
    again = alice_client.post(f"{path}redeliver")
    made = Delivery.objects.first()
    assert again["Location"] == f"/topics/bell/deliveries/{made.delivery_id}/"
    assert (made.is_redelivery, made.message_id) == (True, delivery.message_id)


def test_one_topics_delivery_is_not_found_under_another(alice_client):
    delivery = delivered_topic("bell")
    delivered_topic("gong")
    assert alice_client.get(f"/topics/gong/deliveries/{delivery.delivery_id}/").status_code == 404
    path = f"/topics/gong/subscriptions/{delivery.subscription.subscription_id}/resend"
    assert alice_client.post(path).status_code == 404


def test_who_may_look_at_a_topic_alone_sees_no_buttons_and_no_subscribers():
    delivered_topic("bell")
    page = text(signed_in(factories.user("dora", document=allow("sns:GetTopicAttributes"))).get("/topics/bell/"))
    assert "You may not see this topic" in page
    assert "93.184.216.34" not in page
    assert "Subscribe an endpoint" not in page and "Publish a message" not in page


def test_who_may_list_subscribers_sees_that_and_how_a_message_went_but_does_not_read_it():
    delivery = delivered_topic("bell")
    delivery.attempts.update(response_status=500, response_body="an answer", error="It failed.")
    Message.objects.update(bodies={"default": "what was said"})
    path = f"/topics/bell/deliveries/{delivery.delivery_id}/"
    listing = text(signed_in(factories.user("dora", "AWSCodeCommitReadOnly")).get(path))
    assert "It failed." in listing
    assert "what was said" not in listing and "an answer" not in listing
    statement = allow("sns:ListSubscriptionsByTopic", "sns:Subscribe")
    reading = text(signed_in(factories.user("erin", document=statement)).get(path))
    assert "what was said" in reading and "an answer" in reading


def test_a_message_by_hand_is_recorded_without_its_text(alice_client):
    delivered_topic("bell")
    alice_client.post("/topics/bell/publish", {"message": "top secret"})
    event = Event.objects.get(event_name="Publish")
    assert (event.resource_arn, event.via) == (Topic.objects.get().arn, "console")
    assert "top secret" not in str(cloudtrail.record(event))


# ---- what belongs to others ------------------------------------------------------------------------------------------


def test_a_managed_topic_is_hidden_and_its_owner_s_alone(alice, alice_client):
    topic = topics.create_managed_topic("repository 7 trigger ring", "trigger-7", created_by=alice.arn)
    subscriptions.subscribe_as_service(topic, "https", ENDPOINT, owner_arn=alice.arn)
    message = publish.publish_as_service(topic, "pushed", published_by="repository 7")
    assert message.deliveries.count() == 0  # nobody has confirmed yet
    page = text(alice_client.get("/topics/"))
    assert "trigger-7" not in page and "Show the topics that triggers have made" in page
    assert "trigger-7" in text(alice_client.get("/topics/?managed=yes"))
    assert list(search.find(alice.principal, "trigger", 5)) == []
    for change in (
        lambda: topics.delete_topic(alice.principal, topic.arn),
        lambda: topics.set_topic_attribute(alice.principal, topic.arn, "DisplayName", "x"),
        lambda: topics.create_topic(alice.principal, "trigger-7"),
    ):
        with pytest.raises(InvalidInput, match="belongs to the repository 7 trigger ring"):
            change()
    with pytest.raises(InvalidInput, match="there is a topic called trigger-7"):
        topics.create_managed_topic("another", "trigger-7", created_by=alice.arn)


def test_topics_are_found_by_the_quick_search(alice, carol):
    topics.create_topic(alice.principal, "news", {"DisplayName": "News"})
    [hit] = search.find(alice.principal, "EW", 5)
    assert (hit.title, hit.url, hit.detail) == ("news", "/topics/news/", "News")
    assert list(search.find(carol.principal, "new", 5)) == []


def test_what_nobody_confirms_in_time_is_removed(alice, clock):
    topic = topics.create_topic(alice.principal, "news")
    subscriptions.subscribe(alice.principal, topic.arn, "https", ENDPOINT)
    assert confirmation.end_expired() == 0
    clock.advance(days=3, seconds=1)
    assert confirmation.end_expired() == 1
    assert not Subscription.objects.exists()


# ---- workers ---------------------------------------------------------------------------------------------------------


def test_figures_and_health_tell_of_deliveries():
    delivered_topic("bell")
    figures = {(name, *labels.values()): value for name, _, labels, value in meters._figures()}
    assert figures["codeservices_deliveries", "FAILED"] == 1
    assert figures["codeservices_deliveries", "WAITING"] == 0
    assert figures["codeservices_subscriptions", "PENDING"] == 1
    assert meters._late() is None
    Delivery.objects.update(state="WAITING", next_attempt_at=timezone.now() - timedelta(minutes=6))
    assert str(meters._late()).startswith("1 delivery waits for longer than 5 minutes")
    assert any(meter.name == "notifications" for meter in registry.meters)


def test_a_broker_that_is_away_holds_nobody_up_for_each_subscriber(alice, monkeypatch):
    tried = []
    monkeypatch.setattr(outbox, "wake", lambda pk, **_: tried.append(pk))
    outbox._wake_all([1, 2, 3])
    assert tried == [1]


def test_a_worker_with_threads_drains_the_audit_spool_beside_them():
    class Worker:
        def __init__(self, pool: type) -> None:
            self.pool = pool.__new__(pool)

    workers._start_beside_threads(sender=Worker(prefork.TaskPool))
    assert drain.running() is None
    workers._start_beside_threads(sender=Worker(thread.TaskPool))
    try:
        assert drain.running() is not None
    finally:
        writer.close()


def test_receivers_are_told_apart_by_origin(alice):
    topic = topics.create_topic(alice.principal, "news")
    for endpoint in (ENDPOINT, "https://HOOKS.example.com/other", "https://hooks.example.com:8443/"):
        subscriptions.subscribe(alice.principal, topic.arn, "https", endpoint)
    assert sorted(Receiver.objects.values_list("origin", flat=True)) == [
        "https://hooks.example.com:443",
        "https://hooks.example.com:8443",
    ]
