"""Policy documents in; allow or deny, and the statement that decided, out.

Documents are compiled once into patterns and tests, then decided many times.

Source: IAM User Guide, "Grammar of the IAM JSON policy language", "IAM JSON policy elements" (Effect, Action,
Resource, Condition operators, variables) and "Policy evaluation logic".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codeservices.errors import InvalidInput
from codeservices.iam import conditions, wildcards

Context = Mapping[str, str | Sequence[str]]

_SID = re.compile(r"[A-Za-z0-9]*")
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_VERSIONS = ("2012-10-17", "2008-10-17")
_STATEMENT_KEYS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}


class MalformedPolicy(InvalidInput):
    """The document breaks the policy grammar; the sentence says where and why."""

    code = "MalformedPolicyDocument"


@dataclass(frozen=True)
class Decision:
    """What was decided and by which statement.

    Attributes:
        is_allowed: The answer.
        is_explicit_deny: A Deny statement matched; otherwise a denial means that nothing allowed it.
        statement: The deciding statement as JSON text, or None where no statement matched.
        source: Which policy that statement stands in.
    """

    is_allowed: bool
    is_explicit_deny: bool = False
    statement: str | None = None
    source: str = ""


@dataclass(frozen=True)
class Statement:
    """One compiled statement."""

    allows: bool
    actions: tuple[re.Pattern[str], ...]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    has_variables: bool
    resource_patterns: tuple[re.Pattern[str], ...]
    tests: tuple[conditions.Test, ...]
    text: str


@dataclass(frozen=True)
class Policy:
    """One compiled document."""

    source: str
    statements: tuple[Statement, ...]


def parse(document: str, source: str = "") -> Policy:
    """Compile a JSON policy document.

    Args:
        document: The text, at most what the caller's limit allows.
        source: A name or ARN told in decisions.

    Raises:
        MalformedPolicy: With the line (JSON faults) or the statement and key at fault.
    """
    try:
        body = json.loads(document, object_pairs_hook=_object_without_duplicates)
    except json.JSONDecodeError as error:
        raise MalformedPolicy(
            f"The policy is not JSON: line {error.lineno}, column {error.colno}: {error.msg}."
        ) from None
    if not isinstance(body, dict):
        raise MalformedPolicy("The policy must be a JSON object with a Statement.")
    unknown = set(body) - {"Version", "Id", "Statement"}
    if unknown:
        raise MalformedPolicy(f"The policy has an unknown element “{min(unknown)}”.")
    version = body.get("Version", "2008-10-17")
    if version not in _VERSIONS:
        raise MalformedPolicy(f"Version must be 2012-10-17 or 2008-10-17, not “{version}”.")
    rows = body.get("Statement")
    rows = [rows] if isinstance(rows, dict) else rows
    if not isinstance(rows, list) or not rows:
        raise MalformedPolicy("The policy needs a Statement: an object or a list of at least one.")
    sids = [row["Sid"] for row in rows if isinstance(row, dict) and row.get("Sid")]
    for sid in sids:
        if sids.count(sid) > 1:
            raise MalformedPolicy(f"Two statements have the Sid “{sid}”; it must be unique in a policy.")
    variables = version == "2012-10-17"
    return Policy(source, tuple(_statement(row, number, variables) for number, row in enumerate(rows, start=1)))


def evaluate(policies: Iterable[Policy], action: str, resource: str, context: Context) -> Decision:
    """Decide one request: an explicit deny wins, then any allow, else denied by default.

    Args:
        policies: Every policy that applies to the principal.
        action: "codecommit:GitPush"; compared without regard to case.
        resource: The ARN acted on, or "*".
        context: Condition keys in any case, such as "aws:SourceIp" or "codecommit:References".
    """
    folded = {key.lower(): value for key, value in context.items()}
    allowed: Decision | None = None
    for policy in policies:
        for statement in policy.statements:
            if statement.allows and allowed is not None:
                continue
            if not _matches(statement, action, resource, folded):
                continue
            if not statement.allows:
                return Decision(False, True, statement.text, policy.source)
            allowed = Decision(True, False, statement.text, policy.source)
    return allowed or Decision(False)


def _matches(statement: Statement, action: str, resource: str, context: Context) -> bool:
    if any(pattern.fullmatch(action) for pattern in statement.actions) is statement.not_actions:
        return False
    patterns: Iterable[re.Pattern[str]] = statement.resource_patterns
    if statement.has_variables:
        expanded = [expand(text, context) for text in statement.resources]
        patterns = [wildcards.compiled(text) for text in expanded if text is not None]
    if any(pattern.fullmatch(resource) for pattern in patterns) is statement.not_resources:
        return False
    return all(test.passes(context) for test in statement.tests)


def _statement(row: Any, number: int, variables: bool) -> Statement:
    where = f"Statement {number}"
    if not isinstance(row, dict):
        raise MalformedPolicy(f"{where} must be an object.")
    for key in row:
        if key in ("Principal", "NotPrincipal"):
            raise MalformedPolicy(f"{where} has {key}, which only a resource's policy may have.")
        if key not in _STATEMENT_KEYS:
            raise MalformedPolicy(f"{where} has an unknown element “{key}”.")
    if row.get("Effect") not in ("Allow", "Deny"):
        raise MalformedPolicy(f"{where} needs an Effect of Allow or Deny.")
    if not isinstance(row.get("Sid", ""), str) or not _SID.fullmatch(row.get("Sid", "")):
        raise MalformedPolicy(f"{where}: a Sid has letters and digits only.")
    actions, not_actions = _one_of(row, "Action", "NotAction", where)
    resources, not_resources = _one_of(row, "Resource", "NotResource", where)
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise MalformedPolicy(f"{where}: “{action}” is no action; write service:Name, such as codecommit:GitPull.")
    for resource in resources:
        if resource != "*" and not (resource.startswith("arn:") and resource.count(":") >= 5):
            raise MalformedPolicy(f"{where}: “{resource}” is no resource; write an ARN or *.")
    has_variables = variables and any("${" in text for text in resources)
    condition = row.get("Condition", {})
    try:
        tests = conditions.compile_block(condition, expand if variables else None)
    except ValueError as error:
        raise MalformedPolicy(f"{where}: {error}") from None
    return Statement(
        allows=row["Effect"] == "Allow",
        actions=tuple(wildcards.compiled(text, ignore_case=True) for text in actions),
        not_actions=not_actions,
        resources=tuple(resources),
        not_resources=not_resources,
        has_variables=has_variables,
        resource_patterns=() if has_variables else tuple(wildcards.compiled(text) for text in resources),
        tests=tests,
        text=json.dumps(row, ensure_ascii=False),
    )


def _one_of(row: dict[str, Any], name: str, negated: str, where: str) -> tuple[list[str], bool]:
    if (name in row) == (negated in row):
        raise MalformedPolicy(f"{where} needs exactly one of {name} and {negated}.")
    key = name if name in row else negated
    values = [row[key]] if isinstance(row[key], str) else row[key]
    if not isinstance(values, list) or not values or not all(isinstance(value, str) and value for value in values):
        raise MalformedPolicy(f"{where}: {key} must be a text or a list of texts.")
    return values, key == negated


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for key, value in pairs:
        if key in body:
            raise MalformedPolicy(f"The key “{key}” stands twice in one object.")
        body[key] = value
    return body


def expand(text: str, context: Context) -> str | None:
    """Replace `${key}`, `${key, 'default'}`, `${*}`, `${?}` and `${$}`; None where a key has no single value."""
    is_whole = True

    def value_of(match: re.Match[str]) -> str:
        nonlocal is_whole
        name, _, default = match[1].partition(",")
        name = name.strip()
        if name in ("*", "?", "$"):
            found = name
        else:
            value = context.get(name.lower())
            if isinstance(value, str):
                found = value
            elif value is None and default.strip():
                found = default.strip().strip("'")
            else:
                is_whole = False
                return ""
        return wildcards.literal(found)

    expanded = _VARIABLE.sub(value_of, text)
    return expanded if is_whole else None
