"""Roles and temporary credentials as boto3, the AWS CLI and git see them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import boto3
import botocore.awsrequest
import pytest
from botocore.httpsession import URLLib3Session
from django.utils import timezone

from codeservices.audit import cloudtrail
from codeservices.audit.models import Event, Outcome
from codeservices.aws import sigv4
from codeservices.iam.models import Role, TemporaryCredential
from tests import factories, gitclient, gitrepo
from tests.compat.conftest import ONCE
from tests.compat.refusals import refusal

ACCOUNT = "123456789012"
READ_ONLY = "arn:aws:iam::aws:policy/AWSCodeCommitReadOnly"
TRUST_BUILDS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
TRUST_ACCOUNT = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
}
INVALID = "The security token included in the request is invalid."


@pytest.fixture
def role(alice, client_of) -> str:
    """The ARN of a role that the whole account may assume and that may pull."""
    iam = client_of(alice, "iam")
    iam.create_role(RoleName="pullers", AssumeRolePolicyDocument=json.dumps(TRUST_ACCOUNT))
    iam.attach_role_policy(RoleName="pullers", PolicyArn=READ_ONLY)
    return f"arn:aws:iam::{ACCOUNT}:role/pullers"


@pytest.fixture
def assumed(alice, client_of, role):
    """assumed(…) is the answer of AssumeRole for alice."""

    def assume(**options):
        return client_of(alice, "sts").assume_role(RoleArn=role, RoleSessionName="night", **options)

    return assume


@pytest.fixture
def session_client(live_server_url):
    """session_client(credentials, "sts") is a client that signs with temporary credentials."""

    def make(credentials, service: str):
        return boto3.client(
            service,
            endpoint_url=live_server_url,
            region_name="us-east-1",
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            config=ONCE,
        )

    return make


# ---- roles ----------------------------------------------------------------------------------------------------------


def test_a_role_lives_as_terraform_makes_reads_changes_and_destroys_it(alice, client_of):
    iam = client_of(alice, "iam")
    tags = [{"Key": "team", "Value": "core"}]
    made = iam.create_role(
        RoleName="builder",
        Path="/ci/",
        AssumeRolePolicyDocument=json.dumps(TRUST_BUILDS),
        Description="Builds.",
        MaxSessionDuration=7200,
        Tags=tags,
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/ci/builder"
    assert made["RoleId"].startswith("AROA") and len(made["RoleId"]) == 21
    read = iam.get_role(RoleName="builder")["Role"]
    assert read.pop("RoleLastUsed") == {} and made.pop("RoleLastUsed") == {}
    assert read == made
    assert (read["AssumeRolePolicyDocument"], read["MaxSessionDuration"], read["Tags"]) == (TRUST_BUILDS, 7200, tags)
    assert iam.list_role_policies(RoleName="builder")["PolicyNames"] == []
    assert iam.list_attached_role_policies(RoleName="builder")["AttachedPolicies"] == []

    iam.put_role_policy(RoleName="builder", PolicyName="own", PolicyDocument=json.dumps(factories.allow("s3:*")))
    assert iam.get_role_policy(RoleName="builder", PolicyName="own")["PolicyDocument"] == factories.allow("s3:*")
    iam.attach_role_policy(RoleName="builder", PolicyArn=READ_ONLY)
    assert iam.list_role_policies(RoleName="builder")["PolicyNames"] == ["own"]

    iam.update_role_description(RoleName="builder", Description="Builds and tests.")
    iam.update_role(RoleName="builder", MaxSessionDuration=3600)
    iam.update_assume_role_policy(RoleName="builder", PolicyDocument=json.dumps(TRUST_ACCOUNT))
    iam.tag_role(RoleName="builder", Tags=[{"Key": "site", "Value": "north"}])
    iam.untag_role(RoleName="builder", TagKeys=["team"])
    read = iam.get_role(RoleName="builder")["Role"]
    assert (read["Description"], read["MaxSessionDuration"]) == ("Builds and tests.", 3600)
    assert read["AssumeRolePolicyDocument"] == TRUST_ACCOUNT
    assert iam.list_role_tags(RoleName="builder")["Tags"] == [{"Key": "site", "Value": "north"}]
    assert [one["RoleName"] for one in iam.list_roles(PathPrefix="/ci/")["Roles"]] == ["builder"]

    assert iam.list_instance_profiles_for_role(RoleName="builder")["InstanceProfiles"] == []
    for sentence in ("must detach all policies first", "must delete policies first"):
        code, status, message = refusal(iam.delete_role, RoleName="builder")
        assert (code, status) == ("DeleteConflict", 409) and sentence in message
        if "detach" in sentence:
            iam.detach_role_policy(RoleName="builder", PolicyArn=READ_ONLY)
    iam.delete_role_policy(RoleName="builder", PolicyName="own")
    iam.delete_role(RoleName="builder")
    assert refusal(iam.get_role, RoleName="builder")[:2] == ("NoSuchEntity", 404)


@pytest.mark.parametrize(
    ("operation", "params", "code", "status"),
    [
        ("create_role", {"RoleName": "codebuild-service-role"}, "EntityAlreadyExists", 409),
        ("create_role", {"RoleName": "a b"}, "ValidationError", 400),
        ("create_role", {"RoleName": "x" * 65}, "ValidationError", 400),
        ("create_role", {"RoleName": "x", "MaxSessionDuration": 43201}, "ValidationError", 400),
        ("create_role", {"RoleName": "x", "PermissionsBoundary": READ_ONLY}, "InvalidInput", 400),
        ("create_role", {"RoleName": "x", "AssumeRolePolicyDocument": "{"}, "MalformedPolicyDocument", 400),
        (
            "create_role",
            {"RoleName": "x", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]},
            "InvalidInput",
            400,
        ),
        ("create_role", {"RoleName": "x", "Tags": [{"Key": "aws:a", "Value": "1"}]}, "InvalidInput", 400),
        ("get_role", {"RoleName": "nothing"}, "NoSuchEntity", 404),
        ("delete_role", {"RoleName": "nothing"}, "NoSuchEntity", 404),
        ("get_role_policy", {"RoleName": "codebuild-service-role", "PolicyName": "nothing"}, "NoSuchEntity", 404),
        ("detach_role_policy", {"RoleName": "codebuild-service-role", "PolicyArn": READ_ONLY}, "NoSuchEntity", 404),
        ("list_roles", {"Marker": "bm9uc2Vuc2U"}, "ValidationError", 400),
    ],
)
def test_what_iam_refuses_of_roles_has_its_code_and_leaves_nothing(alice, client_of, operation, params, code, status):
    before = list(Role.objects.values())
    if operation == "create_role":
        params = {"AssumeRolePolicyDocument": json.dumps(TRUST_BUILDS), **params}
    assert refusal(getattr(client_of(alice, "iam"), operation), **params)[:2] == (code, status)
    assert list(Role.objects.values()) == before


# ---- sessions -------------------------------------------------------------------------------------------------------


def test_a_session_acts_as_its_role_and_says_so(assumed, session_client, role):
    answer = assumed(DurationSeconds=900)
    credentials = answer["Credentials"]
    assert credentials["AccessKeyId"].startswith("ASIA") and len(credentials["SecretAccessKey"]) == 40
    assert credentials["Expiration"] - timezone.now() <= timedelta(seconds=900)
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/pullers/night"
    assert answer["AssumedRoleUser"] == {
        "Arn": arn,
        "AssumedRoleId": f"{Role.objects.get(name='pullers').role_id}:night",
    }
    who = session_client(credentials, "sts").get_caller_identity()
    assert (who["Arn"], who["UserId"]) == (arn, answer["AssumedRoleUser"]["AssumedRoleId"])
    codecommit = session_client(credentials, "codecommit")
    assert codecommit.list_repositories()["repositories"] == []
    code, _, message = refusal(codecommit.create_repository, repositoryName="x")
    assert code == "AccessDeniedException" and message.startswith(f"User: {arn} is not authorized to perform: ")
    event = cloudtrail.record(Event.objects.get(event_name="CreateRepository"))
    assert (event["userIdentity"]["type"], event["userIdentity"]["arn"]) == ("AssumedRole", arn)
    assert event["userIdentity"]["accessKeyId"] == credentials["AccessKeyId"]
    assert Role.objects.get(name="pullers").last_used_at is not None


def test_assuming_is_recorded_without_the_secrets(assumed):
    credentials = assumed()["Credentials"]
    event = Event.objects.get(event_name="AssumeRole")
    assert (event.action, event.resource_arn) == ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/pullers")
    kept = json.dumps(cloudtrail.record(event))
    assert credentials["AccessKeyId"] in kept
    assert credentials["SecretAccessKey"] not in kept and credentials["SessionToken"] not in kept


def test_a_session_policy_and_a_change_of_the_role_are_obeyed(alice, client_of, assumed, session_client):
    answer = assumed(Policy=json.dumps(factories.allow("codecommit:ListBranches")), PolicyArns=[{"arn": READ_ONLY}])
    assert 0 < answer["PackedPolicySize"] <= 100
    narrow = session_client(
        assumed(Policy=json.dumps(factories.allow("codecommit:ListBranches")))["Credentials"], "codecommit"
    )
    code, _, message = refusal(narrow.list_repositories)
    assert code == "AccessDeniedException" and "because no session policy allows the codecommit:ListRep" in message
    wide = session_client(answer["Credentials"], "codecommit")
    wide.list_repositories()
    client_of(alice, "iam").detach_role_policy(RoleName="pullers", PolicyArn=READ_ONLY)
    assert "no identity-based policy" in refusal(wide.list_repositories)[2]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"DurationSeconds": 3601}, "ValidationError", "MaxSessionDuration set for this role"),
        ({"DurationSeconds": 43201}, "ValidationError", "43200"),
        ({"RoleSessionName": "a b"}, "ValidationError", "roleSessionName"),
        ({"Policy": "nonsense"}, "MalformedPolicyDocument", "Line 1"),
        ({"Policy": "x" * 2049}, "PackedPolicyTooLarge", "at most 2048"),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "AccessDenied", "sts:TagSession"),
        ({"SourceIdentity": "alice"}, "ValidationError", "leave out SourceIdentity"),
        ({"TransitiveTagKeys": ["a"]}, "ValidationError", "leave out TransitiveTagKeys"),
        ({"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/x", "TokenCode": "123456"}, "ValidationError", "SerialNumber"),
        ({"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/nothing"}, "AccessDenied", "sts:AssumeRole on resource"),
        ({"RoleArn": "nonsense-that-is-no-arn"}, "AccessDenied", "sts:AssumeRole on resource: nonsense"),
        ({"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/codebuild-service-role"}, "AccessDenied", "resource-based policy"),
    ],
)
def test_what_sts_refuses_has_its_code_and_issues_nothing(alice, client_of, role, options, code, words):
    params = {"RoleArn": role, "RoleSessionName": "night", **options}
    answered, status, message = refusal(client_of(alice, "sts").assume_role, **params)
    assert (answered, status) == (code, 403 if code == "AccessDenied" else 400)
    assert words in message
    assert not TemporaryCredential.objects.exists()


def test_one_who_may_not_assume_is_denied_in_awss_words(carol, client_of, role):
    code, status, message = refusal(client_of(carol, "sts").assume_role, RoleArn=role, RoleSessionName="night")
    assert (code, status) == ("AccessDenied", 403)
    assert message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/carol is not authorized to perform: sts:AssumeRole on resource: {role} "
        "because no identity-based policy allows the sts:AssumeRole action"
    )
    assert Event.objects.get(event_name="AssumeRole").outcome == Outcome.DENIED


@pytest.mark.parametrize(
    ("service", "operation", "unknown", "expired"),
    [
        ("sts", "get_caller_identity", "InvalidClientTokenId", "ExpiredToken"),
        ("iam", "list_roles", "InvalidClientTokenId", "ExpiredToken"),
        ("codecommit", "list_repositories", "UnrecognizedClientException", "ExpiredTokenException"),
    ],
)
def test_a_wrong_a_missing_and_an_expired_token(assumed, session_client, service, operation, unknown, expired):
    credentials, other = assumed()["Credentials"], assumed()["Credentials"]
    for token in (None, other["SessionToken"], "x" * 5000):
        client = session_client({**credentials, "SessionToken": token}, service)
        assert refusal(getattr(client, operation))[::2] == (unknown, INVALID)
    TemporaryCredential.objects.update(expires_at=timezone.now())
    code, _, message = refusal(getattr(session_client(credentials, service), operation))
    assert (code, message) == (expired, "The security token included in the request is expired")
    TemporaryCredential.objects.all().delete()
    assert refusal(getattr(session_client(credentials, service), operation))[0] == unknown


def test_a_token_that_is_not_signed_is_refused(assumed, session_client):
    credentials = assumed()["Credentials"]
    client = session_client({**credentials, "SessionToken": None}, "codecommit")

    def smuggle(request, **kwargs):
        request.headers["X-Amz-Security-Token"] = credentials["SessionToken"]

    client.meta.events.register("before-send", smuggle)
    code, _, message = refusal(client.list_repositories)
    assert code == "InvalidSignatureException" and "not signed: x-amz-security-token" in message


def test_a_presigned_question_carries_the_token_in_its_query(assumed, session_client):
    credentials = assumed()["Credentials"]
    url = session_client(credentials, "sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    for tried, status in ((url, 200), (url.replace("X-Amz-Security-Token=", "X-Amz-Security-Token=x"), 403)):
        response = URLLib3Session().send(botocore.awsrequest.AWSRequest("GET", tried).prepare())
        assert (response.status_code, "assumed-role/pullers/night" in response.text) == (status, status == 200)


def test_a_users_session_is_the_user_but_makes_no_keys(alice, client_of, session_client):
    credentials = client_of(alice, "sts").get_session_token(DurationSeconds=900)["Credentials"]
    sts = session_client(credentials, "sts")
    assert sts.get_caller_identity()["Arn"] == alice.arn
    session_client(credentials, "codecommit").list_repositories()
    code, status, message = refusal(session_client(credentials, "iam").create_access_key)
    assert (code, status) == ("InvalidClientTokenId", 403) and "unless a second factor" in message
    assert refusal(sts.get_session_token)[:2] == ("AccessDenied", 403)
    assert client_of(alice, "sts").get_access_key_info(AccessKeyId=credentials["AccessKeyId"])["Account"] == ACCOUNT
    assert refusal(client_of(alice, "sts").decode_authorization_message, EncodedMessage="x")[1] == 400


# ---- git ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def repository(live_server_url):
    made = factories.repository("demo")
    gitrepo.commit(made.git, {"name.txt": "demo\n"}, "First")
    return made


def test_git_signs_in_through_the_real_credential_helper(assumed, live_server_url, repository, tmp_path):
    credentials = assumed()["Credentials"]
    aws = Path(sys.executable).with_name("aws")
    helper = f"!{aws} codecommit credential-helper $@ --ignore-host-check"
    options = ("-c", f"credential.helper={helper}", "-c", "credential.UseHttpPath=true")
    variables = {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    url = f"{live_server_url}/v1/repos/demo"
    answer = gitclient.run(*options, "clone", "-q", url, "copy", folder=tmp_path, **variables)
    assert answer.code == 0, answer.err
    assert (tmp_path / "copy/name.txt").read_text() == "demo\n"
    pushed = gitclient.run(
        *options, "-C", "copy", "push", "-q", "origin", "HEAD:refs/heads/more", folder=tmp_path, **variables
    )
    assert "assumed-role/pullers/night is not authorized to perform: codecommit:GitPush" in pushed.err
    wrong = gitclient.run(
        *options, "clone", "-q", url, "other", folder=tmp_path, **{**variables, "AWS_SESSION_TOKEN": "x"}
    )
    assert wrong.code != 0
    TemporaryCredential.objects.update(expires_at=timezone.now())
    assert gitclient.run(*options, "clone", "-q", url, "late", folder=tmp_path, **variables).code != 0


def test_git_takes_the_address_that_git_remote_codecommit_makes(assumed, live_server_url, repository, tmp_path):
    """It signs host and port, and writes key, token and signature into the URL, each percent-encoded."""
    credentials = assumed()["Credentials"]
    host, path = live_server_url.removeprefix("http://"), "/v1/repos/demo"
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    key = sigv4.signing_key(credentials["SecretAccessKey"], moment[:8], "us-east-1", "codecommit")
    text = sigv4.string_to_sign(
        moment, f"{moment[:8]}/us-east-1/codecommit/aws4_request", f"GIT\n{path}\n\nhost:{host}\n\nhost\n"
    )
    name = f"{credentials['AccessKeyId']}%25{credentials['SessionToken']}"
    url = f"http://{name}:{moment}Z{sigv4.sign(key, text)}@{host}{path}"
    copy = gitclient.clone(tmp_path / "copy", url)
    assert (copy.folder / "name.txt").read_text() == "demo\n"


def test_the_command_line_assumes_a_role(alice, client_of, role, live_server_url):
    key = client_of(alice, "iam").create_access_key()["AccessKey"]
    done = subprocess.run(
        [
            Path(sys.executable).with_name("aws"),
            "sts",
            "assume-role",
            "--role-arn",
            role,
            "--role-session-name",
            "night",
            "--query",
            "AssumedRoleUser.Arn",
            "--output",
            "text",
        ],
        env={
            "AWS_ENDPOINT_URL": live_server_url,
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "AWS_DEFAULT_REGION": "us-east-1",
        },
        capture_output=True,
        text=True,
    )
    assert (done.stdout.strip(), done.stderr) == (f"arn:aws:sts::{ACCOUNT}:assumed-role/pullers/night", "")
