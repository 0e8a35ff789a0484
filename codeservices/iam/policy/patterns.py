"""Texts of a policy that match texts of a request: the wildcards `*` and `?`, and variables such as `${aws:username}`.

A pattern is read once into parts: literal text, wildcards, variables. A variable's value is literal text, so a wildcard
in it is only a character.

Source: IAM User Guide, "IAM policy elements: Variables and tags" and "Using wildcards in resource ARNs".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache, partial
from operator import eq

from codeservices.iam.policy.reader import shown

# Condition keys in lower case and what the request has for them.
Keys = Mapping[str, "str | Sequence[str]"]
Matcher = Callable[[str], object]  # true or false in a condition


class Wildcard(Enum):
    """ANY is any run of characters, ONE is one."""

    ANY = "*"
    ONE = "?"


@dataclass(frozen=True)
class Variable:
    """`${name}` or `${name, 'default'}`."""

    name: str
    default: str | None

    def value(self, keys: Keys) -> str | None:
        """Its text in a request; None where the key is absent without a default, or has several values."""
        found = keys.get(self.name.lower())
        if isinstance(found, str):
            return found
        return self.default if found is None else None


Part = str | Wildcard
# A variable that is never closed reaches to the end of the text, so that no character is looked at twice.
_SPLIT = re.compile(r"(\$\{[^}]*\}?|\*|\?)")
_DEFAULT = re.compile(r"'([^']*)'")
_KEY = re.compile(r"[A-Za-z0-9-]+:\S(?:.*\S)?", re.DOTALL)


@dataclass(frozen=True)
class Pattern:
    """One text of a policy, read.

    Attributes:
        text: As it stands in the document.
        parts: Literal text, wildcards and variables, in order.
        variables: The variables among them.
    """

    text: str
    parts: tuple[str | Wildcard | Variable, ...]
    variables: tuple[Variable, ...]

    @property
    def literal(self) -> str | None:
        """The only text it matches, where it has neither wildcards nor variables."""
        if not self.parts:
            return ""
        only = self.parts[0]
        return only if len(self.parts) == 1 and isinstance(only, str) else None

    @property
    def prefix(self) -> str | None:
        """What every text that it matches begins with, where that is all it asks; "" for a lone `*`."""
        if self.parts == (Wildcard.ANY,):
            return ""
        if len(self.parts) == 2 and isinstance(self.parts[0], str) and self.parts[1] is Wildcard.ANY:
            return self.parts[0]
        return None

    @property
    def fixed_parts(self) -> tuple[Part, ...]:
        """The parts of a pattern without variables."""
        return tuple(part for part in self.parts if not isinstance(part, Variable))

    def filled(self, keys: Keys) -> Pattern | None:
        """The pattern with every variable replaced by its value, which is literal; None where one has none."""
        if not self.variables:
            return self
        parts: list[Part] = []
        for part in self.parts:
            value = part.value(keys) if isinstance(part, Variable) else part
            if value is None:
                return None
            if isinstance(value, str) and parts and isinstance(parts[-1], str):
                parts[-1] += value
            else:
                parts.append(value)
        return Pattern(self.text, tuple(parts), ())

    def matches(self, text: str, keys: Keys) -> bool:
        """Whether a text of the request is one that this describes; no text is where a variable has no value."""
        if self.fixed is not None:
            return bool(self.fixed(text))
        filled = self.filled(keys)
        return filled is not None and bool(matcher(filled.fixed_parts)(text))

    @property
    def longest_literal(self) -> str:
        """A text that everything it matches holds: cheap to look for before anything dearer is tried."""
        return max((part for part in self.parts if isinstance(part, str)), key=len, default="")

    @cached_property
    def fixed(self) -> Matcher | None:
        """What decides for a text, the same in every request; None where variables have a say."""
        return None if self.variables else matcher(self.fixed_parts)


def read(text: str, *, variables: bool, wildcards: bool = True) -> Pattern:
    """Read a pattern.

    Args:
        text: From the document.
        variables: Whether the policy's version has them; otherwise `${` is plain text.
        wildcards: Whether `*` and `?` stand for others; otherwise they are plain text.

    Raises:
        ValueError: A variable is malformed; the sentence says how.
    """
    parts: list[str | Wildcard | Variable] = []
    for piece in _SPLIT.split(text):
        part: str | Wildcard | Variable = piece
        if piece in ("*", "?"):
            part = Wildcard(piece) if wildcards else piece
        elif variables and "${" in piece:
            part = _variable(piece)
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        elif part != "" and not (part is Wildcard.ANY and parts and parts[-1] is Wildcard.ANY):
            parts.append(part)
    return Pattern(text, tuple(parts), tuple(part for part in parts if isinstance(part, Variable)))


def _variable(piece: str) -> str | Variable:
    inner = piece[2:].removesuffix("}")
    if inner in ("*", "?", "$") and piece.endswith("}"):
        return inner
    name, comma, rest = inner.partition(",")
    name = name.strip()
    default = _DEFAULT.fullmatch(rest.strip())
    if not piece.endswith("}") or not _KEY.fullmatch(name) or (comma and default is None):
        raise ValueError(
            f"“{shown(piece)}” is no policy variable; write ${{key}} or ${{key, 'default'}} with a condition key such "
            "as aws:username, and ${$} for a dollar sign."
        )
    return Variable(name, default[1] if default else None)


def is_condition_key(text: str) -> bool:
    """Whether a text has the form of a condition key: a service's prefix, a colon, a name."""
    return _KEY.fullmatch(text) is not None


@lru_cache(maxsize=8192)
def matcher(parts: tuple[Part, ...]) -> Matcher:
    """What decides whether a text is of the form that literal parts and wildcards describe: the cheapest that can."""
    if all(isinstance(part, str) for part in parts):
        return partial(eq, "".join(str(part) for part in parts))
    if len(parts) == 2 and isinstance(parts[0], str) and parts[1] is Wildcard.ANY:
        beginning = parts[0]
        return lambda text: text.startswith(beginning)
    if parts == (Wildcard.ANY,):
        return lambda text: True
    return _expression(parts).fullmatch


def _expression(parts: tuple[Part, ...]) -> re.Pattern[str]:
    """A regular expression for `fullmatch`.

    What stands between two `*` is taken where it is found first and never looked for again, which finds all that there
    is to find: no pattern with many `*` makes a long text take for ever.
    """
    runs = [""]
    for part in parts:
        if part is Wildcard.ANY:
            runs.append("")
        else:
            runs[-1] += "." if part is Wildcard.ONE else re.escape(part)
    first, *rest = runs
    if not rest:
        return re.compile(first, re.DOTALL)
    *middle, last = rest
    return re.compile(f"{first}{''.join(f'(?>.*?{run})' for run in middle if run)}.*{last}", re.DOTALL)


def split(parts: tuple[Part, ...], separator: str, count: int) -> list[tuple[Part, ...]]:
    """Parts cut at the first `count` separators in their literal text."""
    pieces: list[list[Part]] = [[]]
    for part in parts:
        if isinstance(part, Wildcard):
            pieces[-1].append(part)
            continue
        first, *others = part.split(separator, count - len(pieces) + 1)
        if first:
            pieces[-1].append(first)
        pieces.extend([other] if other else [] for other in others)
    return [tuple(piece) for piece in pieces]
