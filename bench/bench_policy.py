"""Policy decisions a second for a user with 10 policies of 20 statements; reference: parsing one document as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import timing
from codeservices.iam import policy

DECISIONS = 2000


def document(number: int) -> str:
    statements = [
        {
            "Effect": "Allow",
            "Action": [f"codecommit:Get{index}*", "codecommit:GitPull"],
            "Resource": f"arn:aws:codecommit:us-east-1:123456789012:team-{number}-{index}-*",
        }
        for index in range(20)
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def main() -> None:
    texts = [document(number) for number in range(10)]
    policies = [policy.parse(text, str(number)) for number, text in enumerate(texts)]
    context = {"aws:SourceIp": "192.0.2.1", "aws:username": "alice"}
    resource = "arn:aws:codecommit:us-east-1:123456789012:team-9-19-shop"

    def decide() -> None:
        for _ in range(DECISIONS):
            if not policy.evaluate(policies, "codecommit:GitPull", resource, context).is_allowed:
                raise AssertionError("the last statement allows it")

    def parse() -> None:
        for _ in range(DECISIONS):
            json.loads(texts[0])

    ours, reference = timing.by_turns(decide, parse)
    timing.row(
        "one decision, 200 statements, the last allows",
        ours / DECISIONS * 1e6,
        "json.loads of one of the documents",
        reference / DECISIONS * 1e6,
        "µs",
    )


if __name__ == "__main__":
    main()
