"""Filter policies: which messages a subscription wants.

Source: Amazon SNS Developer Guide, "Filter policies": scope, exact, prefix, suffix, anything-but, wildcard, numeric,
exists and equals-ignore-case matching; constraints.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ATTRIBUTES, BODY = "MessageAttributes", "MessageBody"
SCOPES = (ATTRIBUTES, BODY)
MAX_BYTES = 256 * 1024
MAX_KEYS = 5
MAX_COMBINATIONS = 150
MAX_DEPTH = 32

Scalar = str | int | float | bool | None
Condition = Callable[[Scalar], bool]


class PolicyError(ValueError):
    """A filter policy breaks a rule; the text is a sentence that says which."""


@dataclass(frozen=True)
class Leaf:
    """What one key asks for: any of the conditions, or, where it accepts an absence, that there is none."""

    conditions: tuple[Condition, ...]
    accepts_absence: bool = False

    def matches(self, values: list[Scalar]) -> bool:
        """Whether one of the values satisfies one of the conditions."""
        if not values:
            return self.accepts_absence
        return any(condition(value) for condition in self.conditions for value in values)


@dataclass(frozen=True)
class FilterPolicy:
    """A policy that has been read: every key must match. `tree` maps a key to a Leaf or to a policy below it."""

    tree: Mapping[str, Leaf | FilterPolicy]

    def check_scope(self, scope: str) -> None:
        """Raises PolicyError where keys lie below keys, which attributes can't have."""
        if scope == ATTRIBUTES and any(isinstance(one, FilterPolicy) for one in self.tree.values()):
            raise PolicyError("Filter policy scope MessageAttributes does not support nested filter policy.")

    def matches_attributes(self, attributes: Mapping[str, Mapping[str, str]]) -> bool:
        """Whether a message's attributes ({"Type", "Value"} by name) match."""
        return all(
            isinstance(leaf, Leaf) and leaf.matches(list(_attribute_values(attributes.get(key))))
            for key, leaf in self.tree.items()
        )

    def matches_body(self, body: Mapping[str, Any] | None) -> bool:
        """Whether a message's body matches, as `read_body` gave it; no body matches nothing."""
        return body is not None and self._matches(body)

    def _matches(self, body: Mapping[str, Any]) -> bool:
        for key, wanted in self.tree.items():
            value = body.get(key)
            if isinstance(wanted, Leaf):
                values = [] if key not in body else [one for one in _each(value) if not isinstance(one, dict)]
                if not wanted.matches(values):
                    return False
                continue
            below = [one for one in _each(value) if isinstance(one, dict)] or [{}]
            if not any(wanted._matches(one) for one in below):
                return False
        return True


