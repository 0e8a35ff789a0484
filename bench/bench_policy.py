"""Policy decisions for a user with 10 policies of 20 statements; reference: parsing one of the documents as JSON.

The goal is 50,000 decisions a second on one core. Requests differ: 3,000 resources by turns, several actions.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import timing
from codeservices.iam import policy

POLICIES, STATEMENTS = 10, 20
RESOURCES = 3000
ROUND = 3000  # decisions in one measured round

ARN = "arn:aws:codecommit:us-east-1:123456789012:"
PULL, PUSH, READ = "codecommit:GitPull", "codecommit:GitPush", "codecommit:GetBranch"
CONTEXT = {
    "aws:PrincipalArn": "arn:aws:iam::123456789012:user/alice",
    "aws:username": "alice",
    "aws:SourceIp": "192.0.2.1",
    "aws:SecureTransport": "true",
    "aws:CurrentTime": "2026-01-31T12:00:00Z",
    "codecommit:References": "refs/heads/main",
}
PROTECT_MAIN = {
    "Sid": "ProtectMain",
    "Effect": "Deny",
    "Action": [PUSH, "codecommit:DeleteBranch", "codecommit:PutFile"],
    "Resource": "*",
    "Condition": {
        "StringEqualsIfExists": {"codecommit:References": ["refs/heads/main", "refs/heads/release"]},
        "Null": {"codecommit:References": "false"},
    },
}

Statement = dict[str, Any]


def allow(resource: str, **more: object) -> Statement:
    return {"Effect": "Allow", "Action": [PULL, PUSH, "codecommit:Get*"], "Resource": resource, **more}


def documents(statement: Callable[[int, int], Statement], *, last: Statement | None = None) -> list[str]:
    """The texts of all policies, made a statement at a time from its policy's number and its own."""
    rows = [[statement(number, place) for place in range(STATEMENTS)] for number in range(POLICIES)]
    if last is not None:
        rows[-1][-1] = last
    return [json.dumps({"Version": "2012-10-17", "Statement": statements}) for statements in rows]


def measure(what: str, texts: list[str], actions: list[str], resource: str, expected: str) -> None:
    """One row: decisions about `resource` with a number behind it, each of which must come out as expected."""
    policies = [policy.parse(text, str(number)) for number, text in enumerate(texts)]
    names = (f"{resource}{number}" for number in range(RESOURCES))
    requests = list(zip(itertools.cycle(actions), names, strict=False))
    wrong = [request for request in requests if policy.evaluate(policies, *request, CONTEXT).why != expected]
    if wrong:
        raise AssertionError(f"{what}: {wrong[0]} is not: {expected}")

    def decide() -> None:
        for action, name in itertools.islice(itertools.cycle(requests), ROUND):
            policy.evaluate(policies, action, name, CONTEXT)

    def parse() -> None:
        for _ in range(ROUND // 10):
            json.loads(texts[0])

    ours, reference = timing.by_turns(decide, parse)
    micros = ours / ROUND * 1e6
    timing.row(
        f"one decision of {POLICIES * STATEMENTS} statements: {what} ({1e6 / micros:,.0f} a second)",
        micros,
        "json.loads of one of the documents",
        reference / (ROUND // 10) * 1e6,
        "µs",
    )


def main() -> None:
    teams = documents(lambda number, place: allow(f"{ARN}team-{number}-{place}-*"))
    both = [PULL, READ]
    measure("the first allows", teams, both, f"{ARN}team-0-0-shop", "allowed")
    measure("the last allows", teams, both, f"{ARN}team-9-19-shop", "allowed")
    measure("nothing allows", teams, [*both, "codebuild:StartBuild"], f"{ARN}other-", "nothing allows it")
    guarded = documents(lambda number, place: allow(f"{ARN}team-{number}-{place}-*"), last=PROTECT_MAIN)
    measure("codecommit:References denies", guarded, [PUSH], f"{ARN}team-0-0-shop", "explicit deny")
    regions = documents(lambda number, place: allow(f"arn:aws:codecommit:*:123456789012:team-{number}-{place}-*"))
    measure("wildcards inside ARNs, the last allows", regions, both, f"{ARN}team-9-19-shop", "allowed")
    own = documents(lambda number, place: allow(f"{ARN}team-{number}-{place}-${{aws:username}}-*"))
    measure("variables, the last allows", own, both, f"{ARN}team-9-19-alice-", "allowed")
    branches = documents(
        lambda number, place: allow(
            "*", Condition={"StringLike": {"codecommit:References": f"refs/heads/team-{number}-{place}/*"}}
        )
    )
    measure("200 conditions on every resource, none holds", branches, [PUSH], f"{ARN}shop", "nothing allows it")


if __name__ == "__main__":
    main()
