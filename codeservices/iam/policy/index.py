"""Many policies as one index: which statements can decide a request is looked up, not searched.

For each action that is asked for, the statements about it are chosen once and kept. Of these, statements on literal
ARNs and on ARNs that end in `*` lie in tables by that text; only those with other wildcards, variables or NotResource
are tried one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, lru_cache

from codeservices.iam.policy.model import Context, Decision, Policy, Statement
from codeservices.iam.policy.patterns import Keys

MAX_ACTIONS = 1024  # remembered by one index: about twice as many as all the services here have

_NOTHING_ALLOWS = Decision(False)


class Request:
    """One request under decision; its keys are brought into lower case when the first condition asks for one."""

    def __init__(self, resource: str, context: Context) -> None:
        self.resource = resource
        self._context = context

    @cached_property
    def keys(self) -> Keys:
        """The condition keys, folded to lower case when a condition first asks."""
        return folded(self._context)


def folded(context: Context) -> Keys:
    """A request's keys in lower case: their names are compared without regard to case."""
    return {key.lower(): value for key, value in context.items()}


class Statements:
    """The statements of one effect about one action, by the resources they are on."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        statements = tuple(statements)
        self._everywhere: list[int] = []
        self._literal: dict[str, list[int]] = {}
        self._prefix: dict[int, dict[str, list[int]]] = {}
        self._tried: list[tuple[str, int]] = []  # a text that the resource must hold, and the statement to try then
        for place, statement in enumerate(statements):
            self._add(place, statement)
        must_try = {place for _, place in self._tried}
        self._rows = [
            (statement, place in must_try, statement.holds if statement.tests else None)
            for place, statement in enumerate(statements)
        ]

    def _add(self, place: int, statement: Statement) -> None:
        patterns = statement.resources
        if statement.not_resources:
            self._tried.append(("", place))
        elif any(one.prefix == "" for one in patterns):
            self._everywhere.append(place)
        elif any(one.literal is None and one.prefix is None for one in patterns):
            self._tried += [(one.longest_literal, place) for one in patterns]
        else:
            for one in patterns:
                if one.literal is not None:
                    self._literal.setdefault(one.literal, []).append(place)
                elif one.prefix is not None:
                    self._prefix.setdefault(len(one.prefix), {}).setdefault(one.prefix, []).append(place)

    def first(self, request: Request) -> Statement | None:
        """The first statement that matches a request, in the order of the policies."""
        resource = request.resource
        found = self._everywhere + self._literal.get(resource, [])
        for length, table in self._prefix.items():
            found += table.get(resource[:length], [])
        if self._tried:
            found += [place for text, place in self._tried if text in resource]
        for place in sorted(found):
            statement, must_try, holds = self._rows[place]
            if must_try and not statement.is_on(resource, request.keys):
                continue
            if holds is None or holds(request.keys):
                return statement
        return None


class Index:
    """The policies of one identity, or of one limit, compiled together."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._statements = tuple(statement for policy in policies for statement in policy.statements)
        self._by_action: dict[str, tuple[Statements | None, Statements]] = {}

    def decide(self, action: str, request: Request) -> Decision:
        """An explicit deny wins, then any allow, else denied by default."""
        denying, allowing = self._by_action.get(action) or self._about(action)
        if denying is not None:
            statement = denying.first(request)
            if statement is not None:
                return statement.decision
        statement = allowing.first(request)
        return _NOTHING_ALLOWS if statement is None else statement.decision

    def _about(self, action: str) -> tuple[Statements | None, Statements]:
        name = action.lower()
        about = [statement for statement in self._statements if statement.is_about(name)]
        denying = [statement for statement in about if not statement.allows]
        found = Statements(denying) if denying else None, Statements(one for one in about if one.allows)
        if len(self._by_action) >= MAX_ACTIONS:
            self._by_action.clear()
        self._by_action[action] = found
        return found


@lru_cache(maxsize=1024)
def of(policies: tuple[Policy, ...]) -> Index:
    """The index of these policies. They are compared by identity and never change, so it is never another's or old."""
    return Index(policies)
