"""The badge that everybody sees who has its address."""

from __future__ import annotations

import uuid
from xml.etree import ElementTree

import pytest

from builds import badge
from builds.models import Build, Project, Status
from tests import factories


@pytest.fixture
def project(db) -> Project:
    made = factories.project(repository_name=None, buildspec="version: 0.2")
    made.badge_enabled, made.badge_uuid = True, uuid.uuid4()
    made.save()
    return made


def build(project: Project, status: str, version: str) -> None:
    number = project.builds.count() + 1
    Build.objects.create(
        project=project,
        project_name=project.name,
        number=number,
        status=status,
        source=project.source,
        source_version=version,
        artifacts_config={},
        environment={},
    )


def word(client, **query: str) -> str:
    answer = client.get("/badges", query)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/svg+xml")
    assert "no-cache" in answer["Cache-Control"]
    texts = ElementTree.fromstring(answer.content).iter("{http://www.w3.org/2000/svg}text")
    return [one.text or "" for one in texts][-1]


def test_a_badge_has_the_last_build_of_its_branch_or_tag(client, project):
    known = {"uuid": str(project.badge_uuid)}
    assert word(client, **known) == "unknown"
    build(project, Status.SUCCEEDED, "refs/heads/main^{%s}" % ("a" * 40))
    build(project, Status.TIMED_OUT, "side")
    build(project, Status.IN_PROGRESS, "refs/tags/v1")
    assert word(client, **known) == "in progress"
    assert word(client, **known, branch="main") == "passing"
    assert word(client, **known, branch="side") == "failing"
    assert word(client, **known, tag="v1") == "in progress"
    assert word(client, **known, branch="v1") == "unknown"


def test_a_badge_asks_little_of_the_database_however_many_builds_there_are(client, db, django_assert_max_num_queries):
    factories.repository("site")
    project = factories.project("site", repository_name="site")
    Project.objects.update(badge_enabled=True, badge_uuid=uuid.uuid4())
    project.refresh_from_db()
    for _ in range(50):
        build(project, Status.SUCCEEDED, "")  # of the default branch, whichever that is
    known = {"uuid": str(project.badge_uuid)}
    with django_assert_max_num_queries(3):
        assert word(client, **known, branch="none") == "unknown"
    with django_assert_max_num_queries(2):
        assert word(client, **known) == "passing"


@pytest.mark.parametrize("text", ["", "x", str(uuid.UUID(int=7)), "<svg/>"])
def test_an_address_that_was_never_given_shows_no_more_than_an_unknown_branch(client, project, text):
    assert word(client, uuid=text) == "unknown"


def test_a_badge_that_was_switched_off_tells_nothing(client, project):
    build(project, Status.SUCCEEDED, "main")
    Project.objects.update(badge_enabled=False)
    assert word(client, uuid=str(project.badge_uuid)) == "unknown"


@pytest.mark.parametrize("text", sorted(badge.COLOURS))
def test_a_badge_is_a_whole_picture_that_is_told_to_screen_readers(text):
    picture = ElementTree.fromstring(badge.svg(text))
    assert picture.get("aria-label") == f"build: {text}"
    assert "style" not in badge.svg(text) and "script" not in badge.svg(text)
