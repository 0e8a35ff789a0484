"""Which triggers a repository may have, and who may name their destinations: pushes use them whoever pushes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codeservices.errors import AccessDenied, NotFound
from repos.models import Repository, TriggerDelivery
from repos.triggers import config as trigger_config
from repos.triggers.config import InvalidTrigger, TriggerSettings
from tests import factories

pytestmark = pytest.mark.django_db
PREFIX = "us-east-1:123456789012"
PROJECT = "arn:aws:codebuild:us-east-1:123456789012:project/demo"
BUILD = TriggerSettings("build", PROJECT, ("updateReference",), ("main",))
TOPIC = TriggerSettings("tell", "arn:aws:sns:us-east-1:123456789012:topic")


@pytest.fixture
def keeper(db):
    """May change triggers, and not start builds."""
    factories.repository("demo")
    return factories.user("keeper", document=factories.allow("codecommit:*")).principal


@pytest.mark.parametrize(
    ("destination_arn", "right"),
    [
        (PROJECT, "codebuild:StartBuild"),
        (f"arn:aws:sns:{PREFIX}:topic", "sns:Publish"),
        (f"arn:aws:lambda:{PREFIX}:function:f", "lambda:InvokeFunction"),
    ],
)
def test_naming_a_destination_takes_the_right_to_use_it(keeper, destination_arn, right):
    wanted = TriggerSettings("ring", destination_arn)
    with pytest.raises(AccessDenied, match=right):
        trigger_config.add_trigger(keeper, "demo", wanted)
    with pytest.raises(AccessDenied, match=right):
        trigger_config.replace_triggers(keeper, "demo", [wanted])
    with pytest.raises(AccessDenied, match=right):
        trigger_config.test_triggers(keeper, "demo", [wanted])
    assert trigger_config.triggers_of(keeper, "demo")[1] == []
    assert not TriggerDelivery.objects.exists()


def test_a_trigger_that_stays_as_it_is_takes_no_right_and_a_wider_one_does(keeper, alice):
    trigger_config.replace_triggers(alice.principal, "demo", [TOPIC, BUILD])
    trigger_config.replace_triggers(keeper, "demo", [BUILD, TOPIC])
    trigger_config.change_trigger(keeper, "demo", replace(BUILD, custom_data="x"))
    wider = replace(BUILD, branches=())
    with pytest.raises(AccessDenied):
        trigger_config.replace_triggers(keeper, "demo", [wider])
    with pytest.raises(AccessDenied):
        trigger_config.change_trigger(keeper, "demo", wider)
    assert [one.name for one in trigger_config.triggers_of(keeper, "demo")[1]] == ["build", "tell"]
    trigger_config.replace_triggers(keeper, "demo", [])


def test_a_changed_trigger_keeps_its_place(alice, keeper):
    trigger_config.replace_triggers(alice.principal, "demo", [BUILD, TOPIC])
    old = Repository.objects.get().trigger_configuration_id
    trigger_config.change_trigger(alice.principal, "demo", replace(BUILD, events=("all",), branches=("a", "b")))
    build, tell = Repository.objects.get().triggers.all()
    assert (build.name, build.events, build.branches, tell.name) == ("build", ["all"], ["a", "b"], "tell")
    assert Repository.objects.get().trigger_configuration_id != old
    with pytest.raises(NotFound, match="no trigger called nothing"):
        trigger_config.change_trigger(alice.principal, "demo", replace(BUILD, name="nothing"))


@pytest.mark.parametrize(
    ("destination_arn", "code", "sentence"),
    [
        ("", "RepositoryTriggerDestinationArnRequired", "needs a destination"),
        ("here", "InvalidRepositoryTriggerDestinationArn", "“here” is no ARN"),
        (f"arn:aws:sqs:{PREFIX}:queue", "InvalidRepositoryTriggerDestinationArn", "can't tell “arn:aws:sqs"),
        (f"arn:aws-cn:sns:{PREFIX}:topic", "InvalidRepositoryTriggerDestinationArn", "can't tell"),
        (f"arn:aws:sns:{PREFIX}:topic.fifo", "InvalidRepositoryTriggerDestinationArn", "no ARN of a standard SNS"),
        (f"arn:aws:sns:{PREFIX}:topic:{'1' * 8}", "InvalidRepositoryTriggerDestinationArn", "no ARN of a standard SNS"),
        (f"arn:aws:codebuild:{PREFIX}:build/demo:1", "InvalidRepositoryTriggerDestinationArn", "of a build project"),
        (f"arn:aws:lambda:{PREFIX}:layer:x", "InvalidRepositoryTriggerDestinationArn", "of a Lambda function"),
        ("arn:aws:sns:us-east-1:999999999999:topic", "InvalidRepositoryTriggerDestinationArn", "another account"),
        ("arn:aws:sns:eu-west-1:123456789012:topic", "InvalidRepositoryTriggerRegion", "another region"),
    ],
)
def test_a_destination_that_no_trigger_can_have_is_refused(alice, keeper, destination_arn, code, sentence):
    with pytest.raises(InvalidTrigger, match=sentence) as caught:
        trigger_config.add_trigger(alice.principal, "demo", replace(TOPIC, destination_arn=destination_arn))
    assert (caught.value.code, caught.value.field) == (f"{code}Exception", "destination_arn")


def test_a_refused_destination_comes_with_what_is_possible(alice, keeper):
    with pytest.raises(InvalidTrigger) as caught:
        trigger_config.add_trigger(alice.principal, "demo", replace(TOPIC, destination_arn="here"))
    assert caught.value.hint == (
        f"A trigger tells a standard SNS topic (arn:aws:sns:{PREFIX}:NAME), "
        f"a Lambda function (arn:aws:lambda:{PREFIX}:function:NAME) "
        f"or a build project (arn:aws:codebuild:{PREFIX}:project/NAME)."
    )


@pytest.mark.parametrize("name", ["..", ".", "a b", "a,b", "ä", "x" * 101])
def test_a_name_that_no_trigger_can_have_is_refused(alice, keeper, name):
    with pytest.raises(InvalidTrigger, match="can't name a trigger"):
        trigger_config.add_trigger(alice.principal, "demo", replace(TOPIC, name=name))
