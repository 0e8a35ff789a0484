"""The form of a build project: what is created and changed by it, shown again, and refused beside its field."""

from __future__ import annotations

import pytest

from builds.models import Project
from codeservices.audit.models import Event
from repos.models import Trigger
from tests import factories
from tests.builds.project_form import form

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

BROKEN = "version: 0.2\nphases:\n  biuld:\n    commands: [make]\n  build:\n    commands: make\n"


@pytest.fixture
def repository(alice):
    return factories.repository("demo")


@pytest.fixture
def project(repository):
    return factories.project("demo")


def test_a_project_is_created_with_everything_the_form_says(alice_client, repository):
    response = alice_client.post("/projects/new/", form())
    assert (response.status_code, response["Location"]) == (302, "/projects/website/")
    made = Project.objects.get(name="website")
    assert made.source == {
        "type": "CODECOMMIT",
        "location": "http://testserver/v1/repos/demo",
        "buildspec": "ci/buildspec.yml",
    }
    assert (made.source_version, made.timeout_minutes, made.queued_timeout_minutes) == ("main", 20, 60)
    assert made.artifacts["type"] == "S3"
    assert made.environment["environmentVariables"] == [{"name": "STAGE", "value": "test", "type": "PLAINTEXT"}]
    event = Event.objects.get(event_name="CreateProject")
    assert (event.outcome, event.request_parameters) == ("Success", {"name": "website"})


def test_building_on_push_makes_a_trigger_and_turning_it_off_removes_it(alice_client, repository):
    alice_client.post("/projects/new/", form())
    made = Project.objects.get(name="website")
    trigger = Trigger.objects.get()
    assert (trigger.destination_arn, trigger.branches) == (made.arn, ["main"])
    assert trigger.events == ["createReference", "updateReference"]
    assert "builds main" in alice_client.get("/projects/website/").content.decode()
    alice_client.post("/projects/website/settings", form(name=None, source_version="release"))
    assert Trigger.objects.get().branches == ["release"]
    alice_client.post("/projects/website/settings", form(name=None, build_on_push=None))
    assert not Trigger.objects.exists()


def test_settings_change_what_they_show_and_keep_the_rest(alice_client, project):
    Project.objects.update(environment=project.environment | {"certificate": "arn:aws:s3:::bucket/ca.pem"})
    page = alice_client.get("/projects/demo/settings").content.decode()
    assert 'value="codeservices/base"' in page
    response = alice_client.post(
        "/projects/demo/settings", form(name=None, image="debian:12", artifacts=None, build_on_push=None)
    )
    assert response["Location"] == "/projects/demo/"
    project.refresh_from_db()
    assert (project.image, project.artifacts) == ("debian:12", {"type": "NO_ARTIFACTS"})
    assert project.environment["certificate"] == "arn:aws:s3:::bucket/ca.pem"


def test_the_form_shows_a_source_elsewhere_and_keeps_what_it_has_no_field_for(alice_client, project):
    secret = {"type": "SECRETS_MANAGER", "resource": "arn:aws:secretsmanager:us-east-1:123456789012:secret:git"}
    source = {"type": "GITHUB", "location": "https://github.com/o/r.git", "gitCloneDepth": 1, "auth": secret}
    Project.objects.update(source=source)
    assert 'value="https://github.com/o/r.git"' in alice_client.get("/projects/demo/settings").content.decode()
    elsewhere = {"repository": "-git", "git_type": "GITHUB", "location": "https://github.com/o/r.git"}
    fields = form(name=None, build_on_push=None, buildspec_path="", clone_depth="1", **elsewhere)
    assert alice_client.post("/projects/demo/settings", fields).status_code == 302
    project.refresh_from_db()
    assert project.source == source
    fields = form(
        name=None, build_on_push=None, submodules="on", insecure_ssl="on", **elsewhere | {"git_type": "GITLAB"}
    )
    alice_client.post("/projects/demo/settings", fields)
    project.refresh_from_db()
    assert project.source == {
        "type": "GITLAB",
        "location": "https://github.com/o/r.git",
        "insecureSsl": True,
        "gitSubmodulesConfig": {"fetchSubmodules": True},
        "buildspec": "ci/buildspec.yml",
    }


