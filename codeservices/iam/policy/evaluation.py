"""One request against policies: allow or deny, and the statement that decided.

Source: IAM User Guide, "Policy evaluation logic" and "Determining whether a request is allowed or denied within an
account".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from codeservices.iam.policy import index
from codeservices.iam.policy.document import parse
from codeservices.iam.policy.index import Request
from codeservices.iam.policy.model import Context, Decision, Limit, MalformedPolicy, Policy, Statement, unreadable


@lru_cache(maxsize=4096)
def compiled(document: str, source: str) -> Policy:
    """`parse` for stored documents, remembered by the text; one that can't be read (any more) denies everything.

    Rules get stricter, and what an older version took may break them now: nobody knows then what it was to deny.
    """
    try:
        return parse(document, source)
    except MalformedPolicy as error:
        return unreadable(source, str(error.problems[0]))


def evaluate(
    policies: Iterable[Policy], action: str, resource: str, context: Context, limits: Sequence[Limit] = ()
) -> Decision:
    """Decide one request: an explicit deny anywhere wins, then each limit must allow it besides the policies.

    Args:
        policies: Every policy that applies to the principal.
        action: "codecommit:GitPush"; compared without regard to case.
        resource: The ARN acted on, or "*".
        context: Condition keys in any case, such as "aws:SourceIp" or "codecommit:References".
        limits: The permissions boundary, the session policies.
    """
    request = Request(resource, context)
    decision = index.of(tuple(policies)).decide(action, request)
    if not limits or decision.is_explicit_deny:
        return decision
    limited: Decision | None = None
    for limit in limits:
        found = index.of(tuple(limit.policies)).decide(action, request)
        if found.is_explicit_deny:
            return replace(found, limit=limit.kind)
        if not found.is_allowed and limited is None:
            limited = replace(found, limit=limit.kind)
    return limited if limited is not None and decision.is_allowed else decision


def matching(policies: Iterable[Policy], action: str, resource: str, context: Context) -> list[Statement]:
    """Every statement that matches a request, in order; `evaluate` stops at the one that decides."""
    keys = index.folded(context)
    return [
        statement
        for policy in policies
        for statement in policy.statements
        if statement.is_about(action.lower()) and statement.is_on(resource, keys) and statement.holds(keys)
    ]
