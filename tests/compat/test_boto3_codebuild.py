"""CodeBuild's projects as boto3 sees them, and the exact words of its refusals."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from botocore.config import Config

from builds.models import Project, Status
from tests import factories
from tests.compat.projects import ACCOUNT, BUILDSPEC, NEW, PREFIX, ROLE, build_of, environment
from tests.compat.refusals import refused


def test_a_project_has_every_member_that_clients_rely_on(codebuild):
    before = datetime.now(UTC)
    made = codebuild.create_project(**NEW, tags=[{"key": "team", "value": "a"}], description="d")["project"]
    created, modified = made.pop("created"), made.pop("lastModified")
    assert abs((created - before).total_seconds()) < 10
    assert abs((modified - before).total_seconds()) < 10
    assert made == {
        "name": "demo",
        "arn": PREFIX + "project/demo",
        "description": "d",
        "source": NEW["source"],
        "artifacts": {"type": "NO_ARTIFACTS"},
        "cache": {"type": "NO_CACHE"},
        "environment": {
            **NEW["environment"],
            "environmentVariables": [],
            "privilegedMode": False,
            "imagePullCredentialsType": "CODEBUILD",
        },
        "serviceRole": ROLE,
        "timeoutInMinutes": 60,
        "queuedTimeoutInMinutes": 480,
        "encryptionKey": f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/aws/s3",
        "tags": [{"key": "team", "value": "a"}],
        "badge": {"badgeEnabled": False},
        "logsConfig": {
            "cloudWatchLogs": {"status": "ENABLED"},
            "s3Logs": {"status": "DISABLED", "encryptionDisabled": False},
        },
        "projectVisibility": "PRIVATE",
    }


def test_projects_are_found_by_name_and_by_arn(codebuild):
    codebuild.create_project(**NEW)
    for name in ("demo", PREFIX + "project/demo"):
        answer = codebuild.batch_get_projects(names=[name, "nope"])
        assert [one["name"] for one in answer["projects"]] == ["demo"]
        assert answer["projectsNotFound"] == ["nope"]
    assert codebuild.list_projects()["projects"] == ["demo"]
    codebuild.delete_project(name=PREFIX + "project/demo")
    codebuild.delete_project(name="demo")
    assert codebuild.list_projects()["projects"] == []


def test_an_update_changes_what_it_names_and_nothing_else(codebuild):
    made = codebuild.create_project(**NEW, description="old", timeoutInMinutes=30)["project"]
    changed = codebuild.update_project(name="demo", description="", timeoutInMinutes=45, tags=[])["project"]
    assert "description" not in changed
    assert (changed["timeoutInMinutes"], changed["tags"]) == (45, [])
    assert changed["lastModified"] > made["lastModified"]
    for member in ("source", "environment", "serviceRole", "created"):
        assert changed[member] == made[member]


def test_what_terraform_sends_for_a_plain_project_is_taken(codebuild):
    made = codebuild.create_project(
        **NEW,
        badgeEnabled=False,
        cache={"type": "NO_CACHE"},
        queuedTimeoutInMinutes=480,
        encryptionKey=f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/aws/s3",
        logsConfig={"cloudWatchLogs": {"status": "ENABLED"}, "s3Logs": {"status": "DISABLED"}},
        secondarySources=[],
        secondaryArtifacts=[],
        tags=[],
    )["project"]
    assert codebuild.batch_get_projects(names=[made["arn"]])["projects"] == [made]


def test_limits_retries_and_a_badge_are_kept_told_and_taken_away_again(codebuild, client):
    made = codebuild.create_project(**NEW, concurrentBuildLimit=2, autoRetryLimit=3, badgeEnabled=True)["project"]
    assert (made["concurrentBuildLimit"], made["autoRetryLimit"], made["badge"]["badgeEnabled"]) == (2, 3, True)
    address = made["badge"]["badgeRequestUrl"]
    assert "/badges?uuid=" in address and address.endswith("&branch=main")
    assert codebuild.batch_get_projects(names=["demo"])["projects"] == [made]
    build_of(Project.objects.get(), 1, status=Status.FAILED, source_version="main")
    path = address[address.index("/badges") :]
    assert b"build: failing" in client.get(path).content
    # As Terraform takes a limit away.
    changed = codebuild.update_project(name="demo", concurrentBuildLimit=-1, autoRetryLimit=0, badgeEnabled=False)
    assert not {"concurrentBuildLimit", "autoRetryLimit"} & set(changed["project"])
    assert changed["project"]["badge"] == {"badgeEnabled": False}
    assert b"build: unknown" in client.get(path).content


def test_a_visibility_other_than_private_is_refused(codebuild):
    arn = codebuild.create_project(**NEW)["project"]["arn"]
    answer = codebuild.update_project_visibility(projectArn=arn, projectVisibility="PRIVATE")
    assert (answer["projectArn"], answer["projectVisibility"]) == (arn, "PRIVATE")
    public = {"projectArn": arn, "projectVisibility": "PUBLIC_READ"}
    assert "never public" in refused(codebuild.update_project_visibility, **public)[1]
    assert codebuild.list_shared_projects()["projects"] == []


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"name": "taken"}, "ResourceAlreadyExistsException", f"Project already exists: {PREFIX}project/taken"),
        (
            {"name": "a b"},
            "InvalidInputException",
            "Only alphanumeric characters, dash, and underscore are supported",
        ),
        ({"name": "x"}, "InvalidInputException", "Only alphanumeric characters"),
        ({"name": "new"}, "InvalidInputException", "can't be a project's name"),
        ({"source": {"type": "CODEPIPELINE"}}, "InvalidInputException", "Invalid type provided: Project source type"),
        ({"source": {"type": "CODECOMMIT"}}, "InvalidInputException", "Project source location is required"),
        ({"source": {"type": "SVN"}}, "InvalidInputException", "at 'source.type' failed to satisfy constraint"),
        ({"source": {"type": "NO_SOURCE"}}, "InvalidInputException", "buildspec inline"),
        (
            {"source": {"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: 7\n"}},
            "InvalidInputException",
            "line 2",
        ),
        (
            {"artifacts": {"type": "NO_ARTIFACTS", "location": "b"}},
            "InvalidInputException",
            "Invalid artifacts: artifact type NO_ARTIFACTS should have null location",
        ),
        (
            {"serviceRole": "arn:aws:iam::999999999999:role/r"},
            "InvalidInputException",
            "Invalid service role: Service role account ID does not match caller's account",
        ),
        (
            {"serviceRole": f"arn:aws:iam::{ACCOUNT}:role/absent"},
            "InvalidInputException",
            f"CodeBuild is not authorized to perform: sts:AssumeRole on arn:aws:iam::{ACCOUNT}:role/absent",
        ),
        ({"serviceRole": "role"}, "InvalidInputException", "no ARN"),
        (environment(computeType="HUGE"), "InvalidInputException", "enum value set"),
        (environment(type="WINDOWS_CONTAINER"), "InvalidInputException", "LINUX_CONTAINER"),
        (
            environment(environmentVariables=[{"name": "CODEBUILD_X", "value": "1"}]),
            "InvalidInputException",
            "CODEBUILD_X",
        ),
        ({"timeoutInMinutes": 4}, "InvalidInputException", "greater than or equal to 5"),
        ({"queuedTimeoutInMinutes": 481}, "InvalidInputException", "less than or equal to 480"),
        ({"tags": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]}, "InvalidInputException", "tag"),
        ({"encryptionKey": "alias/mine"}, "InvalidInputException", "encryptionKey"),
        ({"tags": [{"key": "aws:x", "value": "1"}]}, "InvalidInputException", "aws:x"),
        ({"concurrentBuildLimit": 0}, "InvalidInputException", "1 or more, not 0"),
        ({"autoRetryLimit": 11}, "InvalidInputException", "between 0 and 10, not 11"),
        (
            {"logsConfig": {"cloudWatchLogs": {"status": "DISABLED"}}},
            "InvalidInputException",
            "can't be disabled",
        ),
        (
            {"logsConfig": {"cloudWatchLogs": {"status": "ENABLED", "groupName": "mine"}}},
            "InvalidInputException",
            "/aws/codebuild/demo",
        ),
        (
            {"logsConfig": {"s3Logs": {"status": "ENABLED", "location": "b/logs"}}},
            "InvalidInputException",
            "not written to a bucket",
        ),
        ({"vpcConfig": {"vpcId": "vpc-1"}}, "InvalidInputException", "no VPCs"),
        ({"buildBatchConfig": {"serviceRole": ROLE}}, "InvalidInputException", "Batch builds"),
        ({"fileSystemLocations": [{"type": "EFS"}]}, "InvalidInputException", "File system locations"),
    ],
)
def test_a_project_that_breaks_a_rule_is_refused_in_codebuilds_words(alice, client_of, change, code, words):
    careless = Config(parameter_validation=False, retries={"max_attempts": 1})
    codebuild = client_of(alice, "codebuild", config=careless)
    codebuild.create_project(**{**NEW, "name": "taken"})
    answered, message = refused(codebuild.create_project, **{**NEW, **change})
    assert answered == code
    assert words in message
    assert codebuild.list_projects()["projects"] == ["taken"]


def test_a_role_may_be_named_by_those_alone_who_may_pass_it(client_of):
    maker = factories.user("dora", document=factories.allow("codebuild:*"))
    code, message = refused(client_of(maker, "codebuild").create_project, **NEW)
    assert code == "AccessDeniedException"
    assert "iam:PassRole" in message


def test_projects_are_listed_by_policy_and_order_in_pages(codebuild, client_of):
    for number in range(103):
        factories.project(f"p{number:03}", repository_name=None, buildspec=BUILDSPEC)
    assert len(codebuild.list_projects()["projects"]) == 100
    pages = codebuild.get_paginator("list_projects").paginate(sortBy="NAME", sortOrder="DESCENDING")
    names = [name for page in pages for name in page["projects"]]
    assert names == [f"p{number:03}" for number in reversed(range(103))]
    token = codebuild.list_projects()["nextToken"]
    assert refused(codebuild.list_projects, nextToken=token, sortOrder="DESCENDING")[0] == "InvalidInputException"
    document = factories.allow("codebuild:ListProjects")
    document["Statement"] += factories.allow("codebuild:BatchGetProjects", resource=f"{PREFIX}project/p007")[
        "Statement"
    ]
    dora = client_of(factories.user("dora", document=document), "codebuild")
    assert dora.list_projects()["projects"] == ["p007"]
    assert refused(dora.batch_get_projects, names=["p007", "p008"])[0] == "AccessDeniedException"


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        (
            "start_build",
            {"projectName": "nope"},
            ("ResourceNotFoundException", f"Project cannot be found: {PREFIX}project/nope"),
        ),
        (
            "stop_build",
            {"id": f"nope:{uuid.UUID(int=0)}"},
            ("ResourceNotFoundException", "Build ID does not exist"),
        ),
        ("stop_build", {"id": "nope:x"}, ("ResourceNotFoundException", "Build ID does not exist")),
        ("stop_build", {"id": "nocolon"}, ("InvalidInputException", "Invalid build ID provided")),
        (
            "retry_build",
            {"id": f"nope:{uuid.UUID(int=0)}"},
            ("ResourceNotFoundException", "Build ID does not exist"),
        ),
        ("retry_build", {}, ("InvalidInputException", "Name the build to retry by its id.")),
        ("batch_get_builds", {"ids": ["nocolon"]}, ("InvalidInputException", "Invalid build ID provided")),
        (
            "list_builds_for_project",
            {"projectName": "nope"},
            ("ResourceNotFoundException", "The provided project ARN does not exist"),
        ),
        (
            "update_project",
            {"name": "nope"},
            ("ResourceNotFoundException", f"Project cannot be found: {PREFIX}project/nope"),
        ),
        (
            "create_webhook",
            {"projectName": "demo"},
            ("UnsupportedOperationException", "CodeBuild CreateWebhook is not available on this server."),
        ),
    ],
)
def test_what_codebuild_refuses_has_its_code_and_words(codebuild, operation, params, expected):
    assert refused(getattr(codebuild, operation), **params) == expected


def test_the_curated_images_are_told(codebuild):
    [platform] = codebuild.list_curated_environment_images()["platforms"]
    by_language = {one["language"]: {image["name"]: image for image in one["images"]} for one in platform["languages"]}
    assert platform["platform"] == "DEBIAN" and list(by_language["BASE"]) == ["codeservices/base"]
    assert set(by_language["PYTHON"]) == {"codeservices/python", "codeservices/standard"}
    assert set(by_language) == {"BASE", "DOCKER", "GOLANG", "JAVA", "NODE_JS", "PHP", "PYTHON", "RUBY"}
    assert by_language["GOLANG"]["codeservices/go"] == {
        "name": "codeservices/go",
        "description": "Debian 12 with Go 1.19",
        "versions": ["codeservices/go:latest"],
    }
