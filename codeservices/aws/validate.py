"""A request's members against the model's constraints: every problem, for each service to name as it does.

Source: the constraint traits of botocore's models and the sentences that AWS services answer with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from botocore.model import Shape

Rule = Literal["required", "min", "max", "pattern", "enum"]


@dataclass(frozen=True)
class Problem:
    """One constraint that one member breaks.

    Attributes:
        path: Where: member names and list places from 1, "tags.1.key".
        rule: Which kind of constraint.
        sentence: AWS's own words for it.
        value: What the request has there; None where it is absent.
    """

    path: str
    rule: Rule
    sentence: str
    value: Any = None

    @property
    def member(self) -> str:
        """The request's own member that the problem lies in."""
        return self.path.partition(".")[0]

    @property
    def is_missing(self) -> bool:
        """Absent, or there without any length, which some services treat alike."""
        return self.value is None or (isinstance(self.value, str | bytes | list | dict) and not self.value)


def check(shape: Shape | None, params: dict[str, Any]) -> list[Problem]:
    """Every problem of a parsed request, in the model's order; values have the right types already."""
    return [] if shape is None else list(_structure(shape, params, ""))


def sentences(problems: list[Problem]) -> str:
    """All problems as AWS words them: "2 validation errors detected: …; …"."""
    noun = "error" if len(problems) == 1 else "errors"
    return f"{len(problems)} validation {noun} detected: " + "; ".join(problem.sentence for problem in problems)


def _structure(shape: Any, value: dict[str, Any], prefix: str) -> Iterator[Problem]:
    for name, member in shape.members.items():
        path = prefix + name[0].lower() + name[1:]
        if value.get(name) is not None:
            yield from _value(member, value[name], path)
        elif name in shape.required_members:
            yield Problem(
                path, "required", f"Value null at '{path}' failed to satisfy constraint: Member must not be null"
            )


def _value(shape: Any, value: Any, path: str) -> Iterator[Problem]:
    kind = shape.type_name
    if kind == "structure":
        yield from _structure(shape, value, path + ".")
        return
    for rule, constraint in _broken(shape, value):
        shown = "Value" if shape.metadata.get("sensitive") else f"Value {_shown(value)}"
        yield Problem(path, rule, f"{shown} at '{path}' failed to satisfy constraint: {constraint}", value)
    if kind == "list":
        for place, item in enumerate(value, 1):
            yield from _value(shape.member, item, f"{path}.{place}.member")
    elif kind == "map":
        for key, item in value.items():
            yield from _value(shape.key, key, f"{path}.{key}.key")
            yield from _value(shape.value, item, f"{path}.{key}.value")


def _broken(shape: Any, value: Any) -> Iterator[tuple[Rule, str]]:
    """The constraints of its own that one value breaks."""
    limits = shape.metadata
    minimum, maximum = limits.get("min"), limits.get("max")
    measured = len(value) if isinstance(value, str | bytes | list | dict) else value
    measure = "value" if measured is value else "length"
    is_ordered = shape.type_name not in ("boolean", "timestamp")
    if is_ordered and minimum is not None and measured < minimum:
        yield "min", f"Member must have {measure} greater than or equal to {minimum}"
    if is_ordered and maximum is not None and measured > maximum:
        yield "max", f"Member must have {measure} less than or equal to {maximum}"
        return  # what is far too long isn't worth matching
    if shape.type_name != "string":
        return
    if shape.enum and value not in shape.enum:
        yield "enum", f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
    pattern = limits.get("pattern")
    compiled = compiled_pattern(pattern) if pattern else None
    if compiled is not None and compiled.fullmatch(value) is None:
        yield "pattern", f"Member must satisfy regular expression pattern: {pattern}"


@cache
def compiled_pattern(pattern: str) -> re.Pattern[str] | None:
    """A model's Java pattern as Python's; None where it can't be told, which then constrains nothing.

    Letters and digits (`\\p{L}`, `\\p{N}`) become `\\w`, whose underscore every such class of the models has anyway.
    """
    flags = re.NOFLAG if r"\p{" in pattern else re.ASCII
    translated = pattern.replace(r"\p{L}", r"\w").replace(r"\p{N}", r"\d").replace(r"\p{Z}", r"\s")
    translated = translated.replace(r"[\w-_]", r"[\w\-_]")
    try:
        return re.compile(translated, flags)
    except re.error:
        return None


def _shown(value: Any) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return f"'{text[:100]}…'" if len(text) > 100 else f"'{text}'"
