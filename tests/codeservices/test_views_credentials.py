from __future__ import annotations

import base64
import re

import pytest

from codeservices.audit import cloudtrail
from codeservices.audit.models import Event
from codeservices.iam import credentials
from codeservices.iam.models import AccessKey, GitCredential
from tests import factories
from tests.factories import PASSWORD, allow
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db

PAGE = "/me/credentials/"


def page(client) -> str:
    return client.get(PAGE).content.decode()


def test_git_credentials_are_generated_shown_once_and_work(alice_client, alice):
    response = alice_client.post("/iam/users/alice/git-credentials")
    assert response["Location"] == PAGE
    html = page(alice_client)
    encoded = re.search(r'href="data:text/csv;base64,([^"]+)" download="([^"]+)"', html)
    assert encoded is not None
    header, row = base64.b64decode(encoded[1]).decode().splitlines()
    username, password = row.split(",")
    assert header == "User Name,Password"
    assert encoded[2] == "alice_codecommit_credentials.csv"
    found = credentials.authenticate_basic(username, password, path="/v1/repos/x", hosts=["h"])
    assert found is not None
    assert found.name == "alice"
    assert password not in page(alice_client)


def test_a_secret_waits_in_the_session_sealed(alice_client):
    alice_client.post("/iam/users/alice/access-keys")
    stored = str(dict(alice_client.session))
    key_id = AccessKey.objects.get().access_key_id
    assert key_id not in stored
    assert key_id in page(alice_client)


def test_an_access_key_is_created_deactivated_activated_and_deleted(alice_client, alice):
    alice_client.post("/iam/users/alice/access-keys")
    key = AccessKey.objects.get()
    address = f"/iam/users/alice/access-keys/{key.access_key_id}"
    for change in ("Inactive", "Active"):
        alice_client.post(address, {"change": change})
        key.refresh_from_db()
        assert key.status == change
    response = alice_client.post(address, {"change": "delete"})
    assert response.status_code == 400
    assert "Nothing was deleted" in response.content.decode()
    alice_client.post(address, {"change": "delete", "confirm_name": key.access_key_id})
    assert not AccessKey.objects.exists()


def test_a_git_credential_gets_a_new_password_and_the_old_one_stops(alice_client, alice):
    made, old = credentials.issue_git_credential(alice)
    alice_client.post(f"/iam/users/alice/git-credentials/{made.credential_id}", {"change": "reset"})
    assert made.service_user_name in page(alice_client)
    assert credentials.authenticate_basic(made.service_user_name, old, path="/", hosts=["h"]) is None


def test_a_git_credential_is_deleted_when_its_name_is_typed(alice_client, alice):
    made, _ = credentials.issue_git_credential(alice)
    address = f"/iam/users/alice/git-credentials/{made.credential_id}"
    assert alice_client.post(address, {"change": "delete", "confirm_name": "no"}).status_code == 400
    alice_client.post(address, {"change": "delete", "confirm_name": made.service_user_name})
    assert not GitCredential.objects.exists()


def test_the_third_access_key_is_refused_with_the_reason(alice_client):
    for _ in range(2):
        alice_client.post("/iam/users/alice/access-keys")
    response = alice_client.post("/iam/users/alice/access-keys")
    assert response.status_code == 409
    assert "delete one first" in response.content.decode()


def test_a_reader_sees_own_git_credentials_but_no_button_that_is_not_allowed(bob_client):
    html = page(bob_client)
    assert "Generate credentials" not in html
    assert "Create access key" not in html
    response = bob_client.post("/iam/users/bob/git-credentials")
    assert response.status_code == 403
    assert "iam:CreateServiceSpecificCredential" in response.content.decode()
    assert not GitCredential.objects.exists()


def test_an_outsider_is_told_which_policy_is_missing(carol_client):
    html = page(carol_client)
    assert "iam:ListAccessKeys" in html
    assert "iam:ListServiceSpecificCredentials" in html
    assert "IAMUserChangePassword" in html


def test_nobody_makes_keys_for_another_without_the_right(alice):
    dora = factories.user("dora", document=allow("iam:*", resource="arn:aws:iam::123456789012:user/dora"))
    client = signed_in(dora)
    assert client.post("/iam/users/alice/access-keys").status_code == 403
    assert client.post("/iam/users/dora/access-keys").status_code == 302
    assert [key.user.name for key in AccessKey.objects.all()] == ["dora"]


def test_an_administrator_makes_a_key_for_another_and_sees_it_on_that_users_page(alice_client, bob):
    response = alice_client.post("/iam/users/bob/access-keys")
    assert response["Location"] == "/iam/users/bob/credentials"
    assert bob.access_keys.get().access_key_id in alice_client.get("/iam/users/bob/credentials").content.decode()


def test_the_password_is_changed_and_the_session_goes_on(alice_client, alice):
    new = "a much longer passphrase"
    response = alice_client.post(f"{PAGE}password", {"old_password": PASSWORD, "new_password": new})
    assert response["Location"] == PAGE
    alice.refresh_from_db()
    assert alice.check_password(new)
    assert alice_client.get(PAGE).status_code == 200


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("wrong", "a much longer passphrase", "The old password is not right."),
        (PASSWORD, "short", "too short"),
        (PASSWORD, "", "This field is required."),
    ],
)
def test_a_password_that_cannot_be_taken_says_why_and_changes_nothing(alice_client, alice, old, new, sentence):
    response = alice_client.post(f"{PAGE}password", {"old_password": old, "new_password": new})
    assert response.status_code == 400
    assert sentence in response.content.decode()
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_no_event_and_no_page_but_one_holds_a_secret(alice_client, alice):
    alice_client.post("/iam/users/alice/git-credentials")
    shown = page(alice_client)
    password = re.findall(r'data-copy="([^"]+)" aria-label="Password"', shown)[0]
    assert Event.objects.filter(event_name="CreateServiceSpecificCredential").count() == 1
    assert not [event for event in Event.objects.all() if password in str(cloudtrail.record(event))]


def test_anonymous_missing_and_wrong_method(client, alice_client):
    assert client.get(PAGE)["Location"].startswith("/sign-in/")
    assert client.post("/iam/users/alice/access-keys")["Location"].startswith("/sign-in/")
    assert alice_client.post(PAGE).status_code == 405
    assert alice_client.get("/iam/users/alice/access-keys").status_code == 405
    assert alice_client.post("/iam/users/nobody/access-keys").status_code == 404
    assert alice_client.post("/iam/users/alice/access-keys/AKIANONE", {"change": "Inactive"}).status_code == 404


def test_an_ssh_key_is_uploaded_with_its_fingerprint_switched_and_deleted(alice_client, alice):
    body = factories.ssh_key()
    assert alice_client.post("/iam/users/alice/ssh-keys", {"body": body})["Location"] == PAGE
    key = alice.ssh_public_keys.get()
    assert key.fingerprint in page(alice_client)
    address = f"/iam/users/alice/ssh-keys/{key.key_id}"
    alice_client.post(address, {"change": "Inactive"})
    key.refresh_from_db()
    assert key.status == "Inactive"
    assert alice_client.post(address, {"change": "delete", "confirm_name": "x"}).status_code == 400
    alice_client.post(address, {"change": "delete", "confirm_name": key.key_id})
    assert not alice.ssh_public_keys.exists()


def test_what_is_no_public_key_is_refused_in_words(alice_client, alice):
    answer = alice_client.post("/iam/users/alice/ssh-keys", {"body": "-----BEGIN OPENSSH PRIVATE KEY-----"})
    assert answer.status_code == 400
    assert not alice.ssh_public_keys.exists()
