"""Sign-in through an OpenID Connect provider that runs as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from codeservices.audit.models import Event
from codeservices.iam import mfa, oidc, passwords, totp
from codeservices.iam.models import ConsoleSession, FederatedIdentity, MfaDevice, User
from tests.authenticator import mfa_code
from tests.factories import PASSWORD, SERVICE
from tests.oidc_provider import CLIENT_ID, CLIENT_SECRET

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]
BEGIN, CALLBACK = "/sign-in/oidc/", "/sign-in/oidc/callback"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


@pytest.fixture(scope="module")
def provider_url() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.oidc_provider"], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None
    yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    process.terminate()
    process.wait(timeout=60)
    process.stdout.close()


@pytest.fixture
def behave(provider_url: str, settings: Any) -> Callable[..., None]:
    """Set what the provider gets wrong; it does all right at first, and the product knows it."""
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = provider_url, CLIENT_ID, CLIENT_SECRET

    def tell(**behaviour: Any) -> None:
        body = json.dumps(behaviour).encode()
        urllib.request.urlopen(urllib.request.Request(f"{provider_url}/behave", data=body), timeout=60).close()

    tell()
    return tell


def through_provider(client: Client, begin: str = BEGIN) -> str:
    """Follow the browser to the provider; the address on this server that it is sent back to."""
    there = client.get(begin)
    assert there.status_code == 302
    try:
        urllib.request.build_opener(_NoRedirects).open(there["Location"], timeout=60)
    except urllib.error.HTTPError as answer:
        with answer:
            back = urlsplit(answer.headers["Location"])
    return f"{back.path}?{back.query}"


def signed_in_by_provider(client: Client, begin: str = BEGIN):
    return client.get(through_provider(client, begin))


def refusal(client: Client) -> str:
    """What the sign-in page says after a sign-in that failed."""
    answer = signed_in_by_provider(client)
    assert answer["Location"] == "/sign-in/"
    html = client.get("/sign-in/").content.decode()
    assert "_auth_user_id" not in client.session
    return html.partition('id="messages"')[2].partition("<form")[0]


def test_a_bound_person_signs_in_and_goes_where_they_wanted(client, alice, behave, provider_url):
    oidc.bind(alice, provider_url, "subject-1")
    assert "Sign in with your organisation" in client.get("/sign-in/").content.decode()
    answer = signed_in_by_provider(client, f"{BEGIN}?next=/iam/users/")
    assert answer["Location"] == "/iam/users/"
    assert client.session["_auth_user_id"] == str(alice.pk)
    event = Event.objects.get(event_name="ConsoleLogin")
    assert (event.principal_name, event.outcome) == ("alice", "Success")
    told = event.additional_event_data
    assert (told["MFAUsed"], told["signInMethod"], told["LoginTo"]) == ("No", "oidc", "http://testserver/sign-in/")


def test_the_request_carries_state_nonce_and_a_code_challenge(client, behave, provider_url):
    address = urlsplit(client.get(BEGIN)["Location"])
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}" == provider_url
    assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT_ID)
    assert asked["scope"] == "openid profile email"
    assert asked["redirect_uri"] == "http://testserver/sign-in/oidc/callback"
    assert asked["code_challenge_method"] == "S256"
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 20


def test_the_base_url_is_what_the_provider_sends_people_back_to(client, behave, settings):
    settings.BASE_URL = "https://code.example.org"
    asked = parse_qs(urlsplit(client.get(BEGIN)["Location"]).query)
    assert asked["redirect_uri"] == ["https://code.example.org/sign-in/oidc/callback"]


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        ({"claims": {"nonce": "another"}}, "nonce"),
        ({"claims": {"nonce": None}}, "nonce"),
        ({"claims": {"aud": "somebody-else"}}, "aud"),
        ({"claims": {"aud": [CLIENT_ID, "somebody-else"]}}, "azp"),
        ({"claims": {"iss": "https://evil.example"}}, "iss"),
        ({"claims": {"exp": 1_000_000_000, "iat": 999_999_000}}, "expired"),
        ({"claims": {"iat": 9_999_999_999, "exp": 9_999_999_999}}, "future"),
        ({"claims": {"sub": None}}, "sub"),
        ({"claims": {"exp": None}}, "exp"),
        ({"alg": "none"}, "was not accepted"),
        ({"alg": "HS256"}, "was not accepted"),
        ({"signed_by": "other"}, "was not accepted"),
        ({"kid": "other", "signed_by": "other"}, "was not accepted"),
        ({"issuer": "https://evil.example"}, "calls itself by another name"),
        ({"state": "another"}, "was not begun in this browser"),
        ({"error": "access_denied"}, "access_denied"),
        ({"no_id_token": True}, "has no ID token"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_what_a_provider_gets_wrong_signs_nobody_in(client, alice, behave, provider_url, behaviour, sentence):
    oidc.bind(alice, provider_url, "subject-1")
    if "issuer" in behaviour:
        back = through_provider(client)
        behave(**behaviour)
        assert client.get(back)["Location"] == "/sign-in/"
        told = client.get("/sign-in/").content.decode()
    else:
        behave(**behaviour)
        told = refusal(client)
    assert sentence in told
    assert not ConsoleSession.objects.filter(user=alice).exists()
    event = Event.objects.get(event_name="ConsoleLogin")
    assert (event.outcome, event.additional_event_data["signInMethod"]) == ("Failed", "oidc")


def test_an_answer_is_taken_once_and_in_the_browser_that_asked(client, alice, behave, provider_url):
    oidc.bind(alice, provider_url, "subject-1")
    back = through_provider(client)
    stranger = Client()
    assert stranger.get(back)["Location"] == "/sign-in/"
    assert "_auth_user_id" not in stranger.session
    assert client.get(back)["Location"] == "/"
    client.post("/sign-out/")
    assert client.get(back)["Location"] == "/sign-in/"


def test_a_provider_that_is_away_or_no_provider_is_told_in_a_sentence(client, behave, settings, monkeypatch):
    monkeypatch.setattr(oidc, "_TIMEOUT_SECONDS", 0.5)
    behave(slow_seconds=5)
    assert client.get(BEGIN)["Location"] == "/sign-in/"  # who waits is sent on to the provider
    assert "does not answer" in client.get("/sign-in/").content.decode()
    settings.OIDC_ISSUER = "http://127.0.0.1:1"
    client.get(BEGIN)
    assert "does not answer" in client.get("/sign-in/").content.decode()


def test_a_name_at_the_provider_takes_over_no_user(client, alice, behave):
    assert "There is a user called alice already" in refusal(client)
    assert not FederatedIdentity.objects.exists()


def test_where_the_setting_says_so_the_first_sign_in_binds_by_name_and_later_ones_by_subject(
    client, alice, bob, behave, provider_url, settings
):
    settings.OIDC_LINK_BY_NAME = True
    assert signed_in_by_provider(client)["Location"] == "/"
    assert client.session["_auth_user_id"] == str(alice.pk)
    event = Event.objects.get(event_name="LinkFederatedIdentity")
    assert event.principal_name == "signin" and event.request_parameters["userName"] == "alice"
    # The same person is called otherwise now, and another one has taken the name.
    behave(claims={"preferred_username": "bob", "email": "bob@example.org"})
    renamed = Client()
    signed_in_by_provider(renamed)
    assert renamed.session["_auth_user_id"] == str(alice.pk)
    behave(claims={"sub": "subject-2", "preferred_username": "alice", "email": "alice@example.org"})
    assert "There is a user called alice already" in refusal(Client())


def test_nobody_is_made_from_a_token_unless_the_setting_says_so(client, behave, settings):
    assert "Nobody here is bound to your account" in refusal(client)
    settings.OIDC_CREATE_USERS = True
    maker = Client()
    assert signed_in_by_provider(maker)["Location"] == "/"
    made = User.objects.get(name="alice")
    assert (made.email, made.has_usable_password(), made.policies.exists()) == ("alice@example.org", False, False)
    assert maker.get("/").status_code == 200
    assert Event.objects.get(event_name="CreateUser").principal_name == "signin"


@pytest.mark.parametrize("name", ["", "a b", "<script>", "x" * 65, "../admin", "al\u0131ce", None, 7])
def test_a_claim_that_can_be_no_user_name_makes_nobody(client, behave, settings, name):
    settings.OIDC_CREATE_USERS = True
    behave(claims={"preferred_username": name})
    told = refusal(client)
    assert "be a user name here" in told and "<script>" not in told
    assert not User.objects.exists()


def test_a_link_puts_no_words_of_its_maker_on_the_sign_in_page(client, behave):
    client.get(BEGIN)  # even where a sign-in is under way
    client.get(CALLBACK, {"error": "x", "error_description": "Your account is locked. Call 555-0100"})
    shown = client.get("/sign-in/").content.decode()
    assert "was not begun in this browser" in shown and "555-0100" not in shown


def test_a_locked_out_user_stays_outside(client, alice, behave, provider_url):
    oidc.bind(alice, provider_url, "subject-1")
    User.objects.update(is_active=False)
    assert "This user is locked out." in refusal(client)


def test_a_device_is_asked_for_unless_the_provider_has_asked_for_one(client, alice, behave, provider_url, clock):
    oidc.bind(alice, provider_url, "subject-1")
    secret = totp.new_secret()
    mfa.enrol(alice.principal, alice, secret, mfa_code(secret), mfa_code(secret, steps=1))
    MfaDevice.objects.update(last_used_step=None)
    assert signed_in_by_provider(client)["Location"] == "/sign-in/code/"
    assert "_auth_user_id" not in client.session
    assert client.post("/sign-in/code/", {"code": mfa_code(secret)})["Location"] == "/"
    behave(claims={"amr": ["pwd", "mfa"]})
    strong = Client()
    assert signed_in_by_provider(strong)["Location"] == "/"
    assert ConsoleSession.objects.filter(user=alice, is_mfa_authenticated=True).count() == 2


def test_a_password_that_is_due_does_not_bother_who_came_without_one(client, alice, behave, provider_url):
    oidc.bind(alice, provider_url, "subject-1")
    passwords.set_password(SERVICE, "alice", PASSWORD, reset_required=True)
    signed_in_by_provider(client)
    assert client.get("/me/credentials/").status_code == 200


def test_the_command_binds_a_person_to_a_user(client, alice, bob, behave, provider_url, capsys):
    call_command("link_identity", "ALICE", "subject-1")
    assert "Linked 1 identity to alice." in capsys.readouterr().out
    assert signed_in_by_provider(client)["Location"] == "/"
    with pytest.raises(CommandError, match="is bound to a user already"):
        call_command("link_identity", "bob", "subject-1")
    with pytest.raises(CommandError, match="cannot be found"):
        call_command("link_identity", "nobody", "subject-2")


def test_without_an_issuer_nothing_of_it_shows(client, alice):
    assert "organisation" not in client.get("/sign-in/").content.decode()
    for path in (BEGIN, f"{CALLBACK}?code=a&state=b"):
        assert client.get(path)["Location"] == "/sign-in/"
    assert "is not set up here" in client.get("/sign-in/").content.decode()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"CODESERVICES_OIDC_ISSUER": "https://id.example"}, "needs CODESERVICES_OIDC_CLIENT_ID"),
        ({"CODESERVICES_OIDC_ISSUER": "http://id.example", "CODESERVICES_OIDC_CLIENT_ID": "x"}, "begin with https://"),
        (
            {
                "CODESERVICES_OIDC_ISSUER": "https://id.example",
                "CODESERVICES_OIDC_CLIENT_ID": "x",
                "CODESERVICES_OIDC_SCOPES": "email",
            },
            "“openid”",
        ),
    ],
)
def test_settings_that_can_not_be_meant_stop_the_start(environment, sentence, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import codeservices.settings"],
        cwd=ROOT,
        env=os.environ | environment | {"CODESERVICES_VAR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0 and sentence in done.stderr
