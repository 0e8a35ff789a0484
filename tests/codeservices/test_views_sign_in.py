from __future__ import annotations

import pytest
from django.test import Client

from codeservices.audit import cloudtrail
from codeservices.audit.models import Event
from codeservices.iam.models import User
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def sign_in(client: Client, username: str, password: str, **fields: str):
    return client.post("/sign-in/", {"username": username, "password": password, **fields})


def test_the_form_is_shown_to_anyone_and_kept_by_no_cache(client):
    response = client.get("/sign-in/")
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    assert 'type="password"' in response.content.decode()


def test_a_user_signs_in_by_name_in_any_case_and_goes_to_the_dashboard(client, alice):
    response = sign_in(client, "ALICE", PASSWORD)
    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(alice.pk)


@pytest.mark.parametrize(
    ("wanted", "goes_to"),
    [
        ("/audit/?who=bob", "/audit/?who=bob"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_after_sign_in_only_addresses_of_this_server_are_followed(client, alice, wanted, goes_to):
    assert sign_in(client, "alice", PASSWORD, next=wanted)["Location"] == goes_to


def test_unknown_user_wrong_password_and_locked_out_user_read_the_same(client, alice, bob):
    User.objects.filter(name="bob").update(is_active=False)
    answers = [
        sign_in(client, "alice", "wrong"),
        sign_in(client, "nobody", "wrong"),
        sign_in(client, "bob", PASSWORD),
    ]
    for answer in answers:
        assert answer.status_code == 401
        assert "The user name or the password is not right." in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_each_attempt_leaves_one_event_and_a_name_that_is_nobodys_is_not_written_down(client, alice):
    sign_in(client, "alice", PASSWORD)
    client.logout()
    sign_in(client, "alice", "wrong")
    sign_in(client, "my-password-by-mistake", "wrong")
    unknown, wrong, good = Event.objects.filter(event_name="ConsoleLogin")
    assert (good.outcome, good.principal_name) == ("Success", "alice")
    assert (wrong.outcome, wrong.user_identity["userName"]) == ("Failed", "alice")
    assert unknown.user_identity["userName"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert "my-password-by-mistake" not in str(cloudtrail.record(unknown))


def test_a_form_without_its_token_changes_nothing_and_says_why(alice):
    client = Client(enforce_csrf_checks=True)
    response = sign_in(client, "alice", PASSWORD)
    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()
    assert "_auth_user_id" not in client.session


def test_signing_out_is_a_post_that_ends_the_session(alice_client):
    assert alice_client.get("/sign-out/").status_code == 405
    response = alice_client.post("/sign-out/")
    assert response["Location"] == "/sign-in/"
    assert "_auth_user_id" not in alice_client.session
    assert Event.objects.get().event_name == "ConsoleLogout"


def test_a_page_asks_the_anonymous_to_sign_in_and_a_fragment_takes_the_whole_page_there(client):
    response = client.get("/audit/")
    assert response["Location"] == "/sign-in/?next=/audit/"
    fragment = client.get("/sign-in/?next=/search/", headers={"HX-Request": "true"})
    assert fragment["HX-Redirect"] == "/sign-in/"


def test_a_user_who_is_locked_out_is_signed_out_at_once(alice_client, alice):
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert alice_client.get("/").status_code == 302


def test_a_page_sends_a_strict_content_security_policy_and_has_no_inline_code(alice_client):
    response = alice_client.get("/me/credentials/")
    assert "default-src 'self'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]
    html = response.content.decode()
    assert "<style" not in html
    assert " style=" not in html
    assert " onclick=" not in html
    assert "<script>" not in html