def test_an_archive_of_a_bucket_is_a_source(alice_client, project):
    fields = form(name=None, repository="-s3", location="s3://sources/app.zip", build_on_push=None)
    assert alice_client.post("/projects/demo/settings", fields).status_code == 302
    project.refresh_from_db()
    assert project.source == {"type": "S3", "location": "sources/app.zip", "buildspec": "ci/buildspec.yml"}
    page = alice_client.post("/projects/demo/settings", fields | {"location": "sources"}).content.decode()
    assert "location “sources” is not valid for type S3" in page
    assert "It looks like BUCKET/PATH/SOURCE.zip or BUCKET/PATH/." in page


def test_secondary_sources_are_a_table_and_stay_where_it_is_not_sent(alice_client, project):
    location = "https://127.0.0.1:8443/v1/repos/demo"
    rows = {
        "secondary-TOTAL_FORMS": "2",
        "secondary-INITIAL_FORMS": "0",
        "secondary-0-identifier": "lib",
        "secondary-0-type": "CODECOMMIT",
        "secondary-0-location": location,
        "secondary-0-version": "v1",
        "secondary-1-identifier": "",
        "secondary-1-type": "S3",
        "secondary-1-location": "",
    }
    for fields in (form(name=None, **rows), form(name=None)):
        assert alice_client.post("/projects/demo/settings", fields).status_code == 302
        project.refresh_from_db()
        assert project.secondary_sources == [{"type": "CODECOMMIT", "location": location, "sourceIdentifier": "lib"}]
        assert project.secondary_source_versions == [{"sourceIdentifier": "lib", "sourceVersion": "v1"}]
    page = alice_client.get("/projects/demo/").content.decode()
    assert "<dt>Source lib</dt>" in page and '<span class="ref">v1</span>' in page
    assert 'value="lib"' in alice_client.get("/projects/demo/settings").content.decode()
    page = alice_client.post("/projects/demo/settings", form(name=None, **rows | {"secondary-0-identifier": "a-b"}))
    assert page.status_code == 400 and "Invalid source identifier: “a-b”" in page.content.decode()


def test_variables_may_be_parameters_and_secrets(alice_client, repository):
    secret = {"variables-1-name": "PASSWORD", "variables-1-value": "ci/registry:password"}
    alice_client.post("/projects/new/", form(**secret, **{"variables-1-type": "SECRETS_MANAGER"}))
    stored = Project.objects.get(name="website").environment["environmentVariables"]
    assert stored == [
        {"name": "STAGE", "value": "test", "type": "PLAINTEXT"},
        {"name": "PASSWORD", "value": "ci/registry:password", "type": "SECRETS_MANAGER"},
    ]
    page = alice_client.get("/projects/website/settings").content.decode()
    assert '<option value="SECRETS_MANAGER" selected>Secret</option>' in page
    odd = alice_client.post("/projects/new/", form(name="odd", **secret, **{"variables-1-type": "VAULT"}))
    assert odd.status_code == 400 and "VAULT is not one of the available choices" in odd.content.decode()


