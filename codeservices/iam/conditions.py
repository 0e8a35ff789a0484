"""The Condition element: operators, IfExists, set prefixes, Null.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Multivalued context keys".
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from codeservices.iam import wildcards

Context = Mapping[str, str | Sequence[str]]
Expand = Callable[[str, Context], str | None]
Compare = Callable[[str, str], bool]


@dataclass(frozen=True)
class Test:
    """One operator over one key: `passes` answers for a request's context (keys in lower case)."""

    key: str
    compare: Compare
    values: tuple[str, ...]
    is_negated: bool
    if_exists: bool
    quantifier: str  # "", "ForAllValues" or "ForAnyValue"
    is_null: bool
    expand: Expand | None

    def passes(self, context: Context) -> bool:
        present = context.get(self.key)
        if self.is_null:
            is_absent = present is None or (not isinstance(present, str) and not present)
            return any((value.lower() == "true") is is_absent for value in self.values)
        if present is None:
            if self.quantifier == "ForAnyValue":
                return self.if_exists
            return self.if_exists or self.is_negated or self.quantifier == "ForAllValues"
        requested = [present] if isinstance(present, str) else list(present)
        if self.quantifier == "ForAllValues":
            return all(self._one(value, context) for value in requested)
        return any(self._one(value, context) for value in requested)

    def _one(self, requested: str, context: Context) -> bool:
        for value in self.values:
            wanted = self.expand(value, context) if self.expand and "${" in value else value
            if wanted is None:
                continue
            try:
                if self.compare(requested, wanted):
                    return not self.is_negated
            except ValueError:
                continue
        return self.is_negated


def compile_block(block: Any, expand: Expand | None) -> tuple[Test, ...]:
    """The tests of a Condition element, all of which must pass; raises ValueError with the fault's place."""
    if not isinstance(block, dict):
        raise ValueError("Condition must be an object of operators.")
    tests = []
    for operator, keys in block.items():
        if not isinstance(keys, dict) or not keys:
            raise ValueError(f"Condition {operator} must be an object of keys and values.")
        quantifier, _, base = operator.rpartition(":")
        if quantifier not in ("", "ForAllValues", "ForAnyValue"):
            raise ValueError(f"Condition {operator} has an unknown prefix.")
        if_exists = base.endswith("IfExists")
        base = base.removesuffix("IfExists")
        is_null = base == "Null"
        if base not in OPERATORS and not is_null:
            raise ValueError(f"Condition operator {operator} is not known.")
        if is_null and (if_exists or quantifier):
            raise ValueError(f"Condition operator {operator} takes neither IfExists nor a set prefix.")
        compare, is_negated = OPERATORS.get(base, (_equals, False))
        for key, raw in keys.items():
            values = _texts(raw)
            if values is None:
                raise ValueError(f"Condition {operator} {key}: the values must be texts, numbers or booleans.")
            tests.append(Test(key.lower(), compare, values, is_negated, if_exists, quantifier, is_null, expand))
    return tuple(tests)


def _texts(raw: Any) -> tuple[str, ...] | None:
    items = raw if isinstance(raw, list) else [raw]
    texts = []
    for item in items:
        if isinstance(item, bool):
            texts.append("true" if item else "false")
        elif isinstance(item, str | int | float):
            texts.append(str(item))
        else:
            return None
    return tuple(texts)


def _equals(requested: str, wanted: str) -> bool:
    return requested == wildcards.plain(wanted)


def _equals_folded(requested: str, wanted: str) -> bool:
    return requested.casefold() == wildcards.plain(wanted).casefold()


def _like(requested: str, wanted: str) -> bool:
    return wildcards.compiled(wanted).fullmatch(requested) is not None


def _arn_like(requested: str, wanted: str) -> bool:
    ours, theirs = requested.split(":", 5), wanted.split(":", 5)
    if len(ours) != 6 or len(theirs) != 6:
        return False
    return all(wildcards.compiled(pattern).fullmatch(part) for part, pattern in zip(ours, theirs, strict=True))


def _boolean(requested: str, wanted: str) -> bool:
    return requested.lower() == wanted.lower()


def _binary(requested: str, wanted: str) -> bool:
    try:
        return base64.b64decode(requested, validate=True) == base64.b64decode(wanted, validate=True)
    except binascii.Error:
        return False


def _address(requested: str, wanted: str) -> bool:
    return ipaddress.ip_address(requested) in ipaddress.ip_network(wanted, strict=False)


def _number(compare: Callable[[float, float], bool]) -> Compare:
    return lambda requested, wanted: compare(float(requested), float(wanted))


def _date(compare: Callable[[float, float], bool]) -> Compare:
    return lambda requested, wanted: compare(_moment(requested), _moment(wanted))


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


# Operator name to (comparison, whether it is negated).
OPERATORS: dict[str, tuple[Compare, bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_folded, False),
    "StringNotEqualsIgnoreCase": (_equals_folded, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "NumericEquals": (_number(lambda ours, theirs: ours == theirs), False),
    "NumericNotEquals": (_number(lambda ours, theirs: ours == theirs), True),
    "NumericLessThan": (_number(lambda ours, theirs: ours < theirs), False),
    "NumericLessThanEquals": (_number(lambda ours, theirs: ours <= theirs), False),
    "NumericGreaterThan": (_number(lambda ours, theirs: ours > theirs), False),
    "NumericGreaterThanEquals": (_number(lambda ours, theirs: ours >= theirs), False),
    "DateEquals": (_date(lambda ours, theirs: ours == theirs), False),
    "DateNotEquals": (_date(lambda ours, theirs: ours == theirs), True),
    "DateLessThan": (_date(lambda ours, theirs: ours < theirs), False),
    "DateLessThanEquals": (_date(lambda ours, theirs: ours <= theirs), False),
    "DateGreaterThan": (_date(lambda ours, theirs: ours > theirs), False),
    "DateGreaterThanEquals": (_date(lambda ours, theirs: ours >= theirs), False),
    "Bool": (_boolean, False),
    "BinaryEquals": (_binary, False),
    "IpAddress": (_address, False),
    "NotIpAddress": (_address, True),
    "ArnEquals": (_arn_like, False),
    "ArnLike": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnNotLike": (_arn_like, True),
}
