"""IAM and STS as boto3 sees them, and every way in which a request can fail to prove who sent it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import boto3
import botocore.auth
import botocore.crt.auth
import pytest
from botocore.httpsession import URLLib3Session

from codeservices.audit import cloudtrail
from codeservices.audit.models import Event, Outcome
from codeservices.iam.models import AccessKey, User
from tests import factories
from tests.compat.refusals import refusal

ACCOUNT = "123456789012"
READ_ONLY = "arn:aws:iam::aws:policy/AWSCodeCommitReadOnly"


def test_everyone_may_ask_who_they_are(carol, client_of):
    answer = client_of(carol, "sts").get_caller_identity()
    assert (answer["UserId"], answer["Account"], answer["Arn"]) == (carol.user_id, ACCOUNT, carol.arn)
    assert re.fullmatch(r"[0-9a-f-]{36}", answer["ResponseMetadata"]["RequestId"])
    event = Event.objects.get()
    assert (event.event_source, event.event_name, event.via) == ("sts.amazonaws.com", "GetCallerIdentity", "api")
    assert event.request_id == answer["ResponseMetadata"]["RequestId"]


def test_a_presigned_question_needs_no_headers(carol, client_of):
    url = client_of(carol, "sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    response = URLLib3Session().send(botocore.awsrequest.AWSRequest("GET", url).prepare())
    assert (response.status_code, carol.arn in response.text) == (200, True)


def test_a_user_is_made_given_a_policy_and_a_key_and_can_use_it(alice, client_of, live_server_url):
    iam = client_of(alice, "iam")
    made = iam.create_user(UserName="dora", Path="/team/")["User"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/dora"
    assert made["UserId"].startswith("AIDA")
    iam.attach_user_policy(UserName="dora", PolicyArn=READ_ONLY)
    attached = iam.list_attached_user_policies(UserName="dora")["AttachedPolicies"]
    assert attached == [{"PolicyName": "AWSCodeCommitReadOnly", "PolicyArn": READ_ONLY}]
    key = iam.create_access_key(UserName="dora")["AccessKey"]
    assert (len(key["AccessKeyId"]), len(key["SecretAccessKey"]), key["Status"]) == (20, 40, "Active")
    own = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    dora = User.objects.get(name="dora")
    assert client_of(dora, "codecommit", **own).list_repositories()["repositories"] == []
    assert refusal(client_of(dora, "codecommit", **own).create_repository, repositoryName="x")[0] == (
        "AccessDeniedException"
    )
    iam.detach_user_policy(UserName="dora", PolicyArn=READ_ONLY)
    assert refusal(client_of(dora, "codecommit", **own).list_repositories)[0] == "AccessDeniedException"


def test_secrets_never_reach_the_trail(alice, client_of):
    key = client_of(alice, "iam").create_access_key()["AccessKey"]
    password = client_of(alice, "iam").create_service_specific_credential(
        UserName="alice", ServiceName="codecommit.amazonaws.com"
    )["ServiceSpecificCredential"]["ServicePassword"]
    kept = json.dumps([cloudtrail.record(event) for event in Event.objects.all()])
    assert key["AccessKeyId"] in kept
    assert key["SecretAccessKey"] not in kept
    assert password not in kept
    assert "HIDDEN_DUE_TO_SECURITY_REASONS" in kept


def test_without_a_user_name_the_caller_is_meant(alice, client_of):
    iam = client_of(alice, "iam")
    assert iam.get_user()["User"]["UserName"] == "alice"
    iam.create_access_key()
    keys = iam.list_access_keys()["AccessKeyMetadata"]
    assert [key["UserName"] for key in keys] == ["alice", "alice"]
    code, status, message = refusal(iam.create_access_key)
    assert (code, status) == ("LimitExceeded", 409)
    assert "alice" in message


def test_a_key_can_be_switched_off_and_on_and_deleted(alice, bob, client_of):
    iam, sts = client_of(alice, "iam"), client_of(bob, "sts")
    key_id = AccessKey.objects.get(user=bob).access_key_id
    iam.update_access_key(UserName="bob", AccessKeyId=key_id, Status="Inactive")
    assert refusal(sts.get_caller_identity)[:2] == ("InvalidClientTokenId", 403)
    assert iam.list_access_keys(UserName="bob")["AccessKeyMetadata"][0]["Status"] == "Inactive"
    iam.update_access_key(UserName="bob", AccessKeyId=key_id, Status="Active")
    sts.get_caller_identity()
    iam.delete_access_key(UserName="bob", AccessKeyId=key_id)
    assert iam.list_access_keys(UserName="bob")["AccessKeyMetadata"] == []
    assert refusal(iam.delete_access_key, UserName="bob", AccessKeyId=key_id)[:2] == ("NoSuchEntity", 404)


def test_git_credentials_live_their_whole_life(alice, client_of):
    iam = client_of(alice, "iam")
    first = iam.create_service_specific_credential(UserName="alice", ServiceName="codecommit.amazonaws.com")
    made = first["ServiceSpecificCredential"]
    assert (made["ServiceUserName"], made["ServiceName"]) == (f"alice-at-{ACCOUNT}", "codecommit.amazonaws.com")
    assert len(made["ServicePassword"]) == 44
    credential_id = made["ServiceSpecificCredentialId"]
    reset = iam.reset_service_specific_credential(UserName="alice", ServiceSpecificCredentialId=credential_id)
    assert reset["ServiceSpecificCredential"]["ServicePassword"] != made["ServicePassword"]
    iam.update_service_specific_credential(ServiceSpecificCredentialId=credential_id, Status="Inactive")
    listed = iam.list_service_specific_credentials(UserName="alice")["ServiceSpecificCredentials"]
    assert [(one["Status"], "ServicePassword" in one) for one in listed] == [("Inactive", False)]
    iam.delete_service_specific_credential(ServiceSpecificCredentialId=credential_id)
    assert iam.list_service_specific_credentials()["ServiceSpecificCredentials"] == []
    other = {"UserName": "alice", "ServiceName": "cassandra.amazonaws.com"}
    assert refusal(iam.create_service_specific_credential, **other)[:2] == ("NotSupportedService", 404)


def test_lists_come_in_pages(alice, client_of):
    for number in range(5):
        factories.user(f"user{number}")
    iam = client_of(alice, "iam")
    first = iam.list_users(MaxItems=2)
    assert ([user["UserName"] for user in first["Users"]], first["IsTruncated"]) == (["alice", "user0"], True)
    User.objects.get(name="user0").delete()
    pages = iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2})
    assert [user["UserName"] for page in pages for user in page["Users"]] == [
        "alice",
        *(f"user{n}" for n in range(1, 5)),
    ]
    rest = iam.list_users(Marker=first["Marker"])
    assert [user["UserName"] for user in rest["Users"]] == [f"user{n}" for n in range(1, 5)]
    assert refusal(iam.list_users, Marker="bm9uc2Vuc2U")[:2] == ("ValidationError", 400)


@pytest.mark.parametrize(
    ("operation", "params", "code", "status"),
    [
        ("get_user", {"UserName": "nobody"}, "NoSuchEntity", 404),
        ("create_user", {"UserName": "alice"}, "EntityAlreadyExists", 409),
        ("create_user", {"UserName": "ALICE"}, "EntityAlreadyExists", 409),
        ("create_user", {"UserName": "a b"}, "ValidationError", 400),
        ("create_user", {"UserName": "x" * 65}, "ValidationError", 400),
        ("create_user", {"UserName": "x", "PermissionsBoundary": READ_ONLY}, "InvalidInput", 400),
        ("list_users", {"MaxItems": 1001}, "ValidationError", 400),
        ("attach_user_policy", {"UserName": "alice", "PolicyArn": READ_ONLY + "X"}, "NoSuchEntity", 404),
        ("detach_user_policy", {"UserName": "alice", "PolicyArn": READ_ONLY}, "NoSuchEntity", 404),
        ("update_access_key", {"AccessKeyId": "A" * 20, "Status": "Active"}, "NoSuchEntity", 404),
        ("create_group", {"GroupName": "g" * 129}, "ValidationError", 400),
        ("create_instance_profile", {"InstanceProfileName": "x"}, "UnsupportedOperation", 400),
    ],
)
def test_what_iam_refuses_has_its_code_and_status(alice, client_of, operation, params, code, status):
    assert refusal(getattr(client_of(alice, "iam"), operation), **params)[:2] == (code, status)


def test_a_denial_says_who_what_and_why(bob, client_of):
    code, status, message = refusal(client_of(bob, "iam").create_user, UserName="x")
    assert (code, status) == ("AccessDenied", 403)
    assert message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: iam:CreateUser on resource: "
        f"arn:aws:iam::{ACCOUNT}:user/x because no identity-based policy allows the iam:CreateUser action"
    )
    event = Event.objects.get(event_name="CreateUser")
    assert (event.outcome, event.principal_name, event.request_parameters) == (Outcome.DENIED, "bob", {"userName": "x"})


# ---- signatures ------------------------------------------------------------------------------------------------------

JSON, QUERY = "codecommit", "sts"
MISMATCH = "The request signature we calculated does not match the signature you provided."


def ask(client):
    return client.get_caller_identity if client.meta.service_model.service_name == QUERY else client.list_repositories


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [(JSON, "InvalidSignatureException", 400), (QUERY, "SignatureDoesNotMatch", 403)],
)
def test_a_wrong_secret_is_a_mismatch_and_is_recorded(alice, client_of, service, code, status):
    client = client_of(alice, service, aws_secret_access_key="wrong")
    answered, answered_status, message = refusal(ask(client))
    assert (answered, answered_status) == (code, status)
    assert message.startswith(MISMATCH)
    event = Event.objects.get()
    assert (event.outcome, event.error_code, event.principal_kind) == (
        Outcome.FAILED,
        "InvalidSignatureException",
        "anonymous",
    )
    assert event.access_key_id == AccessKey.objects.get().access_key_id


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [(JSON, "UnrecognizedClientException", 400), (QUERY, "InvalidClientTokenId", 403)],
)
@pytest.mark.parametrize("options", [{"aws_access_key_id": "AKIAUNKNOWN000000000"}, {"aws_session_token": "made up"}])
def test_an_unknown_key_or_token_is_named_as_such(alice, client_of, service, code, status, options):
    assert refusal(ask(client_of(alice, service, **options))) == (
        code,
        status,
        "The security token included in the request is invalid.",
    )
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [(JSON, "InvalidSignatureException", 400), (QUERY, "SignatureDoesNotMatch", 403)],
)
@pytest.mark.parametrize(("minutes", "words"), [(-16, "Signature expired: "), (16, "Signature not yet current: ")])
def test_a_clock_that_is_off_is_told(alice, client_of, monkeypatch, service, code, status, minutes, words):
    client = client_of(alice, service)
    moved = datetime.now(UTC) + timedelta(minutes=minutes)

    def now(remove_tzinfo: bool = True) -> datetime:
        return moved.replace(tzinfo=None) if remove_tzinfo else moved

    # boto3 signs in C where awscrt is installed, and in Python elsewhere.
    for signer in (botocore.auth, botocore.crt.auth):
        monkeypatch.setattr(signer, "get_current_datetime", now)
    answered, answered_status, message = refusal(ask(client))
    assert (answered, answered_status) == (code, status)
    assert message.startswith(words)


def test_a_request_without_signature_is_missing_a_token(live_server_url):
    unsigned = botocore.config.Config(signature_version=botocore.UNSIGNED, retries={"max_attempts": 1})
    options = {"endpoint_url": live_server_url, "region_name": "us-east-1", "config": unsigned}
    assert refusal(boto3.client(JSON, **options).list_repositories)[:2] == ("MissingAuthenticationTokenException", 400)
    assert refusal(boto3.client(QUERY, **options).get_caller_identity)[:2] == ("MissingAuthenticationToken", 403)


def test_a_header_added_or_a_body_changed_after_signing_is_refused(alice, client_of):
    def smuggle(request, **kwargs):
        request.headers["X-Amz-Target"] = "CodeCommit_20150413.DeleteRepository"

    def rewrite(request, **kwargs):
        request.body = request.body.replace(b"demo", b"deme")

    def annotate(request, **kwargs):
        request.headers["X-Amz-Extra"] = "1"

    for change, words in ((smuggle, MISMATCH), (rewrite, MISMATCH), (annotate, "which were not signed: x-amz-extra")):
        client = client_of(alice, "codecommit")
        client.meta.events.register("before-send", change)
        code, status, message = refusal(client.get_repository, repositoryName="demo")
        assert (code, status) == ("InvalidSignatureException", 400)
        assert words in message


def test_a_key_for_one_service_is_not_good_for_another(alice, client_of):
    client = client_of(alice, "codecommit")
    client.meta.events.register("choose-signer.codecommit", lambda **kwargs: "v4")
    client._request_signer._signing_name = "codebuild"
    code, status, message = refusal(client.list_repositories)
    assert (code, status) == ("InvalidSignatureException", 400)
    assert message == "Credential should be scoped to correct service: 'codecommit'."
