"""What builds say about commits, to whom they may say it."""

from __future__ import annotations

from typing import Any

import pytest
from django.template import Context, Template

from builds import commit_statuses
from builds.models import Build, Project, Status
from codeservices import registry
from codeservices.iam.authorize import is_allowed
from codeservices.statements import Statement
from tests import factories

pytestmark = pytest.mark.django_db
OID, OTHER = "a" * 40, "b" * 40


@pytest.fixture
def project(db) -> Project:
    return factories.project("demo", repository_name="demo")


def built(project: Project, oid: str, status: str, **members: Any) -> Build:
    project.last_build_number += 1
    project.save()
    values = {"resolved_source_oid": oid, "status": status, "source": project.source, **members}
    return Build.objects.create(
        project=project,
        project_name=project.name,
        number=project.last_build_number,
        initiator="alice",
        artifacts_config={},
        environment={},
        service_role_arn=project.service_role_arn,
        **values,
    )


def words(principal, *oids: str) -> dict[str, tuple[str, str]]:
    found = registry.commit_statuses(principal, "demo", oids)
    return {oid: (status.word, status.url) for oid, status in found.items()}


def test_the_newest_build_of_a_project_is_told(alice, project):
    built(project, OID, Status.FAILED)
    assert words(alice.principal, OID, OTHER) == {OID: ("Failed", "/projects/demo/builds/1/")}
    built(project, OID, Status.SUCCEEDED)
    assert words(alice.principal, OID, OTHER) == {OID: ("Succeeded", "/projects/demo/builds/2/")}


def test_of_several_projects_a_failure_is_told_first_and_then_what_still_runs(alice, project):
    built(project, OID, Status.SUCCEEDED)
    second = factories.project("second", repository_name="demo")
    built(second, OID, Status.IN_PROGRESS)
    assert words(alice.principal, OID) == {OID: ("In progress (1 of 2)", "/projects/second/builds/1/")}
    built(second, OID, Status.TIMED_OUT)
    assert words(alice.principal, OID) == {OID: ("Timed out (1 of 2)", "/projects/second/builds/2/")}
    built(project, OID, Status.STOPPED)
    assert words(alice.principal, OID)[OID][0] == "Timed out (1 of 2)"


def test_a_queued_build_counts_by_the_id_it_was_asked_for(alice, project):
    built(project, "", Status.IN_PROGRESS, source_version=OID)
    built(project, "", Status.FAILED, source_version=OTHER)
    assert words(alice.principal, OID, OTHER) == {OID: ("In progress", "/projects/demo/builds/1/")}


def test_builds_of_other_sources_do_not_count(alice, project):
    other = factories.project("other", repository_name="demo2")
    built(other, OID, Status.FAILED)
    built(factories.project("none", repository_name=None), OID, Status.FAILED)
    assert words(alice.principal, OID) == {}


def test_nobody_sees_what_policies_do_not_show(project):
    built(project, OID, Status.FAILED)
    secret = factories.project("secret", repository_name="demo")
    built(secret, OID, Status.FAILED)
    dora = factories.user("dora", document=factories.allow("codebuild:BatchGetBuilds", resource=project.arn))
    assert not is_allowed(dora.principal, "codebuild:BatchGetBuilds", secret.arn)
    assert words(dora.principal, OID) == {OID: ("Failed", "/projects/demo/builds/1/")}
    assert words(factories.user("erin").principal, OID) == {}


def test_a_page_of_commits_costs_one_query(alice, project, django_assert_num_queries):
    oids = [f"{number:040x}" for number in range(30)]
    for oid in oids:
        built(project, oid, Status.SUCCEEDED)
    principal = alice.principal
    with django_assert_num_queries(3):  # the builds; the policies of who asks, and the project's tags, to decide
        assert len(words(principal, *oids)) == 30
    with django_assert_num_queries(0):
        assert words(principal) == {}


def test_a_status_is_drawn_as_icon_and_words_that_lead_to_the_build(alice, project):
    built(project, OID, Status.FAILED)
    found = registry.commit_statuses(alice.principal, "demo", [OID])
    drawn = Template("{% load ui %}{% commit_status statuses oid %}")
    html = drawn.render(Context({"statuses": found, "oid": OID}))
    assert 'href="/projects/demo/builds/1/"' in html and 'data-status="FAILED"' in html
    assert "<svg" in html and "Failed</a>" in html
    assert drawn.render(Context({"statuses": found, "oid": OTHER})) == ""
    assert drawn.render(Context({"oid": OID})) == ""


def test_the_state_changes_with_every_start_end_and_deletion(project, monkeypatch):
    monkeypatch.setattr(commit_statuses, "NEWEST_BUILDS", 3)
    monkeypatch.setattr(commit_statuses, "_NEWEST", Statement(commit_statuses._newest))
    states = [registry.commit_status_state()]
    builds = []
    for _ in range(5):
        builds.append(built(project, OID, Status.IN_PROGRESS))
        states.append(registry.commit_status_state())
    Build.objects.update(status=Status.SUCCEEDED)
    states.append(registry.commit_status_state())
    for index in (4, 2, 0):  # the newest, one of the newest, the oldest
        builds[index].delete()
        states.append(registry.commit_status_state())
    assert len(set(states)) == len(states)


def test_the_state_is_told_by_indexes(project, django_assert_num_queries):
    built(project, OID, Status.SUCCEEDED)
    with django_assert_num_queries(3) as asked:
        registry.commit_status_state()
    assert "LIMIT 500" in asked.captured_queries[0]["sql"]
