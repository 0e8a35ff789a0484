"""Trails: their rules, and files that hold each event once."""

from __future__ import annotations

import gzip
import json
import re

import pytest
from django.conf import settings

from codeservices.audit import cloudtrail, delivery, health, retention, trails
from codeservices.audit.models import Event, Trail
from codeservices.errors import AccessDenied, ServiceError
from codeservices.iam.models import User
from codeservices.iam.principal import Principal
from codeservices.objects import pieces, services
from codeservices.objects.models import StoredObject
from tests import factories

pytestmark = pytest.mark.django_db

SERVICE = factories.SERVICE


@pytest.fixture(autouse=True)
def _own_store(tmp_path, settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path / "objects"}},
    }


@pytest.fixture
def logging_trail():
    trails.create_trail(SERVICE, {"Name": "main", "S3BucketName": "audit-logs", "S3KeyPrefix": "team/a"})
    return trails.start_logging(SERVICE, "main")


def files() -> list[StoredObject]:
    return list(StoredObject.objects.filter(key__endswith=".json.gz").order_by("key"))


def records_of(file: StoredObject) -> list[dict]:
    with pieces.reader(file) as reader:
        return json.loads(gzip.decompress(reader.read()))["Records"]


def delivered() -> list[str]:
    """The names of the events in all files, sorted, as files of one minute have no order."""
    found = []
    for file in files():
        found += [one["eventName"] for one in records_of(file)]
    return sorted(found)


def test_events_are_delivered_as_cloudtrail_writes_them(logging_trail):
    made = [factories.event(event_name=f"Event{number}", resource_arn="arn:aws:iam::1:user/x") for number in range(3)]
    assert delivery.deliver_all() == 1
    assert delivery.deliver_all() == 0
    (file,) = files()
    assert (file.content_type, file.headers) == ("application/json", {"content-encoding": "gzip"})
    name = str(file)
    account, region = settings.ACCOUNT_ID, settings.REGION
    at = made[0].event_time
    folder = f"audit-logs/team/a/AWSLogs/{account}/CloudTrail/{region}/{at:%Y/%m/%d}"
    assert re.fullmatch(rf"{folder}/{account}_CloudTrail_{region}_{at:%Y%m%dT%H%M}Z_[0-9a-f]{{16}}\.json\.gz", name)
    assert records_of(file) == [cloudtrail.record(one) for one in made]


def test_what_is_done_to_objects_is_no_management_event(logging_trail):
    made = [
        factories.event(event_name=name, event_source="s3.amazonaws.com", resource_arn=arn)
        for name, arn in (("GetObject", "arn:aws:s3:::logs/a/b"), ("CreateBucket", "arn:aws:s3:::logs"))
    ]
    delivery.deliver_all()
    assert delivered() == ["CreateBucket"]
    told = [(cloudtrail.record(one)["managementEvent"], cloudtrail.record(one)["eventCategory"]) for one in made]
    assert told == [(False, "Data"), (True, "Management")]


def test_only_what_happens_while_it_logs_is_delivered(logging_trail):
    factories.event(event_name="First")
    trails.stop_logging(SERVICE, "main")
    factories.event(event_name="Between")
    delivery.deliver_all()
    trails.start_logging(SERVICE, "main")
    factories.event(event_name="Last")
    delivery.deliver_all()
    assert delivered() == ["First", "Last"]


def test_what_was_logged_before_is_delivered_when_logging_starts_again(logging_trail):
    factories.event(event_name="First")
    trails.stop_logging(SERVICE, "main")
    factories.event(event_name="Between")
    trails.start_logging(SERVICE, "main")
    assert delivered() == ["First"]


def test_a_crash_between_file_and_cursor_delivers_nothing_twice(logging_trail, monkeypatch):
    factories.event(event_name="First")
    with monkeypatch.context() as patch:
        patch.setattr(delivery, "_move_on", lambda one, last: 1 / 0)
        delivery.deliver_all()
    assert delivered() == ["First"]
    factories.event(event_name="Second")
    assert delivery.deliver_all() == 2
    assert delivered() == ["First", "Second"]


def test_two_that_deliver_at_once_write_the_same_file(logging_trail, monkeypatch):
    factories.event(event_name="First")
    original = services.store
    others = [True]

    def store(*args):
        if others:
            others.clear()
            factories.event(event_name="Second")
            delivery.deliver(Trail.objects.get())
        original(*args)

    monkeypatch.setattr(services, "store", store)
    delivery.deliver_all()
    assert delivered() == ["First", "Second"]


