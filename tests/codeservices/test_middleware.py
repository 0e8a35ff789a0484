from __future__ import annotations

import pytest
from django.test import Client

from codeservices.audit.models import Event


def test_every_page_has_a_policy_that_allows_no_inline_script(alice_client: Client):
    response = alice_client.get("/")
    assert response.status_code == 200
    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert b"<script>" not in response.content
    assert b" style=" not in response.content
    assert b" onclick=" not in response.content


def test_every_answer_names_its_request(client: Client):
    assert len(client.get("/healthz")["X-Request-Id"]) == 36


def test_a_page_sends_the_anonymous_to_sign_in_and_back(client: Client, db):
    response = client.get("/repositories/")
    assert response.status_code == 302
    assert response["Location"] == "/sign-in/?next=/repositories/"


def test_credentials_over_plain_http_from_another_machine_are_refused(client: Client, db):
    response = client.get("/sign-in/", REMOTE_ADDR="192.0.2.7")
    assert response.status_code == 403
    assert b"https on port 8443" in response.content
    assert client.get("/sign-in/", REMOTE_ADDR="192.0.2.7", secure=True).status_code == 200
    assert client.get("/sign-in/", REMOTE_ADDR="::1").status_code == 200
    assert client.get("/healthz", REMOTE_ADDR="192.0.2.7").status_code == 200


def test_cookies_are_marked_secure_over_tls_alone(alice, db):
    for secure in (True, False):
        response = Client().get("/sign-in/", secure=secure)
        name = "__Host-codeservices_csrf" if secure else "codeservices_csrf"
        assert list(response.cookies) == [name]
        assert bool(response.cookies[name]["secure"]) is secure


def test_a_page_view_is_one_event_with_its_request_id(alice_client: Client):
    response = alice_client.get("/repositories/")
    event = Event.objects.get(event_name="ListRepositories")
    assert (event.request_id, event.via, event.outcome) == (response["X-Request-Id"], "console", "Success")


def test_a_denied_page_explains_itself_and_is_recorded(carol_client: Client):
    response = carol_client.get("/repositories/")
    assert response.status_code == 403
    assert b"codecommit:ListRepositories" in response.content
    assert Event.objects.get(event_name="ListRepositories").outcome == "Denied"


@pytest.mark.parametrize("path", ["/nothing/here", "/repositories/no such/"])
def test_a_missing_page_is_a_page(alice_client: Client, path: str):
    response = alice_client.get(path)
    assert response.status_code == 404
    assert b"Traceback" not in response.content


@pytest.mark.parametrize(
    "address", ["/iam/users/%00/", "/iam/users/?q=a%00", "/iam/simulator/?user=%00&action=a:b", "/sign-in/?next=%00"]
)
def test_an_address_with_a_nul_is_refused_before_a_database_sees_it(alice_client: Client, address: str):
    for client in (alice_client, Client()) if "sign-in" in address else (alice_client,):
        response = client.get(address)
        assert response.status_code == 400 and "(NUL)" in response.content.decode()


def test_a_form_with_a_nul_is_refused(alice_client: Client):
    response = alice_client.post("/iam/users/alice/groups", {"change": "add", "group": "a\0"})
    assert response.status_code == 400 and "(NUL)" in response.content.decode()
    assert alice_client.post("/sign-out/").status_code == 302
