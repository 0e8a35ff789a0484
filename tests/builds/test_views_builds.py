"""The pages of builds: list, start, one build, stop, retry."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from builds import lifecycle
from builds.models import Build, Status
from codeservices import work
from codeservices.audit.models import Event
from tests import factories
from tests.builds import logged
from tests.fixtures.people import signed_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server", "no_broker")]


@pytest.fixture
def no_broker(monkeypatch) -> list[int]:
    """The ids of builds that would have been sent to a worker."""
    sent: list[int] = []
    monkeypatch.setattr(work.current_app, "send_task", lambda name, args, **options: sent.append(args[0]))
    return sent


@pytest.fixture
def project(alice):
    factories.repository("demo")
    return factories.project("demo")


def page_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, response.content.decode()
    return response.content.decode()


def test_a_build_shows_its_phases_log_environment_and_where_it_came_from(alice_client, project):
    oid = "4f2c" * 10
    environment = project.environment | {
        "environmentVariables": [{"name": "STAGE", "value": "test", "type": "PLAINTEXT"}]
    }
    build = logged.logged_build(
        project,
        ["\x1b[32mPASSED\x1b[0m", "<b>bold</b>"],
        resolved_source_oid=oid,
        source_version=f"refs/heads/main^{{{oid}}}",
        environment=environment,
    )
    page = page_of(alice_client, "/projects/demo/builds/1/")
    assert "Succeeded" in page and "started by alice" in page
    assert "Download source" in page and "Finalizing" not in page
    assert f'href="/repositories/demo/commit/{oid}"' in page and ">main<" in page
    assert '<span class="ansi-green">PASSED</span>' in page and "&lt;b&gt;bold&lt;/b&gt;" in page
    assert 'id="L2"' in page and "STAGE" in page and build.api_id in page
    assert "Retry build" in page and "Stop build" not in page and "data-events" not in page


def test_a_running_build_shows_what_is_to_come_and_streams(alice_client, project):
    logged.running_build(project)
    page = page_of(alice_client, "/projects/demo/builds/1/")
    assert "In progress" in page and "Finalizing" in page and "Waiting for the first line" in page
    assert 'data-events="/projects/demo/builds/1/events"' in page
    assert "Stop build" in page and "Retry build" not in page


def test_a_failure_is_told_above_the_log_with_its_line(alice_client, project):
    build = logged.running_build(project)
    writer = logged.writer_of(build)
    writer.write(b"line\n" * 7)
    logged.end(build, writer, Status.FAILED, "Error while executing command: make. Reason: exit status 2")
    page = page_of(alice_client, "/projects/demo/builds/1/")
    assert "COMMAND_EXECUTION_ERROR: Error while executing command: make. Reason: exit status 2" in page
    assert 'href="#L7"' in page and 'data-open-at="7"' in page


def test_a_long_log_shows_its_end_and_the_rest_from_a_line_on(alice_client, project):
    logged.logged_build(project, [f"line {number}" for number in range(1, 3002)])
    page = page_of(alice_client, "/projects/demo/builds/1/")
    assert ">line 3001<" in page and ">line 1002<" in page and ">line 1001<" not in page
    assert 'href="?from=0"' in page
    first = page_of(alice_client, "/projects/demo/builds/1/?from=0")
    assert ">line 1<" in first and ">line 2001<" not in first and 'href="?from=2000"' in first
    assert ">line 3001<" in page_of(alice_client, "/projects/demo/builds/1/?from=nonsense")


def test_heavy_lines_do_not_make_a_heavy_page(alice_client, project):
    logged.logged_build(project, ["x" * 60_000 for _ in range(50)])
    page = page_of(alice_client, "/projects/demo/builds/1/")
    assert len(page) < 700_000 and 'id="L50"' in page and 'id="L1"' not in page


def test_a_build_starts_with_the_projects_settings(alice_client, project, no_broker):
    response = alice_client.post("/projects/demo/start")
    assert response["Location"] == "/projects/demo/builds/1/"
    build = Build.objects.get()
    assert (build.initiator, build.status, no_broker) == ("alice", Status.IN_PROGRESS, [build.pk])
    assert "Queued" in page_of(alice_client, "/projects/demo/builds/1/")
    assert Event.objects.filter(event_name="StartBuild", outcome="Success").count() == 1


def test_overrides_count_for_one_build(alice_client, project):
    assert "More rows" in page_of(alice_client, "/projects/demo/start")
    fields = {
        "source_version": "release",
        "variables-TOTAL_FORMS": "1",
        "variables-INITIAL_FORMS": "0",
        "variables-0-name": "STAGE",
        "variables-0-value": "prod",
    }
    assert alice_client.post("/projects/demo/start", fields).status_code == 302
    build = Build.objects.get()
    assert build.source_version == "release"
    assert build.environment["environmentVariables"] == [{"name": "STAGE", "value": "prod", "type": "PLAINTEXT"}]
    project.refresh_from_db()
    assert project.environment["environmentVariables"] == []


@pytest.fixture
def two_sources(project):
    project.secondary_sources = [{**project.source, "sourceIdentifier": "tools"}]
    project.secondary_source_versions = [{"sourceIdentifier": "tools", "sourceVersion": "v1"}]
    project.save()


def test_a_secondary_source_takes_a_version_for_one_build(alice_client, project, two_sources, no_broker):
    page = page_of(alice_client, "/projects/demo/start")
    assert "Version of tools" in page and "Of demo. Empty means v1, as the project says." in page
    for given in ("", "v2"):
        assert alice_client.post("/projects/demo/start", {"secondary-tools": given}).status_code == 302
    versions = [build.secondary_source_versions[0]["sourceVersion"] for build in Build.objects.order_by("pk")]
    assert versions == ["v1", "v2"]
    told = [event.request_parameters for event in Event.objects.filter(event_name="StartBuild").order_by("pk")]
    given = {"sourceIdentifier": "tools", "sourceVersion": "v2"}
    assert told == [{"projectName": "demo"}, {"projectName": "demo", "secondarySourcesVersionOverride": [given]}]


def test_a_bad_version_of_a_secondary_source_is_told_beside_its_field(alice_client, two_sources, no_broker):
    response = alice_client.post("/projects/demo/start", {"secondary-tools": "--upload-pack=x"})
    assert response.status_code == 400 and "is no source version" in response.content.decode()
    assert not Build.objects.exists()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"source_version": "no good"}, "“no good” is no source version."),
        (
            {"variables-TOTAL_FORMS": "1", "variables-INITIAL_FORMS": "0", "variables-0-name": "CODEBUILD_X"},
            "names that start with CODEBUILD_ are reserved",
        ),
        ({"variables-TOTAL_FORMS": "many", "variables-INITIAL_FORMS": "0"}, "Start a build of demo"),
    ],
)
def test_bad_overrides_are_told_and_start_nothing(alice_client, project, fields, sentence):
    response = alice_client.post("/projects/demo/start", fields)
    assert response.status_code == 400 and sentence in response.content.decode()
    assert not Build.objects.exists()


def test_stopping_a_queued_build_ends_it_at_once(alice_client, project):
    alice_client.post("/projects/demo/start")
    assert alice_client.post("/projects/demo/builds/1/stop")["Location"] == "/projects/demo/builds/1/"
    assert Build.objects.get().status == Status.STOPPED
    assert "Stopped" in page_of(alice_client, "/projects/demo/builds/1/")


def test_stopping_a_running_build_asks_its_worker(alice_client, project):
    build = logged.running_build(project)
    alice_client.post("/projects/demo/builds/1/stop")
    build.refresh_from_db()
    assert (build.status, build.stop_requested_at is not None) == (Status.IN_PROGRESS, True)
    page = page_of(alice_client, "/projects/demo/builds/1/")
    assert "stopping…" in page and "disabled" in page


def test_retrying_starts_the_same_again(alice_client, project):
    project.last_build_number = 1
    project.save()
    logged.logged_build(project, ["x"], source_version="release")
    response = alice_client.post("/projects/demo/builds/1/retry")
    assert response["Location"] == "/projects/demo/builds/2/"
    assert Build.objects.get(number=2).source_version == "release"


def test_a_build_of_a_deleted_project_is_shown_and_can_not_be_retried(alice_client, project):
    logged.logged_build(project, ["x"])
    project.delete()
    page = page_of(alice_client, "/projects/demo/builds/1/")
    assert "demo (deleted)" in page and "Retry build" not in page
    assert alice_client.post("/projects/demo/builds/1/retry").status_code == 404


def test_the_list_of_all_builds_filters_and_pages(alice_client, project):
    other = factories.project("other", repository_name=None)
    logged.running_build(other)
    for number in range(1, 32):
        logged.running_build(project, number, status=Status.STOPPED, is_log_complete=True)
    assert "demo #31" in page_of(alice_client, "/builds/")
    assert "other #1" in page_of(alice_client, "/builds/?page=2")
    running = page_of(alice_client, "/builds/?status=IN_PROGRESS")
    assert "other #1" in running and "demo #" not in running
    assert "demo #1<" in page_of(alice_client, "/builds/?project=DEM&page=2")
    assert "No build matches this filter." in page_of(alice_client, "/builds/?project=nowhere")
    rows = alice_client.get("/builds/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in rows and "demo #31" in rows


def test_an_empty_list_says_what_a_build_is(alice_client, alice):
    assert "Nothing has been built yet" in page_of(alice_client, "/builds/")


def test_the_list_holds_only_builds_of_projects_one_may_look_at(alice, project):
    logged.running_build(project)
    logged.running_build(factories.project("quiet", repository_name=None))
    mine = factories.allow("codebuild:BatchGetBuilds", resource=project.arn)
    mine["Statement"].append({"Effect": "Allow", "Action": "codebuild:ListBuilds", "Resource": "*"})
    client = signed_in(factories.user("dave", document=mine))
    assert "quiet" not in page_of(client, "/builds/") and "demo #1" in page_of(client, "/builds/")
    assert "quiet" not in page_of(client, "/builds/recent")


def test_who_may_see_a_build_but_not_its_log_is_told_so(alice, project):
    logged.logged_build(project, ["open sesame"])
    client = signed_in(factories.user("dave", document=factories.allow("codebuild:BatchGetBuilds")))
    page = page_of(client, "/projects/demo/builds/1/")
    assert "logs:GetLogEvents" in page and "sesame" not in page and "Succeeded" in page


def test_a_reader_sees_builds_and_changes_none(bob_client, project):
    logged.logged_build(project, ["hello"])
    page = page_of(bob_client, "/projects/demo/builds/1/")
    assert "hello" in page and "Retry build" not in page
    for path in ("/projects/demo/start", "/projects/demo/builds/1/stop", "/projects/demo/builds/1/retry"):
        assert bob_client.post(path).status_code == 403
    assert Build.objects.count() == 1


@pytest.mark.parametrize("path", ["/projects/demo/builds/1/", "/projects/demo/builds/9/", "/builds/", "/builds/recent"])
def test_an_outsider_learns_nothing(carol_client, project, path):
    logged.logged_build(project, ["hello"])
    response = carol_client.get(path)
    assert response.status_code == 403 and "hello" not in response.content.decode()


@pytest.mark.parametrize("path", ["/projects/demo/builds/1/", "/builds/", "/projects/demo/start"])
def test_the_anonymous_are_sent_to_sign_in(project, path):
    assert Client().get(path)["Location"].startswith("/sign-in/")


def test_a_missing_build_is_not_found(alice_client, project):
    response = alice_client.get("/projects/demo/builds/7/")
    assert response.status_code == 404 and "demo has no build 7." in response.content.decode()
    assert alice_client.post("/projects/nowhere/start").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("post", "/builds/"), ("post", "/projects/demo/builds/1/"), ("get", "/projects/demo/builds/1/stop")],
)
def test_other_methods_are_refused(alice_client, project, method, path):
    assert getattr(alice_client, method)(path).status_code == 405


def test_a_build_that_waits_is_called_queued_though_its_status_is_in_progress(alice_client, project):
    lifecycle.start_build(factories.SERVICE, "demo")
    Build.objects.update(started_at=timezone.now() - timedelta(minutes=3))
    page = page_of(alice_client, "/projects/demo/")
    assert 'data-status="QUEUED"' in page and "In progress" not in page
