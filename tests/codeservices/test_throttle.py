"""Tries to sign in are counted, wait longer and longer, and tell nothing."""

from __future__ import annotations

import contextlib
import io
import re
import threading

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client

from codeservices.audit.models import Event
from codeservices.iam import tasks, throttle
from codeservices.iam.models import SignInCounter, User
from codeservices.iam.throttle import TooManyAttempts
from tests import factories
from tests.factories import PASSWORD
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db


def attempt(username: str, password: str = "wrong", *, address: str = "127.0.0.1"):
    return Client(REMOTE_ADDR=address).post("/sign-in/", {"username": username, "password": password}, secure=True)


def statuses(count: int, username: str, password: str = "wrong", **where: str) -> list[int]:
    return [attempt(username, password, **where).status_code for _ in range(count)]


def sentence(response) -> str:
    return response.content.decode().partition('role="alert"')[2].partition("<p>")[2].partition("</p>")[0]


def test_after_five_wrong_passwords_the_right_one_does_not_get_in_either(alice, clock):
    assert statuses(5, "alice") == [401] * 5
    refused = attempt("alice", PASSWORD)
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert sentence(refused) == "Too many attempts for this name or from this address. Try again in 1 minute."
    assert "_auth_user_id" not in refused.client.session
    clock.advance(seconds=61)
    assert attempt("alice", PASSWORD).status_code == 302


def test_waits_double_up_to_a_quarter_of_an_hour(alice, clock):
    statuses(4, "alice")
    waits = []
    for _ in range(6):
        assert attempt("alice").status_code == 401
        waits.append(int(attempt("alice")["Retry-After"]))
        clock.advance(seconds=waits[-1] + 1)
    assert waits == [60, 120, 240, 480, 900, 900]


def test_knocking_during_a_wait_does_not_prolong_it(alice, clock):
    statuses(5, "alice")
    assert statuses(20, "alice") == [429] * 20
    clock.advance(seconds=61)
    assert attempt("alice", PASSWORD).status_code == 302


def test_tries_that_are_long_ago_are_forgotten(alice, clock):
    for _ in range(20):
        assert attempt("alice").status_code == 401
        clock.advance(minutes=16)


def test_success_forgets_the_tries_for_the_name_and_keeps_those_of_the_address(alice):
    statuses(4, "alice")
    assert attempt("alice", PASSWORD).status_code == 302
    assert statuses(4, "alice") == [401] * 4
    assert SignInCounter.objects.get(kind="address").count == 8


def test_signing_in_all_day_from_one_address_locks_nobody_out(alice):
    assert statuses(40, "alice", PASSWORD) == [302] * 40


def test_an_address_that_tries_many_names_has_to_wait_for_all_of_them(alice):
    for number in range(throttle.LIMITS[throttle.ADDRESS]):
        assert attempt(f"name-{number}", address="192.0.2.7").status_code == 401
    assert attempt("alice", PASSWORD, address="192.0.2.7").status_code == 429
    assert attempt("alice", PASSWORD, address="192.0.2.8").status_code == 302


def test_a_name_is_counted_from_all_addresses_together_and_in_any_case(alice):
    for number, name in enumerate(("alice", "ALICE", "Alice", "alicE", "aLice")):
        assert attempt(name, address=f"192.0.2.{number}").status_code == 401
    assert attempt("alice", PASSWORD, address="192.0.2.99").status_code == 429


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_address_is_counted_by_its_network(address, counted_as):
    assert throttle.network_of(address) == counted_as


def test_known_and_unknown_names_are_answered_alike(alice):
    answers = {}
    for name in ("alice", "nobody-of-that-name"):
        seen = [attempt(name) for _ in range(6)]
        answers[name] = [(one.status_code, sentence(one), one.headers.get("Retry-After")) for one in seen]
    assert answers["alice"] == answers["nobody-of-that-name"]
    assert "nobody" not in str(list(SignInCounter.objects.values_list("subject", flat=True)))


