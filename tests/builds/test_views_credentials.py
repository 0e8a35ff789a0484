"""The page of source credentials: what is stored without the tokens, import, delete."""

from __future__ import annotations

import pytest

from builds.models import SourceCredential
from codeservices.audit.models import Event
from tests.fixtures.people import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]
URL = "/source-credentials/"
FORM = {"server_type": "GITHUB_ENTERPRISE", "host": "Git.Example.com", "auth_type": "PERSONAL_ACCESS_TOKEN"}
TOKEN = "very-secret-token"


def test_a_token_is_stored_for_its_host_and_shown_nowhere(alice_client):
    assert "No source credentials yet" in alice_client.get(URL).content.decode()
    answer = alice_client.post(URL, {**FORM, "token": TOKEN})
    assert (answer.status_code, answer["Location"]) == (302, URL)
    page = alice_client.get(URL).content.decode()
    assert "<code>git.example.com</code>" in page and ":token/github_enterprise</code>" in page
    assert TOKEN not in page
    event = Event.objects.get(event_name="ImportSourceCredentials")
    assert event.request_parameters == {"serverType": "GITHUB_ENTERPRISE", "authType": "PERSONAL_ACCESS_TOKEN"}
    assert TOKEN not in str(event.__dict__)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"token": ""}, "The token is required."),
        ({"host": "no host"}, "“no host” is no host."),
        ({"server_type": "GITHUB"}, "Credentials of type GITHUB are for github.com, not for git.example.com."),
        ({"username": "ann"}, "A username is not valid for this auth type"),
    ],
)
def test_what_is_wrong_stands_in_the_form_and_the_token_is_not_sent_back(alice_client, changes, words: str):
    answer = alice_client.post(URL, {**FORM, "token": TOKEN, **changes})
    assert answer.status_code == 400 and words in answer.content.decode()
    assert TOKEN not in answer.content.decode()
    assert not SourceCredential.objects.exists()


def test_credentials_are_deleted_where_their_type_is_typed(alice_client):
    row = SourceCredential.objects.create(server_type="GITHUB", host="github.com", auth_type="PERSONAL_ACCESS_TOKEN")
    answer = alice_client.post(f"{URL}delete", {"arn": row.arn, "confirm": "GITLAB"})
    assert answer.status_code == 400 and "another server type was typed" in answer.content.decode()
    assert alice_client.post(f"{URL}delete", {"arn": row.arn, "confirm": "GITHUB"}).status_code == 302
    assert not SourceCredential.objects.exists()


def test_who_may_not_list_them_sees_neither_page_nor_link(alice_client, carol):
    client = signed_in(carol)
    assert client.get(URL).status_code == 403
    assert client.get("/projects/").status_code in (200, 403)
    assert 'href="/source-credentials/"' in alice_client.get("/projects/").content.decode()
