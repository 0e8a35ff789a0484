"""What a project may name as its sources, at the API's door; and what StartBuild makes of them."""

from __future__ import annotations

import pytest

from builds import lifecycle, projects, shapes
from builds.models import Project
from builds.project_rules import InvalidProject
from builds.sources import rules
from codeservices.errors import AccessDenied
from tests import factories

SECRET = {"type": "SECRETS_MANAGER", "resource": "arn:aws:secretsmanager:us-east-1:123456789012:secret:git-AbCdEf"}
HUB = "https://github.com/o/r.git"
OWN = "https://127.0.0.1:8443/v1/repos/"


@pytest.mark.parametrize(
    "source",
    [
        {"type": "CODECOMMIT", "location": f"{OWN}demo", "gitCloneDepth": 1},
        {"type": "GITHUB", "location": HUB, "auth": {"type": "OAUTH"}, "reportBuildStatus": False},
        {"type": "GITHUB_ENTERPRISE", "location": "https://git.example.com:8443/o/r", "insecureSsl": True},
        {"type": "GITLAB_SELF_MANAGED", "location": HUB, "auth": SECRET},
        {"type": "BITBUCKET", "location": HUB, "gitSubmodulesConfig": {"fetchSubmodules": True}},
        {"type": "S3", "location": "bucket/key.zip"},
        {"type": "S3", "location": "bucket/a folder/", "insecureSsl": False},
        {"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases:\n  build:\n    commands: [make]\n"},
        {"type": "NO_SOURCE", "buildspec": "arn:aws:s3:::bucket/ci/buildspec.yml"},
    ],
    ids=lambda source: source["type"],
)
def test_sources_that_may_be(source):
    assert rules.check_source(source) == source


@pytest.mark.parametrize(
    ("source", "member", "words"),
    [
        ({"type": "CODEPIPELINE"}, "type", "Invalid type provided: Project source type"),
        ({"type": "GITHUB"}, "location", "Project source location is required"),
        ({"type": "NO_SOURCE", "location": HUB}, "location", "NO_SOURCE should have null location"),
        ({"type": "NO_SOURCE"}, "buildspec", "needs its buildspec inline"),
        ({"type": "NO_SOURCE", "buildspec": "a.yml"}, "buildspec", "needs its buildspec inline"),
        ({"type": "CODECOMMIT", "location": "https://ann@h/v1/repos/x"}, "location", "not valid for type CODECOMMIT"),
        ({"type": "GITHUB", "location": "http://github.com/o/r"}, "location", "not valid for type GITHUB"),
        ({"type": "GITHUB", "location": "https://ann:x@github.com/o/r"}, "location", "not valid for type GITHUB"),
        ({"type": "GITHUB", "location": "git@github.com:o/r"}, "location", "not valid for type GITHUB"),
        ({"type": "GITHUB", "location": "https://github.com/o/../r"}, "location", "not valid for type GITHUB"),
        ({"type": "GITHUB", "location": "https://github.com"}, "location", "not valid for type GITHUB"),
        ({"type": "GITHUB", "location": "--upload-pack=x"}, "location", "not valid for type GITHUB"),
        ({"type": "S3", "location": "bucket"}, "location", "not valid for type S3"),
        ({"type": "S3", "location": "Bucket/key"}, "location", "not valid for type S3"),
        ({"type": "S3", "location": "bucket/"}, "location", "not valid for type S3"),
        ({"type": "S3", "location": "bucket/" + "k" * 1025}, "location", "not valid for type S3"),
        ({"type": "GITHUB", "location": HUB, "gitCloneDepth": -1}, "gitCloneDepth", "Invalid git clone depth"),
        ({"type": "GITHUB", "location": HUB, "gitCloneDepth": 2**31}, "gitCloneDepth", "Invalid git clone depth"),
        ({"type": "GITHUB", "location": HUB, "reportBuildStatus": True}, "reportBuildStatus", "is not available here"),
        ({"type": "S3", "location": "bucket/k", "reportBuildStatus": True}, "reportBuildStatus", "is not supported"),
        ({"type": "S3", "location": "bucket/k", "insecureSsl": True}, "insecureSsl", "is not supported for source"),
        (
            {"type": "S3", "location": "bucket/k", "gitSubmodulesConfig": {"fetchSubmodules": True}},
            "gitSubmodulesConfig",
            "Git submodules are not supported",
        ),
        ({"type": "GITHUB", "location": HUB, "auth": {"type": "CODECONNECTIONS"}}, "auth", "has no connections"),
        ({"type": "GITHUB", "location": HUB, "auth": {"type": "SECRETS_MANAGER"}}, "auth", "the ARN of a secret"),
        ({"type": "GITHUB", "location": HUB, "auth": {"type": "X"}}, "auth", "Invalid source auth type: X"),
        ({"type": "CODECOMMIT", "location": f"{OWN}a", "auth": {"type": "OAUTH"}}, "auth", "is not supported"),
        ({"type": "GITHUB", "location": HUB, "buildspec": "arn:aws:iam:::x"}, "buildspec", "not the ARN of an object"),
        ({"type": "GITHUB", "location": HUB, "buildspec": "arn:aws:s3:::b"}, "buildspec", "not the ARN of an object"),
        ({"type": "GITHUB", "location": HUB, "buildspec": "../x.yml"}, "buildspec", "no path inside the source"),
    ],
)
def test_sources_that_may_not_be_are_told_by_member(source, member: str, words: str):
    with pytest.raises(InvalidProject) as caught:
        rules.check_source(source)
    assert caught.value.field == f"source.{member}"
    assert words in caught.value.message