def test_a_store_that_fails_is_told_and_tried_again(logging_trail, monkeypatch):
    factories.event(event_name="First")
    with monkeypatch.context() as patch:

        def full(*args):
            raise OSError("No space left on device")

        patch.setattr(services, "store", full)
        assert delivery.deliver_all() == 0
    assert Trail.objects.get().latest_error == "OSError: No space left on device"
    assert "The trail main delivers nothing: OSError" in str(health.check_trail())
    assert retention.prune(0) == 0
    delivery.deliver_all()
    assert (delivered(), Trail.objects.get().latest_error) == (["First"], "")


def test_many_events_are_several_files(logging_trail, monkeypatch):
    monkeypatch.setattr(delivery, "MAX_RECORDS", 2)
    for number in range(5):
        factories.event(event_name=f"Event{number}")
    assert delivery.deliver_all() == 3
    assert delivered() == [f"Event{number}" for number in range(5)]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ({"ReadWriteType": "All"}, ["Read", "Write", "Iam"]),
        ({"ReadWriteType": "ReadOnly"}, ["Read"]),
        ({"ReadWriteType": "WriteOnly"}, ["Write", "Iam"]),
        ({"IncludeManagementEvents": False}, []),
        ({"ExcludeManagementEventSources": ["kms.amazonaws.com"]}, ["Read", "Write", "Iam"]),
    ],
)
def test_selectors_choose(logging_trail, selector, names):
    trails.put_event_selectors(SERVICE, "main", {"EventSelectors": [selector]})
    factories.event(event_name="Read", is_read_only=True)
    factories.event(event_name="Write")
    factories.event(event_name="Iam", event_source="iam.amazonaws.com")
    delivery.deliver_all()
    assert delivered() == sorted(names)
    assert Trail.objects.get().delivered_sequence == Event.objects.count()


def test_global_services_may_be_left_out(logging_trail):
    trails.update_trail(SERVICE, "main", {"IncludeGlobalServiceEvents": False})
    factories.event(event_name="Iam", event_source="iam.amazonaws.com")
    factories.event(event_name="Write")
    delivery.deliver_all()
    assert delivered() == ["Write"]


@pytest.mark.parametrize("name", ["ab", "a" * 129, "-abc", "abc.", "a--b", "a._b", "192.168.5.4", "näme", "a b c", ""])
def test_names_are_held_to_cloudtrails_rules(name):
    with pytest.raises(ServiceError, match="is no trail name") as refused:
        trails.create_trail(SERVICE, {"Name": name, "S3BucketName": "logs"})
    assert refused.value.code == "InvalidTrailNameException"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"S3BucketName": "Up"}, "InvalidS3BucketNameException"),
        ({"S3BucketName": "../keys"}, "InvalidS3BucketNameException"),
        ({"S3BucketName": "10.0.0.1"}, "InvalidS3BucketNameException"),
        ({"S3BucketName": "builds"}, "InsufficientS3BucketPolicyException"),
        ({"S3KeyPrefix": "../x"}, "InvalidS3PrefixException"),
        ({"S3KeyPrefix": "/x"}, "InvalidS3PrefixException"),
        ({"S3KeyPrefix": "x" * 201}, "InvalidS3PrefixException"),
        ({"SnsTopicName": "topic"}, "InvalidSnsTopicNameException"),
        ({"KmsKeyId": "alias/x"}, "InvalidKmsKeyIdException"),
        ({"CloudWatchLogsLogGroupArn": "arn:x"}, "InvalidCloudWatchLogsLogGroupArnException"),
        ({"IsOrganizationTrail": True}, "OrganizationsNotInUseException"),
        ({"EnableLogFileValidation": True}, "UnsupportedOperationException"),
        ({"IsMultiRegionTrail": True, "IncludeGlobalServiceEvents": False}, "InvalidParameterCombinationException"),
        ({"TagsList": [{"Key": "aws:x"}]}, "InvalidTagParameterException"),
        ({"TagsList": [{"Key": f"k{number}"} for number in range(51)]}, "TagsLimitExceededException"),
    ],
)
def test_what_a_trail_can_not_be_is_refused_and_leaves_nothing(more, code):
    with pytest.raises(ServiceError) as refused:
        trails.create_trail(SERVICE, {"Name": "main", "S3BucketName": "logs", **more})
    assert (refused.value.code, Trail.objects.count()) == (code, 0)


