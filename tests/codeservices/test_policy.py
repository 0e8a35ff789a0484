from __future__ import annotations

import json

import pytest

from codeservices.iam import policy

REPOSITORY = "arn:aws:codecommit:us-east-1:123456789012:demo"
PROTECT_MAIN = {
    "Effect": "Deny",
    "Action": "codecommit:GitPush",
    "Resource": "*",
    "Condition": {
        "StringEqualsIfExists": {"codecommit:References": ["refs/heads/main"]},
        "Null": {"codecommit:References": "false"},
    },
}


def decide(statements, action="codecommit:GitPull", resource=REPOSITORY, version="2012-10-17", **context):
    keys = {name.replace("_", ":", 1): value for name, value in context.items()}
    compiled = policy.parse(json.dumps({"Version": version, "Statement": statements}), "test")
    return policy.evaluate([compiled], action, resource, keys)


def allow(**parts):
    return {"Effect": "Allow", "Action": "*", "Resource": "*", **parts}


def test_nothing_is_allowed_by_default():
    decision = decide([{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}])
    assert (decision.is_allowed, decision.is_explicit_deny, decision.statement) == (False, False, None)


def test_an_explicit_deny_beats_an_allow_that_stands_before_and_after_it():
    statements = [allow(), {"Effect": "Deny", "Action": "codecommit:GitPull", "Resource": "*"}, allow()]
    decision = decide(statements)
    assert not decision.is_allowed
    assert decision.is_explicit_deny
    assert json.loads(decision.statement)["Effect"] == "Deny"


def test_the_deciding_statement_and_its_policy_are_told():
    decision = decide([allow(Sid="Readers", Action="codecommit:Git*")])
    assert json.loads(decision.statement)["Sid"] == "Readers"
    assert decision.source == "test"


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("codecommit:Git*", "codecommit:GitPull", True),
        ("CodeCommit:gitpull", "codecommit:GitPull", True),
        ("codecommit:GitPul?", "codecommit:GitPull", True),
        ("codecommit:Get*", "codecommit:GitPull", False),
        ("codebuild:*", "codecommit:GitPull", False),
    ],
)
def test_actions_match_with_wildcards_and_without_regard_to_case(pattern, action, expected):
    assert decide([allow(Action=pattern)], action).is_allowed is expected


def test_not_action_allows_all_but_the_named():
    statement = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}
    assert decide([statement], "codecommit:GitPull").is_allowed
    assert not decide([statement], "iam:CreateUser").is_allowed


def test_not_resource_leaves_out_the_named():
    statement = {"Effect": "Allow", "Action": "*", "NotResource": REPOSITORY}
    assert not decide([statement]).is_allowed
    assert decide([statement], resource=REPOSITORY + "2").is_allowed


def test_resources_are_compared_with_regard_to_case():
    assert not decide([allow(Resource=REPOSITORY.upper().replace("ARN:AWS", "arn:aws"))]).is_allowed


def test_a_variable_is_filled_in_from_the_request():
    own = allow(Resource="arn:aws:iam::*:user/${aws:username}")
    alice = "arn:aws:iam::123456789012:user/alice"
    assert decide([own], "iam:GetUser", alice, aws_username="alice").is_allowed
    assert not decide([own], "iam:GetUser", alice, aws_username="bob").is_allowed
    assert not decide([own], "iam:GetUser", alice).is_allowed


def test_a_wildcard_in_a_variables_value_is_only_a_character():
    own = allow(Resource="arn:aws:iam::*:user/${aws:username}")
    assert not decide([own], "iam:GetUser", "arn:aws:iam::1:user/alice", aws_username="*").is_allowed
    assert decide([own], "iam:GetUser", "arn:aws:iam::1:user/*", aws_username="*").is_allowed


def test_variables_are_plain_text_in_the_old_version():
    own = allow(Resource="arn:aws:iam::*:user/${aws:username}")
    assert not decide([own], "iam:GetUser", "arn:aws:iam::1:user/alice", "2008-10-17", aws_username="alice").is_allowed


def test_a_variable_may_have_a_default():
    own = allow(Resource="arn:aws:iam::*:user/${aws:username, 'nobody'}")
    assert decide([own], "iam:GetUser", "arn:aws:iam::1:user/nobody").is_allowed


