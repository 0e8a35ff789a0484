"""Builds as boto3 reads, starts, stops and retries them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from builds.models import Artifact, Build, Phase, PhaseType, Project, Status
from codeservices.audit import cloudtrail
from codeservices.audit.models import Event
from tests import factories
from tests.compat.projects import BUILDSPEC, NEW, PREFIX, build_of, environment
from tests.compat.refusals import refused


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


def test_values_of_variables_never_reach_the_trail(codebuild):
    variables = [{"name": "TOKEN", "value": "s3cr3t-value"}]
    change = environment(environmentVariables=variables)
    codebuild.create_project(**{**NEW, **change})
    event = Event.objects.get(event_name="CreateProject")
    kept = str(cloudtrail.record(event))
    assert "TOKEN" in kept
    assert "s3cr3t-value" not in kept
