"""The admin panel in headless Chromium: no page breaks our content security policy or has a script that fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from codeservices.audit.models import Trail
from codeservices.iam import credentials, oidc, throttle
from codeservices.iam.models import (
    Group,
    MfaDevice,
    Policy,
    Role,
    SshPublicKey,
    TemporaryCredential,
    User,
)
from repos.models import Push
from tests import factories
from tests.codeservices.behind_doors import DOCUMENT, finished_build

pytestmark = pytest.mark.browser

WIDTHS = (1280, 390)


@pytest.fixture
def addresses(live_server_url: str, redis_server: object, alice: User) -> list[str]:
    """A row of everything, and the addresses of each list, row and form."""
    alice.inline_policies.create(name="mine", document=DOCUMENT.replace("s3:", "ec2:"))
    Group.objects.create(name="team").users.add(alice)
    Policy.objects.create_with_document(DOCUMENT, name="ours")
    credentials.issue_access_key(alice)
    credentials.issue_git_credential(alice)
    SshPublicKey.objects.create(user=alice, body="ssh-ed25519 AAAA alice", fingerprint=":".join(["ab"] * 16))
    TemporaryCredential.objects.create(
        role=Role.objects.first(), session_name="build", expires_at=timezone.now() + timedelta(hours=1)
    )
    MfaDevice.objects.create(name="alice", user=alice, enabled_at=timezone.now(), sealed_secret="x")
    Trail.objects.create(name="main", s3_bucket_name="logs")
    oidc.bind(alice, "https://login.example.org", "42")
    throttle.begin("alice", "192.0.2.1")
    repository = factories.repository("hush", "Where it is quiet")
    project = factories.project("hush-build", repository_name="hush")
    repository.triggers.create(name="ring", destination_arn=project.arn, events=["all"])
    Push.objects.create(repository=repository, principal_arn=alice.arn, principal_name="alice")
    finished_build(project)
    content_type = ContentType.objects.get_for_model(User)
    LogEntry.objects.create(user=alice, content_type=content_type, object_id=str(alice.pk), action_flag=CHANGE)
    return ["/admin/", *addresses_of_models()]


def addresses_of_models() -> Iterator[str]:
    model: Any
    for model, panel in admin.site._registry.items():
        place = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{place}_changelist")
        row = model._default_manager.first()
        if row is not None:
            yield reverse(f"{place}_change", args=[row.pk])
        if model is User:
            yield reverse(f"{place}_history", args=[row.pk])
            yield reverse(f"{place}_delete", args=[row.pk])
        if getattr(panel, "add_action", ""):
            yield reverse(f"{place}_add")


def test_every_page_of_the_panel_keeps_to_the_content_security_policy(page: Page, addresses: list[str]):
    assert len(addresses) > 40
    page.emulate_media(color_scheme="dark")
    for path in addresses:
        answer = page.goto(path)
        assert answer is not None and answer.status == 200, path
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (path, width)


def test_a_user_is_made_and_a_policy_attached_by_hand(page: Page, addresses: list[str]):
    page.goto("/admin/iam/user/add/")
    page.get_by_label("Name:").fill("ursula")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    page.locator("#id_policies_from").select_option(label="ours")
    page.get_by_role("link", name="Choose selected policies").or_(
        page.get_by_role("button", name="Choose selected policies")
    ).click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    page.get_by_role("link", name="ursula").first.click()
    expect(page.locator("#id_policies_to option")).to_have_text(["ours"])


def test_an_inline_policy_is_written_into_a_user_that_is_searched_for(page: Page, addresses: list[str]):
    page.goto("/admin/iam/inlinepolicy/add/")
    page.locator(".field-user .select2-selection").click()
    page.locator(".select2-search__field").fill("ali")
    page.locator(".select2-results__option", has_text="alice").click()
    page.get_by_label("Name:").fill("extra")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
