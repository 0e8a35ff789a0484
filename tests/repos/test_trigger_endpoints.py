"""HTTPS endpoints of triggers: made, confirmed, told, gone with what they belong to, and refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from codeservices.errors import AccessDenied, NotFound
from codeservices.notifications import confirmation, topics
from codeservices.notifications.models import Message, Subscription, SubscriptionState, Topic
from repos.models import Repository
from repos.triggers import config as trigger_config
from repos.triggers import endpoints as trigger_endpoints
from repos.triggers import topics as trigger_topics
from repos.triggers.config import TriggerSettings
from tests import factories
from tests.repos.pushed import delivered, recorded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("sent_tasks")]

URL = "https://8.8.8.7/hook"


@pytest.fixture
def repository(alice) -> Repository:
    return factories.repository("demo")


@pytest.fixture
def topic(alice) -> Topic:
    return topics.create_topic(alice.principal, "news")


@pytest.fixture
def endpoint(alice, repository) -> Subscription:
    """What was made for a trigger that tells an HTTPS endpoint."""
    trigger_config.add_trigger(alice.principal, "demo", TriggerSettings("hook", endpoint_url=URL))
    return Subscription.objects.get()


def test_an_https_endpoint_gets_a_topic_of_its_own_and_is_asked_to_confirm(alice, repository, endpoint):
    topic = endpoint.topic
    assert (endpoint.endpoint, endpoint.state, endpoint.owner_arn) == (
        URL,
        SubscriptionState.PENDING,
        alice.principal.arn,
    )
    assert topic.name.startswith("codecommit-demo-hook-")
    assert repository.triggers.get().destination_arn == topic.arn
    assert endpoint.deliveries.get().message.message_type == "SubscriptionConfirmation"
    assert list(topics.list_topics(alice.principal)) == []
    trigger_config.resend_confirmation(alice.principal, "demo", "hook")
    assert endpoint.deliveries.count() == 2


def test_a_confirmed_endpoint_is_told_and_is_not_asked_again(alice, repository, endpoint):
    Subscription.objects.update(state=SubscriptionState.CONFIRMED)
    delivery = delivered(recorded(repository))
    message = Message.objects.get(message_id=delivery.results[0]["message_id"])
    assert message.deliveries.get().subscription == endpoint
    with pytest.raises(NotFound, match="waits to be confirmed"):
        trigger_config.resend_confirmation(alice.principal, "demo", "hook")


def test_an_endpoint_that_has_not_confirmed_in_time_can_be_asked_again(alice, repository, endpoint):
    Subscription.objects.update(token_expires_at=timezone.now() - timedelta(seconds=1))
    confirmation.end_expired()
    topic_arn = endpoint.topic.arn
    assert trigger_endpoints.endpoint_of(repository, topic_arn) == trigger_endpoints.Endpoint(URL, "ended")
    trigger_config.resend_confirmation(alice.principal, "demo", "hook")
    assert trigger_endpoints.endpoint_of(repository, topic_arn) == trigger_endpoints.Endpoint(URL, "pending")
    assert Subscription.objects.get().topic.arn == topic_arn


def test_an_endpoint_stays_while_its_trigger_tells_it_and_goes_with_it(alice, repository, endpoint):
    trigger_config.change_trigger(
        alice.principal, "demo", TriggerSettings("hook", branches=("main",), endpoint_url=URL)
    )
    as_api = TriggerSettings("renamed", endpoint.topic.arn, ("createReference",))
    trigger_config.replace_triggers(alice.principal, "demo", [as_api])
    assert repository.triggers.get().endpoint_url == URL
    assert Subscription.objects.get() == endpoint
    trigger_config.change_trigger(alice.principal, "demo", TriggerSettings("renamed", endpoint_url="https://8.8.8.8/"))
    assert Subscription.objects.get().endpoint == "https://8.8.8.8/"
    trigger_config.remove_trigger(alice.principal, "demo", "renamed")
    assert not Topic.objects.exists()


def test_an_endpoint_outlives_the_repository_s_soft_deletion_and_no_more(alice, repository, endpoint):
    other = factories.repository("other")
    trigger_config.add_trigger(alice.principal, "other", TriggerSettings("hook", endpoint_url=URL))
    Repository.objects.filter(pk=repository.pk).update(deleted_at=timezone.now())
    assert Topic.objects.count() == 2
    Repository.all_objects.get(pk=repository.pk).delete()
    assert Topic.objects.get().arn == other.triggers.get().destination_arn


def test_an_endpoint_takes_the_rights_to_make_and_subscribe_it(repository):
    document = factories.allow("codecommit:*")
    keeper = factories.user("keeper", document=document).principal
    with pytest.raises(AccessDenied, match="sns:CreateTopic"):
        trigger_config.add_trigger(keeper, "demo", TriggerSettings("hook", endpoint_url=URL))
    assert not Topic.objects.exists() and not repository.triggers.exists()


def test_the_events_of_an_endpoint_may_be_changed_without_them(repository, endpoint):
    keeper = factories.user("keeper", document=factories.allow("codecommit:*")).principal
    wider = TriggerSettings("hook", endpoint.topic.arn, ("deleteReference",))
    trigger_config.replace_triggers(keeper, "demo", [wider])
    assert repository.triggers.get().events == ["deleteReference"]
    factories.repository("other")
    with pytest.raises(AccessDenied, match="sns:Publish"):
        trigger_config.replace_triggers(keeper, "other", [wider])


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://8.8.8.7/", "must begin with https://"),
        ("https://127.0.0.1/", "this machine or of a private network"),
        ("https://169.254.169.254/latest/meta-data/", "private network"),
        ("https://user:secret@8.8.8.7/", "no user name or password"),
        ("https://8.8.8.7/ x", "neither blanks"),
    ],
)
def test_an_endpoint_that_this_server_does_not_reach_is_refused(alice, repository, url, sentence):
    with pytest.raises(trigger_config.InvalidTrigger, match=sentence) as caught:
        trigger_config.add_trigger(alice.principal, "demo", TriggerSettings("hook", endpoint_url=url))
    assert caught.value.field == "endpoint_url"
    assert not Topic.objects.exists()


def test_one_may_choose_the_topics_that_one_may_publish_to(alice, bob, topic, endpoint):
    assert [one.name for one in trigger_topics.choices(alice.principal)] == ["news"]
    assert trigger_topics.choices(bob.principal) == []
