"""Sessions: who is signed in where, when they end, and what ends them."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.test import Client

from codeservices.audit.models import Event
from codeservices.iam import passwords, tasks, users
from codeservices.iam.models import ConsoleSession
from tests import factories
from tests.factories import PASSWORD, SERVICE
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db

PAGE = "/me/credentials/"


def browser(user, *, agent: str = "Browser/1.0", address: str = "127.0.0.1") -> Client:
    client = Client(REMOTE_ADDR=address, headers={"user-agent": agent})
    response = client.post("/sign-in/", {"username": user.name, "password": PASSWORD})
    assert response.status_code == 302
    return client


def is_in(client: Client) -> bool:
    return client.get(PAGE).status_code == 200


def test_a_session_says_whose_it_is_since_when_and_from_where(alice, clock):
    begun = clock.now()
    browser(alice, agent="Firefox/140")
    session = ConsoleSession.objects.get()
    assert (session.user, session.source_ip, session.user_agent) == (alice, "127.0.0.1", "Firefox/140")
    assert abs((session.created_at - begun).total_seconds()) < 1


def test_signing_in_takes_a_new_session_key(client, alice):
    client.get("/sign-in/oidc/")  # a session without a user, for the message
    before = client.session.session_key
    client.post("/sign-in/", {"username": "alice", "password": PASSWORD})
    assert before and client.session.session_key != before
    assert not ConsoleSession.objects.filter(session_key=before).exists()


@pytest.mark.parametrize("value", ['"abcdefgh\\000b"', "a", "x" * 5000, "../../etc/passwd"])
def test_a_cookie_that_is_no_session_key_opens_nothing(client, alice, value):
    answer = client.get(PAGE, headers={"cookie": f"{settings.SESSION_COOKIE_NAME}={value}"})
    assert answer["Location"].startswith("/sign-in/")


def test_a_session_ends_after_half_a_day_without_a_request(alice, clock):
    client = browser(alice)
    for _ in range(5):
        clock.advance(seconds=settings.SESSION_IDLE_SECONDS - 60)
        assert is_in(client)
    clock.advance(seconds=settings.SESSION_IDLE_SECONDS + 60)
    assert not is_in(client)


def test_a_session_ends_after_a_week_whatever_happens(alice, clock):
    client = browser(alice)
    for _ in range(7 * 4 - 1):
        clock.advance(hours=6)
        assert client.get("/me/credentials/mfa/").status_code == 200  # writes the session as well
    clock.advance(hours=6)
    assert not is_in(client)


def test_last_seen_is_written_once_a_minute_and_not_by_pages_that_refresh_themselves(alice, clock):
    client = browser(alice)
    begun = ConsoleSession.objects.get().last_seen_at
    clock.advance(seconds=59)
    client.get("/iam/users/")
    assert ConsoleSession.objects.get().last_seen_at == begun
    clock.advance(seconds=2)
    client.get("/attention/", headers={"HX-Request": "true"})
    assert ConsoleSession.objects.get().last_seen_at == begun
    client.get("/iam/users/")
    assert ConsoleSession.objects.get().last_seen_at == clock.now()


def test_ended_sessions_are_removed_by_the_clock(alice, bob, clock):
    browser(alice)
    clock.advance(days=8)
    browser(bob)
    tasks.remove_old_sign_in_rows()
    assert [session.user for session in ConsoleSession.objects.all()] == [bob]


def test_the_cookie_is_out_of_reach_of_scripts_and_bound_to_the_host_over_tls(alice):
    form = {"username": "alice", "password": PASSWORD}
    plain = Client().post("/sign-in/", form).cookies["codeservices_session"]
    assert (plain["httponly"], plain["samesite"], plain["secure"], plain["path"]) == (True, "Lax", "", "/")
    client = Client()
    answer = client.post("/sign-in/", form, secure=True)
    cookie = answer.cookies["__Host-codeservices_session"]
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["domain"]) == (True, "Lax", True, "")
    assert "codeservices_session" not in answer.cookies
    assert client.get(PAGE, secure=True).status_code == 200
    tossed = Client()
    tossed.cookies["codeservices_session"] = cookie.value
    assert tossed.get(PAGE, secure=True).status_code == 302


def test_one_sees_ones_sessions_and_ends_one_of_them(alice):
    here, there = browser(alice, agent="Here/1"), browser(alice, agent="There/1")
    html = here.get(PAGE).content.decode()
    assert "Here/1" in html and "There/1" in html and "this browser" in html
    assert not [one.session_key for one in ConsoleSession.objects.all() if one.session_key in html]
    other = ConsoleSession.objects.get(user_agent="There/1")
    here.post(f"{PAGE}sessions", {"change": "end", "session_id": str(other.session_id)})
    assert (is_in(here), is_in(there)) == (True, False)


def test_signing_out_all_others_keeps_this_browser(alice):
    here, there = browser(alice), browser(alice)
    response = here.post(f"{PAGE}sessions", {"change": "others"}, follow=True)
    assert "1 other session has ended." in response.content.decode()
    assert (is_in(here), is_in(there)) == (True, False)


def test_signing_out_everywhere_ends_this_one_too(alice):
    here, there = browser(alice), browser(alice)
    assert here.post(f"{PAGE}sessions", {"change": "all"})["Location"] == "/sign-in/"
    assert (is_in(here), is_in(there)) == (False, False)
    assert Event.objects.filter(action="iam:UpdateLoginProfile", principal_name="alice").count() == 1


def test_nobody_ends_a_session_of_somebody_else(alice, bob):
    theirs = browser(alice)
    client = browser(bob)
    session_id = str(ConsoleSession.objects.get(user=alice).session_id)
    assert client.post(f"{PAGE}sessions", {"change": "end", "session_id": session_id}).status_code == 404
    assert client.post(f"{PAGE}sessions", {"change": "end", "session_id": "no uuid"}).status_code == 404
    assert client.post(f"{PAGE}sessions", {"change": "burn"}).status_code == 400
    assert client.post("/iam/users/alice/sessions").status_code == 403
    assert is_in(theirs)


def test_an_administrator_ends_all_sessions_of_a_user(alice, bob):
    theirs = browser(bob)
    admin = signed_in(alice)
    assert "Browser/1.0" in admin.get("/iam/users/bob/credentials").content.decode()
    assert "1 sessions of bob have ended." in admin.post("/iam/users/bob/sessions", follow=True).content.decode()
    assert not is_in(theirs)


@pytest.mark.parametrize(
    "change",
    [
        lambda user: passwords.set_password(SERVICE, user.name, "another long passphrase"),
        lambda user: passwords.update_login_profile(SERVICE, user.name, password="another long passphrase"),
        lambda user: passwords.delete_login_profile(SERVICE, user.name),
        lambda user: users.set_active(SERVICE, user.name, False),
    ],
    ids=["reset", "update", "delete", "lock out"],
)
def test_what_an_administrator_changes_ends_the_sessions_at_once(change, bob):
    client = browser(bob)
    change(bob)
    assert not ConsoleSession.objects.filter(user=bob).exists()
    assert not is_in(client)


def test_a_user_who_is_let_in_again_finds_no_old_session_alive(bob):
    client = browser(bob)
    users.set_active(SERVICE, "bob", False)
    users.set_active(SERVICE, "bob", True)
    assert not is_in(client)


def test_changing_ones_password_ends_the_other_sessions_and_gives_this_one_a_new_key(alice):
    here, there = browser(alice), browser(alice)
    before = here.session.session_key
    here.post(f"{PAGE}password", {"old_password": PASSWORD, "new_password": "another long passphrase"})
    assert (is_in(here), is_in(there)) == (True, False)
    assert here.session.session_key != before
    assert ConsoleSession.objects.count() == 1


def test_a_session_lost_with_its_row_goes_to_sign_in(alice):
    client = browser(alice)
    ConsoleSession.objects.all().delete()
    assert client.get(PAGE)["Location"] == f"/sign-in/?next={PAGE}"


def test_an_explicit_deny_takes_even_ones_own_sessions_away():
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "iam:GetLoginProfile", "Resource": "*"}],
    }
    dora = factories.user("dora", document=document)
    html = browser(dora).get(PAGE).content.decode()
    assert "A policy denies you to see your sessions" in html


def test_a_hash_of_old_parameters_is_replaced_at_sign_in(alice, settings):
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.Argon2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    alice.password = make_password(PASSWORD, hasher="md5")
    alice.save()
    browser(alice)
    alice.refresh_from_db()
    assert alice.password.startswith("argon2$argon2id$v=19$m=102400,t=2,p=8$")
    assert alice.check_password(PASSWORD)
