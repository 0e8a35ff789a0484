"""The indexed evaluator against a plain one that reads the documents as they are, on random policies and requests."""

from __future__ import annotations

import json
import random
from fnmatch import translate
from ipaddress import ip_address, ip_network
from re import fullmatch
from typing import Any

from codeservices.iam import policy

CASES = 4000
ARN = "arn:aws:codecommit:us-east-1:1:"
RESOURCES = ["*", *(ARN + name for name in ("shop", "shop-web", "shops", "team/a", "alice", "*"))]
ACTIONS = ["codecommit:GitPull", "CodeCommit:gitpush", "codecommit:GetBranch", "codebuild:StartBuild"]
ACTION_PATTERNS = [
    "*",
    "codecommit:*",
    "codecommit:Git*",
    "CODECOMMIT:GITPULL",
    "codecommit:G?tPush",
    "codebuild:St*t*d",
]
RESOURCE_PATTERNS = [
    "*",
    *(
        ARN + name
        for name in ("shop", "shop*", "*", "shop-???", "*a", "sh*p*e?", "${aws:username}", "${aws:x, 'shop'}*")
    ),
    "arn:aws:*:*:*:team/*",
]
REFERENCES = ["refs/heads/main", "refs/heads/topic", "refs/heads/alice", "refs/tags/v1"]
CONTEXTS: dict[str, list[Any]] = {
    "aws:username": ["alice", "main", "*"],
    "aws:SourceIp": ["10.0.0.1", "192.0.2.1", "nowhere"],
    "codecommit:References": [*REFERENCES, ["refs/heads/main", "refs/tags/v1"], [], REFERENCES],
    "aws:MultiFactorAuthAge": ["1", "10", "none"],
    "aws:SecureTransport": ["true", "false"],
}
CONDITIONS: dict[str, tuple[str, list[Any]]] = {
    "StringEquals": ("codecommit:References", [*REFERENCES, "refs/heads/${aws:username}"]),
    "StringNotEquals": ("codecommit:References", [*REFERENCES, "refs/heads/${aws:username}"]),
    "StringLike": ("CodeCommit:references", ["refs/heads/*", "*/main", "refs/????/*", "refs/*/${aws:username}"]),
    "StringNotLike": ("CodeCommit:references", ["refs/heads/*", "*/main", "refs/*/${aws:username}"]),
    "IpAddress": ("aws:SourceIp", ["10.0.0.0/8", "192.0.2.1"]),
    "NotIpAddress": ("aws:SourceIp", ["10.0.0.0/8", "192.0.2.1"]),
    "NumericLessThan": ("aws:MultiFactorAuthAge", ["5", 10]),
    "NumericNotEquals": ("aws:MultiFactorAuthAge", ["1", 10]),
    "Bool": ("aws:SecureTransport", ["true", False]),
}


# ---- the plain evaluator ---------------------------------------------------------------------------------------------


