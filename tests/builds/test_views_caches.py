"""What is cached for a project: look, and forget it."""

from __future__ import annotations

import pytest
from django.test import Client

from builds.models import CacheEntry, Leftover, Project
from codeservices.audit.models import Event
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def project(alice) -> Project:
    made = factories.project("demo", repository_name=None)
    CacheEntry.objects.create(
        project=made,
        scope="s",
        version="v",
        cache_key="npm-<b>1</b>",
        refname="refs/heads/main",
        bucket="results",
        key="x",
        size_bytes=2048,
        object_modified_at=made.created_at,
    )
    CacheEntry.objects.create(project=made, scope="t", version="v", host="worker-1", key="y.tar.gz", size_bytes=1)
    return made


def test_the_list_tells_keys_places_and_sizes(alice_client, project):
    page = alice_client.get("/projects/demo/caches").content.decode()
    assert "npm-&lt;b&gt;1&lt;/b&gt;" in page and "the disk of worker-1" in page and "2.0 KB" in page
    assert "Invalidate the cache" in page and ">main<" in page


def test_nothing_cached_says_how_to_begin(alice_client, alice):
    factories.project("empty", repository_name=None)
    page = alice_client.get("/projects/empty/caches").content.decode()
    assert "Nothing is cached" in page and "codebuild-hash-files" in page and "Invalidate the cache" not in page


def test_invalidating_forgets_all_of_them_and_is_recorded(alice_client, project):
    response = alice_client.post("/projects/demo/caches/invalidate", follow=True)
    assert "Forgot 2 caches of demo" in response.content.decode()
    assert not CacheEntry.objects.exists() and [one.key for one in Leftover.objects.all()] == ["x"]
    event = Event.objects.get(event_name="InvalidateProjectCache")
    assert (event.request_parameters, event.resource_arn) == ({"projectName": "demo"}, project.arn)


def test_a_reader_looks_and_an_outsider_learns_nothing(bob_client, carol_client, project):
    page = bob_client.get("/projects/demo/caches")
    assert page.status_code == 200 and "Invalidate the cache" not in page.content.decode()
    assert bob_client.post("/projects/demo/caches/invalidate").status_code == 403
    assert carol_client.get("/projects/demo/caches").status_code == 403
    assert Client().get("/projects/demo/caches")["Location"].startswith("/sign-in/")
    assert CacheEntry.objects.count() == 2


def test_missing_projects_and_other_methods(alice_client, project):
    assert alice_client.get("/projects/gone/caches").status_code == 404
    assert alice_client.post("/projects/gone/caches/invalidate").status_code == 404
    assert alice_client.get("/projects/demo/caches/invalidate").status_code == 405
