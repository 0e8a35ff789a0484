"""CloudTrail's operations as their callers see them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from codeservices.audit import aws, cloudtrail
from codeservices.audit.acts import RequestInfo
from codeservices.aws.dispatch import Call, dispatch
from codeservices.aws.model import SERVICES
from codeservices.errors import ServiceError
from tests import factories

pytestmark = pytest.mark.django_db

NOON = datetime(2017, 9, 1, 12, 0, tzinfo=UTC)
REPOSITORY = "arn:aws:codecommit:us-east-1:123456789012:demo"


def call(name: str, **params):
    operation = SERVICES["cloudtrail"].operation(name)
    info = RequestInfo("r", "192.0.2.7", "test", "api")
    return dispatch(SERVICES["cloudtrail"], Call(factories.SERVICE, params, info, "https://host", operation))


def names(**params) -> list[str]:
    return [event["EventName"] for event in call("LookupEvents", **params)["Events"]]


@pytest.fixture
def three():
    return [
        factories.event(event_name="GitPush", event_time=NOON, resource_arn=REPOSITORY),
        factories.event(
            event_name="CreateUser",
            event_time=NOON + timedelta(minutes=1),
            event_source="iam.amazonaws.com",
            principal_name="frank",
            access_key_id="AKIAFRANK",
            resource_arn="arn:aws:iam::123456789012:user/team/gina",
        ),
        factories.event(event_name="GitPull", event_time=NOON + timedelta(minutes=2), is_read_only=True),
    ]


def test_events_come_newest_first_with_their_record(three):
    found = call("LookupEvents")
    assert found["NextToken"] is None
    assert [event["EventName"] for event in found["Events"]] == ["GitPull", "CreateUser", "GitPush"]
    event = found["Events"][1]
    assert json.loads(event.pop("CloudTrailEvent")) == cloudtrail.record(three[1])
    assert event == {
        "EventId": str(three[1].event_id),
        "EventName": "CreateUser",
        "ReadOnly": "false",
        "AccessKeyId": "AKIAFRANK",
        "EventTime": NOON + timedelta(minutes=1),
        "EventSource": "iam.amazonaws.com",
        "Username": "frank",
        "Resources": [{"ResourceType": "AWS::IAM::User", "ResourceName": "gina"}],
    }


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("EventName", "GitPush", ["GitPush"]),
        ("EventName", "gitpush", []),
        ("ReadOnly", "true", ["GitPull"]),
        ("ReadOnly", "false", ["CreateUser", "GitPush"]),
        ("Username", "frank", ["CreateUser"]),
        ("ResourceType", "AWS::CodeCommit::Repository", ["GitPush"]),
        ("ResourceName", "gina", ["CreateUser"]),
        ("ResourceName", REPOSITORY, ["GitPush"]),
        ("EventSource", "iam.amazonaws.com", ["CreateUser"]),
        ("AccessKeyId", "AKIAFRANK", ["CreateUser"]),
        ("EventId", "11111111-2222-3333-4444-555555555555", []),
    ],
)
def test_each_attribute_finds_what_has_it(three, key, value, found):
    assert names(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}]) == found


def test_an_event_is_found_by_its_id(three):
    attribute = {"AttributeKey": "EventId", "AttributeValue": str(three[0].event_id)}
    assert names(LookupAttributes=[attribute]) == ["GitPush"]


def test_a_span_of_time_includes_both_ends(three):
    assert names(StartTime=NOON, EndTime=NOON + timedelta(minutes=1)) == ["CreateUser", "GitPush"]


def test_pages_follow_a_token_of_the_same_lookup(three):
    first = call("LookupEvents", MaxResults=2)
    factories.event(event_name="Later")
    second = call("LookupEvents", MaxResults=1, NextToken=first["NextToken"])
    assert [event["EventName"] for event in second["Events"]] == ["GitPush"]
    assert second["NextToken"] is None


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"MaxResults": 0}, "InvalidMaxResultsException"),
        ({"MaxResults": 51}, "InvalidMaxResultsException"),
        ({"NextToken": "nonsense"}, "InvalidNextTokenException"),
        ({"StartTime": NOON, "EndTime": NOON - timedelta(seconds=1)}, "InvalidTimeRangeException"),
        ({"EventCategory": "insight"}, "InvalidEventCategoryException"),
        (
            {"LookupAttributes": [{"AttributeKey": "Colour", "AttributeValue": "x"}]},
            "InvalidLookupAttributesException",
        ),
        (
            {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "x"}] * 2},
            "InvalidLookupAttributesException",
        ),
        (
            {"LookupAttributes": [{"AttributeKey": "ReadOnly", "AttributeValue": "maybe"}]},
            "InvalidLookupAttributesException",
        ),
        (
            {"LookupAttributes": [{"AttributeKey": "EventId", "AttributeValue": "x"}]},
            "InvalidLookupAttributesException",
        ),
    ],
)
def test_what_is_wrong_has_cloudtrails_code(three, params, code):
    with pytest.raises(ServiceError) as refused:
        call("LookupEvents", **params)
    assert refused.value.code == code


def test_a_token_of_another_lookup_is_refused(three):
    token = call("LookupEvents", MaxResults=1)["NextToken"]
    for other in ({"EndTime": NOON}, {"LookupAttributes": [{"AttributeKey": "ReadOnly", "AttributeValue": "true"}]}):
        with pytest.raises(ServiceError, match="not one of this lookup's"):
            call("LookupEvents", NextToken=token, **other)


def test_a_trail_from_its_making_to_its_end():
    made = call("CreateTrail", Name="main", S3BucketName="logs", TagsList=[{"Key": "team", "Value": "a"}])
    arn = "arn:aws:cloudtrail:us-east-1:123456789012:trail/main"
    assert made == {
        "Name": "main",
        "S3BucketName": "logs",
        "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": False,
        "TrailARN": arn,
        "LogFileValidationEnabled": False,
        "IsOrganizationTrail": False,
    }
    assert call("GetTrailStatus", Name=arn)["IsLogging"] is False
    call("StartLogging", Name="main")
    status = call("GetTrailStatus", Name="main")
    assert status["IsLogging"] is True and status["StartLoggingTime"]
    assert call("UpdateTrail", Name="main", S3KeyPrefix="p")["S3KeyPrefix"] == "p"
    assert call("GetEventSelectors", TrailName="main")["EventSelectors"][0]["ReadWriteType"] == "All"
    chosen = call("PutEventSelectors", TrailName="main", EventSelectors=[{"ReadWriteType": "WriteOnly"}])
    assert chosen["EventSelectors"][0]["ReadWriteType"] == "WriteOnly"
    described = call("DescribeTrails", trailNameList=["main", "other"])["trailList"]
    assert [(one["Name"], one["HasCustomEventSelectors"], one["HomeRegion"]) for one in described] == [
        ("main", True, "us-east-1")
    ]
    assert call("ListTrails")["Trails"] == [{"TrailARN": arn, "Name": "main", "HomeRegion": "us-east-1"}]
    call("AddTags", ResourceId=arn, TagsList=[{"Key": "b", "Value": "c"}])
    call("RemoveTags", ResourceId=arn, TagsList=[{"Key": "team"}, {"Key": "gone"}])
    tags = call("ListTags", ResourceIdList=[arn])["ResourceTagList"]
    assert tags == [{"ResourceId": arn, "TagsList": [{"Key": "b", "Value": "c"}]}]
    call("StopLogging", Name="main")
    assert call("GetTrailStatus", Name="main")["StopLoggingTime"]
    call("DeleteTrail", Name="main")
    with pytest.raises(ServiceError) as gone:
        call("GetTrail", Name="main")
    assert gone.value.code == "TrailNotFoundException"


def test_tags_are_asked_for_by_arn_and_of_some_trails():
    with pytest.raises(ServiceError) as by_name:
        call("ListTags", ResourceIdList=["main"])
    assert by_name.value.code == "CloudTrailARNInvalidException"
    for asked in ([], ["x"] * (aws.MAX_LISTED_RESOURCES + 1)):
        with pytest.raises(ServiceError, match="Name 1 to 20 trails"):
            call("ListTags", ResourceIdList=asked)
