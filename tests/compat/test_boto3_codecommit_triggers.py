"""Triggers of repositories as boto3 keeps and tests them."""

from __future__ import annotations

import json

import pytest

from codeservices.notifications.models import Message
from codeservices.notifications.topics import create_topic
from tests.compat.refusals import refused

ARN = "arn:aws:codecommit:us-east-1:123456789012:"

TRIGGER = {
    "name": "build",
    "destinationArn": "arn:aws:codebuild:us-east-1:123456789012:project/demo",
    "events": ["updateReference", "createReference"],
    "branches": ["main"],
    "customData": "x",
}


def test_triggers_are_replaced_as_a_whole(codecommit):
    codecommit.create_repository(repositoryName="demo")
    put = codecommit.put_repository_triggers(repositoryName="demo", triggers=[TRIGGER, {**TRIGGER, "name": "other"}])
    got = codecommit.get_repository_triggers(repositoryName="demo")
    assert got["configurationId"] == put["configurationId"]
    assert got["triggers"] == [TRIGGER, {**TRIGGER, "name": "other"}]
    renewed = codecommit.put_repository_triggers(repositoryName="demo", triggers=[])["configurationId"]
    assert renewed != put["configurationId"]
    assert codecommit.get_repository_triggers(repositoryName="demo")["triggers"] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "a b"}, "InvalidRepositoryTriggerNameException"),
        ({"name": ""}, "RepositoryTriggerNameRequiredException"),
        ({"destinationArn": "here"}, "InvalidRepositoryTriggerDestinationArnException"),
        ({"destinationArn": ARN.replace("codecommit", "sqs") + "q"}, "InvalidRepositoryTriggerDestinationArnException"),
        (
            {"destinationArn": "arn:aws:sns:eu-west-1:123456789012:topic"},
            "InvalidRepositoryTriggerRegionException",
        ),
        ({"events": []}, "RepositoryTriggerEventsListRequiredException"),
        ({"events": ["all", "createReference"]}, "InvalidRepositoryTriggerEventsException"),
        ({"events": ["pushed"]}, "InvalidRepositoryTriggerEventsException"),
        ({"branches": [f"b{number}" for number in range(11)]}, "MaximumBranchesExceededException"),
        ({"branches": ["a..b"]}, "InvalidRepositoryTriggerBranchNameException"),
        ({"customData": "x" * 1001}, "InvalidRepositoryTriggerCustomDataException"),
    ],
)
def test_a_trigger_that_breaks_a_rule_changes_nothing(codecommit, change, code):
    codecommit.create_repository(repositoryName="demo")
    codecommit.put_repository_triggers(repositoryName="demo", triggers=[TRIGGER])
    bad = [{**TRIGGER, **change, **({} if "name" in change else {"name": "other"})}]
    assert refused(codecommit.put_repository_triggers, repositoryName="demo", triggers=bad)[0] == code
    assert codecommit.get_repository_triggers(repositoryName="demo")["triggers"] == [TRIGGER]


def test_too_many_triggers_and_twice_one_name_are_refused(codecommit):
    codecommit.create_repository(repositoryName="demo")
    many = [{**TRIGGER, "name": f"t{number}"} for number in range(11)]
    for triggers, code in (
        (many, "MaximumRepositoryTriggersExceededException"),
        ([TRIGGER, TRIGGER], "InvalidRepositoryTriggerNameException"),
    ):
        assert refused(codecommit.put_repository_triggers, repositoryName="demo", triggers=triggers)[0] == code


def test_a_trigger_needs_its_list_of_branches(codecommit):
    codecommit.create_repository(repositoryName="demo")
    without = {name: value for name, value in TRIGGER.items() if name != "branches"}
    for call in (codecommit.put_repository_triggers, codecommit.test_repository_triggers):
        code, message = refused(call, repositoryName="demo", triggers=[without])
        assert (code, "no list of branches" in message) == ("RepositoryTriggerBranchNameListRequiredException", True)


def test_triggers_are_tested_without_being_stored(alice, codecommit):
    codecommit.create_repository(repositoryName="demo")
    topic = create_topic(alice.principal, "news")
    answer = codecommit.test_repository_triggers(
        repositoryName="demo",
        triggers=[
            {**TRIGGER, "name": "tell", "destinationArn": topic.arn},
            {**TRIGGER, "name": "gone", "destinationArn": topic.arn + "2"},
        ],
    )
    assert answer["successfulExecutions"] == ["tell"]
    assert answer["failedExecutions"] == [{"trigger": "gone", "failureMessage": "There is no topic called news2."}]
    event = json.loads(Message.objects.get().body("default"))["Records"][0]
    assert (event["eventName"], event["eventTriggerName"], event["customData"]) == ("TriggerEventTest", "tell", "x")
    assert codecommit.get_repository_triggers(repositoryName="demo")["triggers"] == []
    assert refused(codecommit.test_repository_triggers, repositoryName="none", triggers=[])[0] == (
        "RepositoryDoesNotExistException"
    )
