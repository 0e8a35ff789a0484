"""Projects and builds in the administration: looked at, searched, never changed there."""

from __future__ import annotations

import pytest

from tests import factories
from tests.builds import logged

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def build(alice):
    variables = [{"name": "TOKEN", "value": "open-sesame", "type": "PLAINTEXT"}]
    project = factories.project("demo", repository_name=None, environmentVariables=variables)
    return logged.end(logged.running_build(project))


def test_an_operator_looks_at_builds_and_finds_them(alice_client, build):
    assert "demo #1" in alice_client.get("/admin/builds/build/?q=dem").content.decode()
    page = alice_client.get(f"/admin/builds/build/{build.pk}/change/").content.decode()
    assert "DOWNLOAD_SOURCE" in page and "open-sesame" not in page
    project = alice_client.get(f"/admin/builds/project/{build.project_id}/change/").content.decode()
    assert "demo" in project and "open-sesame" not in project


def test_nothing_is_changed_there(alice_client, build):
    assert alice_client.get("/admin/builds/build/add/").status_code == 403
    assert alice_client.post(f"/admin/builds/build/{build.pk}/change/", {"status": "FAILED"}).status_code == 403
    assert alice_client.post(f"/admin/builds/build/{build.pk}/delete/", {"post": "yes"}).status_code == 403


def test_others_are_kept_out(bob_client, build):
    assert bob_client.get("/admin/builds/build/").status_code in (302, 403)
