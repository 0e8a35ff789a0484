"""From a recorded push to what a trigger's destination was told: nothing lost, nothing told twice, all of it logged."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from codeservices.errors import AccessDenied, Conflict, NotFound, ServiceError
from codeservices.notifications import topics
from codeservices.notifications.models import Message, Topic
from repos import tasks
from repos.git.refs import RefCommand
from repos.models import Push, Repository, TriggerDelivery
from repos.pushes import receive
from repos.triggers import config as trigger_config
from repos.triggers import deliveries as trigger_deliveries
from repos.triggers import topics as trigger_topics
from repos.triggers.config import TriggerSettings
from tests import factories, gitrepo
from tests.repos.pushed import NONE, ONE, delivered, recorded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("sent_tasks")]
URL = "https://8.8.8.7/hook"


@pytest.fixture
def repository(alice) -> Repository:
    return factories.repository("demo")


@pytest.fixture
def topic(alice) -> Topic:
    return topics.create_topic(alice.principal, "news")


@pytest.fixture
def trigger(alice, repository, topic):
    return trigger_config.add_trigger(alice.principal, "demo", TriggerSettings("tell", topic.arn, custom_data="ü"))


def make_due() -> None:
    TriggerDelivery.objects.filter(state="WAITING").update(next_attempt_at=timezone.now() - timedelta(minutes=1))


def test_a_push_is_told_to_a_topic_as_one_message(repository, trigger, topic, sent_tasks):
    push = recorded(repository, RefCommand("refs/heads/main", NONE, ONE), RefCommand("refs/tags/v1", NONE, ONE))
    delivery = delivered(push)
    message = Message.objects.get()
    assert (delivery.state, delivery.results) == ("SUCCEEDED", [{"message_id": str(message.message_id)}])
    assert (message.topic, message.bodies) == (topic, {"default": delivery.payload})
    assert message.subject == "UPDATE: AWS CodeCommit us-east-1 push: demo"
    record = json.loads(delivery.payload)["Records"][0]
    assert [one["ref"] for one in record["codecommit"]["references"]] == ["refs/heads/main", "refs/tags/v1"]
    assert (record["customData"], record["userIdentityARN"]) == ("ü", push.principal_arn)
    assert record["eventTriggerConfigId"] == str(Repository.objects.get().trigger_configuration_id)
    assert sent_tasks == [trigger_deliveries.RUN_TASK]


def test_a_delivery_keeps_what_the_trigger_was_when_the_push_was_delivered(alice, repository, trigger):
    push = recorded(repository)
    receive.deliver(push.pk)
    trigger_config.remove_trigger(alice.principal, "demo", "tell")
    assert trigger_deliveries.run(push.trigger_deliveries.get().pk).is_delivered


def test_a_push_that_no_trigger_matches_leaves_no_delivery(alice, repository, topic):
    trigger_config.add_trigger(alice.principal, "demo", TriggerSettings("tell", topic.arn, ("deleteReference",)))
    receive.deliver(recorded(repository).pk)
    assert not TriggerDelivery.objects.exists()


def test_each_trigger_has_a_delivery_of_its_own_and_one_that_fails_stops_no_other(alice, repository, trigger):
    function = TriggerSettings("call", "arn:aws:lambda:us-east-1:123456789012:function:f:live")
    trigger_config.add_trigger(alice.principal, "demo", function)
    trigger_config.add_trigger(
        alice.principal, "demo", TriggerSettings("gone", "arn:aws:sns:us-east-1:123456789012:gone")
    )
    push = recorded(repository)
    receive.deliver(push.pk)
    for delivery in push.trigger_deliveries.all():
        tasks.run_trigger_delivery(delivery.pk)
    found = {one.trigger_name: (one.state, one.error) for one in push.trigger_deliveries.all()}
    assert found["tell"] == ("SUCCEEDED", "")
    assert found["call"][0] == "FAILED" and "no functions yet" in found["call"][1]
    assert found["gone"] == ("FAILED", "There is no topic called gone.")


# ---- nothing lost, nothing twice -------------------------------------------------------------------------------------


class Killed(BaseException):
    """As SIGKILL: nothing of ours catches it."""


@pytest.mark.parametrize("where", ["before rows", "after rows", "before publish", "before note", "after note", "end"])
def test_a_crash_at_any_point_loses_no_event_and_tells_none_twice(repository, trigger, monkeypatch, where):
    def dies(target, name, *, after: bool):
        real = getattr(target, name)

        def dying(*args, **named):
            if after:
                real(*args, **named)
            raise Killed

        monkeypatch.setattr(target, name, dying)

    push = recorded(repository)
    with monkeypatch.context() as monkeypatch, pytest.raises(Killed):
        match where:
            case "before rows":
                dies(trigger_deliveries, "record", after=False)
            case "after rows":
                dies(trigger_deliveries, "record", after=True)
            case "before publish":
                dies(trigger_topics, "publish_as_service", after=False)
            case "before note":
                dies(trigger_deliveries, "note", after=False)
            case "after note":
                dies(trigger_deliveries, "note", after=True)
            case "end":
                dies(trigger_deliveries, "_end", after=False)
        delivered(push)
    Push.objects.update(recorded_at=timezone.now() - timedelta(minutes=1))
    tasks.deliver_recorded_pushes()
    make_due()
    tasks.run_due_trigger_deliveries()
    tasks.run_due_trigger_deliveries()
    assert (Message.objects.count(), push.trigger_deliveries.count()) == (1, 1)
    delivery = push.trigger_deliveries.get()
    assert delivery.is_delivered and len(delivery.results) == 1
    assert Message.objects.get().bodies == {"default": delivery.payload}


def test_a_row_that_one_worker_works_on_is_left_to_it(repository, trigger, monkeypatch):
    push = recorded(repository)
    receive.deliver(push.pk)
    pk = push.trigger_deliveries.get().pk
    publish = trigger_topics.publish_as_service

    def meanwhile(*args, **named):
        assert trigger_deliveries.run(pk) is None
        return publish(*args, **named)

    monkeypatch.setattr(trigger_topics, "publish_as_service", meanwhile)
    assert trigger_deliveries.run(pk).is_delivered
    assert trigger_deliveries.run(pk) is None
    assert Message.objects.count() == 1


def test_a_fault_that_may_pass_is_tried_again_with_growing_pauses_until_it_has_passed(
    repository, trigger, monkeypatch, caplog
):
    publish = trigger_topics.publish_as_service

    def fails(*args, **named):
        raise OperationalError("database is locked")

    monkeypatch.setattr(trigger_topics, "publish_as_service", fails)
    delivery = delivered(recorded(repository))
    pauses = []
    for _ in range(3):
        pauses.append((delivery.next_attempt_at - timezone.now()).total_seconds())
        assert delivery.is_waiting and "OperationalError" in delivery.error
        make_due()
        tasks.run_due_trigger_deliveries()
        delivery.refresh_from_db()
    assert [round(one, -1) for one in pauses] == [10, 30, 120]
    monkeypatch.setattr(trigger_topics, "publish_as_service", publish)
    make_due()
    tasks.run_due_trigger_deliveries()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.error, delivery.attempt_count) == ("SUCCEEDED", "", 5)
    assert Message.objects.count() == 1


def test_a_fault_that_does_not_pass_ends_the_delivery_with_its_reason(repository, trigger, monkeypatch):
    def throttled(*args, **named):
        raise ServiceError("Slow down.", status=429)

    monkeypatch.setattr(trigger_topics, "publish_as_service", throttled)
    delivery = delivered(recorded(repository))
    for _ in range(trigger_deliveries.MAX_ATTEMPTS):
        make_due()
        tasks.run_due_trigger_deliveries()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.error) == ("FAILED", "Slow down. It was tried 9 times.")
    assert delivery.ended_at is not None


def test_a_delivery_that_kills_its_worker_each_time_ends(repository, trigger):
    push = recorded(repository)
    receive.deliver(push.pk)
    TriggerDelivery.objects.update(attempt_count=trigger_deliveries.MAX_ATTEMPTS)
    assert trigger_deliveries.run(push.trigger_deliveries.get().pk) is None
    assert "died whenever" in push.trigger_deliveries.get().error


def test_a_lost_message_is_made_good_by_the_sweep_after_a_moment(repository, trigger):
    receive.deliver(recorded(repository).pk)
    assert trigger_deliveries.due() == []
    make_due()
    tasks.run_due_trigger_deliveries()
    assert TriggerDelivery.objects.get().is_delivered


def test_what_a_repository_said_before_it_was_deleted_still_goes_to_a_topic(alice, repository, trigger):
    receive.deliver(recorded(repository).pk)
    Repository.objects.update(deleted_at=timezone.now())
    make_due()
    tasks.run_due_trigger_deliveries()
    assert TriggerDelivery.objects.get().is_delivered and Message.objects.count() == 1


def test_a_repository_that_is_gone_for_good_takes_its_deliveries_along(alice, repository, trigger):
    receive.deliver(recorded(repository).pk)
    Repository.objects.get().delete()
    tasks.run_due_trigger_deliveries()
    assert not TriggerDelivery.objects.exists() and not Message.objects.exists()


# ---- delivered again, removed ----------------------------------------------------------------------------------------


def test_a_delivery_is_sent_again_with_the_same_event(alice, repository, trigger, sent_tasks):
    old = delivered(recorded(repository))
    new = trigger_deliveries.redeliver(alice.principal, "demo", "tell", str(old.delivery_id))
    assert sent_tasks[-1] == trigger_deliveries.RUN_TASK
    new = trigger_deliveries.run(new.pk)
    assert (new.cause, new.redelivery_of, new.payload) == ("REDELIVERY", old, old.payload)
    assert new.requested_by == alice.principal.arn
    assert Message.objects.count() == 2


def test_what_is_still_tried_or_leads_elsewhere_by_now_is_not_sent_again(alice, bob, repository, trigger, topic):
    receive.deliver(recorded(repository).pk)
    old = TriggerDelivery.objects.get()

    def redeliver(user, trigger_name="tell", delivery_id=str(old.delivery_id)):
        return trigger_deliveries.redeliver(user.principal, "demo", trigger_name, delivery_id)

    with pytest.raises(Conflict, match="still being tried"):
        redeliver(alice)
    trigger_deliveries.run(old.pk)
    with pytest.raises(AccessDenied, match="codecommit:TestRepositoryTriggers"):
        redeliver(bob)
    for trigger_name, delivery_id in (("other", str(old.delivery_id)), ("tell", str(topic.pk)), ("tell", "x")):
        with pytest.raises(NotFound):
            redeliver(alice, trigger_name, delivery_id)
    elsewhere = TriggerSettings("tell", "arn:aws:sns:us-east-1:123456789012:other")
    trigger_config.change_trigger(alice.principal, "demo", elsewhere)
    with pytest.raises(Conflict, match="does not tell"):
        redeliver(alice)
    assert TriggerDelivery.objects.count() == 1


def test_the_log_is_pruned_of_what_is_old_and_has_ended(repository, trigger):
    for _ in range(3):
        receive.deliver(recorded(repository).pk)
    waiting, old, new = TriggerDelivery.objects.order_by("pk")
    for one in (old, new):
        trigger_deliveries.run(one.pk)
    TriggerDelivery.objects.exclude(pk=new.pk).update(created_at=timezone.now() - timedelta(days=31))
    assert trigger_deliveries.prune(timedelta(days=30)) == 1
    assert set(TriggerDelivery.objects.all()) == {waiting, new}


# ---- tests -----------------------------------------------------------------------------------------------------------


def test_a_test_tells_of_the_newest_commit_of_a_branch_that_the_trigger_watches(alice, repository, topic):
    trigger_config.add_trigger(alice.principal, "demo", TriggerSettings("tell", topic.arn, branches=("no", "stable")))
    main, stable = (
        gitrepo.commit(repository.git, {"a": one}, refname=f"refs/heads/{one}") for one in ("main", "stable")
    )

    def tested() -> dict[str, object]:
        delivery = trigger_config.test_trigger(alice.principal, "demo", "tell")
        assert delivery.is_delivered and delivery.is_test
        return json.loads(delivery.payload)["Records"][0]

    record = tested()
    assert record["codecommit"] == {"references": [{"commit": stable, "ref": "refs/heads/stable"}]}
    assert (record["eventName"], record["userIdentityARN"]) == ("TriggerEventTest", alice.principal.arn)
    trigger_config.change_trigger(alice.principal, "demo", TriggerSettings("tell", topic.arn))
    assert tested()["codecommit"] == {"references": [{"commit": main, "ref": "refs/heads/main"}]}


def test_a_test_of_an_empty_repository_tells_of_a_commit_of_zeros(alice, repository, trigger):
    delivery = trigger_config.test_trigger(alice.principal, "demo", "tell")
    assert delivery.references == [{"commit": NONE, "ref": "refs/heads/main"}]


def test_a_test_is_tried_once(alice, repository, trigger, monkeypatch):
    def fails(*args, **named):
        raise OperationalError("database is locked")

    monkeypatch.setattr(trigger_topics, "publish_as_service", fails)
    assert trigger_config.test_trigger(alice.principal, "demo", "tell").state == "FAILED"
