"""CodeBuild as boto3 sees it: projects, builds, and the exact words of its refusals."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from builds.models import Artifact, Build, Phase, PhaseType, Project, Status
from codeservices.audit import cloudtrail
from codeservices.audit.models import Event
from tests import factories

ACCOUNT = "123456789012"
PREFIX = f"arn:aws:codebuild:us-east-1:{ACCOUNT}:"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/codebuild-service-role"
BUILDSPEC = "version: 0.2\nphases:\n  build:\n    commands:\n      - echo hello\n"
NEW = {
    "name": "demo",
    "source": {"type": "NO_SOURCE", "buildspec": BUILDSPEC},
    "artifacts": {"type": "NO_ARTIFACTS"},
    "environment": {
        "type": "LINUX_CONTAINER",
        "image": "codeservices/base",
        "computeType": "BUILD_GENERAL1_SMALL",
    },
    "serviceRole": ROLE,
}


def refused(function, **params) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        function(**params)
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return response["Error"]["Code"], response["Error"]["Message"]


def build_of(project: Project, number: int, **fields) -> Build:
    """A build row as the queue leaves it."""
    return Build.objects.create(
        project=project,
        project_name=project.name,
        number=number,
        initiator="alice",
        source=project.source,
        artifacts_config=project.artifacts,
        environment=project.environment,
        service_role_arn=project.service_role_arn,
        **fields,
    )


@pytest.fixture
def codebuild(alice, client_of):
    return client_of(alice, "codebuild")


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


def environment(**change):
    return {"environment": {**NEW["environment"], **change}}


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


def test_builds_are_read_by_id_and_arn_with_their_phases(codebuild, live_server_url):
    project = factories.project("demo", repository_name=None, buildspec=BUILDSPEC)
    project.artifacts = {"type": "S3", "location": "bucket", "packaging": "ZIP", "name": "out.zip"}
    started = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    build = build_of(
        project,
        7,
        status=Status.FAILED,
        current_phase=PhaseType.COMPLETED,
        started_at=started,
        ended_at=started + timedelta(seconds=9),
        resolved_source_oid="a" * 40,
    )
    rows = [
        (PhaseType.SUBMITTED, Status.SUCCEEDED, 0.2, []),
        (PhaseType.BUILD, Status.FAILED, 5.9, [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": "exit status 1"}]),
        (PhaseType.COMPLETED, "", None, []),
    ]
    for phase_type, status, seconds, contexts in rows:
        ended = None if seconds is None else started + timedelta(seconds=seconds)
        Phase.objects.create(
            build=build, phase_type=phase_type, status=status, started_at=started, ended_at=ended, contexts=contexts
        )
    Artifact.objects.create(
        build=build,
        name="out.zip",
        bucket="bucket",
        key="out.zip",
        packaging="ZIP",
        size_bytes=3,
        md5="m" * 32,
        sha256="s" * 64,
    )
    for asked in (build.api_id, build.arn):
        unknown = f"demo:{uuid.uuid4()}"
        answer = codebuild.batch_get_builds(ids=[asked, unknown])
        assert answer["buildsNotFound"] == [unknown]
        [shown] = answer["builds"]
    assert shown["id"] == f"demo:{build.uuid}"
    assert shown["arn"] == f"{PREFIX}build/demo:{build.uuid}"
    assert (shown["buildNumber"], shown["buildStatus"], shown["currentPhase"]) == (7, "FAILED", "COMPLETED")
    assert (shown["buildComplete"], shown["startTime"], shown["initiator"]) == (True, started, "alice")
    assert shown["resolvedSourceVersion"] == "a" * 40
    assert shown["phases"] == [
        {
            "phaseType": "SUBMITTED",
            "phaseStatus": "SUCCEEDED",
            "startTime": started,
            "endTime": started + timedelta(seconds=0.2),
            "durationInSeconds": 0,
        },
        {
            "phaseType": "BUILD",
            "phaseStatus": "FAILED",
            "startTime": started,
            "endTime": started + timedelta(seconds=5.9),
            "durationInSeconds": 5,
            "contexts": [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": "exit status 1"}],
        },
        {"phaseType": "COMPLETED", "startTime": started},
    ]
    assert shown["artifacts"] == {
        "location": "arn:aws:s3:::bucket/out.zip",
        "md5sum": "m" * 32,
        "sha256sum": "s" * 64,
    }
    assert shown["logs"]["groupName"] == "/aws/codebuild/demo"
    assert shown["logs"]["streamName"] == str(build.uuid)
    assert shown["logs"]["deepLink"] == f"{live_server_url}/projects/demo/builds/7/"


def test_a_build_is_started_with_overrides_stopped_and_retried(codebuild, redis_server):
    codebuild.create_project(**NEW)
    started = codebuild.start_build(
        projectName="demo",
        timeoutInMinutesOverride=7,
        buildspecOverride=BUILDSPEC.replace("hello", "bye"),
        environmentVariablesOverride=[{"name": "A", "value": "1"}],
    )["build"]
    assert (started["buildNumber"], started["buildStatus"], started["buildComplete"]) == (1, "IN_PROGRESS", False)
    assert (started["initiator"], started["timeoutInMinutes"]) == ("alice", 7)
    assert started["source"]["buildspec"] == BUILDSPEC.replace("hello", "bye")
    assert [(one["phaseType"], one.get("phaseStatus")) for one in started["phases"]] == [
        ("SUBMITTED", "SUCCEEDED"),
        ("QUEUED", None),
    ]
    assert "groupName" not in started["logs"]
    stopped = codebuild.stop_build(id=started["id"])["build"]
    assert (stopped["buildStatus"], stopped["currentPhase"]) == ("STOPPED", "COMPLETED")
    assert [(one["phaseType"], one.get("phaseStatus")) for one in stopped["phases"]][1:] == [
        ("QUEUED", "STOPPED"),
        ("COMPLETED", None),
    ]
    assert codebuild.stop_build(id=started["arn"])["build"]["endTime"] == stopped["endTime"]
    again = codebuild.retry_build(id=started["id"])["build"]
    assert (again["buildNumber"], again["source"], again["timeoutInMinutes"]) == (2, started["source"], 7)
    assert again["id"] != started["id"]


def test_one_token_starts_one_build(codebuild, redis_server):
    codebuild.create_project(**NEW)
    first = codebuild.start_build(projectName=PREFIX + "project/demo", idempotencyToken="t")["build"]
    assert codebuild.start_build(projectName="demo", idempotencyToken="t")["build"]["id"] == first["id"]
    assert Build.objects.count() == 1


def test_ids_of_builds_come_newest_first_in_pages(codebuild):
    first = factories.project("first", repository_name=None, buildspec=BUILDSPEC)
    second = factories.project("second", repository_name=None, buildspec=BUILDSPEC)
    ids = [build_of(first, number).api_id for number in range(1, 103)]
    ids.append(build_of(second, 1).api_id)
    newest = ids[::-1]
    assert codebuild.list_builds()["ids"] == newest[:100]
    pages = codebuild.get_paginator("list_builds").paginate()
    assert [one for page in pages for one in page["ids"]] == newest
    pages = codebuild.get_paginator("list_builds").paginate(sortOrder="ASCENDING")
    assert [one for page in pages for one in page["ids"]] == ids
    assert codebuild.list_builds_for_project(projectName="second")["ids"] == newest[:1]
    token = codebuild.list_builds()["nextToken"]
    alien = {"projectName": "first", "nextToken": token}
    assert refused(codebuild.list_builds_for_project, **alien)[0] == "InvalidInputException"


def test_builds_outlive_their_project_and_follow_its_policies(codebuild, client_of):
    project = factories.project("gone", repository_name=None, buildspec=BUILDSPEC)
    kept = build_of(project, 1)
    other = build_of(factories.project("other", repository_name=None, buildspec=BUILDSPEC), 1)
    codebuild.delete_project(name="gone")
    assert codebuild.batch_get_builds(ids=[kept.api_id])["builds"][0]["projectName"] == "gone"
    document = factories.allow("codebuild:ListBuilds")
    document["Statement"] += factories.allow("codebuild:BatchGetBuilds", resource=f"{PREFIX}project/gone")["Statement"]
    dora = client_of(factories.user("dora", document=document), "codebuild")
    assert dora.list_builds()["ids"] == [kept.api_id]
    assert refused(dora.batch_get_builds, ids=[other.api_id])[0] == "AccessDeniedException"


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


def test_builds_that_are_over_are_deleted_and_what_runs_stays(codebuild):
    codebuild.create_project(**NEW)
    project = Project.objects.get()
    over, running = build_of(project, 1, status=Status.SUCCEEDED), build_of(project, 2)
    missing = f"demo:{uuid.UUID(int=0)}"
    answer = codebuild.batch_delete_builds(ids=[over.api_id, running.arn, missing])
    assert answer["buildsDeleted"] == [over.arn]
    assert answer["buildsNotDeleted"] == [
        {"id": running.arn, "statusCode": "BUILD_IN_PROGRESS"},
        {"id": missing, "statusCode": "BUILD_NOT_FOUND"},
    ]
    assert [one.number for one in Build.objects.all()] == [2]


def test_an_automatic_retry_and_the_build_it_repeats_name_each_other(codebuild):
    codebuild.create_project(**NEW, autoRetryLimit=1)
    first = build_of(Project.objects.get(), 1, status=Status.FAILED, auto_retry_limit=1)
    again = build_of(first.project, 2, auto_retry_limit=1, auto_retry_number=1, auto_retry_of=first)
    found = codebuild.batch_get_builds(ids=[first.api_id, again.api_id])["builds"]
    assert [one["autoRetryConfig"] for one in found] == [
        {"autoRetryLimit": 1, "autoRetryNumber": 0, "nextAutoRetry": again.arn},
        {"autoRetryLimit": 1, "autoRetryNumber": 1, "previousAutoRetry": first.arn},
    ]


def test_a_token_starts_one_build_and_refuses_other_parameters(codebuild):
    codebuild.create_project(**NEW)
    first = codebuild.start_build(projectName="demo", idempotencyToken="once")["build"]
    assert codebuild.start_build(projectName="demo", idempotencyToken="once")["build"]["id"] == first["id"]
    other = {"projectName": "demo", "idempotencyToken": "once", "timeoutInMinutesOverride": 9}
    assert refused(codebuild.start_build, **other)[0] == "InvalidInputException"
    again = codebuild.retry_build(id=first["id"], idempotencyToken="twice")["build"]
    assert codebuild.retry_build(id=first["id"], idempotencyToken="twice")["build"]["id"] == again["id"]
    assert Build.objects.count() == 2


@pytest.mark.parametrize(
    "override",
    [
        {"fleetOverride": {"fleetArn": "arn:aws:codebuild:us-east-1:1:fleet/f"}},
        {"debugSessionEnabled": True},
        {"reportBuildStatusOverride": True},
        {"encryptionKeyOverride": "alias/mine"},
        {"autoRetryLimitOverride": 99},
        {"logsConfigOverride": {"cloudWatchLogs": {"status": "DISABLED"}}},
    ],
)
def test_an_override_that_nothing_carries_out_is_refused(codebuild, override):
    codebuild.create_project(**NEW)
    assert refused(codebuild.start_build, projectName="demo", **override)[0] == "InvalidInputException"
    assert not Build.objects.exists()


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


def test_values_of_variables_never_reach_the_trail(codebuild):
    variables = [{"name": "TOKEN", "value": "s3cr3t-value"}]
    change = environment(environmentVariables=variables)
    codebuild.create_project(**{**NEW, **change})
    event = Event.objects.get(event_name="CreateProject")
    kept = str(cloudtrail.record(event))
    assert "TOKEN" in kept
    assert "s3cr3t-value" not in kept
