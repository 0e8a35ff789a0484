"""Records in CloudTrail's shape (AWS CloudTrail User Guide, "CloudTrail record contents")."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import UTC, datetime

import pytest
from django.conf import settings

from codeservices.audit import cloudtrail, members
from codeservices.audit.acts import RequestInfo
from codeservices.audit.models import Event
from codeservices.audit.record import act
from codeservices.aws.model import SERVICES
from codeservices.iam.authorize import authorize
from codeservices.iam.managed_policies import SERVICE_ROLE_NAME
from codeservices.iam.models import Role
from codeservices.iam.principal import Principal
from codeservices.iam.shell import shell_act
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

ACCOUNT = settings.ACCOUNT_ID


def record_of(principal: Principal, action: str, resource: str, via: str = "api") -> dict:
    info = RequestInfo(str(uuid.uuid4()), "192.0.2.7", "aws-cli/2", via)  # type: ignore[arg-type]
    with act(principal, info) as current:
        authorize(principal, action, resource)
        current.parameters["name"] = "x"
        current.response["made"] = True
    return cloudtrail.record(Event.objects.order_by("-pk")[0])


def test_a_call_of_the_api_is_told_whole(alice):
    principal = dataclasses.replace(alice.principal, access_key_id="AKIAEXAMPLE")
    record = record_of(principal, "codecommit:CreateRepository", f"arn:aws:codecommit:us-east-1:{ACCOUNT}:demo")
    event = Event.objects.get()
    assert record == {
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": alice.user_id,
            "arn": alice.arn,
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAEXAMPLE",
            "userName": "alice",
        },
        "eventTime": event.event_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "codecommit.amazonaws.com",
        "eventName": "CreateRepository",
        "awsRegion": settings.REGION,
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "aws-cli/2",
        "requestParameters": {"name": "x"},
        "responseElements": {"made": True},
        "requestID": event.request_id,
        "eventID": str(event.event_id),
        "readOnly": False,
        "resources": [
            {
                "ARN": f"arn:aws:codecommit:us-east-1:{ACCOUNT}:demo",
                "accountId": ACCOUNT,
                "type": "AWS::CodeCommit::Repository",
            }
        ],
        "eventType": "AwsApiCall",
        "apiVersion": "2015-04-13",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }


def test_a_read_has_no_answer_and_what_concerns_all_has_no_resources(alice):
    record = record_of(alice.principal, "codecommit:ListRepositories", "*")
    assert (record["responseElements"], record["readOnly"]) == (None, True)
    assert "resources" not in record


def test_a_roles_session_names_its_role_with_the_path():
    role = Role.objects.get(name=SERVICE_ROLE_NAME)
    Role.objects.filter(pk=role.pk).update(path="/service-role/")
    session = Role.objects.get(pk=role.pk).session("build-1")
    from codeservices.audit.acts import Act

    identity = members.identity(Act(session, RequestInfo("r", "a", "u", "worker")))
    assert identity == {
        "type": "AssumedRole",
        "principalId": f"{role.role_id}:build-1",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{SERVICE_ROLE_NAME}/build-1",
        "accountId": ACCOUNT,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role.role_id,
                "arn": f"arn:aws:iam::{ACCOUNT}:role/service-role/{SERVICE_ROLE_NAME}",
                "accountId": ACCOUNT,
                "userName": SERVICE_ROLE_NAME,
            },
            "attributes": {"mfaAuthenticated": "false"},
        },
    }


def test_the_server_is_a_service_and_its_shell_the_root():
    service = Principal("service", "codebuild.amazonaws.com", ACCOUNT, "", "codebuild")
    record = record_of(service, "codebuild:StopBuild", f"arn:aws:codebuild:us-east-1:{ACCOUNT}:build/demo:1")
    assert record["userIdentity"] == {"type": "AWSService", "invokedBy": "codebuild.amazonaws.com"}
    assert record["resources"][0]["type"] == "AWS::CodeBuild::Build"
    with shell_act("create_user x") as current:
        current.event_name = "CreateUser"
    assert cloudtrail.record(Event.objects.order_by("-pk")[0])["userIdentity"] == {
        "type": "Root",
        "principalId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:root",
        "accountId": ACCOUNT,
    }


def test_a_session_tells_when_it_began_and_whether_a_second_factor_was_used(alice):
    @dataclasses.dataclass(frozen=True)
    class Session(Principal):
        session_started_at: datetime | None = None
        is_mfa_authenticated: bool = False

    fields = {one.name: getattr(alice.principal, one.name) for one in dataclasses.fields(Principal)}
    fields |= {"session_started_at": datetime(2017, 9, 1, 12, 34, 56, tzinfo=UTC), "is_mfa_authenticated": True}
    record = record_of(Session(**fields), "iam:ListUsers", "*", via="console")
    attributes = {"creationDate": "2017-09-01T12:34:56Z", "mfaAuthenticated": "true"}
    assert record["userIdentity"]["sessionContext"] == {"attributes": attributes}
    assert record["sessionCredentialFromConsole"] == "true"


@pytest.mark.parametrize(("password", "answer"), [(PASSWORD, "Success"), ("wrong", "Failure")])
def test_a_sign_in_is_told_as_cloudtrail_does(client, alice, password, answer):
    client.post("/sign-in/", {"username": "alice", "password": password})
    record = cloudtrail.record(Event.objects.get(event_name="ConsoleLogin"))
    assert record["responseElements"] == {"ConsoleLogin": answer}
    assert record["requestParameters"] is None
    assert record["additionalEventData"] == {
        "LoginTo": "http://testserver/sign-in/",
        "MobileVersion": "No",
        "MFAUsed": "No",
        "signInMethod": "password",
    }
    assert (record["eventType"], record["eventSource"], record["readOnly"]) == (
        "AwsConsoleSignIn",
        "signin.amazonaws.com",
        False,
    )
    assert ("apiVersion" not in record and "accessKeyId" not in record["userIdentity"]) or answer == "Failure"
    assert record["userIdentity"]["userName"] == "alice"
    assert record.get("errorMessage") == (None if answer == "Success" else "Failed authentication")
    assert "errorCode" not in record


def test_the_api_versions_are_those_of_the_models():
    assert {name: service.model.api_version for name, service in SERVICES.items()} == members.API_VERSIONS


@pytest.mark.parametrize(
    ("arn", "kind", "name"),
    [
        ("arn:aws:codecommit:us-east-1:1:demo", "AWS::CodeCommit::Repository", "demo"),
        ("arn:aws:codebuild:us-east-1:1:project/demo", "AWS::CodeBuild::Project", "demo"),
        ("arn:aws:iam::1:user/team/erin", "AWS::IAM::User", "erin"),
        ("arn:aws:iam::aws:policy/ReadOnly", "AWS::IAM::Policy", "ReadOnly"),
        ("arn:aws:cloudtrail:us-east-1:1:trail/main", "AWS::CloudTrail::Trail", "main"),
        ("arn:aws:s3:::bucket/key", "AWS::S3::Object", "bucket/key"),
        ("*", "", ""),
        ("arn:aws:iam::1:user/*", "", ""),
    ],
)
def test_resources_are_named_by_type(arn, kind, name):
    assert members.resource_of(arn) == (kind, name)


def test_opening_the_form_of_a_change_is_no_act_and_being_refused_it_is(alice_client, carol_client):
    before = Event.objects.count()
    assert alice_client.get("/projects/new/").status_code == 200
    assert Event.objects.count() == before
    assert carol_client.get("/projects/new/").status_code == 403
    assert Event.objects.order_by("-pk")[0].outcome == "Denied"
