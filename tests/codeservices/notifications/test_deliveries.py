"""What becomes of a delivery: tried again, failed, sent once, taken over, spread, ended, removed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from codeservices.notifications import deliver, delivery_log, publish, subscriptions, topics
from codeservices.notifications.models import Attempt, Delivery, DeliveryState, Message, Subscription, SubscriptionState
from tests.codeservices.notifications.sending import confirmed, run_all, sent
from tests.codeservices.receiver import receiver, status

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("here")]


def test_an_error_of_the_server_is_tried_again_with_the_same_message(alice, topic, hook, clock):
    confirmed(alice, topic, hook)
    hook.answers = [status(500, b"busy"), status(429), status(503), status(204)]
    delivery = sent(alice, topic)
    assert (delivery.state, delivery.last_error) == (DeliveryState.WAITING, "The endpoint answered with status 500.")
    for _ in range(3):
        wait = delivery.next_attempt_at - timezone.now()
        assert timedelta(seconds=17) < wait <= timedelta(seconds=22)
        clock.advance(seconds=wait.total_seconds() + 1)
        run_all()
        delivery.refresh_from_db()
    assert (delivery.state, delivery.attempt_count, delivery.last_error) == (DeliveryState.SUCCEEDED, 4, "")
    assert len({one.body for one in hook.taken}) == 1
    told = [(one.number, one.response_status, one.response_body) for one in delivery.attempts.all()]
    assert told == [(1, 500, "busy"), (2, 429, ""), (3, 503, ""), (4, 204, "")]


def test_after_the_last_retry_a_delivery_has_failed(alice, topic, hook, clock):
    confirmed(alice, topic, hook, DeliveryPolicy='{"healthyRetryPolicy": {"numRetries": 1}}')
    hook.answers = [status(500)]
    delivery = sent(alice, topic)
    clock.advance(seconds=30)
    run_all()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempt_count) == (DeliveryState.FAILED, 2)


@pytest.mark.parametrize("code", [400, 404, 410])
def test_an_error_of_the_request_is_final(alice, topic, hook, code):
    confirmed(alice, topic, hook)
    hook.answers = [status(code)]
    delivery = sent(alice, topic)
    assert (delivery.state, delivery.last_error) == (
        DeliveryState.FAILED, f"The endpoint answered with status {code}."
    )  # fmt: skip


def test_redelivering_sends_the_same_message_once_more(alice, topic, hook):
    confirmed(alice, topic, hook)
    hook.answers = [status(404), status(200)]
    failed = sent(alice, topic)
    again = delivery_log.redeliver(alice.principal, failed.delivery_id)
    run_all()
    again.refresh_from_db()
    assert (again.state, again.is_redelivery, again.message_id) == (DeliveryState.SUCCEEDED, True, failed.message_id)
    assert hook.taken[0].body == hook.taken[1].body


def test_a_delivery_is_sent_once_however_often_its_message_comes(alice, topic, hook):
    confirmed(alice, topic, hook)
    delivery = sent(alice, topic)
    assert [deliver.deliver(delivery.pk) for _ in range(3)] == [False, False, False]
    assert len(hook.taken) == 1


def test_what_a_dead_worker_held_is_sent_by_another(alice, topic, hook, clock):
    confirmed(alice, topic, hook)
    message = publish.publish(alice.principal, topic.arn, "hello")
    dead = deliver.claim(message.deliveries.get().pk)
    assert (dead is not None, deliver.due()) == (True, [])
    clock.advance(seconds=deliver.LEASE.total_seconds() + 1)
    run_all()
    delivery = message.deliveries.get()
    assert (delivery.state, delivery.attempt_count, len(hook.taken)) == (DeliveryState.SUCCEEDED, 2, 1)


def test_one_receiver_has_two_places_and_another_waits_for_none(alice, topic, hook):
    confirmed(alice, topic, hook)
    many = [publish.publish(alice.principal, topic.arn, str(number)).deliveries.get().pk for number in range(4)]
    with receiver() as other:
        other_topic = topics.create_topic(alice.principal, "other")
        confirmed_pks = set(many)
        subscription = subscriptions.subscribe(alice.principal, other_topic.arn, "http", other.url)
        Subscription.objects.filter(pk=subscription.pk).update(state=SubscriptionState.CONFIRMED)
        lone = publish.publish(alice.principal, other_topic.arn, "x").deliveries.get().pk
        claimed = [pk for pk in (*many, lone) if deliver.claim(pk) is not None]
    assert claimed == [*many[:2], lone]
    assert confirmed_pks.isdisjoint({lone})


def test_a_throttle_spreads_messages(alice, topic, hook, clock):
    confirmed(alice, topic, hook, DeliveryPolicy='{"throttlePolicy": {"maxReceivesPerSecond": 1}}')
    pks = [publish.publish(alice.principal, topic.arn, str(number)).deliveries.get().pk for number in range(2)]
    assert [deliver.deliver(pk) for pk in pks] == [True, False]
    wait = Delivery.objects.get(pk=pks[1]).next_attempt_at - timezone.now()
    assert wait == timedelta(seconds=1)


def test_what_nobody_wants_any_more_is_not_sent(alice, topic, hook):
    found = confirmed(alice, topic, hook)
    message = publish.publish(alice.principal, topic.arn, "late")
    subscriptions.unsubscribe(alice.principal, found.arn)
    run_all()
    assert [one.members["Type"] for one in hook.taken] == ["UnsubscribeConfirmation"]
    assert message.deliveries.get().last_error == "The subscription was ended before this was delivered."


def test_old_deliveries_are_removed_and_running_ones_kept(alice, topic, hook, clock):
    confirmed(alice, topic, hook)
    sent(alice, topic)
    hook.answers = [status(500)]
    sent(alice, topic)
    clock.advance(days=31)
    assert delivery_log.prune(30) == 1
    assert [one.state for one in Delivery.objects.all()] == [DeliveryState.WAITING]
    assert (Attempt.objects.count(), Message.objects.filter(deliveries=None).count()) == (1, 0)
