"""The admin panel: closed to those who may not use it, silent about secrets, and recorded."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib import admin
from django.urls import URLResolver, get_resolver, reverse

from builds.models import Build, Project
from codeservices import registry
from codeservices.audit import drain
from codeservices.audit.models import Event, Outcome
from codeservices.iam.models import AccessKey, ConsoleSession, GitCredential, MfaDevice, User
from tests.codeservices.behind_doors import (
    TOKEN,
    body,
    changed,
    denied_action,
    state,
)
from tests.codeservices.worlds import LastingWorld, World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def world(lasting_world: LastingWorld, undrained: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(registry, "health_checks", [])
    return lasting_world.begin()


def admin_addresses() -> list[str]:
    """Every page of the admin panel, but for those that are the console's own."""
    found = []

    def walk(resolver: Any, prefix: str) -> None:
        for each in resolver.url_patterns:
            route = prefix + re.sub(r"<\w+:\w+>", "1", str(each.pattern))
            if isinstance(each, URLResolver):
                walk(each, route)
            elif "(?P" not in route:
                found.append(f"/{route}")

    [top] = [one for one in get_resolver("codeservices.urls").url_patterns if getattr(one, "namespace", "") == "admin"]
    walk(top, "admin/")
    return sorted(set(found) - {"/admin/login/", "/admin/logout/", "/admin/password_change/"})


def test_the_admin_panel_is_closed_to_those_who_may_not_use_it(world: World):
    addresses = admin_addresses()
    assert len(addresses) > 40 and "/admin/iam/user/1/delete/" in addresses
    before = state()
    for name in ("carol", "bob"):
        client = world.browser(world.people[name])
        for path in addresses:
            for answer in (client.get(path), client.post(path, {"csrfmiddlewaretoken": TOKEN})):
                assert answer.status_code == 302, path
                assert answer["Location"] in ("/admin/", f"/admin/login/?next={path}"), path
        told = client.get("/admin/login/?next=/admin/")
        assert denied_action(told) == "codeservices:UseAdminPanel"
    assert not changed(before)
    drain.drain()
    assert Event.objects.filter(outcome=Outcome.DENIED, action="codeservices:UseAdminPanel").count() == 2
    assert world.browser(None).get("/admin/login/?next=/admin/")["Location"] == "/sign-in/?next=%2Fadmin%2F"
    alice = world.browser(world.people["alice"])
    for path in addresses:
        assert alice.get(path).status_code in (200, 302, 403, 404, 405), path
        assert alice.post(path).status_code == 403, path
    assert not changed(before)


def test_the_admin_panel_shows_no_secret(world: World):
    project = Project.objects.get()
    project.environment["environmentVariables"] = [{"name": "KEY", "value": "hunter2-value", "type": "PLAINTEXT"}]
    project.save()
    Build.objects.update(environment=project.environment)
    secrets = [AccessKey.objects.get().encrypted_secret, GitCredential.objects.get().password_hash, "hunter2-value"]
    secrets += User.objects.values_list("password", flat=True)
    secrets.append("sealed-signing-key")
    secrets += MfaDevice.objects.values_list("sealed_secret", flat=True)
    alice = world.browser(world.people["alice"])
    secrets += ConsoleSession.objects.values_list("session_key", flat=True)
    model: Any
    for model in admin.site._registry:
        place = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        rows = model._default_manager.all()[:3]
        for path in (
            reverse(f"{place}_changelist"),
            *(reverse(f"{place}_{page}", args=[row.pk]) for row in rows for page in ("change", "history")),
        ):
            page = body(alice.get(path))
            assert page and not [one for one in secrets if one in page], path


def test_a_change_in_the_admin_panel_is_recorded_under_its_action(world: World):
    key = AccessKey.objects.get()
    alice = world.browser(world.people["alice"])
    path = reverse("admin:iam_accesskey_change", args=[key.pk])
    assert alice.post(path, {"status": "Inactive", "csrfmiddlewaretoken": TOKEN}).status_code == 302
    drain.drain()
    event = Event.objects.get(event_name="UpdateAccessKey")
    assert (event.principal_name, event.resource_arn, event.outcome) == ("alice", key.user.arn, Outcome.SUCCESS)
