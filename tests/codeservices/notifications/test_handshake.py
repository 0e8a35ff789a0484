"""Endpoints are asked whether they want messages, confirm by a link, and leave by one."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client

from codeservices.notifications import publish, subscriptions, topics
from codeservices.notifications.models import Delivery, DeliveryState, Message, Subscription, Topic
from tests.codeservices.notifications.sending import ORIGIN, confirmed, run_all, sent, verified

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("here")]


def test_an_endpoint_is_asked_confirms_by_its_link_and_gets_messages(alice, topic, hook):
    pending = subscriptions.subscribe(alice.principal, topic.arn, "http", hook.url)
    run_all()
    asked = hook.last
    assert asked.path == "/hook"
    assert list(asked.members) == [
        "Type", "MessageId", "Token", "TopicArn", "Message", "SubscribeURL", "Timestamp", "SignatureVersion",
        "Signature", "SigningCertURL",
    ]  # fmt: skip
    assert asked.members["Message"] == (
        f"You have chosen to subscribe to the topic {topic.arn}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message."
    )
    assert asked.headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert "x-amz-sns-subscription-arn" not in asked.headers
    assert verified(asked.members)

    link = urlsplit(asked.members["SubscribeURL"])
    assert parse_qs(link.query) == {
        "Action": ["ConfirmSubscription"], "TopicArn": [topic.arn], "Token": [asked.members["Token"]]
    }  # fmt: skip
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{ORIGIN}/"
    answer = Client().get(f"/?{link.query}")
    assert answer.status_code == 200
    assert f"<SubscriptionArn>{pending.arn}</SubscriptionArn></ConfirmSubscriptionResult>" in answer.content.decode()
    assert Client().get(f"/?{link.query}").content.count(b"SubscriptionArn") == 2  # a second visit changes nothing

    delivery = sent(alice, topic, "It rains.", subject="Weather")
    assert (delivery.state, delivery.attempt_count, delivery.last_status) == (DeliveryState.SUCCEEDED, 1, 200)
    assert hook.last.members["Message"] == "It rains."


def test_a_token_is_kept_as_a_hash_and_shown_to_nobody(alice, topic, hook):
    subscriptions.subscribe(alice.principal, topic.arn, "http", hook.url)
    run_all()
    token = hook.last.members["Token"]
    kept = [*Subscription.objects.values_list("token_hash"), *Message.objects.values_list("sealed_token")]
    kept += Delivery.objects.values_list("request_body")
    assert token not in str(kept)
    assert '"Token" : "HIDDEN"' in Delivery.objects.get().request_body


@pytest.mark.parametrize("wrong", ["", "x" * 43])
def test_a_wrong_token_confirms_nothing(alice, topic, hook, wrong):
    found = subscriptions.subscribe(alice.principal, topic.arn, "http", hook.url)
    answer = Client().get("/", {"Action": "ConfirmSubscription", "TopicArn": topic.arn, "Token": wrong})
    assert (answer.status_code, b"<Code>InvalidParameter</Code>" in answer.content) == (400, True)
    found.refresh_from_db()
    assert found.is_pending


def test_a_token_is_worth_nothing_for_another_topic_or_after_three_days(alice, topic, hook, clock):
    other = topics.create_topic(alice.principal, "other")
    found = subscriptions.subscribe(alice.principal, topic.arn, "http", hook.url)
    run_all()
    query = {"Action": "ConfirmSubscription", "TopicArn": other.arn, "Token": hook.last.members["Token"]}
    assert Client().get("/", query).status_code == 400
    clock.advance(days=3, seconds=1)
    answer = Client().get("/", {**query, "TopicArn": topic.arn})
    assert (answer.status_code, b"expired" in answer.content) == (400, True)
    found.refresh_from_db()
    assert found.is_pending


def test_subscribing_again_asks_again_and_the_first_link_is_void(alice, topic, hook):
    first = subscriptions.subscribe(alice.principal, topic.arn, "http", hook.url)
    run_all()
    old = hook.last.members["SubscribeURL"]
    again = subscriptions.subscribe(alice.principal, topic.arn, "http", hook.url)
    run_all()
    assert (again.pk, len(hook.taken)) == (first.pk, 2)
    assert Client().get(f"/?{urlsplit(old).query}").status_code == 400
    assert Client().get(f"/?{urlsplit(hook.last.members['SubscribeURL']).query}").status_code == 200


def test_an_endpoint_unsubscribes_by_its_link_is_told_and_takes_it_back(alice, topic, hook):
    found = confirmed(alice, topic, hook)
    sent(alice, topic)
    link = urlsplit(hook.last.members["UnsubscribeURL"])
    assert parse_qs(link.query) == {"Action": ["Unsubscribe"], "SubscriptionArn": [found.arn]}
    assert Client().get(f"/?{link.query}").status_code == 200
    assert not Subscription.objects.exists()
    run_all()
    told = hook.last
    assert told.headers["x-amz-sns-message-type"] == told.members["Type"] == "UnsubscribeConfirmation"
    assert told.headers["x-amz-sns-subscription-arn"] == found.arn
    assert verified(told.members)
    assert publish.publish(alice.principal, topic.arn, "nobody hears this").deliveries.count() == 0
    assert Client().get(f"/?{urlsplit(told.members['SubscribeURL']).query}").status_code == 200
    assert sent(alice, topic).state == DeliveryState.SUCCEEDED


def test_an_endpoint_that_a_person_has_sent_away_does_not_come_back_by_itself(alice, topic, hook):
    found = confirmed(alice, topic, hook)
    subscriptions.unsubscribe(alice.principal, found.arn)
    run_all()
    assert hook.last.members["Type"] == "UnsubscribeConfirmation"
    assert "does not restore it" in hook.last.members["Message"]
    assert Client().get(f"/?{urlsplit(hook.last.members['SubscribeURL']).query}").status_code == 400
    assert not Subscription.objects.exists()


def test_only_get_opens_the_links_and_only_these_two(topic):
    for query in ({"Action": "ListTopics", "Version": "2010-03-31"}, {"Action": "DeleteTopic", "TopicArn": topic.arn}):
        assert Client().get("/", query).status_code in (400, 403)
    link = {"Action": "Unsubscribe", "SubscriptionArn": f"{topic.arn}:00000000-0000-4000-8000-000000000000"}
    assert Client().get("/", link).status_code == 200
    form = {"data": urlencode({**link, "Version": "2010-03-31"}), "content_type": "application/x-www-form-urlencoded"}
    assert Client().post("/", **form).status_code == 403
    assert Topic.objects.exists()
