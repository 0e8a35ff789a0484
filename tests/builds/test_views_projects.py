"""The pages of build projects: list, history, deleting, and who may see and do what."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from builds.models import Project, Status
from codeservices.iam.models import Policy
from repos.models import Trigger
from tests import factories
from tests.builds import logged
from tests.builds.project_form import form
from tests.fixtures.people import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def repository(alice):
    return factories.repository("demo")


@pytest.fixture
def project(repository):
    return factories.project("demo")


def test_the_list_shows_projects_with_their_latest_build_and_filters_them(alice_client, project):
    factories.project("other", repository_name=None)
    logged.end(logged.running_build(project))
    logged.end(logged.running_build(project, 2), status=Status.FAILED)
    page = alice_client.get("/projects/").content.decode()
    assert "/projects/demo/builds/2/" in page and "/projects/demo/builds/1/" not in page
    assert "never built" in page
    filtered = alice_client.get("/projects/?q=oth").content.decode()
    assert "/projects/other/" in filtered and "/projects/demo/" not in filtered


def test_an_empty_list_says_how_to_make_the_first(alice_client, alice):
    page = alice_client.get("/projects/").content.decode()
    assert "No build projects yet" in page and "/projects/new/" in page


def test_the_list_holds_only_what_one_may_look_at(alice, project):
    factories.project("secret", repository_name=None)
    mine = factories.allow("codebuild:BatchGetProjects", resource=project.arn)
    mine["Statement"].append({"Effect": "Allow", "Action": "codebuild:ListProjects", "Resource": "*"})
    page = signed_in(factories.user("dave", document=mine)).get("/projects/").content.decode()
    assert "/projects/demo/" in page and "/projects/secret/" not in page


def test_the_history_pages_and_gives_htmx_the_rows_alone(alice_client, project):
    for number in range(1, 33):
        logged.running_build(project, number, status=Status.STOPPED, is_log_complete=True)
    page = alice_client.get("/projects/demo/").content.decode()
    assert "/builds/32/" in page and 'href="?page=2"' in page
    rows = alice_client.get("/projects/demo/?page=2", headers={"HX-Request": "true"}).content.decode()
    assert rows.count("data-row-link") == 2 and "<html" not in rows


def test_the_history_renews_itself_only_while_a_build_runs(alice_client, project):
    build = logged.running_build(project)
    assert 'hx-trigger="every 3s"' in alice_client.get("/projects/demo/").content.decode()
    logged.end(build)
    assert 'hx-trigger="every 3s"' not in alice_client.get("/projects/demo/").content.decode()


def test_deleting_takes_the_name_typed_and_leaves_the_builds(alice_client, repository):
    alice_client.post("/projects/new/", form())
    project = Project.objects.get()
    logged.end(logged.running_build(project))
    wrong = alice_client.post("/projects/website/delete", {"confirm": "webseite"})
    assert wrong.status_code == 400 and Project.objects.exists()
    assert alice_client.post("/projects/website/delete", {"confirm": "website"})["Location"] == "/projects/"
    assert not Project.objects.exists() and not Trigger.objects.exists()
    assert "website (deleted)" in alice_client.get("/projects/website/builds/1/").content.decode()


def test_a_reader_sees_a_project_but_no_way_to_change_it(bob_client, project):
    page = bob_client.get("/projects/demo/").content.decode()
    assert "codeservices/base" in page
    assert "Start build" not in page and "/settings" not in page
    for method, path in (("get", "/projects/demo/settings"), ("post", "/projects/demo/settings")):
        assert getattr(bob_client, method)(path).status_code == 403
    assert bob_client.post("/projects/demo/delete", {"confirm": "demo"}).status_code == 403
    assert bob_client.post("/projects/new/", form()).status_code == 403
    assert Project.objects.count() == 1


def test_creating_takes_the_right_to_read_the_source_and_to_pass_the_role(alice, project):
    dave = factories.user("dave", "AWSCodeBuildAdminAccess")
    denied = signed_in(dave).post("/projects/new/", form(build_on_push=None))
    # The choice of repositories holds only those one may read.
    assert denied.status_code == 400 and "demo is not one of the available choices" in denied.content.decode()
    dave.policies.add(Policy.objects.get(name="AWSCodeCommitReadOnly"))
    denied = signed_in(dave).post("/projects/new/", form(build_on_push=None))
    assert denied.status_code == 403 and "iam:PassRole" in denied.content.decode()
    dave.policies.add(Policy.objects.create_with_document(json.dumps(factories.allow("iam:PassRole")), name="pass"))
    assert signed_in(dave).post("/projects/new/", form(build_on_push=None)).status_code == 302
    # A trigger is the repository's, so that takes a right on the repository.
    denied = signed_in(dave).post("/projects/new/", form(name="second"))
    assert denied.status_code == 403 and "codecommit:PutRepositoryTriggers" in denied.content.decode()
    assert not Project.objects.filter(name="second").exists()


@pytest.mark.parametrize("path", ["/projects/demo/", "/projects/demo/settings", "/projects/nowhere/", "/projects/"])
def test_an_outsider_learns_nothing(carol_client, project, path):
    response = carol_client.get(path)
    assert response.status_code == 403
    assert "codeservices/base" not in response.content.decode()


@pytest.mark.parametrize("path", ["/projects/", "/projects/new/", "/projects/demo/", "/projects/demo/settings"])
def test_the_anonymous_are_sent_to_sign_in(project, path):
    response = Client().get(path)
    assert (response.status_code, response["Location"].partition("?")[0]) == (302, "/sign-in/")


@pytest.mark.parametrize("path", ["/projects/nowhere/", "/projects/nowhere/settings", "/projects/-bad-/"])
def test_a_missing_project_is_not_found(alice_client, path):
    assert alice_client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("post", "/projects/"), ("post", "/projects/demo/"), ("get", "/projects/demo/delete")]
)
def test_other_methods_are_refused(alice_client, project, method, path):
    assert getattr(alice_client, method)(path).status_code == 405