def test_a_wait_leaves_one_event_however_many_knock(alice, clock):
    statuses(5, "alice")
    statuses(10, "alice", PASSWORD)
    assert Event.objects.filter(error_code="TooManyAttempts").count() == 1
    clock.advance(seconds=61)
    statuses(3, "alice")
    assert Event.objects.filter(error_code="TooManyAttempts").count() == 2
    assert Event.objects.filter(error_code="Failed authentication").count() == 6


@pytest.mark.django_db(transaction=True)
def test_tries_at_the_same_time_all_count(alice):
    answers: list[int] = []
    barrier = threading.Barrier(12)

    def guess() -> None:
        barrier.wait()
        try:
            answers.append(attempt("alice").status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [401] * 5 + [429] * 7


@pytest.mark.django_db(transaction=True)
def test_successes_at_the_same_time_do_not_take_the_counter_from_under_each_other(transactional_db):
    errors: list[str] = []

    def succeed(network: int) -> None:
        try:
            for host in range(40):
                with contextlib.suppress(TooManyAttempts):
                    throttle.begin("alice", f"10.0.{network}.{host}").forget_name()
        except Exception as error:
            errors.append(repr(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=succeed, args=[network]) for network in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_the_old_password_is_no_way_around_the_counting(alice):
    client = signed_in(alice)
    form = {"old_password": "wrong", "new_password": "another long passphrase"}
    sentences = [client.post("/me/credentials/password", form).content.decode() for _ in range(6)]
    assert "The old password is not right." in sentences[4]
    assert "Too many attempts" in sentences[5]
    assert attempt("alice", PASSWORD).status_code == 429


def test_old_counters_are_removed_and_waits_that_go_on_are_kept(alice, clock):
    statuses(4, "bob")
    clock.advance(minutes=10)
    statuses(5, "alice")
    clock.advance(minutes=6)
    tasks.remove_old_sign_in_rows()
    assert [row.kind for row in SignInCounter.objects.order_by("kind")] == ["address", "name"]
    clock.advance(minutes=30)
    tasks.remove_old_sign_in_rows()
    assert not SignInCounter.objects.exists()


def test_an_administrator_sees_the_wait_and_lifts_it(alice, bob):
    statuses(5, "bob")
    client = signed_in(alice)
    assert "Sign-in is held up" in client.get("/iam/users/bob/credentials").content.decode()
    assert client.post("/iam/users/bob/sign-in-lock").status_code == 302
    assert "Sign-in is held up" not in client.get("/iam/users/bob/credentials").content.decode()
    assert attempt("bob", PASSWORD).status_code == 302
    event = Event.objects.get(action="iam:UpdateLoginProfile", resource_arn=bob.arn)
    assert event.principal_name == "alice"


def test_the_command_lists_waits_and_lifts_them(alice):
    statuses(5, "alice")
    statuses(5, "a password typed as a name")
    out = io.StringIO()
    call_command("sign_in_locks", stdout=out)
    told = out.getvalue()
    waits = re.search(r"name alice: 5 tries, (\d+) s to wait", told)
    assert waits and 0 < int(waits[1]) <= 60
    assert "name (nobody’s): 5 tries" in told
    assert "Found 2 locks." in told
    call_command("sign_in_locks", "--lift-name", "ALICE", stdout=out)
    assert "Lifted 1 locks." in out.getvalue()
    assert attempt("alice", PASSWORD).status_code == 302
    assert Event.objects.get(event_name="LiftSignInLock").request_parameters["userName"] == "ALICE"


@pytest.mark.parametrize("who", ["nobody", "alice", "locked-out", "keys-only"])
def test_each_refusal_costs_one_password_hash(who, alice, monkeypatch):
    from django.contrib.auth import hashers

    factories.user("locked-out")
    User.objects.filter(name="locked-out").update(is_active=False)
    keys_only = User(name="keys-only")
    keys_only.set_unusable_password()
    keys_only.save()
    hasher = hashers.get_hasher()
    calls: list[str] = []
    encode = type(hasher).encode

    def counting(self, password, salt, *rest):
        calls.append(password)
        return encode(self, password, salt, *rest)

    monkeypatch.setattr(type(hasher), "encode", counting)
    response = attempt(who)
    assert (response.status_code, len(calls)) == (401, 1)
    assert sentence(response) == "The user name or the password is not right."