def test_a_protected_branch_refuses_a_push_to_it_and_lets_the_first_check_without_refs_pass():
    statements = [allow(), PROTECT_MAIN]
    push = "codecommit:GitPush"
    assert decide(statements, push).is_allowed
    assert decide(statements, push, codecommit_References="refs/heads/topic").is_allowed
    assert not decide(statements, push, codecommit_References="refs/heads/main").is_allowed


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"StringLike": {"aws:UserAgent": "git/*"}}, {"aws_UserAgent": "git/2.39"}, True),
        ({"StringLike": {"aws:UserAgent": "git/*"}}, {}, False),
        ({"StringNotLike": {"aws:UserAgent": "git/*"}}, {}, True),
        ({"StringEqualsIgnoreCase": {"aws:username": "ALICE"}}, {"aws_username": "alice"}, True),
        ({"StringNotEquals": {"aws:username": ["a", "b"]}}, {"aws_username": "b"}, False),
        ({"NumericLessThan": {"aws:EpochTime": "10"}}, {"aws_EpochTime": "9"}, True),
        ({"NumericLessThan": {"aws:EpochTime": "10"}}, {"aws_EpochTime": "none"}, False),
        (
            {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}},
            {"aws_CurrentTime": "2026-01-01T00:00:00Z"},
            True,
        ),
        ({"Bool": {"aws:SecureTransport": True}}, {"aws_SecureTransport": "true"}, True),
        ({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::1/128"]}}, {"aws_SourceIp": "10.1.2.3"}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws_SourceIp": "::1"}, False),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws_SourceIp": "192.0.2.1"}, True),
        (
            {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}},
            {"aws_PrincipalArn": "arn:aws:iam::1:user/a"},
            True,
        ),
        ({"Null": {"aws:username": "true"}}, {}, True),
        ({"Null": {"aws:username": "true"}}, {"aws_username": "a"}, False),
        ({"StringEqualsIfExists": {"aws:username": "a"}}, {}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws_TagKeys": ["a"]}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws_TagKeys": ["a", "c"]}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws_TagKeys": []}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws_TagKeys": ["b", "a"]}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {}, False),
        ({"StringEquals": {"AWS:UserName": "alice"}}, {"aws_username": "alice"}, True),
    ],
)
def test_conditions(condition, context, expected):
    assert decide([allow(Condition=condition)], **context).is_allowed is expected


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("{", "The policy is not JSON: line 1, column 2"),
        ("[]", "must be a JSON object"),
        ('{"Version": "2020-01-01", "Statement": []}', "Version must be"),
        ('{"Version": "2012-10-17"}', "needs a Statement"),
        ('{"Version": "2012-10-17", "Version": "2012-10-17"}', "stands twice"),
        ('{"Statement": {"Effect": "allow", "Action": "*", "Resource": "*"}}', "Effect of Allow or Deny"),
        ('{"Statement": {"Effect": "Allow", "Resource": "*"}}', "exactly one of Action and NotAction"),
        ('{"Statement": {"Effect": "Allow", "Action": "read", "Resource": "*"}}', "“read” is no action"),
        ('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "demo"}}', "“demo” is no resource"),
        ('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}}', "has Principal"),
        (
            '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Is": {"a": "b"}}}}',
            "Is is not known",
        ),
    ],
)
def test_a_malformed_document_is_refused_with_its_place(document, sentence):
    with pytest.raises(policy.MalformedPolicy) as caught:
        policy.parse(document)
    assert sentence in caught.value.message


def test_a_pattern_with_many_wildcards_is_decided_at_once():
    wide = "arn:aws:codecommit:us-east-1:123456789012:" + "*a" * 40 + "b"
    resource = "arn:aws:codecommit:us-east-1:123456789012:" + "a" * 2000
    assert not decide([allow(Resource=wide)], resource=resource).is_allowed
    assert decide([allow(Resource=wide)], resource=f"{resource}b").is_allowed
    condition = {"StringLike": {"aws:UserAgent": "*a" * 40 + "b"}}
    assert not decide([allow(Condition=condition)], aws_UserAgent="a" * 500).is_allowed
