"""The policy simulator as boto3 sees it."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from codeservices.audit.models import Event
from codeservices.iam.models import Policy, User

ACCOUNT = "123456789012"
DEMO = f"arn:aws:codecommit:us-east-1:{ACCOUNT}:demo"
PULL, PUSH = "codecommit:GitPull", "codecommit:GitPush"
MANAGED = "arn:aws:iam::aws:policy/AWSCodeCommitReadOnly"
# The example of `aws iam simulate-custom-policy help`.
AFTER = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*",'
    '"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
)
ALLOW = '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'


def at(moment: str) -> list[dict[str, object]]:
    return [{"ContextKeyName": "aws:CurrentTime", "ContextKeyValues": [moment], "ContextKeyType": "date"}]


def test_the_example_of_the_aws_cli_answers_as_there(alice: User, client_of) -> None:
    iam = client_of(alice, "iam")
    asked = {"PolicyInputList": [AFTER], "ActionNames": ["dynamodb:CreateBackup"]}
    answer = iam.simulate_custom_policy(**asked, ContextEntries=at("2019-04-25T11:00:00Z"))
    assert answer["EvaluationResults"] == [
        {
            "EvalActionName": "dynamodb:CreateBackup",
            "EvalResourceName": "*",
            "EvalDecision": "allowed",
            "MatchedStatements": [
                {
                    "SourcePolicyId": "PolicyInputList.1",
                    "SourcePolicyType": "none",
                    "StartPosition": {"Line": 1, "Column": 38},
                    "EndPosition": {"Line": 1, "Column": 167},
                }
            ],
            "MissingContextValues": [],
        }
    ]
    assert (answer["IsTruncated"], "Marker" in answer) == (False, False)
    (before,) = iam.simulate_custom_policy(**asked, ContextEntries=at("2014-04-25T11:00:00Z"))["EvaluationResults"]
    assert (before["EvalDecision"], before["MatchedStatements"]) == ("implicitDeny", [])
    (without,) = iam.simulate_custom_policy(**asked)["EvaluationResults"]
    assert without["MissingContextValues"] == ["aws:CurrentTime"]


def test_a_users_policies_are_named_with_their_kind(alice: User, bob: User, client_of) -> None:
    deny = {"Statement": {"Effect": "Deny", "Action": PUSH, "Resource": "*"}}
    bob.policies.add(Policy.objects.create_with_document(json.dumps(deny), name="no-push"))
    bob.inline_policies.create(name="own", document=json.dumps({"Statement": {**deny["Statement"], "Action": "s3:*"}}))
    iam = client_of(alice, "iam")
    results = iam.simulate_principal_policy(
        PolicySourceArn=bob.arn, ActionNames=[PULL, PUSH, "s3:GetObject", "s4:GetObject"], ResourceArns=[DEMO]
    )["EvaluationResults"]
    assert [one["EvalDecision"] for one in results] == ["allowed", "explicitDeny", "explicitDeny", "implicitDeny"]
    told = [(one["SourcePolicyId"], one["SourcePolicyType"]) for row in results for one in row["MatchedStatements"]]
    assert told == [("AWSCodeCommitReadOnly", "aws-managed"), ("no-push", "user-managed"), ("own", "user")]
    assert results[0]["ResourceSpecificResults"] == [
        {
            "EvalResourceName": DEMO,
            "EvalResourceDecision": "allowed",
            "MatchedStatements": results[0]["MatchedStatements"],
            "MissingContextValues": [],
            "EvalDecisionDetails": {},
        }
    ]
    event = Event.objects.latest("pk")
    assert (event.event_name, event.is_read_only, event.resource_arn) == ("SimulatePrincipalPolicy", True, bob.arn)


def test_results_come_in_pages(alice: User, client_of) -> None:
    pages = client_of(alice, "iam").get_paginator("simulate_custom_policy")
    resources = [f"{DEMO}{number}" for number in range(12)]
    found = pages.paginate(
        PolicyInputList=[ALLOW], ActionNames=[PULL, PUSH], ResourceArns=resources, PaginationConfig={"PageSize": 7}
    )
    rows = [(one["EvalActionName"], one["EvalResourceName"]) for page in found for one in page["EvaluationResults"]]
    assert rows == [(action, resource) for action in (PULL, PUSH) for resource in resources]


def test_a_boundary_is_told_apart(alice: User, client_of) -> None:
    (found,) = client_of(alice, "iam").simulate_custom_policy(
        PolicyInputList=[ALLOW], PermissionsBoundaryPolicyInputList=[AFTER], ActionNames=[PULL]
    )["EvaluationResults"]
    assert found["EvalDecision"] == "implicitDeny"
    assert found["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}


def test_context_keys_are_listed(alice: User, carol: User, client_of) -> None:
    iam = client_of(alice, "iam")
    statement = {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "arn:aws:iam::*:user/${aws:username}"}
    own = json.dumps({"Version": "2012-10-17", "Statement": statement})
    carol.inline_policies.create(name="after", document=AFTER)
    assert iam.get_context_keys_for_custom_policy(PolicyInputList=[own])["ContextKeyNames"] == ["aws:username"]
    found = iam.get_context_keys_for_principal_policy(PolicySourceArn=carol.arn, PolicyInputList=[own])
    assert found["ContextKeyNames"] == ["aws:CurrentTime", "aws:username"]


@pytest.mark.parametrize(
    ("params", "code", "sentence"),
    [
        ({"PolicyInputList": ["{"]}, "InvalidInput", "PolicyInputList.1: Line 1, column 2: This is not JSON"),
        ({"ActionNames": ["codecommit:*"]}, "InvalidInput", "without wildcards"),
        ({"ResourcePolicy": ALLOW}, "InvalidInput", "No resource of this server has a policy of its own"),
        ({"ResourceOwner": "210987654321"}, "InvalidInput", "ResourceOwner must be this account"),
        ({"ResourceOwner": f"arn:aws:iam::{ACCOUNT}:root", "CallerArn": "x"}, "InvalidInput", "CallerArn must be"),
        ({"ResourceHandlingOption": "EC2-VPC-EBS"}, "InvalidInput", "no EC2 scenarios"),
        ({"ContextEntries": [{"ContextKeyValues": ["a"]}]}, "InvalidInput", "needs a ContextKeyName"),
        ({"Marker": "bm9uc2Vuc2U"}, "ValidationError", "Invalid Marker."),
        ({"MaxItems": 1001}, "ValidationError", "maxItems"),
    ],
)
def test_what_is_refused(alice: User, client_of, params: dict[str, object], code: str, sentence: str) -> None:
    asked = {"PolicyInputList": [ALLOW], "ActionNames": [PULL], **params}
    with pytest.raises(ClientError) as caught:
        client_of(alice, "iam").simulate_custom_policy(**asked)
    error = caught.value.response["Error"]
    assert error["Code"] == code
    assert sentence in error["Message"]


def test_a_missing_source_is_no_such_entity(alice: User, bob: User, client_of) -> None:
    asked = {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/nobody", "ActionNames": [PULL]}
    for user, code in ((alice, "NoSuchEntity"), (bob, "AccessDenied")):
        with pytest.raises(ClientError) as caught:
            client_of(user, "iam").simulate_principal_policy(**asked)
        assert caught.value.response["Error"]["Code"] == code
