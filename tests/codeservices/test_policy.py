from __future__ import annotations

import json

import pytest

from codeservices.errors import AccessDenied
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
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws_TagKeys": []}, False),
        ({"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": ["a"]}}, {}, True),
        ({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a"]}}, {}, False),
        # Negated operators ask for a value that equals none of the policy's (NOR).
        ({"StringNotEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws_TagKeys": ["b", "c"]}, False),
        ({"StringNotEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws_TagKeys": ["c", "d"]}, True),
        ({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws_TagKeys": ["c", "b"]}, False),
        ({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws_TagKeys": ["c", "d"]}, True),
        ({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}, {}, True),
        ({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws_TagKeys": ["b", "c"]}, True),
        ({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws_TagKeys": ["b", "a"]}, False),
        ({"ForAllValues:StringLike": {"aws:TagKeys": ["a*", "b"]}}, {"aws_TagKeys": ["ax", "b"]}, True),
        ({"ForAllValues:StringLike": {"aws:TagKeys": ["a*", "b"]}}, {"aws_TagKeys": ["ax", "bx"]}, False),
        ({"StringLike": {"aws:username": "a?c"}}, {"aws_username": "abc"}, True),
        ({"StringLike": {"aws:username": "a?c"}}, {"aws_username": "ac"}, False),
        ({"StringEquals": {"aws:username": "a*"}}, {"aws_username": "abc"}, False),
        ({"StringEquals": {"aws:username": "a*"}}, {"aws_username": "a*"}, True),
        ({"StringNotEqualsIgnoreCase": {"aws:username": "ALICE"}}, {"aws_username": "alice"}, False),
        ({"NumericEquals": {"x:n": 9007199254740993}}, {"x_n": "9007199254740992"}, False),
        ({"NumericEquals": {"x:n": "1.50"}}, {"x_n": "1.5"}, True),
        ({"NumericNotEquals": {"x:n": "1"}}, {"x_n": "one"}, True),
        ({"NumericLessThanEquals": {"x:n": 1}}, {"x_n": "1"}, True),
        ({"NumericGreaterThan": {"x:n": 1}}, {"x_n": "1"}, False),
        ({"NumericGreaterThanEquals": {"x:n": 1}}, {"x_n": "1"}, True),
        ({"NumericLessThan": {"x:n": 1}}, {"x_n": "-inf"}, False),
        ({"DateEquals": {"aws:CurrentTime": "2026-01-01T01:00:00+01:00"}}, {"aws_CurrentTime": "1767225600"}, True),
        ({"DateNotEquals": {"aws:CurrentTime": "2026-01-01"}}, {"aws_CurrentTime": "2026-01-01T00:00:00Z"}, False),
        ({"DateLessThan": {"aws:CurrentTime": "2026-02"}}, {"aws_CurrentTime": "2026-01-31T23:59:59.9Z"}, True),
        ({"DateLessThanEquals": {"aws:CurrentTime": "2026-02"}}, {"aws_CurrentTime": "yesterday"}, False),
        ({"DateGreaterThanEquals": {"aws:EpochTime": 5}}, {"aws_EpochTime": "5"}, True),
        ({"Bool": {"aws:SecureTransport": ["true", "false"]}}, {"aws_SecureTransport": "maybe"}, False),
        ({"Bool": {"aws:SecureTransport": "TRUE"}}, {"aws_SecureTransport": "true"}, True),
        ({"BoolIfExists": {"aws:SecureTransport": False}}, {"aws_SecureTransport": "true"}, False),
        ({"BinaryEquals": {"x:key": "QUI="}}, {"x_key": "QUI="}, True),
        ({"BinaryEquals": {"x:key": "QUI="}}, {"x_key": "QUM="}, False),
        ({"BinaryEquals": {"x:key": "QUI="}}, {"x_key": "no base64"}, False),
        ({"IpAddress": {"aws:SourceIp": "10.1.2.99/8"}}, {"aws_SourceIp": "::ffff:10.9.9.9"}, True),
        ({"IpAddress": {"aws:SourceIp": "2001:db8::/32"}}, {"aws_SourceIp": "2001:db8::7"}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws_SourceIp": "worker.amazonaws.com"}, False),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws_SourceIp": "worker.amazonaws.com"}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:*:*:1:x"}}, {"aws_PrincipalArn": "arn:aws:iam:us:1:1:x"}, False),
        ({"ArnNotLike": {"aws:PrincipalArn": "*"}}, {"aws_PrincipalArn": "arn:aws:iam::1:user/a"}, False),
        ({"ArnEquals": {"aws:PrincipalArn": "*"}}, {"aws_PrincipalArn": "alice"}, False),
        (
            {"ArnEquals": {"aws:SourceArn": "${aws:PrincipalArn}"}},
            {"aws_SourceArn": "arn:aws:iam::1:user/a", "aws_PrincipalArn": "arn:aws:iam::1:user/a"},
            True,
        ),
        ({"StringEquals": {"x:owner": "${aws:username}"}}, {"x_owner": "a", "aws_username": "a"}, True),
        ({"StringEquals": {"x:owner": ["b", "${aws:username}"]}}, {"x_owner": "b"}, True),
        ({"StringEquals": {"x:owner": "${aws:username}"}}, {"x_owner": "a"}, False),
        ({"StringNotEquals": {"x:owner": "${aws:username}"}}, {"x_owner": "a", "aws_username": "b"}, True),
        ({"StringNotEquals": {"x:owner": "${aws:username}"}}, {"x_owner": "a"}, False),
        ({"StringLike": {"x:owner": "${aws:username}*"}}, {"x_owner": "*b", "aws_username": "*"}, True),
        ({"StringLike": {"x:owner": "${aws:username}*"}}, {"x_owner": "ab", "aws_username": "*"}, False),
        ({"StringLike": {"x:owner": "${*}${?}${$}"}}, {"x_owner": "*?$"}, True),
        ({"StringLike": {"x:owner": "${*}"}}, {"x_owner": "a"}, False),
        ({"StringEquals": {"x:owner": "${aws:PrincipalTag/my team, 'none'}"}}, {"x_owner": "none"}, True),
        ({"Null": {"aws:TagKeys": "true"}}, {"aws_TagKeys": []}, True),
        ({"Null": {"aws:TagKeys": [True, False]}}, {}, True),
        ({"StringEquals": {"AWS:UserName": "alice"}}, {"aws_username": "alice"}, True),
    ],
)
def test_conditions(condition, context, expected):
    assert decide([allow(Condition=condition)], **context).is_allowed is expected


def test_a_pattern_with_many_wildcards_is_decided_at_once():
    wide = "arn:aws:codecommit:us-east-1:123456789012:" + "*a" * 40 + "b"
    resource = "arn:aws:codecommit:us-east-1:123456789012:" + "a" * 2000
    assert not decide([allow(Resource=wide)], resource=resource).is_allowed
    assert decide([allow(Resource=wide)], resource=f"{resource}b").is_allowed
    condition = {"StringLike": {"aws:UserAgent": "*a" * 40 + "b"}}
    assert not decide([allow(Condition=condition)], aws_UserAgent="a" * 500).is_allowed


def test_a_statement_with_not_resource_and_a_variable_without_value_matches_nothing():
    others = {"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:iam::*:user/${aws:username}"}
    assert decide([allow(), others], "iam:GetUser", "arn:aws:iam::1:user/bob").is_allowed
    assert not decide([allow(), others], "iam:GetUser", "arn:aws:iam::1:user/bob", aws_username="alice").is_allowed


def test_private_characters_are_only_characters():
    own = allow(Resource="arn:aws:iam::1:user/\ue000")
    assert not decide([own], "iam:GetUser", "arn:aws:iam::1:user/*").is_allowed
    assert decide([own], "iam:GetUser", "arn:aws:iam::1:user/\ue000").is_allowed


def test_a_decision_tells_where_its_statement_stands():
    document = """{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Action": "*", "Resource": "*"},
    {
      "Sid": "NoPush",
      "Effect": "Deny", "Action": "codecommit:GitPush", "Resource": "*"
    }
  ]
}"""
    decision = policy.evaluate([policy.parse(document, "guard")], "codecommit:GitPush", REPOSITORY, {})
    assert (decision.why, decision.source, decision.sid, decision.number) == ("explicit deny", "guard", "NoPush", 2)
    assert (decision.start, decision.end) == ((5, 5), (8, 6))
    assert decision.place == "statement 2 “NoPush” of guard, lines 5 to 8"


# ---- limits ----------------------------------------------------------------------------------------------------------


def limited(identity, *limits, action="codecommit:GitPull"):
    def compiled(statement, name):
        return policy.parse(json.dumps({"Statement": statement}), name)

    kinds = ("permissions boundary", "session policy")
    return policy.evaluate(
        [compiled(identity, "own")],
        action,
        REPOSITORY,
        {},
        [policy.Limit(kind, (compiled(one, kind),)) for kind, one in zip(kinds, limits, strict=False)],
    )


def test_every_limit_must_allow_too():
    pull = allow(Action="codecommit:GitPull")
    assert limited(allow(), allow(), pull).is_allowed
    assert limited(allow(), allow(), pull).source == "own"
    denied = limited(allow(), allow(), pull, action="codecommit:GitPush")
    assert (denied.is_allowed, denied.why, denied.limit, denied.statement) == (
        False,
        "limited",
        "session policy",
        None,
    )
    assert limited(allow(), pull, allow(), action="codecommit:GitPush").limit == "permissions boundary"


def test_a_limit_gives_nothing_by_itself():
    for limit in (allow(), allow(Action="s3:*")):
        denied = limited(allow(Action="s3:*"), limit)
        assert (denied.is_allowed, denied.why, denied.limit) == (False, "nothing allows it", "")


def test_a_deny_in_any_limit_is_an_explicit_one():
    deny = {"Sid": "Stop", "Effect": "Deny", "Action": "*", "Resource": "*"}
    for limits in ((deny, allow()), (allow(Action="s3:*"), deny)):
        denied = limited(allow(), *limits)
        assert (denied.why, denied.sid, denied.source) == ("explicit deny", "Stop", denied.limit)
    own = limited(deny, deny)
    assert (own.why, own.source, own.limit) == ("explicit deny", "own", "")


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (policy.Decision(False), "because no identity-based policy allows the s3:Get action"),
        (policy.Decision(False, limit="session policy"), "because no session policy allows the s3:Get action"),
        (policy.Decision(False, True, "{}"), "with an explicit deny in an identity-based policy"),
        (
            policy.Decision(False, True, "{}", limit="permissions boundary"),
            "with an explicit deny in a permissions boundary",
        ),
    ],
)
def test_a_denial_says_which_kind_of_policy_stopped_it(decision, words):
    denied = AccessDenied("arn:p", "s3:Get", "arn:r", decision)
    assert denied.message == f"User: arn:p is not authorized to perform: s3:Get on resource: arn:r {words}"
    assert denied.about("arn:q").message == denied.message.replace("arn:r", "arn:q")
