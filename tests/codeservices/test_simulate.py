"""The simulator's rules; that its wire form is AWS's is tested in tests/compat."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codeservices.errors import AccessDenied, InvalidInput, NotFound
from codeservices.iam import simulate
from codeservices.iam.managed_policies import SERVICE_ROLE_NAME
from codeservices.iam.models import Group, InlinePolicy, Policy, Role, User
from codeservices.iam.simulate import ContextEntry, Result
from tests import factories

pytestmark = pytest.mark.django_db

PUSH, MAIN = "codecommit:GitPush", "refs/heads/main"
DEMO = "arn:aws:codecommit:us-east-1:123456789012:demo"
PROTECT = {
    "Version": "2012-10-17",
    "Statement": {
        "Sid": "ProtectMain",
        "Effect": "Deny",
        "Action": PUSH,
        "Resource": "*",
        "Condition": {
            "StringEqualsIfExists": {"codecommit:References": [MAIN]},
            "Null": {"codecommit:References": "false"},
        },
    },
}
OWN = factories.allow("iam:GetUser", resource="arn:aws:iam::*:user/${aws:username}")


def one(simulation: simulate.Simulation) -> Result:
    (case,) = simulation.cases
    return simulation.result(*case)


def custom(alice: User, *documents: dict[str, Any], **options: Any) -> Result:
    arguments: dict[str, Any] = {"actions": [PUSH], "resources": [DEMO], **options}
    return one(simulate.simulate_custom(alice.principal, [json.dumps(document) for document in documents], **arguments))


def test_a_users_own_and_its_groups_policies_decide(alice: User, carol: User) -> None:
    group = Group.objects.create(name="developers")
    group.users.add(carol)
    InlinePolicy.objects.create(group=group, name="push", document=json.dumps(factories.allow(PUSH)))
    carol.policies.add(Policy.objects.create_with_document(json.dumps(PROTECT), name="protect"))
    asked = {"actions": [PUSH], "resources": [DEMO]}
    free = one(simulate.simulate_principal(alice.principal, carol.arn, **asked))
    assert free.decision.is_allowed
    assert [statement.source for statement in free.matched] == ["group/developers/push"]
    assert free.missing == ("codecommit:References",)
    entries = [ContextEntry("codecommit:References", (MAIN,))]
    denied = one(simulate.simulate_principal(alice.principal, carol.arn, context_entries=entries, **asked))
    assert (denied.decision.why, denied.decision.sid) == ("explicit deny", "ProtectMain")
    assert [statement.sid for statement in denied.matched] == ["ProtectMain"]
    assert denied.missing == ()
    of_group = one(simulate.simulate_principal(alice.principal, group.arn, **asked, context_entries=entries))
    assert of_group.decision.source == "group/developers/push"


def test_a_roles_policies_decide_too(alice: User) -> None:
    role = Role.objects.get(name=SERVICE_ROLE_NAME)
    role.policies.clear()
    asked = {"actions": [PUSH], "resources": [DEMO]}
    assert not one(simulate.simulate_principal(alice.principal, role.arn, **asked)).decision.is_allowed
    InlinePolicy.objects.create(role=role, name="push", document=json.dumps(factories.allow(PUSH)))
    found = one(simulate.simulate_principal(alice.principal, role.arn, **asked))
    assert found.decision.source == f"role/{SERVICE_ROLE_NAME}/push"


def test_further_documents_count_as_attached(alice: User, carol: User) -> None:
    extra = [json.dumps(factories.allow(PUSH))]
    found = one(simulate.simulate_principal(alice.principal, carol.arn, [PUSH], extra_policies=extra))
    assert (found.decision.is_allowed, found.decision.source) == (True, "PolicyInputList.1")


def test_requests_of_a_user_carry_its_name_and_not_the_askers_address(alice: User, carol: User) -> None:
    extra = [json.dumps(OWN)]
    asked: dict[str, Any] = {"actions": ["iam:GetUser"], "resources": [carol.arn], "extra_policies": extra}
    assert one(simulate.simulate_principal(alice.principal, carol.arn, **asked)).decision.is_allowed
    as_alice = simulate.simulate_principal(alice.principal, carol.arn, caller_arn=alice.arn, **asked)
    assert not one(as_alice).decision.is_allowed
    condition = {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}, "DateGreaterThan": {"aws:CurrentTime": "2020-01-01"}}
    document = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}}
    found = one(simulate.simulate_principal(alice.principal, carol.arn, [PUSH], extra_policies=[json.dumps(document)]))
    assert (found.decision.is_allowed, found.missing) == (False, ("aws:SourceIp",))


def test_documents_by_themselves_know_nothing_of_anybody(alice: User) -> None:
    found = custom(alice, OWN, actions=["iam:GetUser"], resources=[alice.arn])
    assert (found.decision.is_allowed, found.missing) == (False, ("aws:username",))
    assert custom(alice, OWN, actions=["iam:GetUser"], resources=[alice.arn], caller_arn=alice.arn).decision.is_allowed


def test_a_boundary_limits_and_is_told(alice: User) -> None:
    pull = json.dumps(factories.allow("codecommit:GitPull"))
    found = custom(alice, factories.allow("*"), boundaries=[pull])
    assert (found.decision.why, found.allowed_by_boundary, found.matched) == ("limited", False, ())
    allowed = custom(alice, factories.allow("*"), boundaries=[pull], actions=["codecommit:GitPull"])
    assert (allowed.decision.is_allowed, allowed.allowed_by_boundary) == (True, True)
    assert [statement.source for statement in allowed.matched] == [
        "PolicyInputList.1",
        "PermissionsBoundaryPolicyInputList.1",
    ]
    denied = custom(alice, factories.allow("*"), boundaries=[json.dumps(PROTECT)], resources=["*"])
    assert (denied.decision.is_allowed, denied.allowed_by_boundary) == (False, False)
    assert custom(alice, factories.allow("*")).allowed_by_boundary is None


@pytest.mark.parametrize(
    ("kind", "values", "operator", "wanted"),
    [
        ("string", ["a"], "StringEquals", "a"),
        ("stringList", ["a", "b"], "ForAllValues:StringEquals", ["a", "b"]),
        ("numeric", ["10"], "NumericLessThan", 11),
        ("boolean", ["true"], "Bool", True),
        ("ip", ["10.0.0.1"], "IpAddress", "10.0.0.0/8"),
        ("ipList", ["10.0.0.1", "10.0.0.2"], "ForAllValues:IpAddress", "10.0.0.0/8"),
        ("binary", ["QUI="], "BinaryEquals", "QUI="),
        ("date", ["2026-01-01T00:00:00Z"], "DateLessThan", "2026-01-02"),
    ],
)
def test_context_entries_have_types(alice: User, kind: str, values: list[str], operator: str, wanted: object) -> None:
    condition = {operator: {"my:key": wanted}}
    document = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}}
    assert custom(alice, document, context_entries=[ContextEntry("My:Key", tuple(values), kind)]).decision.is_allowed


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"actions": ["codecommit:*"]}, "“codecommit:*” is no action; write service:Name without wildcards"),
        ({"actions": ["GitPush"]}, "is no action"),
        ({"resources": ["demo"]}, "“demo” is no resource; write an ARN or *."),
        ({"actions": [PUSH] * 101, "resources": [DEMO] * 100}, "are more than 10,000 cases"),
        ({"caller_arn": "alice"}, "CallerArn must be the ARN of a user"),
        ({"caller_arn": "arn:aws:iam::123456789012:role/x"}, "CallerArn must be the ARN of a user"),
        (
            {"boundaries": ["{}"]},
            "PermissionsBoundaryPolicyInputList.1: Line 1, column 1: The policy needs a Statement",
        ),
        (
            {"context_entries": [ContextEntry("my:key", ("ten",), "numeric")]},
            "of the type numeric: “ten” is no number.",
        ),
        ({"context_entries": [ContextEntry("my:key", ("on",), "booleanList")]}, "neither true nor false"),
        ({"context_entries": [ContextEntry("my:key", ("10.0.0.0/8",), "ip")]}, "is no address"),
        ({"context_entries": [ContextEntry("my:key", ("?",), "binary")]}, "is not in base64"),
        ({"context_entries": [ContextEntry("my:key", ("soon",), "date")]}, "is no date"),
        ({"context_entries": [ContextEntry("my:key", ("a", "b"))]}, "has one value; stringList may have several"),
        ({"context_entries": [ContextEntry("my:key", ())]}, "has one value"),
        ({"context_entries": [ContextEntry("my:key", ("a",)), ContextEntry("My:Key", ("b",))]}, "is given twice"),
    ],
)
def test_what_is_malformed_is_told(alice: User, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        custom(alice, factories.allow("*"), **options)
    assert caught.value.code == "InvalidInput"
    assert sentence in caught.value.message


def test_documents_that_are_too_long_together_are_refused(alice: User) -> None:
    long = json.dumps(OWN) + " " * 120_000
    simulate.custom_keys(alice.principal, [long, long])
    with pytest.raises(InvalidInput, match=r"^PolicyInputList has 36\d,\d{3} characters; 300,000 are the most\.$"):
        simulate.simulate_custom(alice.principal, [long] * 3, [PUSH])


def test_what_takes_too_long_is_given_up(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    long = ContextEntry("aws:SourceIp", ("1" * 10_001,))
    with pytest.raises(InvalidInput, match="10,001 characters"):
        custom(alice, OWN, context_entries=[long])
    assert not custom(alice, OWN).decision.is_allowed
    monkeypatch.setattr(simulate, "MAX_SECONDS", -1.0)
    with pytest.raises(InvalidInput, match="take too long to simulate at once"):
        custom(alice, OWN)


def test_a_malformed_document_is_named_by_its_place(alice: User) -> None:
    with pytest.raises(InvalidInput, match="^PolicyInputList.2: Line 1, column 1: ") as caught:
        custom(alice, factories.allow("*"), {})
    assert caught.value.code == "InvalidInput"


@pytest.mark.parametrize(
    ("source_arn", "error"),
    [
        ("arn:aws:iam::123456789012:user/nobody", NotFound),
        ("arn:aws:iam::123456789012:user/ALICE", NotFound),
        ("arn:aws:iam::210987654321:user/alice", NotFound),
        ("arn:aws:iam::123456789012:policy/alice", InvalidInput),
        ("arn:aws:sts::123456789012:assumed-role/x/y", InvalidInput),
        ("alice, the administrator", InvalidInput),
    ],
)
def test_the_source_must_be_there(alice: User, source_arn: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        simulate.simulate_principal(alice.principal, source_arn, [PUSH])


def test_each_question_has_its_right(bob: User, alice: User) -> None:
    document = [json.dumps(factories.allow("*"))]
    asking = [
        lambda: simulate.simulate_principal(bob.principal, alice.arn, [PUSH]),
        lambda: simulate.simulate_principal(bob.principal, "arn:aws:iam::123456789012:user/nobody", [PUSH]),
        lambda: simulate.simulate_custom(bob.principal, document, [PUSH]),
        lambda: simulate.principal_keys(bob.principal, alice.arn),
        lambda: simulate.custom_keys(bob.principal, document),
    ]
    for ask in asking:
        with pytest.raises(AccessDenied):
            ask()


def test_the_keys_that_policies_ask_for(alice: User, carol: User) -> None:
    carol.policies.add(Policy.objects.create_with_document(json.dumps(PROTECT), name="protect"))
    keys = simulate.principal_keys(alice.principal, carol.arn, [json.dumps(OWN)])
    assert keys == ["codecommit:References", "aws:username"]
    assert simulate.custom_keys(alice.principal, [json.dumps(OWN), json.dumps(OWN)]) == ["aws:username"]