def read_body(text: str) -> dict[str, Any] | None:
    """A message's text as what policies match, a JSON object; None where it is none."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def parse(text: str) -> FilterPolicy:
    """Read a policy; raises PolicyError."""
    if len(text.encode()) > MAX_BYTES:
        raise PolicyError(f"A filter policy has at most {MAX_BYTES // 1024} KB.")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise PolicyError("failed to parse JSON.") from None
    if not isinstance(document, dict):
        raise PolicyError("Filter policy must be an object, in braces.")
    leaves: list[int] = []
    found = _policy(document, leaves, 1)
    combinations = 1
    for count in leaves:
        combinations *= count
    if len(leaves) > MAX_KEYS or combinations > MAX_COMBINATIONS:
        raise PolicyError(
            f"Filter policy is too complex: at most {MAX_KEYS} keys and {MAX_COMBINATIONS} combinations of values."
        )
    return found


def _policy(document: dict[str, Any], leaves: list[int], depth: int) -> FilterPolicy:
    if depth > MAX_DEPTH:
        raise PolicyError(f"Filter policy is nested more than {MAX_DEPTH} times.")
    tree: dict[str, Leaf | FilterPolicy] = {}
    for key, value in document.items():
        if key == "$or":
            raise PolicyError("“$or” is not available on this server.")
        if isinstance(value, dict) and value:
            tree[key] = _policy(value, leaves, depth + 1)
        elif isinstance(value, list) and value:
            tree[key] = _leaf(key, value)
            leaves.append(sum(map(_count, value)))
        else:
            raise PolicyError(f"“{key[:60]}” must be an object or an array, and not empty.")
    return FilterPolicy(tree)


def _count(value: Any) -> int:
    """How many comparisons a value stands for: each is done with every value of every message."""
    refused = value.get("anything-but") if isinstance(value, dict) else None
    if isinstance(refused, dict):
        refused = next(iter(refused.values()), None)
    return len(refused) if isinstance(refused, list) else 1


def _leaf(key: str, values: list[Any]) -> Leaf:
    conditions: list[Condition] = []
    accepts_absence = False
    for value in values:
        if value == {"exists": False}:
            accepts_absence = True
        elif isinstance(value, dict):
            conditions.append(_condition(key, value))
        elif isinstance(value, list):
            raise PolicyError(f"Match value of “{key[:60]}” must be String, number, true, false, null or an object.")
        else:
            conditions.append(_equals(value))
    return Leaf(tuple(conditions), accepts_absence)


def _condition(key: str, given: dict[str, Any]) -> Condition:
    if len(given) != 1:
        raise PolicyError(f"A condition of “{key[:60]}” is an object of one member.")
    [(name, value)] = given.items()
    if name == "exists":
        if value is not True:
            raise PolicyError("exists match pattern must be either true or false.")
        return lambda _: True
    if name == "anything-but":
        return _anything_but(value)
    if name == "numeric":
        return _numeric(value)
    if name in _TEXT_CONDITIONS:
        if not isinstance(value, str) or not value:
            raise PolicyError(f"{name} match pattern must be a string, and not empty.")
        return _TEXT_CONDITIONS[name](value)
    raise PolicyError(f"Unrecognized match type “{name[:60]}”.")


def _prefix(wanted: str) -> Condition:
    return lambda value: isinstance(value, str) and value.startswith(wanted)


def _suffix(wanted: str) -> Condition:
    return lambda value: isinstance(value, str) and value.endswith(wanted)


def _ignoring_case(wanted: str) -> Condition:
    return lambda value: isinstance(value, str) and value.casefold() == wanted.casefold()


def _wildcard(wanted: str) -> Condition:
    if "**" in wanted or wanted.count("*") > 3:
        raise PolicyError("wildcard match pattern has at most three asterisks, none beside another.")
    parts = wanted.split("*")
    return lambda value: isinstance(value, str) and _has_parts(value, parts)


def _has_parts(text: str, parts: list[str]) -> bool:
    """Whether a text is the parts in their order with anything between them; takes time in proportion to the text."""
    first, *between = parts
    if not between:
        return text == first
    last = between.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    place, end = len(first), len(text) - len(last)
    for part in between:
        place = text.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return True


_TEXT_CONDITIONS: dict[str, Callable[[str], Condition]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignoring_case,
    "wildcard": _wildcard,
}


def _equals(wanted: Scalar) -> Condition:
    if _is_number(wanted):
        return lambda value: _is_number(value) and value == wanted
    return lambda value: type(value) is type(wanted) and value == wanted


def _anything_but(given: Any) -> Condition:
    if isinstance(given, dict):
        [(name, text)] = given.items() if len(given) == 1 else [("", "")]
        if name not in _TEXT_CONDITIONS:
            raise PolicyError(f"anything-but takes values or one of {', '.join(_TEXT_CONDITIONS)}.")
        refused = [_condition("anything-but", {name: one}) for one in (text if isinstance(text, list) else [text])]
    else:
        values = given if isinstance(given, list) else [given]
        if not values or not all(isinstance(one, str) or _is_number(one) for one in values):
            raise PolicyError("anything-but list must contain only strings or numbers, at least one.")
        refused = [_equals(one) for one in values]
    return lambda value: not any(one(value) for one in refused)


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def _numeric(given: Any) -> Condition:
    if not isinstance(given, list) or len(given) not in (2, 4):
        raise PolicyError('numeric match must be an array such as ["=", 1] or [">", 0, "<=", 10].')
    pairs = [(given[place], given[place + 1]) for place in range(0, len(given), 2)]
    for operator, bound in pairs:
        if not isinstance(operator, str) or operator not in _COMPARISONS or not _is_number(bound):
            raise PolicyError(f"Value of a numeric match must be one of {' '.join(_COMPARISONS)} and a number.")
    if len(pairs) == 2 and (pairs[0][0] not in (">", ">=") or pairs[1][0] not in ("<", "<=")):
        raise PolicyError("A numeric range is a lower bound, > or >=, and then an upper bound, < or <=.")
    return lambda value: _is_number(value) and all(_COMPARISONS[operator](value, bound) for operator, bound in pairs)  # type: ignore[arg-type]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _attribute_values(attribute: Mapping[str, str] | None) -> Iterator[Scalar]:
    """What an attribute offers for matching: its text, its number, or each item of its array; a Binary nothing."""
    if attribute is None:
        return
    kind, value = attribute["Type"], attribute["Value"]
    if re.match(r"String\.Array(\.|\Z)", kind):
        yield from json.loads(value)
    elif kind.startswith("Number"):
        yield float(value)
    elif kind.startswith("String"):
        yield value


def _each(value: Any) -> list[Any]:
    """A value, or those of an array however deep its arrays are nested."""
    found, waiting = [], [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(reversed(one))
        else:
            found.append(one)
    return found