def test_a_second_trail_of_that_name_and_a_sixth_are_refused():
    for number in range(5):
        trails.create_trail(SERVICE, {"Name": f"trail{number}", "S3BucketName": "logs"})
    with pytest.raises(ServiceError) as sixth:
        trails.create_trail(SERVICE, {"Name": "trail5", "S3BucketName": "logs"})
    assert sixth.value.code == "MaximumNumberOfTrailsExceededException"
    trails.delete_trail(SERVICE, "trail4")
    with pytest.raises(ServiceError) as second:
        trails.create_trail(SERVICE, {"Name": "trail0", "S3BucketName": "logs"})
    assert second.value.code == "TrailAlreadyExistsException"


@pytest.mark.parametrize(
    "selectors",
    [
        {"EventSelectors": []},
        {"EventSelectors": [{}, {}]},
        {"EventSelectors": [{"DataResources": [{"Type": "AWS::S3::Object"}]}]},
        {"EventSelectors": [{"ExcludeManagementEventSources": ["iam.amazonaws.com"]}]},
        {"AdvancedEventSelectors": [{"FieldSelectors": []}]},
    ],
)
def test_selectors_that_could_not_be_followed_are_refused(logging_trail, selectors):
    with pytest.raises(ServiceError) as refused:
        trails.put_event_selectors(SERVICE, "main", selectors)
    assert refused.value.code == "InvalidEventSelectorsException"


def test_arns_of_others_and_missing_trails_are_told():
    cases = {
        "arn:aws:cloudtrail:us-east-1:999999999999:trail/main": "CloudTrailARNInvalidException",
        "arn:aws:sns:us-east-1:123456789012:main": "CloudTrailARNInvalidException",
        "main": "TrailNotFoundException",
        trails.arn_of("main"): "TrailNotFoundException",
    }
    for text, code in cases.items():
        with pytest.raises(ServiceError) as refused:
            trails.trail_for(SERVICE, "cloudtrail:GetTrail", text)
        assert refused.value.code == code


def test_a_trail_is_looked_at_by_its_own_arn(logging_trail):
    reader = factories.user("reader", document=factories.allow("cloudtrail:*", resource=trails.arn_of("main")))
    assert trails.trail_for(reader.principal, "cloudtrail:GetTrail", "main") == logging_trail
    with pytest.raises(AccessDenied, match=r"cloudtrail:GetTrail on resource: arn:aws:cloudtrail:.*trail/other"):
        trails.trail_for(reader.principal, "cloudtrail:GetTrail", "other")


def test_conditions_see_the_tags_of_a_trail_and_of_a_request(logging_trail):
    def denied(action: str, key: str, value: str | list[str]) -> Principal:
        document = factories.allow("cloudtrail:*")
        operator = "ForAnyValue:StringEquals" if isinstance(value, list) else "StringEquals"
        condition = {operator: {key: value}}
        document["Statement"].append({"Effect": "Deny", "Action": action, "Resource": "*", "Condition": condition})
        return factories.user(f"user{User.objects.count()}", document=document).principal

    trails.add_tags(SERVICE, logging_trail.arn, [{"Key": "keep", "Value": "yes"}])
    with pytest.raises(AccessDenied):
        trails.delete_trail(denied("cloudtrail:DeleteTrail", "aws:ResourceTag/keep", "yes"), "main")
    tag = [{"Key": "keep", "Value": "no"}]
    with pytest.raises(AccessDenied):
        trails.add_tags(denied("cloudtrail:AddTags", "aws:RequestTag/keep", "no"), logging_trail.arn, tag)
    with pytest.raises(AccessDenied):
        trails.remove_tags(denied("cloudtrail:RemoveTags", "aws:TagKeys", ["keep"]), logging_trail.arn, tag)
    with pytest.raises(AccessDenied):
        asked = {"Name": "other", "S3BucketName": "other", "TagsList": tag}
        trails.create_trail(denied("cloudtrail:CreateTrail", "aws:TagKeys", ["keep"]), asked)
    assert Trail.objects.get().tags == {"keep": "yes"}
