"""Which part of which secret a variable holds."""

from __future__ import annotations

import pytest

from builds.secret_reference import SecretReference

ARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-AbCdEf"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prod/db", SecretReference("prod/db")),
        ("prod/db:password", SecretReference("prod/db", "password")),
        ("prod/db::AWSPREVIOUS", SecretReference("prod/db", "", "AWSPREVIOUS")),
        ("prod/db:password::11-22", SecretReference("prod/db", "password", "", "11-22")),
        (ARN, SecretReference(ARN)),
        (f"{ARN}:password:AWSCURRENT", SecretReference(ARN, "password", "AWSCURRENT")),
        (f"{ARN}:password:AWSCURRENT:", SecretReference(ARN, "password", "AWSCURRENT")),
    ],
)
def test_a_reference_is_taken_apart(text: str, expected: SecretReference):
    assert SecretReference.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no secret"),
        (":key", "names no secret"),
        ("arn:aws:secretsmanager:us-east-1:111122223333:secret", "names no secret"),
        ("a:b:c:d:e", "more parts than"),
        ("a:b:stage:version", "both a version stage and a version id"),
        (f"{ARN}:b:stage:version", "both a version stage and a version id"),
    ],
)
def test_what_is_no_reference_is_told(text: str, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        SecretReference.parse(text)