def second(identifier: str = "two", **members) -> dict[str, object]:
    return {"type": "CODECOMMIT", "location": f"{OWN}demo", "sourceIdentifier": identifier, **members}


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ([second(f"s{number}") for number in range(13)], "at most 12 secondary sources, not 13"),
        ([second("a-b")], "Invalid source identifier: “a-b”"),
        ([second("")], "Invalid source identifier: “”"),
        ([second("x" * 128)], "Invalid source identifier"),
        ([second(), second()], "“two” is given twice"),
        ([second(type="NO_SOURCE", location="")], "can't be NO_SOURCE"),
        ([second(location="")], "Project source location is required"),
    ],
    ids=["thirteen", "dash", "empty", "long", "twice", "none", "location"],
)
def test_secondary_sources_that_may_not_be(sources, words: str):
    with pytest.raises(InvalidProject, match=words) as caught:
        rules.check_secondary(sources)
    assert caught.value.field.startswith("secondarySources")


@pytest.fixture
def project(db, alice) -> Project:
    factories.repository("demo")
    return factories.project()


def start(user, **overrides):
    return lifecycle.start_build(user.principal, "demo", overrides)


@pytest.fixture(autouse=True)
def _no_broker(request):
    if "project" in request.fixturenames:
        request.getfixturevalue("no_broker")


def test_the_api_shows_secondary_sources_and_their_versions_of_project_and_build(alice, project):
    version = {"sourceIdentifier": "two", "sourceVersion": "v1"}
    projects.update_project(
        alice.principal, "demo", {"secondarySources": [second()], "secondarySourceVersions": [version]}
    )
    project.refresh_from_db()
    for shown in (shapes.project(project, ""), shapes.build(start(alice), "")):
        assert (shown["secondarySources"], shown["secondarySourceVersions"]) == ([second()], [version])
    with pytest.raises(InvalidProject, match="there is no secondary source “three”"):
        projects.update_project(
            alice.principal, "demo", {"secondarySourceVersions": [{"sourceIdentifier": "three", "sourceVersion": "x"}]}
        )
    projects.update_project(alice.principal, "demo", {"secondarySources": []})
    project.refresh_from_db()
    assert (project.secondary_sources, project.secondary_source_versions) == ([], [])


def test_a_build_s_versions_beat_the_project_s_source_by_source(alice, project):
    versions = [{"sourceIdentifier": name, "sourceVersion": "old"} for name in ("one", "two")]
    fields = {"secondarySources": [second("one"), second("two")], "secondarySourceVersions": versions}
    projects.update_project(alice.principal, "demo", fields)
    build = start(alice, secondarySourcesVersionOverride=[{"sourceIdentifier": "two", "sourceVersion": "new"}])
    found = {one["sourceIdentifier"]: one["sourceVersion"] for one in build.secondary_source_versions}
    assert found == {"one": "old", "two": "new"}
    build = start(alice, secondarySourcesOverride=[second("two"), second("six")])
    assert [one["sourceIdentifier"] for one in build.secondary_sources] == ["two", "six"]
    assert build.secondary_source_versions == [{"sourceIdentifier": "two", "sourceVersion": "old"}]
    again = lifecycle.retry_build(alice.principal, build)
    assert again.secondary_sources == build.secondary_sources
    assert again.secondary_source_versions == build.secondary_source_versions


def test_another_type_for_one_build_drops_what_only_the_project_s_type_has(alice, project):
    source = {"type": "GITHUB", "location": HUB, "auth": {"type": "OAUTH"}, "insecureSsl": True, "gitCloneDepth": 1}
    projects.update_project(alice.principal, "demo", {"source": source})
    build = start(alice, sourceTypeOverride="S3", sourceLocationOverride="bucket/key.zip")
    assert build.source == {"type": "S3", "location": "bucket/key.zip", "gitCloneDepth": 1}
    build = start(alice, insecureSslOverride=False, gitSubmodulesConfigOverride={"fetchSubmodules": True})
    assert build.source == source | {"insecureSsl": False, "gitSubmodulesConfig": {"fetchSubmodules": True}}
    build = start(
        alice, sourceTypeOverride="NO_SOURCE", buildspecOverride="version: 0.2\nphases: {build: {commands: [a]}}"
    )
    assert build.source["type"] == "NO_SOURCE" and "location" not in build.source


def test_whoever_starts_a_build_of_another_repository_must_be_allowed_to_pull_it(project):
    factories.repository("hidden")
    dora = factories.user("dora", document=factories.allow("codebuild:StartBuild"))
    hidden = second(location=f"{OWN}hidden")
    for overrides in ({"sourceLocationOverride": f"{OWN}hidden"}, {"secondarySourcesOverride": [hidden]}):
        with pytest.raises(AccessDenied, match="codecommit:GitPull"):
            start(dora, **overrides)
    assert start(dora).number == 1
