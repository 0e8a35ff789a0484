"""The account's password policy and passwords that must be changed first."""

from __future__ import annotations

import boto3
import pytest
from django.test import Client

from codeservices.audit.models import Event
from codeservices.errors import InvalidInput
from codeservices.iam import password_policy, passwords
from codeservices.iam.models import AccountPasswordPolicy
from tests import factories
from tests.factories import PASSWORD, SERVICE, allow
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db

PAGE = "/iam/password-policy/"
NEW = "another long passphrase"
STRICT = {
    "minimum_length": 12,
    "require_symbols": True,
    "require_numbers": True,
    "require_uppercase": True,
    "require_lowercase": True,
}


def policy(**values) -> AccountPasswordPolicy:
    return password_policy.update_policy(SERVICE, **values)


def sign_in(name: str, password: str = PASSWORD) -> tuple[Client, str]:
    client = Client()
    response = client.post("/sign-in/", {"username": name, "password": password})
    return client, response.headers.get("Location", "")


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("Aa1!aaaa", "at least 12 characters"),
        ("aaaaaaaa1234!", "an uppercase letter"),
        ("AAAAAAAA1234!", "a lowercase letter"),
        ("Aaaaaaaabcde!", "a number"),
        ("Aaaaaaaa12345", "one of the symbols"),
        ("Ääääääää1234!ä", "an uppercase letter (A to Z)"),
    ],
)
def test_a_password_that_breaks_a_rule_is_refused_with_that_rule(alice, password, problem):
    policy(**STRICT)
    with pytest.raises(InvalidInput, match=problem.replace("(", r"\(").replace(")", r"\)")):
        passwords.set_password(SERVICE, "alice", password)
    passwords.set_password(SERVICE, "alice", "Aqzmwnxb1234!")


def test_common_passwords_and_the_users_name_are_refused_under_every_policy(alice):
    policy(minimum_length=6)
    with pytest.raises(InvalidInput, match="too common"):
        passwords.set_password(SERVICE, "alice", "password1")
    with pytest.raises(InvalidInput, match="too similar to the name"):
        passwords.set_password(SERVICE, "alice", "alice99")


def test_without_a_policy_ten_characters_are_asked_for(alice):
    with pytest.raises(InvalidInput, match="at least 10 characters"):
        passwords.set_password(SERVICE, "alice", "qzmwnxbvc")


def test_generated_passwords_meet_the_strictest_policy(alice):
    from codeservices.iam import secrets

    policy(**{**STRICT, "minimum_length": 128})
    for _ in range(200):
        assert not password_policy.problems(password_policy.current(), secrets.new_sign_in_password(128))


def test_passwords_that_were_used_before_are_refused_as_far_back_as_the_policy_says(alice):
    policy(remembered_passwords=3)
    for password in ("first long passphrase", "second long passphrase", "third long passphrase"):
        passwords.set_password(SERVICE, "alice", password)
    for password in ("first long passphrase", "third long passphrase"):
        with pytest.raises(InvalidInput, match="was used before"):
            passwords.set_password(SERVICE, "alice", password)
    passwords.set_password(SERVICE, "alice", PASSWORD)
    assert alice.previous_passwords.count() == 2
    passwords.set_password(SERVICE, "alice", "first long passphrase")


def test_no_old_hash_is_kept_while_no_policy_asks_for_it(alice):
    passwords.set_password(SERVICE, "alice", NEW)
    policy(remembered_passwords=5)
    passwords.set_password(SERVICE, "alice", PASSWORD)
    assert alice.previous_passwords.count() == 1
    password_policy.delete_policy(SERVICE)
    passwords.set_password(SERVICE, "alice", NEW)
    assert alice.previous_passwords.count() == 0


def test_users_change_their_own_password_by_the_accounts_leave(carol):
    client = signed_in(carol)
    form = {"old_password": PASSWORD, "new_password": NEW}
    assert client.post("/me/credentials/password", form).status_code == 403
    policy(allow_users_to_change_password=True)
    assert client.post("/me/credentials/password", form).status_code == 302
    assert password_policy.get_policy(carol.principal).allow_users_to_change_password


def test_an_explicit_deny_beats_the_accounts_leave():
    policy(allow_users_to_change_password=True)
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "iam:ChangePassword", "Resource": "*"}],
    }
    dora = factories.user("dora", document=document)
    form = {"old_password": PASSWORD, "new_password": NEW}
    assert signed_in(dora).post("/me/credentials/password", form).status_code == 403


