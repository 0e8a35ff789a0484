"""Git passwords that AWS's credential helper computes: vectors, spellings of path and host, and their time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from codeservices.aws import git_password

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime(2017, 9, 1, 12, 34, 56, tzinfo=UTC)
GIT_PATH = "/v1/repos/MyDemoRepo"
GIT_VECTORS = [
    (
        "git-codecommit.us-east-1.amazonaws.com",
        "20170901T123456Z21e991d7e9b87314bb2ef6fff92c2ca4518d455230f9f1107a5be7cf52b2614a",
    ),
    ("127.0.0.1", "20170901T123456Z2ad9bd5766bccbd763f189399eb57febefce660a7e357b597679980fa596ddf1"),
    ("127.0.0.1:8000", "20170901T123456Z7f90880740519639a05a4f261dad83ea9c6c29ac69ceb40487d4f568dc942a83"),
]


def git_password_is_right(password: str, *, hosts: tuple[str, ...], path: str = GIT_PATH, now: datetime = NOW) -> bool:
    regions = ("eu-west-1", "us-east-1")
    found = git_password.verify(password, secret=SECRET, path=path, hosts=hosts, regions=regions, now=now)
    assert found in ("us-east-1", None)
    return found is not None


@pytest.mark.parametrize(("host", "password"), GIT_VECTORS)
def test_git_passwords_of_the_vectors_are_accepted_among_likely_hosts(host, password):
    assert git_password_is_right(password, hosts=("localhost", host))
    assert not git_password_is_right(password, hosts=("localhost",))


def test_a_git_password_may_have_signed_a_trailing_slash():
    slashed = "20170901T123456Zce7e4f1c7fa64a4bff94d6cfce0738951e1a2aec641148461f23b1b738c81c2c"
    assert git_password_is_right(slashed, hosts=("127.0.0.1",))
    assert git_password_is_right(GIT_VECTORS[1][1], hosts=("127.0.0.1",), path=GIT_PATH + "/")
    assert not git_password_is_right(slashed, hosts=("127.0.0.1",), path="/v1/repos/Other")


@pytest.mark.parametrize(("minutes", "is_fresh"), [(-16, False), (-14, True), (14, True), (16, False)])
def test_a_git_password_lives_a_quarter_of_an_hour(minutes, is_fresh):
    host, password = GIT_VECTORS[0]
    assert git_password_is_right(password, hosts=(host,), now=NOW + timedelta(minutes=minutes)) is is_fresh


def test_other_passwords_are_no_signatures():
    assert not git_password.looks_signed("c2VjcmV0" * 5)
    assert git_password.looks_signed(GIT_VECTORS[0][1])
    assert not git_password_is_right("20171301T000000Z" + "0" * 64, hosts=("h",))
