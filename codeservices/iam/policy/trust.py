"""A role's trust policy: who may assume it.

Source: IAM User Guide, "AWS JSON policy elements: Principal", "IAM roles" (trust policies) and "Policy evaluation for
requests within a single account".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from codeservices.iam.policy import patterns
from codeservices.iam.policy.document import STATEMENT_KEYS, Grammar, did_you_mean
from codeservices.iam.policy.index import folded
from codeservices.iam.policy.model import Context, Decision, Statement
from codeservices.iam.policy.reader import Node, shown

_TRUST_KEYS = (*(key for key in STATEMENT_KEYS if "Resource" not in key), "Principal")
# What a session is made with; sign-in by other identity providers (AssumeRoleWith…) leads to no role here.
_ACTIONS = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
_ACCOUNT = re.compile(r"[0-9]{12}|arn:aws:iam::([0-9]{12}):root")
_ARN = re.compile(
    r"arn:aws:iam::[0-9]{12}:(?:user|role)/[\x21-\x7e]*[\w+=,.@-]+|arn:aws:sts::[0-9]{12}:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+"
)
_SERVICE = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com")
_EVERY_RESOURCE = (patterns.read("*", variables=False),)

Match = Literal["", "account", "direct"]


class Caller(NamedTuple):
    """Who wants to assume a role.

    Attributes:
        account_id: The account of a user or role; empty for a service.
        arns: The ARNs that name it: a user's; a session's own and its role's.
        service: A service's name, such as codebuild.amazonaws.com; empty for users and roles.
    """

    account_id: str = ""
    arns: tuple[str, ...] = ()
    service: str = ""


@dataclass(frozen=True)
class TrustDecision:
    """What a trust policy says of a caller.

    Attributes:
        decision: Allowed or not, and by which statement.
        match: "direct" where the policy names the caller itself, which is enough. "account" where it names the account
            (or everyone), which leaves it to the caller's identity policies: they must allow sts:AssumeRole on the
            role as well. Empty where it was not allowed.
    """

    decision: Decision
    match: Match


@dataclass(frozen=True, eq=False)
class Principals:
    """The principals that one statement names."""

    everyone: bool
    accounts: frozenset[str]
    arns: frozenset[str]
    services: frozenset[str]

    def match(self, caller: Caller) -> Match:
        """Whether they cover the caller, and how."""
        if caller.service in self.services or not self.arns.isdisjoint(caller.arns):
            return "direct"
        return "account" if caller.account_id and (self.everyone or caller.account_id in self.accounts) else ""


class TrustStatement(NamedTuple):
    """One compiled statement of a trust policy; its resource is always the role it stands in."""

    statement: Statement
    principals: Principals


@dataclass(frozen=True, eq=False)
class TrustPolicy:
    """One compiled trust policy."""

    source: str
    statements: tuple[TrustStatement, ...]

    @property
    def arns(self) -> frozenset[str]:
        """The ARNs of users, roles and their sessions that it names."""
        return frozenset().union(*(one.principals.arns for one in self.statements))


def parse_trust(document: str, source: str = "") -> TrustPolicy:
    """Compile a trust policy: statements with a Principal, without a Resource, about sts:AssumeRole and the like.

    Args:
        document: The JSON text (AssumeRolePolicyDocument).
        source: The role's ARN, told in decisions.

    Raises:
        MalformedPolicy: With every fault, each with its line and column.
    """
    grammar = Grammar(document, source)
    statements = [_statement(grammar, node, number) for number, node in enumerate(grammar.statements(), 1)]
    grammar.finish()
    return TrustPolicy(source, tuple(statement for statement in statements if statement is not None))


def evaluate_trust(trust: TrustPolicy, caller: Caller, action: str, context: Context) -> TrustDecision:
    """Decide whether a trust policy lets a caller do an action: an explicit deny wins, then any allow.

    Args:
        trust: The role's trust policy.
        caller: Who asks.
        action: "sts:AssumeRole", in any case.
        context: Condition keys in any case.
    """
    keys = folded(context)
    allowed: dict[Match, Statement] = {}
    for statement, principals in trust.statements:
        match = principals.match(caller)
        if match and statement.is_about(action.lower()) and statement.holds(keys):
            if not statement.allows:
                return TrustDecision(statement.decision, "")
            allowed.setdefault(match, statement)
    for best in ("direct", "account"):
        if best in allowed:
            return TrustDecision(allowed[best].decision, best)
    return TrustDecision(Decision(False), "")


def _statement(grammar: Grammar, node: Node, number: int) -> TrustStatement | None:
    for key in ("Resource", "NotResource"):
        if isinstance(node.value, dict) and key in node.value:
            grammar.fault(node.keys[key], f"A trust policy has no {key}: it is about the role it stands in.")
    members = grammar.members(node, "A statement", (*_TRUST_KEYS, "Resource", "NotResource"))
    if members is None:
        return None
    if "NotAction" in members:
        grammar.fault(node.keys["NotAction"], "A trust policy names its actions; NotAction may not stand in it.")
    elif "Action" in members:
        for text, offset in grammar.texts(members["Action"], "Action"):
            if text.lower() not in {action.lower() for action in _ACTIONS}:
                hint = did_you_mean(text, _ACTIONS) or f" It has {', '.join(_ACTIONS)}."
                grammar.fault(offset, f"“{shown(text)}” is no action of a trust policy.{hint}")
    principals = _principals(grammar, node, members)
    return TrustStatement(grammar.statement(node, members, number, resources=(_EVERY_RESOURCE, False)), principals)


def _principals(grammar: Grammar, node: Node, members: dict[str, Node]) -> Principals:
    found: dict[str, set[str]] = {"everyone": set(), "accounts": set(), "arns": set(), "services": set()}
    principal = members.get("Principal")
    if principal is None:
        grammar.fault(node.start, "A statement of a trust policy needs a Principal: who may assume the role.")
    elif principal.value == "*":
        found["everyone"].add("*")
    elif not isinstance(principal.value, dict) or not principal.value:
        hint = 'write "*" or an object such as {"Service": "codebuild.amazonaws.com"}.'
        grammar.fault(principal.start, f"This names no principal; {hint}")
    else:
        for kind, values in principal.value.items():
            if kind not in ("AWS", "Service"):
                hint = did_you_mean(kind, ("AWS", "Service")) or " It has AWS and Service."
                grammar.fault(principal.keys[kind], f"Principal has no element “{shown(kind)}” on this server.{hint}")
                continue
            for text, offset in grammar.texts(values, f"Principal {kind}"):
                _add(grammar, found, kind, text, offset)
    return Principals(
        bool(found["everyone"]), frozenset(found["accounts"]), frozenset(found["arns"]), frozenset(found["services"])
    )


def _add(grammar: Grammar, found: dict[str, set[str]], kind: str, text: str, offset: int) -> None:
    if kind == "Service":
        found["services"].add(text)
        if not _SERVICE.fullmatch(text):
            grammar.fault(offset, f"“{shown(text)}” is no service; write a name such as codebuild.amazonaws.com.")
        return
    account = _ACCOUNT.fullmatch(text)
    if text == "*":
        found["everyone"].add(text)
    elif account:
        found["accounts"].add(account[1] or text)
    elif _ARN.fullmatch(text):
        found["arns"].add(text)
    else:
        hint = "write 12 digits, the ARN of an account's root, a user, a role or its session, or *."
        grammar.fault(offset, f"“{shown(text)}” is no principal; {hint}")
