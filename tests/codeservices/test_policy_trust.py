"""Trust policies: what the grammar takes, and who may assume a role."""

from __future__ import annotations

import json

import pytest

from codeservices.iam import policy
from codeservices.iam.policy import Caller

ACCOUNT = "123456789012"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/builder"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/builder/build-1"
CODEBUILD = "codebuild.amazonaws.com"


def trust(principal: object, **parts: object) -> dict[str, object]:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **parts}


def decide(statements: object, caller: Caller, action: str = "sts:AssumeRole", **context: str) -> policy.TrustDecision:
    parsed = policy.parse_trust(json.dumps({"Version": "2012-10-17", "Statement": statements}), ROLE)
    keys = {name.replace("_", ":", 1): value for name, value in context.items()}
    return policy.evaluate_trust(parsed, caller, action, keys)


ALICE_CALLS = Caller(ACCOUNT, (ALICE,))
SESSION_CALLS = Caller(ACCOUNT, (SESSION, ROLE))


@pytest.mark.parametrize(
    ("principal", "caller", "match"),
    [
        ({"AWS": ALICE}, ALICE_CALLS, "direct"),
        ({"AWS": [ROLE, ALICE]}, ALICE_CALLS, "direct"),
        ({"AWS": ROLE}, SESSION_CALLS, "direct"),
        ({"AWS": SESSION}, SESSION_CALLS, "direct"),
        ({"AWS": ROLE}, ALICE_CALLS, ""),
        ({"AWS": ACCOUNT}, ALICE_CALLS, "account"),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, SESSION_CALLS, "account"),
        ({"AWS": [ACCOUNT, ALICE]}, ALICE_CALLS, "direct"),
        ({"AWS": "210987654321"}, ALICE_CALLS, ""),
        ({"AWS": "*"}, ALICE_CALLS, "account"),
        ("*", ALICE_CALLS, "account"),
        ("*", Caller(service=CODEBUILD), ""),
        ({"Service": CODEBUILD}, Caller(service=CODEBUILD), "direct"),
        ({"Service": ["ec2.amazonaws.com", CODEBUILD], "AWS": ALICE}, Caller(service=CODEBUILD), "direct"),
        ({"Service": CODEBUILD}, Caller(service="ec2.amazonaws.com"), ""),
        ({"Service": CODEBUILD}, ALICE_CALLS, ""),
    ],
)
def test_a_principal_is_named_itself_or_by_its_account(principal: object, caller: Caller, match: str) -> None:
    found = decide(trust(principal), caller)
    assert (found.match, found.decision.is_allowed) == (match, match != "")


def test_the_callers_own_name_counts_for_more_than_its_account() -> None:
    found = decide([trust({"AWS": ACCOUNT}, Sid="All"), trust({"AWS": ALICE}, Sid="Alice")], ALICE_CALLS)
    assert (found.match, found.decision.sid, found.decision.source) == ("direct", "Alice", ROLE)


def test_an_explicit_deny_wins() -> None:
    deny = trust({"AWS": ACCOUNT}, Effect="Deny", Sid="Never")
    found = decide([trust({"AWS": ALICE}), deny], ALICE_CALLS)
    assert (found.match, found.decision.why, found.decision.sid) == ("", "explicit deny", "Never")


def test_conditions_and_actions_count() -> None:
    statement = trust({"AWS": ALICE}, Condition={"StringEquals": {"sts:ExternalId": "x"}})
    assert decide(statement, ALICE_CALLS, sts_ExternalId="x").match == "direct"
    assert decide(statement, ALICE_CALLS).match == ""
    assert decide(trust({"AWS": ALICE}), ALICE_CALLS, "sts:TagSession").match == ""
    assert decide(trust({"AWS": ALICE}), ALICE_CALLS, "STS:assumerole").match == "direct"


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ({"Effect": "Allow", "Action": "sts:AssumeRole"}, "needs a Principal"),
        (trust("*", Resource="*"), "A trust policy has no Resource"),
        (trust("*", NotResource="*"), "A trust policy has no NotResource"),
        (trust("*", Action="sts:*"), "“sts:*” is no action of a trust policy. It has sts:AssumeRole"),
        (trust("*", Action="sts:AssumRole"), "Did you mean sts:AssumeRole?"),
        (trust("*", Action=["sts:AssumeRole", "s3:GetObject"]), "“s3:GetObject” is no action of a trust policy."),
        (trust("*", NotPrincipal="*"), "no element “NotPrincipal”. Did you mean Principal?"),
        (trust("everyone"), "This names no principal"),
        (trust({}), "This names no principal"),
        (trust([ALICE]), "This names no principal"),
        (trust({"Services": CODEBUILD}), "no element “Services” on this server. Did you mean Service?"),
        (trust({"Federated": "x"}), "It has AWS and Service."),
        (trust({"Service": "codebuild"}), "“codebuild” is no service"),
        (trust({"Service": []}), "Principal Service may not be an empty list"),
        (trust({"AWS": "alice"}), "“alice” is no principal"),
        (trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/*"}), "is no principal"),
        (trust({"AWS": f"arn:aws:iam::{ACCOUNT}:group/readers"}), "is no principal"),
        (trust({"AWS": "12345"}), "is no principal"),
        (trust("*", Condition={"Bool": {"aws:SecureTransport": "on"}}), "neither true nor false"),
    ],
)
def test_the_grammar_of_a_trust_policy(statement: object, sentence: str) -> None:
    with pytest.raises(policy.MalformedPolicy) as caught:
        policy.parse_trust(json.dumps({"Statement": statement}))
    assert sentence in caught.value.message
    assert len(caught.value.problems) == 1


def test_not_action_has_no_place_in_a_trust_policy() -> None:
    statement = {"Effect": "Allow", "Principal": "*", "NotAction": "sts:AssumeRole"}
    with pytest.raises(policy.MalformedPolicy, match="NotAction may not stand in it"):
        policy.parse_trust(json.dumps({"Statement": statement}))
