"""Projects and builds in the admin panel: looked at, searched, stopped."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from builds.models import Artifact, Build, CacheEntry, Leftover, LogChunk, Phase, Project
from codeservices.audit.models import Event, Outcome
from tests import factories
from tests.builds import logged
from tests.fixtures.people import signed_in

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


def operator(*actions, resource="*"):
    """Somebody with the panel and the lists, and these actions on a resource."""
    document = factories.allow("codeservices:UseAdminPanel", "codebuild:List*")
    document["Statement"] += factories.allow(*actions, resource=resource)["Statement"]
    return signed_in(factories.user("oscar", document=document))


def cached(build, key: str) -> CacheEntry:
    return CacheEntry.objects.create(
        project=build.project, scope=key, version="v", cache_key=key, bucket="b", key=f"demo/{key}", size_bytes=1
    )


def test_builds_of_projects_that_one_may_not_see_are_not_there(build):
    other = factories.project("other", repository_name=None)
    logged.artifact_of(build)
    LogChunk.objects.create(build=build, first_line=1, line_count=3, size_bytes=9, key="log/1")
    client = operator("codebuild:BatchGet*", resource=other.arn)
    cached(build, "k")
    Leftover.objects.create(bucket="demo", key="demo")
    for name in ("project", "build", "phase", "artifact", "logchunk", "cacheentry", "leftover"):
        page = client.get(f"/admin/builds/{name}/")
        assert page.status_code == 200 and "demo" not in page.content.decode(), name
    assert "other" in client.get("/admin/builds/project/").content.decode()
    for pk in (build.pk, 999_999):
        hidden = client.get(f"/admin/builds/build/{pk}/change/")
        assert hidden.status_code == 403 and "demo" not in hidden.content.decode()


def test_builds_are_stopped_together_each_where_it_is_allowed(alice):
    mine, theirs = (factories.project(name, repository_name=None) for name in ("mine", "theirs"))
    builds = [logged.running_build(one, lease_owner="", lease_expires_at=None) for one in (mine, theirs)]
    client = operator("codebuild:BatchGet*")
    form = {"action": "stop", "_selected_action": [one.pk for one in builds]}
    page = client.post("/admin/builds/build/", form, follow=True).content.decode()
    assert "2 builds not told to stop." in page and "codebuild:StopBuild" in page
    assert not Build.objects.exclude(stop_requested_at=None).exists()
    alice_page = signed_in(alice).post("/admin/builds/build/", form, follow=True).content.decode()
    assert "2 builds told to stop." in alice_page
    assert set(Build.objects.values_list("status", flat=True)) == {"STOPPED"}
    stops = Event.objects.filter(event_name="StopBuild").order_by("pk")
    assert [one.outcome for one in stops] == [Outcome.DENIED] * 2 + [Outcome.SUCCESS] * 2
    assert {one.resource_arn for one in stops} == {mine.arn, theirs.arn}


@pytest.mark.parametrize("model", [Project, Build, Phase, Artifact, LogChunk, CacheEntry, Leftover])
def test_a_longer_list_asks_no_more_queries(alice_client, build, model):
    def fill(first):
        for number in range(first, first + 5):
            other = logged.end(logged.running_build(factories.project(f"p{number}", repository_name=None)))
            logged.artifact_of(other)
            LogChunk.objects.create(build=other, first_line=1, line_count=3, size_bytes=9, key=f"log/{number}")
            now = timezone.now()
            Phase.objects.create(build=other, phase_type="INSTALL", started_at=now)
            cached(other, f"k{number}")
            Leftover.objects.create(bucket="b", key=f"k{number}")

    def queries():
        with CaptureQueriesContext(connection) as asked:
            alice_client.get(f"/admin/builds/{model._meta.model_name}/")
        return len(asked)

    fill(0)
    queries()
    before = queries()
    fill(10)
    assert queries() == before < 25
