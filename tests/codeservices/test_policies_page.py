"""docs/policies.md: its examples are policies that this product takes, and it names every operator."""

from __future__ import annotations

import re
from pathlib import Path

from codeservices.iam import policy
from codeservices.iam.policy import conditions

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policies.md").read_text()


def test_every_example_is_a_policy():
    examples = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 7
    for text in examples:
        (policy.parse_trust if '"Principal"' in text else policy.parse)(text)


def test_every_operator_is_named():
    assert [name for name in conditions.NAMES if f"`{name}`" not in PAGE] == []