def test_a_password_that_was_given_is_changed_before_anything_else_is_open(alice, bob):
    passwords.set_password(SERVICE, "bob", PASSWORD, reset_required=True)
    client, _ = sign_in("bob")
    for path in ("/", "/repositories/", "/me/credentials/", "/iam/users/", "/admin/", "/usage-is-no-page/"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers.get("Location")) in (
            (302, "/sign-in/new-password/"),
            (404, None),
        ), path
    assert client.post("/iam/users/bob/access-keys")["Location"] == "/sign-in/new-password/"
    assert client.post("/me/credentials/sessions", {"change": "others"})["Location"] == "/sign-in/new-password/"
    assert client.get("/search/", headers={"HX-Request": "true"})["HX-Redirect"] == "/sign-in/new-password/"
    assert not bob.access_keys.exists()
    page = client.get("/sign-in/new-password/").content.decode()
    assert "Nothing else is open" in page and "At least 10 characters" in page
    form = {"old_password": PASSWORD, "new_password": NEW}
    assert client.post("/sign-in/new-password/", form)["Location"] == "/"
    assert client.get("/").status_code == 200
    event = Event.objects.get(action="iam:ChangePassword")
    assert (event.principal_name, event.resource_arn, event.outcome) == ("bob", bob.arn, "Success")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("wrong", NEW, "The old password is not right."),
        (PASSWORD, PASSWORD, "The new password must be another one."),
        (PASSWORD, "short", "too short"),
    ],
)
def test_a_new_password_that_cannot_be_taken_leaves_the_gate_closed(bob, old, new, sentence):
    passwords.set_password(SERVICE, "bob", PASSWORD, reset_required=True)
    client, _ = sign_in("bob")
    answer = client.post("/sign-in/new-password/", {"old_password": old, "new_password": new})
    assert answer.status_code == 400 and sentence in answer.content.decode()
    assert client.get("/")["Location"] == "/sign-in/new-password/"


def test_signing_out_is_open_while_a_password_is_due(bob):
    passwords.set_password(SERVICE, "bob", PASSWORD, reset_required=True)
    client, _ = sign_in("bob")
    assert client.post("/sign-out/")["Location"] == "/sign-in/"


def test_an_expired_password_is_changed_at_sign_in(bob, clock):
    policy(max_age_days=30)
    passwords.set_password(SERVICE, "bob", PASSWORD)
    clock.advance(days=31)
    client, _ = sign_in("bob")
    assert client.get("/")["Location"] == "/sign-in/new-password/"
    client.post("/sign-in/new-password/", {"old_password": PASSWORD, "new_password": NEW})
    assert client.get("/").status_code == 200
    assert sign_in("bob", NEW)[0].get("/").status_code == 200


def test_hard_expiry_needs_an_administrator_and_tells_nobody_without_the_password(bob, clock):
    policy(max_age_days=30, hard_expiry=True)
    passwords.set_password(SERVICE, "bob", PASSWORD)
    clock.advance(days=31)
    answer = Client().post("/sign-in/", {"username": "bob", "password": PASSWORD})
    assert answer.status_code == 401 and "Your password has expired." in answer.content.decode()
    answer = Client().post("/sign-in/", {"username": "bob", "password": "wrong"})
    assert "The user name or the password is not right." in answer.content.decode()


def test_the_page_sets_shows_and_deletes_the_policy(alice_client):
    assert "No policy is set." in alice_client.get(PAGE).content.decode()
    form = {"minimum_length": "14", "require_numbers": "on", "max_age_days": "90", "remembered_passwords": ""}
    assert alice_client.post(PAGE, form)["Location"] == PAGE
    made = AccountPasswordPolicy.objects.get()
    assert (made.minimum_length, made.require_numbers, made.require_symbols) == (14, True, False)
    assert (made.max_age_days, made.remembered_passwords) == (90, None)
    html = alice_client.get(PAGE).content.decode()
    assert 'value="14"' in html and "Delete this policy" in html
    assert "At least 14 characters with a number" in alice_client.get("/me/credentials/").content.decode()
    alice_client.post(f"{PAGE}delete")
    assert not AccountPasswordPolicy.objects.exists()
    assert alice_client.post(f"{PAGE}delete").status_code == 404


def test_the_page_refuses_bad_values_and_those_who_may_not(alice_client, carol_client):
    answer = alice_client.post(PAGE, {"minimum_length": "5", "max_age_days": "2000"})
    assert answer.status_code == 400 and "greater than or equal to 6" in answer.content.decode()
    assert not AccountPasswordPolicy.objects.exists()
    assert carol_client.get(PAGE).status_code == 403
    assert carol_client.post(PAGE, {"minimum_length": "5"}).status_code == 403
    reader = signed_in(factories.user("reader", document=allow("iam:GetAccountPasswordPolicy")))
    html = reader.get(PAGE).content.decode()
    assert '<fieldset class="plain-fieldset" disabled>' in html and "Save" not in html


@pytest.mark.django_db(transaction=True)
def test_boto3_sets_reads_and_deletes_the_policy(live_server_url, alice):
    from codeservices.iam import credentials

    key, secret = credentials.issue_access_key(alice)
    client = boto3.client(
        "iam",
        endpoint_url=live_server_url,
        region_name="us-east-1",
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=secret,
    )
    with pytest.raises(client.exceptions.NoSuchEntityException, match="domain name account cannot be found"):
        client.get_account_password_policy()
    client.update_account_password_policy(MinimumPasswordLength=14, MaxPasswordAge=90, RequireSymbols=True)
    assert client.get_account_password_policy()["PasswordPolicy"] == {
        "MinimumPasswordLength": 14,
        "RequireSymbols": True,
        "RequireNumbers": False,
        "RequireUppercaseCharacters": False,
        "RequireLowercaseCharacters": False,
        "AllowUsersToChangePassword": False,
        "ExpirePasswords": True,
        "MaxPasswordAge": 90,
        "HardExpiry": False,
    }
    client.update_account_password_policy()
    after = client.get_account_password_policy()["PasswordPolicy"]
    assert (after["MinimumPasswordLength"], after["ExpirePasswords"], "MaxPasswordAge" in after) == (6, False, False)
    client.delete_account_password_policy()
    with pytest.raises(client.exceptions.NoSuchEntityException):
        client.delete_account_password_policy()