def test_more_rows_for_variables_keep_what_was_typed_and_save_nothing(alice_client, repository):
    typed = form(name="half", add_variables="yes", build_on_push=None)
    page = alice_client.post("/projects/new/", typed).content.decode()
    assert 'name="variables-4-name"' in page
    assert 'value="half"' in page and 'value="STAGE"' in page
    fragment = alice_client.post("/projects/new/", typed, headers={"HX-Request": "true"}).content.decode()
    assert fragment.lstrip().startswith('<div id="variables"') and 'name="variables-4-name"' in fragment
    assert not Project.objects.exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "bad name"}, "Only alphanumeric characters, dash, and underscore are supported"),
        ({"name": "x"}, "A project name has 2 to 150 of them"),
        ({"name": "new"}, "“new” can&#x27;t be a project&#x27;s name."),
        ({"timeout_minutes": "4"}, "greater than or equal to 5"),
        ({"queued_timeout_minutes": "481"}, "less than or equal to 480"),
        ({"image": "not an image"}, "“not an image” is no image name."),
        ({"compute_type": "HUGE"}, "HUGE is not one of the available choices"),
        ({"variables-0-name": "CODEBUILD_X"}, "names that start with CODEBUILD_ are reserved"),
        ({"variables-1-name": "STAGE"}, "STAGE is given twice."),
        ({"buildspec_path": "/etc/passwd"}, "“/etc/passwd” is no path inside the source."),
        ({"buildspec_path": "../up.yml"}, "“../up.yml” is no path inside the source."),
        ({"repository": "", "build_on_push": None}, "A project without source needs its buildspec inline."),
        ({"repository": "nowhere"}, "nowhere is not one of the available choices"),
        (
            {"repository": "-git", "git_type": "GITHUB", "location": "git@github.com:a/b.git", "build_on_push": None},
            "is not valid for type GITHUB",
        ),
        ({"source_version": "two words"}, "“two words” is no source version."),
        ({"source_version": "refs/tags/v1"}, "“refs/tags/v1” is no branch, so no push can start this project."),
        ({"buildspec_kind": "inline", "buildspec_inline": "make"}, "its first line is “version: 0.2”"),
    ],
)
def test_bad_input_is_told_beside_its_field_and_saves_nothing(alice_client, repository, changes, sentence):
    response = alice_client.post("/projects/new/", form(**changes))
    assert response.status_code == 400
    assert sentence in response.content.decode()
    assert not Project.objects.exists() and not Trigger.objects.exists()


def test_every_fault_of_an_inline_buildspec_is_told_with_its_line(alice_client, repository):
    page = alice_client.post("/projects/new/", form(buildspec_kind="inline", buildspec_inline=BROKEN)).content.decode()
    assert "line 3, phases.biuld" in page or "line 4, phases.biuld" in page
    assert "phases.build.commands" in page


def test_the_form_lists_images_with_their_versions_and_the_schema_for_editors(alice_client, repository):
    page = alice_client.get("/projects/new/").content.decode()
    assert '<option value="codeservices/python">Debian 12 with Python 3.11</option>' in page
    assert "<dt><code>codeservices/go</code></dt><dd><code>golang: 1.19</code></dd>" in page
    assert '<a href="http://testserver/static/schema/buildspec.json">' in page


def test_a_bad_name_is_told_together_with_the_other_faults(alice_client, repository):
    page = alice_client.post("/projects/new/", form(name="a b", concurrent_build_limit="-5")).content.decode()
    assert "begins with a letter or a digit" in page and "greater than or equal to 1" in page


def test_a_taken_name_is_told_beside_the_name(alice_client, project):
    response = alice_client.post("/projects/new/", form(name="demo"))
    assert response.status_code == 400
    assert f"Project already exists: {project.arn}" in response.content.decode()


SECONDARY = {
    "secondary_artifacts-TOTAL_FORMS": "2",
    "secondary_artifacts-INITIAL_FORMS": "0",
    "secondary_artifacts-0-artifactIdentifier": "docs",
    "secondary_artifacts-0-location": "results",
    "secondary_artifacts-0-packaging": "NONE",
    "secondary_artifacts-1-artifactIdentifier": "",
}


