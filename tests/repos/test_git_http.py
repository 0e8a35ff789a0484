"""What the git program decides without a client; the wire itself is tested with git in tests/compat."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from codeservices import places
from repos.git_http import admission, application, slots
from repos.git_http.answers import Answer
from repos.git_http.request import GitRequest
from repos.git_http.slots import slot


def request(**changes):
    async def nothing(message=None):
        return {"type": "http.disconnect"}

    scope = {"method": "GET", "path": "/v1/repos/demo/info/refs", "headers": [], "client": ("127.0.0.1", 1), **changes}
    return GitRequest(scope, nothing, nothing)


def test_a_request_beyond_the_limit_waits_and_is_sent_away_in_words(settings, monkeypatch):
    settings.GIT_CONCURRENCY = 1
    monkeypatch.setattr(places, "QUEUE_SECONDS", 0.1)

    async def two_at_once() -> None:
        async with slot("alice"):
            for who in ("alice", "bob"):
                with pytest.raises(Answer, match="busy with other git requests") as caught:
                    async with slot(who):
                        pass
                assert (caught.value.status, dict(caught.value.headers)) == (503, {b"retry-after": b"10"})
        async with slot("bob"):
            pass

    asyncio.run(two_at_once())


async def many(*holders: str) -> list[str]:
    """Requests that come at once, in this order, each a place for a moment; the order in which they were served."""
    served: list[str] = []

    async def one(holder: str) -> None:
        async with slot(holder):
            served.append(holder)
            await asyncio.sleep(0.001)

    await asyncio.gather(*map(one, holders))
    return served


def test_a_request_in_the_queue_is_served_when_a_place_becomes_free(settings):
    settings.GIT_CONCURRENCY = 2
    assert asyncio.run(many(*["alice"] * 18)) == ["alice"] * 18


def test_one_who_asks_much_leaves_room_for_others_and_waits_behind_them(settings):
    settings.GIT_CONCURRENCY = 4
    assert asyncio.run(many(*["ci"] * 10, "alice", "bob")) == ["ci"] * 3 + ["alice"] + ["bob"] + ["ci"] * 7


def test_one_who_asks_for_more_than_the_queue_holds_is_sent_away_at_once(settings):
    settings.GIT_CONCURRENCY = 4
    with pytest.raises(slots.Busy):
        asyncio.run(many(*["ci"] * (3 + 3 * places.WAITING_PER_PLACE + 1)))


def test_a_place_is_not_lost_by_a_request_that_is_given_up_while_it_waits(settings):
    settings.GIT_CONCURRENCY = 1

    async def give_up() -> None:
        async with slot("alice"):
            waiting = [asyncio.create_task(many(who)) for who in ("alice", "bob", "carol")]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.sleep(0)
        waiting[1].cancel()  # its place has come, and it does not know yet
        assert await asyncio.wait_for(waiting[2], 60) == ["carol"]
        assert await asyncio.wait_for(many("dave"), 60) == ["dave"]

    asyncio.run(give_up())


@pytest.mark.parametrize(
    ("scheme", "client", "forwarded", "trusts", "is_taken"),
    [
        ("http", "127.0.0.1", "", False, True),
        ("http", "::1", "", False, True),
        ("http", "192.0.2.7", "", False, False),
        ("https", "192.0.2.7", "", False, True),
        ("http", "192.0.2.7", "https", False, False),
        ("http", "192.0.2.7", "https", True, True),
        ("http", "192.0.2.7", "http", True, False),
    ],
)
def test_credentials_are_taken_over_tls_or_from_this_machine_only(
    settings, scheme, client, forwarded, trusts, is_taken
):
    settings.TRUST_PROXY_TLS = trusts
    asked = request(
        scheme=scheme, client=(client, 1), headers=[(b"x-forwarded-proto", forwarded.encode())] if forwarded else []
    )
    expected = contextlib.nullcontext() if is_taken else pytest.raises(Answer, match="over plain HTTP")
    with expected:
        admission.check_transport(asked)


@pytest.mark.parametrize(
    ("header", "pair"),
    [
        ("Basic YTpi", ("a", "b")),
        ("basic YTpiOmM=", ("a", "b:c")),
        ("Basic YQ==", None),
        ("Basic", None),
        ("Basic !!!", None),
        ("Basic /////w==", None),
        ("Bearer YTpi", None),
        ("", None),
    ],
)
def test_basic_headers_are_read_or_count_as_none(header, pair):
    assert admission.basic_pair(header) == pair


def test_a_signature_may_name_the_host_with_or_without_its_port():
    assert admission.signed_hosts("127.0.0.1:8000") == ("127.0.0.1:8000", "127.0.0.1")
    assert admission.signed_hosts("[::1]:8000") == ("[::1]:8000", "[::1]")
    assert admission.signed_hosts("git.example.com") == ("git.example.com", "git.example.com")


@pytest.mark.parametrize(
    ("path", "is_git"), [("/v1/repos/demo/info/refs", True), ("/v1/repos/", True), ("/v1/repo", False), ("/", False)]
)
def test_git_answers_under_its_own_path_only(path, is_git):
    assert application.handles(path) is is_git