def plain(documents: list[dict[str, Any]], action: str, resource: str, context: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the request is allowed, and whether a statement denies it."""
    keys = {key.lower(): value for key, value in context.items()}
    effects = {
        statement["Effect"]
        for document in documents
        for statement in document["Statement"]
        if matches(statement, action, resource, keys)
    }
    return effects == {"Allow"}, "Deny" in effects


def matches(statement: dict[str, Any], action: str, resource: str, keys: dict[str, Any]) -> bool:
    for name, wanted, fold in (("Action", action.lower(), True), ("Resource", resource, False)):
        negated = f"Not{name}" in statement
        texts = [filled(text, keys) for text in statement[f"Not{name}" if negated else name]]
        if negated and None in texts:
            return False
        if any(text is not None and like(text.lower() if fold else text, wanted) for text in texts) is negated:
            return False
    return all(
        holds(name, key, values, keys)
        for name, operands in statement.get("Condition", {}).items()
        for key, values in operands.items()
    )


def filled(text: str, keys: dict[str, Any]) -> str | None:
    if "${aws:x, 'shop'}" in text:
        return text.replace("${aws:x, 'shop'}", "shop")
    if "${aws:username}" in text:
        name = keys.get("aws:username")
        return None if name is None else text.replace("${aws:username}", name.replace("*", "[*]"))
    return text


def like(pattern: str, text: str) -> bool:
    return fullmatch(translate(pattern), text) is not None


def holds(operator: str, key: str, values: list[Any], keys: dict[str, Any]) -> bool:
    prefix, _, base = operator.rpartition(":")
    if_exists, base = base.endswith("IfExists"), base.removesuffix("IfExists")
    found = keys.get(key.lower())
    requested = found if isinstance(found, list) else [] if found is None else [found]
    if base == "Null":
        return any((str(value).lower() == "true") is (not requested) for value in values)
    if not requested and if_exists:
        return True
    if not requested:
        return prefix != "ForAnyValue" and ("Not" in base or prefix == "ForAllValues")
    texts = [filled(str(value), keys) for value in values]
    if "Not" in base and None in texts:
        return False
    answers = []
    for one in requested:
        equal = any(compare(base.replace("Not", ""), one, text) for text in texts if text is not None)
        answers.append(equal is not ("Not" in base))
    if prefix == "ForAnyValue" or (not prefix and "Not" not in base):
        return any(answers)
    return all(answers)


def compare(base: str, requested: str, wanted: str) -> bool:
    try:
        if base == "StringEquals":
            return requested == wanted.replace("[*]", "*")
        if base == "StringLike":
            return like(wanted, requested)
        if base == "IpAddress":
            return ip_address(requested) in ip_network(wanted)
        if base == "Bool":
            return requested == wanted.lower()
        return float(requested) < float(wanted) if base == "NumericLessThan" else float(requested) == float(wanted)
    except ValueError:
        return False


# ---- random policies -------------------------------------------------------------------------------------------------


def some(chance: random.Random, values: list[Any]) -> list[Any]:
    return chance.sample(values, chance.randint(1, min(3, len(values))))


def random_statement(chance: random.Random) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": chance.choice(["Allow", "Allow", "Deny"]),
        chance.choice(["Action", "Action", "NotAction"]): some(chance, ACTION_PATTERNS),
        chance.choice(["Resource", "Resource", "Resource", "NotResource"]): some(chance, RESOURCE_PATTERNS),
    }
    condition = {}
    for name in chance.sample(sorted(CONDITIONS), chance.choice([0, 0, 1, 1, 2])):
        key, values = CONDITIONS[name]
        prefix = chance.choice(["", "", "ForAnyValue:", "ForAllValues:"])
        condition[prefix + name + chance.choice(["", "IfExists"])] = {key: some(chance, values)}
    if chance.random() < 0.1:
        condition["Null"] = {"codecommit:References": some(chance, ["true", False])}
    return {**statement, "Condition": condition} if condition else statement


def test_the_index_decides_as_the_plain_rules_do() -> None:
    chance = random.Random(20121017)
    outcomes: dict[tuple[bool, bool], int] = {}
    for _ in range(CASES // 10):
        documents = [
            {"Version": "2012-10-17", "Statement": [random_statement(chance) for _ in range(chance.randint(1, 4))]}
            for _ in range(chance.randint(0, 3))
        ]
        policies = [policy.parse(json.dumps(document), str(place)) for place, document in enumerate(documents)]
        for _ in range(10):
            action, resource = chance.choice(ACTIONS), chance.choice(RESOURCES)
            context = {key: chance.choice(CONTEXTS[key]) for key in CONTEXTS if chance.random() < 0.7}
            decision = policy.evaluate(policies, action, resource, context)
            expected = plain(documents, action, resource, context)
            told = json.dumps([documents, action, resource, context])
            assert (decision.is_allowed, decision.is_explicit_deny) == expected, told
            matched = policy.matching(policies, action, resource, context)
            if decision.statement is None:
                assert matched == [], told
            else:
                deciding = next(one for one in matched if one.allows is decision.is_allowed)
                assert (deciding.source, deciding.number) == (decision.source, decision.number), told
            outcomes[expected] = outcomes.get(expected, 0) + 1
    assert min(outcomes[True, False], outcomes[False, True], outcomes[False, False]) > CASES // 10