def test_artifacts_and_cache_are_what_the_form_says_and_shown_again(alice_client, repository):
    changes = {
        "artifact_bucket": "results",
        "artifact_path": "out",
        "artifact_name": "site.zip",
        "artifact_build_id": None,
        "artifact_override": "on",
        "cache": "S3",
        "cache_location": "results/caches",
        "cache_namespace": "team",
    }
    assert alice_client.post("/projects/new/", form(**SECONDARY, **changes)).status_code == 302
    made = Project.objects.get(name="website")
    assert made.artifacts == {
        "type": "S3",
        "location": "results",
        "path": "out",
        "name": "site.zip",
        "namespaceType": "NONE",
        "packaging": "ZIP",
        "overrideArtifactName": True,
    }
    (docs,) = made.secondary_artifacts
    assert (docs["artifactIdentifier"], docs["packaging"], docs["name"]) == ("docs", "NONE", "docs")
    assert made.cache == {"type": "S3", "location": "results/caches", "cacheNamespace": "team"}
    page = alice_client.get("/projects/website/settings").content.decode()
    for value in ("site.zip", "results/caches", "team", "docs"):
        assert f'value="{value}"' in page, value
    local = form(
        name=None, cache="LOCAL", cache_custom="on", **SECONDARY | {"secondary_artifacts-0-artifactIdentifier": ""}
    )
    assert alice_client.post("/projects/website/settings", local).status_code == 302
    made.refresh_from_db()
    assert (made.cache, made.secondary_artifacts) == ({"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]}, [])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"artifact_bucket": "No Bucket"}, "“No Bucket” is no bucket name."),
        ({"artifact_path": "a/../b"}, "can&#x27;t be a path."),
        ({"cache": "S3"}, "needs a location."),
        ({"cache": "LOCAL"}, "LOCAL needs a mode."),
        ({"secondary_artifacts-0-artifactIdentifier": "a-b"}, "“a-b” is no artifact identifier."),
        ({"secondary_artifacts-0-location": "No Bucket"}, "“No Bucket” is no bucket name."),
    ],
)
def test_artifacts_and_caches_that_can_not_be_are_told_and_save_nothing(alice_client, repository, changes, words):
    response = alice_client.post("/projects/new/", form(**SECONDARY | changes))
    assert response.status_code == 400 and words in response.content.decode()
    assert not Project.objects.exists()


def test_privileged_mode_can_be_chosen_where_the_server_allows_it(alice_client, repository, settings):
    page = alice_client.get("/projects/new/").content.decode()
    assert "Privileged mode is off on this server." in page
    alice_client.post("/projects/new/", form(privileged="on"))
    assert Project.objects.get().environment["privilegedMode"] is False
    settings.BUILD_PRIVILEGED = True
    alice_client.post("/projects/website/settings", form(name=None, privileged="on"))
    assert Project.objects.get().environment["privilegedMode"] is True
    # Turned off meanwhile: the form says so beside the box, which can be cleared.
    settings.BUILD_PRIVILEGED = False
    response = alice_client.post("/projects/website/settings", form(name=None, privileged="on"))
    assert response.status_code == 400 and "Privileged mode is off on this server." in response.content.decode()
    assert alice_client.post("/projects/website/settings", form(name=None)).status_code == 302
    assert Project.objects.get().environment["privilegedMode"] is False


def test_a_registry_credential_is_kept_shown_and_taken_away(alice_client, repository):
    private = {"image": "registry.example.com/app:1", "registry_credential": "docker/ada"}
    alice_client.post("/projects/new/", form(**private))
    environment = Project.objects.get().environment
    assert environment["registryCredential"] == {"credential": "docker/ada", "credentialProvider": "SECRETS_MANAGER"}
    assert environment["imagePullCredentialsType"] == "SERVICE_ROLE"
    assert 'value="docker/ada"' in alice_client.get("/projects/website/settings").content.decode()
    response = alice_client.post("/projects/website/settings", form(name=None, registry_credential="docker/ada"))
    assert response.status_code == 400 and "a curated image is not pulled" in response.content.decode()
    alice_client.post("/projects/website/settings", form(name=None))
    assert "registryCredential" not in Project.objects.get().environment
