"""What a policy document is once it is compiled, what is decided from it, and what may be wrong with it.

Compiled policies never change and are compared by identity, so whatever is kept by one of them can't grow stale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from codeservices.errors import InvalidInput
from codeservices.iam.policy.conditions import Test
from codeservices.iam.policy.patterns import Keys, Matcher, Pattern, Wildcard
from codeservices.iam.policy.reader import Position

Context = Mapping[str, str | Sequence[str]]
LimitKind = Literal["permissions boundary", "session policy"]

MAX_TOLD = 5  # problems in one message; all of them are in its attribute


class Problem(NamedTuple):
    """One fault of a document: where (line and column from 1), and what in a sentence, with a hint where one helps."""

    line: int
    column: int
    sentence: str

    def __str__(self) -> str:
        return f"Line {self.line}, column {self.column}: {self.sentence}"


class MalformedPolicy(InvalidInput):
    """The document breaks the policy grammar.

    Attributes:
        problems: Every fault that was found, in the order of the text.
    """

    code = "MalformedPolicyDocument"

    def __init__(self, problems: Sequence[Problem], *, code: str | None = None, prefix: str = "") -> None:
        told = [str(problem) for problem in problems[:MAX_TOLD]]
        if len(problems) > MAX_TOLD:
            told.append(f"And {len(problems) - MAX_TOLD} more.")
        super().__init__(prefix + " ".join(told), code=code)
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Decision:
    """What was decided, by which statement, and why.

    Attributes:
        is_allowed: The answer.
        is_explicit_deny: A Deny statement matched; otherwise a denial means that nothing allowed it.
        statement: The deciding statement as JSON text on one line, or None where no statement matched.
        source: Which policy that statement stands in.
        sid: The statement's Sid; may be empty.
        number: Which statement of the policy it is, from 1.
        start, end: Where it stands in the document: its first character, and the first one behind it.
        limit: The kind of limit that denied what the identity's own policies allow, or an empty text. With a
            statement that one denied explicitly, without one the limit has nothing that allows it.
        fault: Why the policy can't be read, where it denies for that reason.
    """

    is_allowed: bool
    is_explicit_deny: bool = False
    statement: str | None = None
    source: str = ""
    sid: str = ""
    number: int = 0
    start: Position | None = None
    end: Position | None = None
    limit: LimitKind | Literal[""] = ""
    fault: str = ""

    @property
    def place(self) -> str:
        """Where the deciding statement stands, for people: number and Sid, policy, lines; empty without one."""
        if self.fault:
            return f"{self.source} can't be read and denies everything until it is put right: {self.fault}"
        if self.statement is None or self.start is None or self.end is None:
            return ""
        sid = f" “{self.sid}”" if self.sid else ""
        source = f" of {self.source}" if self.source else ""
        first, last = self.start.line, self.end.line
        lines = f"line {first}" if first == last else f"lines {first} to {last}"
        return f"statement {self.number}{sid}{source}, {lines}"

    @property
    def why(self) -> Literal["allowed", "explicit deny", "limited", "nothing allows it"]:
        """The rule of policy evaluation that settled it."""
        if self.is_allowed:
            return "allowed"
        if self.is_explicit_deny:
            return "explicit deny"
        return "limited" if self.limit else "nothing allows it"


@dataclass(frozen=True, eq=False)
class Statement:
    """One compiled statement.

    Attributes:
        source: The policy it stands in.
        number: Its place there, from 1.
        sid: Its Sid; may be empty.
        allows: Allow, or else Deny.
        actions: What decides for an action's name in lower case.
        not_actions: They stand under NotAction.
        resources: The patterns under Resource or NotResource.
        not_resources: They stand under NotResource.
        tests: The conditions, all of which must hold.
        keys: The condition keys that conditions and variables ask for, as written, each once.
        text: The statement as JSON on one line.
        start, end: Where it stands in the document: its first character, and the first one behind it.
        fault: Why the policy can't be read, where this stands for all of it.
    """

    source: str
    number: int
    sid: str
    allows: bool
    actions: tuple[Matcher, ...]
    not_actions: bool
    resources: tuple[Pattern, ...]
    not_resources: bool
    tests: tuple[Test, ...]
    keys: tuple[str, ...]
    text: str
    start: Position
    end: Position
    fault: str = ""

    @cached_property
    def decision(self) -> Decision:
        """What this statement decides where it is the one that does."""
        return Decision(
            self.allows,
            not self.allows,
            self.text,
            self.source,
            self.sid,
            self.number,
            self.start,
            self.end,
            fault=self.fault,
        )

    def is_about(self, action: str) -> bool:
        """Whether it speaks of an action, named in lower case."""
        return any(matches(action) for matches in self.actions) is not self.not_actions

    def is_on(self, resource: str, keys: Keys) -> bool:
        """Whether it speaks of a resource; of none where a variable under NotResource has no value."""
        if self.not_resources and any(pattern.filled(keys) is None for pattern in self.resources):
            return False
        return any(pattern.matches(resource, keys) for pattern in self.resources) is not self.not_resources

    @cached_property
    def holds(self) -> Test:
        """Whether all its conditions hold, for a request's keys."""
        return self.tests[0] if len(self.tests) == 1 else lambda keys: all(test(keys) for test in self.tests)


@dataclass(frozen=True, eq=False)
class Policy:
    """One compiled identity policy (or session policy, or permissions boundary).

    Attributes:
        source: What decisions call it.
        document: As it is stored; "" of one that can't be read.
    """

    source: str
    statements: tuple[Statement, ...] = field(repr=False)
    document: str = field(default="", repr=False)

    @property
    def keys(self) -> tuple[str, ...]:
        """The condition keys that its statements ask for, as written, each once."""
        return distinct_keys(self.statements)


def unreadable(source: str, fault: str) -> Policy:
    """What stands in for a policy that can't be read: it denies everything, since nobody knows what it would deny.

    Args:
        source: The policy.
        fault: Why it can't be read.
    """
    everywhere = Pattern("*", (Wildcard.ANY,), ())
    start = Position(1, 1)
    statement = Statement(
        source=source,
        number=0,
        sid="",
        allows=False,
        actions=(lambda action: True,),
        not_actions=False,
        resources=(everywhere,),
        not_resources=False,
        tests=(),
        keys=(),
        text='{"Effect": "Deny", "Action": "*", "Resource": "*"}',
        start=start,
        end=start,
        fault=fault,
    )
    return Policy(source, (statement,))


@dataclass(frozen=True)
class Limit:
    """Policies that must allow as well what the identity's own policies allow."""

    kind: LimitKind
    policies: tuple[Policy, ...]


def distinct_keys(statements: Sequence[Statement]) -> tuple[str, ...]:
    """The condition keys that statements ask for, in their order; spellings that differ in case alone are one."""
    found: dict[str, str] = {}
    for statement in statements:
        for key in statement.keys:
            found.setdefault(key.lower(), key)
    return tuple(found.values())
