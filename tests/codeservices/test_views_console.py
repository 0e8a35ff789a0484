from __future__ import annotations

import pytest
from django.test import Client, override_settings
from django.urls import path

from codeservices import registry
from codeservices.audit.models import Event
from codeservices.errors import AccessDenied
from codeservices.iam.policy import Decision, Position
from codeservices.registry import HealthCheck, SearchResult, SearchSource

pytestmark = pytest.mark.django_db


def broken(request):
    raise RuntimeError("the secret reason")


def denied(request):
    decision = Decision(False, True, '{"Effect": "Deny"}', "arn:p", "NoBlobs", 2, Position(3, 5), Position(8, 6))
    raise AccessDenied(request.principal.arn, "codecommit:GetBlob", "arn:x", decision)


class Urls:
    from codeservices.urls import handler400, handler403, handler404, handler500, urlpatterns

    urlpatterns = [*urlpatterns, path("broken/", broken), path("denied/", denied)]


@pytest.fixture
def with_urls():
    with override_settings(ROOT_URLCONF=Urls, DEBUG=False):
        yield


@pytest.mark.parametrize("who", ["alice_client", "bob_client", "carol_client"])
def test_the_dashboard_works_whatever_one_may_do(request, who):
    response = request.getfixturevalue(who).get("/")
    assert response.status_code == 200
    assert response.content.decode().count("<h1") == 1


def test_the_dashboard_is_no_act_of_its_own(alice_client):
    alice_client.get("/")
    assert not Event.objects.exists()


def test_the_rail_has_no_dead_links(alice_client):
    html = alice_client.get("/").content.decode()
    assert 'aria-current="page"' in html
    for address in ("/repositories/", "/projects/", "/builds/", "/iam/users/", "/audit/"):
        assert f'href="{address}"' in html
        assert alice_client.get(address).status_code == 200


def test_the_anonymous_see_no_shell(client):
    assert client.get("/")["Location"] == "/sign-in/?next=/"
    response = client.get("/no-such-page/")
    assert response.status_code == 404
    assert "account-menu" not in response.content.decode()


@pytest.fixture
def sources(monkeypatch):
    asked = []

    def find(principal, text, limit):
        asked.append((principal.name, text, limit))
        return (SearchResult("Repository", f"{text}-{number}", f"/r/{number}") for number in range(limit + 5))

    monkeypatch.setattr(registry, "search_sources", [SearchSource("things", find)])
    return asked


def test_search_asks_every_source_as_the_principal_and_cuts_each(bob_client, sources):
    response = bob_client.get("/search/", {"q": " demo "})
    assert sources == [("bob", "demo", 50)]
    html = response.content.decode()
    assert "demo-49" in html
    assert "demo-50" not in html


def test_quick_search_answers_a_short_fragment(bob_client, sources):
    html = bob_client.get("/search/", {"q": "demo"}, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in html
    assert html.count("<li>") == 5


def test_an_empty_search_asks_nobody(bob_client, sources):
    assert "Search by name" in bob_client.get("/search/").content.decode()
    assert sources == []


def test_what_was_searched_for_is_shown_as_text(bob_client):
    html = bob_client.get("/search/", {"q": "<script>alert(1)</script>"}).content.decode()
    assert "<script>alert" not in html


def test_users_are_found_by_those_who_may_list_them(alice_client, carol_client, bob):
    assert "/iam/users/bob/" in alice_client.get("/search/", {"q": "bo"}).content.decode()
    assert "/iam/users/bob/" not in carol_client.get("/search/", {"q": "bo"}).content.decode()


def test_an_administrator_is_told_what_is_down(alice_client, bob_client, monkeypatch):
    monkeypatch.setattr(registry, "health_checks", [HealthCheck("workers", lambda: "No worker answers.")])
    assert "No worker answers." in alice_client.get("/attention/").content.decode()
    assert "No worker answers." not in bob_client.get("/attention/").content.decode()


def test_who_cannot_clone_yet_is_led_to_git_credentials(alice_client, bob_client, monkeypatch):
    monkeypatch.setattr(registry, "health_checks", [])
    assert "/me/credentials/" in alice_client.get("/attention/", headers={"HX-Request": "true"}).content.decode()
    assert "git credentials" not in bob_client.get("/attention/", headers={"HX-Request": "true"}).content.decode()


def test_a_missing_page_says_so_with_a_request_id(alice_client):
    response = alice_client.get("/no-such-page/")
    html = response.content.decode()
    assert response.status_code == 404
    assert "There is no page at /no-such-page/." in html
    assert response["X-Request-Id"] in html


def test_a_fault_shows_a_request_id_and_nothing_of_ours(with_urls, alice):
    client = Client(raise_request_exception=False)
    client.force_login(alice, backend="codeservices.iam.backends.SessionBackend")
    response = client.get("/broken/")
    html = response.content.decode()
    assert response.status_code == 500
    assert response["X-Request-Id"] in html
    assert "secret reason" not in html
    assert "RuntimeError" not in html


def test_a_denial_shows_who_what_on_which_and_the_statement(with_urls, alice_client):
    html = alice_client.get("/denied/").content.decode()
    assert "codecommit:GetBlob" in html
    assert "arn:aws:iam::123456789012:user/alice" in html
    assert "&quot;Effect&quot;: &quot;Deny&quot;" in html


def test_a_denial_of_a_fragment_is_a_fragment(with_urls, alice_client):
    response = alice_client.get("/denied/", headers={"HX-Request": "true"})
    assert response.status_code == 403
    assert response.content.decode().lstrip().startswith('<div class="message"')


def test_the_admin_panel_is_for_those_whose_policies_say_so(alice_client, bob_client):
    assert alice_client.get("/admin/").status_code == 200
    assert bob_client.get("/admin/").status_code == 302


@pytest.mark.parametrize("model", ["user", "group", "policy", "role", "accesskey", "gitcredential"])
def test_the_admin_lists_identity_without_secrets(alice_client, alice, model):
    from codeservices.iam import credentials

    _, secret = credentials.issue_access_key(alice)
    _, password = credentials.issue_git_credential(alice)
    html = alice_client.get(f"/admin/iam/{model}/").content.decode()
    assert secret not in html
    assert password not in html
    row = {"accesskey": alice.access_keys, "gitcredential": alice.git_credentials}.get(model)
    if row is not None:
        page = alice_client.get(f"/admin/iam/{model}/{row.get().pk}/change/").content.decode()
        assert secret not in page
        assert row.get().__dict__.get("password_hash", "no such thing") not in page


def test_the_audit_trail_cannot_be_changed_in_the_admin(alice_client):
    alice_client.get("/iam/users/")
    event = Event.objects.get()
    assert alice_client.get("/admin/audit/event/").status_code == 200
    assert alice_client.get("/admin/audit/event/add/").status_code == 403
    assert alice_client.post(f"/admin/audit/event/{event.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Event.objects.filter(pk=event.pk).exists()


def test_a_page_and_its_fragment_are_kept_apart_by_caches(alice_client):
    for headers in ({}, {"HX-Request": "true"}):
        assert "HX-Request" in alice_client.get("/search/?q=x", headers=headers)["Vary"]
