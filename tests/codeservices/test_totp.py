"""Time-based codes against the RFC's own vectors and another implementation."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from codeservices.iam import totp
from tests.authenticator import mfa_code

# RFC 6238, appendix B, SHA-1; the last six of the eight digits there.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")],
)
def test_the_vectors_of_rfc_6238(seconds, code):
    moment = datetime.fromtimestamp(seconds, UTC)
    assert totp.matching_step(RFC_SECRET, code, moment) == seconds // 30


def test_one_step_before_and_after_count_and_two_do_not():
    moment = datetime.fromtimestamp(1234567890, UTC)
    step = totp.step_of(moment)
    for shift, expected in ((-30, step), (30, step), (-60, None), (60, None)):
        assert totp.matching_step(RFC_SECRET, "005924", moment + timedelta(seconds=shift)) == expected


@pytest.mark.parametrize("code", ["", "28708", "2870822", "abcdef", "２８７０８３", "\x00"])
def test_what_is_no_code_matches_nothing(code):
    assert totp.matching_step(RFC_SECRET, code, datetime.fromtimestamp(59, UTC)) is None


def test_two_codes_must_follow_each_other(clock):
    secret = totp.new_secret()
    first, second, third = (mfa_code(secret, steps=number) for number in (0, 1, 2))
    assert totp.follows(secret, first, second, clock.now()) == totp.step_of(clock.now()) + 1
    assert totp.follows(secret, first, third, clock.now()) is None
    assert totp.follows(secret, second, first, clock.now()) is None
    assert totp.follows(secret, first, first, clock.now()) is None


def test_the_picture_is_a_data_uri_that_the_content_security_policy_lets_in():
    picture = totp.picture_svg(totp.uri(totp.new_secret(), "alice", "Code Services"))
    assert picture.startswith("data:image/svg+xml")
    assert totp.picture_png("otpauth://totp/x").startswith(b"\x89PNG")


def test_the_uri_is_what_authenticator_apps_read():
    secret = totp.new_secret()
    expected = f"otpauth://totp/Code%20Services:alice?secret={secret}&issuer=Code%20Services"
    assert totp.uri(secret, "alice", "Code Services") == expected
