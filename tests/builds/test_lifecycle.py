"""Whole builds: real git, container, Redis and database; only Celery's delivery is replaced by a call."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from builds import lease, lifecycle, running, tasks
from builds.artifacts import reading
from builds.logs import access as log_access
from builds.logs import download
from builds.logs.writer import LogWriter
from builds.models import Build, Phase
from builds.reporter import chunk_putter
from builds.runner import phases
from builds.runner.docker import DockerExecutor
from builds.runner.executor import Spec
from codeservices.audit.models import Event
from codeservices.errors import AccessDenied, InvalidInput, NotFound
from codeservices.iam.models import Role
from codeservices.objects.models import StoredObject
from tests import factories, gitrepo
from tests.fixtures.installation import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server", "install", "no_broker")]

GREEN = """version: 0.2
env:
  variables:
    GREETING: hello
  exported-variables: [ANSWER]
phases:
  build:
    commands:
      - echo "$GREETING from $(cat name.txt)"
      - export ANSWER=42
      - git status --porcelain && git log --format=%s -1
  post_build:
    commands:
      - mkdir -p out && date > out/now.txt && echo made > out/made.txt
artifacts:
  files: ["**/*"]
  base-directory: out
"""


@pytest.fixture
def repository(alice):
    made = factories.repository("demo")
    gitrepo.commit(made.git, {"buildspec.yml": GREEN, "name.txt": "the repository"}, "First")
    return made


@pytest.fixture
def project(repository):
    made = factories.project()
    made.artifacts = {"type": "S3", "location": "codebuild-artifacts", "packaging": "ZIP"}
    made.save()
    return made


def start(user, project, buildspec: str = "", **overrides) -> Build:
    if buildspec:
        overrides["buildspecOverride"] = buildspec
    return lifecycle.start_build(user.principal, project.name, overrides)


def commands(*lines: str) -> str:
    listed = "".join(f"      - {line}\n" for line in lines)
    return f"version: 0.2\nphases:\n  build:\n    commands:\n{listed}"


def ended(build: Build) -> Build:
    tasks.run_build(build.pk)
    build.refresh_from_db()
    return build


def phase_statuses(build: Build) -> dict[str, str]:
    return {one.phase_type: one.status for one in build.phases.all()}


def context_of(build: Build, phase_type: str) -> dict[str, str]:
    return build.phases.get(phase_type=phase_type).contexts[0]


def log_of(build: Build) -> str:
    return b"".join(download.whole(build, "raw")).decode()


@pytest.mark.docker
def test_a_build_of_a_repository_succeeds_with_log_artifact_and_exported_variables(
    alice, project, base_image, leftovers
):
    build = ended(start(alice, project))
    assert (build.status, build.current_phase, build.number) == ("SUCCEEDED", "COMPLETED", 1)
    assert set(phase_statuses(build).values()) <= {"SUCCEEDED", ""}
    assert list(phase_statuses(build))[:4] == ["SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE"]
    assert list(phase_statuses(build))[-1] == "COMPLETED"
    assert build.exported_variables == [{"name": "ANSWER", "value": "42"}]
    log = log_of(build)
    assert "\nhello from the repository\n" in log and "\nFirst\n" in log
    assert "Phase complete: BUILD State: SUCCEEDED" in log
    assert build.is_log_complete and build.log_line_count == log.count("\n")
    artifact = build.artifacts.get()
    assert [one.path for one in reading.files(artifact)] == ["made.txt", "now.txt"]
    assert StoredObject.objects.get(key=artifact.key).size_bytes == artifact.size_bytes
    assert leftovers() == []


@pytest.mark.docker
def test_a_failed_command_fails_the_build_and_names_the_command(alice, project, base_image):
    build = ended(start(alice, project, commands("exit 3", "echo never")))
    statuses = phase_statuses(build)
    assert (build.status, statuses["BUILD"], statuses["POST_BUILD"]) == ("FAILED", "FAILED", "SUCCEEDED")
    assert context_of(build, "BUILD") == {
        "statusCode": "COMMAND_EXECUTION_ERROR",
        "message": "Error while executing command: exit 3. Reason: exit status 3",
    }
    assert "never" not in log_of(build)


@pytest.mark.docker
def test_a_build_that_never_ends_is_timed_out(alice, project, base_image, leftovers, monkeypatch):
    build = start(alice, project, commands("echo begun", "sleep 1000"), timeoutInMinutesOverride=5)
    asked: list[float] = []

    class Timer(threading.Timer):
        """Five minutes that are over when the build has begun."""

        def __init__(self, seconds, function, args):
            super().__init__(0, self.when_begun, (function, args))
            asked.append(seconds)

        @staticmethod
        def when_begun(function, args):
            wait_for(lambda: "\nbegun\n" in log_of(build), seconds=60)
            connection.close()
            function(*args)

    monkeypatch.setattr(phases.threading, "Timer", Timer)
    build = ended(build)
    assert asked == [300]
    assert (build.status, phase_statuses(build)["BUILD"]) == ("TIMED_OUT", "TIMED_OUT")
    assert context_of(build, "BUILD")["statusCode"] == "BUILD_TIMED_OUT"
    assert "\nbegun\n" in log_of(build)
    assert leftovers() == []


@pytest.mark.docker
@pytest.mark.parametrize("has_redis", [True, False])
def test_a_stopped_build_is_over_long_before_its_command(alice, project, base_image, leftovers, monkeypatch, has_redis):
    build = start(alice, project, commands("echo begun", "sleep 1000"))
    worker = threading.Thread(target=in_thread, args=(tasks.run_build, build.pk))
    worker.start()
    wait_for(lambda: "\nbegun\n" in log_of(build), seconds=60)
    if not has_redis:
        monkeypatch.setattr(lease, "stop_channel", lambda build: f"nobody listens to {build.pk}")
    lifecycle.stop_build(alice.principal, Build.objects.get(pk=build.pk))
    wait_for(lambda: Build.objects.get(pk=build.pk).is_finished, what="the build is over")
    worker.join()
    build.refresh_from_db()
    assert (build.status, phase_statuses(build)["BUILD"]) == ("STOPPED", "STOPPED")
    assert leftovers() == []


@pytest.mark.docker
def test_a_million_lines_reach_storage_without_gap_or_repeat(alice, project, base_image):
    command = "seq -f 'line %.0f of one million, padded to about sixty-seven bytes by words' 1000000"
    build = ended(start(alice, project, commands(command)))
    assert (build.status, build.is_log_complete) == ("SUCCEEDED", True)
    count = 0
    for line in (line for piece in download.whole(build, "raw") for line in piece.split(b"\n")):
        if line.startswith(b"line "):
            count += 1
            assert line.startswith(b"line %d of" % count)
    assert count == 1_000_000


@pytest.mark.docker
def test_a_build_that_prints_binary_and_one_that_prints_nothing_succeed(alice, project, base_image):
    build = ended(start(alice, project, commands("head -c 1000000 /dev/urandom")))
    assert build.status == "SUCCEEDED" and "\x00" not in log_of(build)
    assert "Phase complete: BUILD State: SUCCEEDED" in log_of(build)
    build = ended(start(alice, project, commands("true")))
    assert build.status == "SUCCEEDED"


@pytest.mark.docker
def test_a_broken_buildspec_fails_in_download_source_with_file_line_and_key(alice, project, repository, base_image):
    gitrepo.commit(
        repository.git, {"buildspec.yml": "version: 0.3\nphases:\n  build:\n    commands:\n      - echo a: b\n"}
    )
    build = ended(start(alice, project))
    assert (build.status, phase_statuses(build)["DOWNLOAD_SOURCE"]) == ("FAILED", "FAILED")
    context = context_of(build, "DOWNLOAD_SOURCE")
    assert context["statusCode"] == "YAML_FILE_ERROR"
    assert context["message"].startswith(
        "buildspec.yml: line 1, version: must be 0.1 or 0.2, but it is “0.3”.; "
        "line 5, phases.build.commands[0]: Expected Commands[0] to be of string type"
    )
    assert "BUILD" not in phase_statuses(build) and "FINALIZING" in phase_statuses(build)


@pytest.mark.docker
def test_a_missing_buildspec_is_told_in_codebuilds_words(alice, project, repository, base_image):
    gitrepo.commit(repository.git, {"buildspec.yml": None})
    assert context_of(ended(start(alice, project)), "DOWNLOAD_SOURCE")["message"] == "YAML file does not exist"
    build = ended(start(alice, project, buildspecOverride="ci/spec.yml"))
    assert context_of(build, "DOWNLOAD_SOURCE")["message"] == (
        "stat /codebuild/output/src/demo/ci/spec.yml: no such file or directory"
    )


@pytest.mark.docker
def test_a_missing_image_fails_in_provisioning_with_its_name(alice, project, leftovers):
    build = ended(start(alice, project, imageOverride="codeservices/nothing:1"))
    assert (build.status, phase_statuses(build)["PROVISIONING"]) == ("FAILED", "FAILED")
    context = context_of(build, "PROVISIONING")
    assert context["statusCode"] == "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
    assert "codeservices/nothing:1" in context["message"]
    assert "DOWNLOAD_SOURCE" not in phase_statuses(build)
    assert leftovers() == []


@pytest.mark.docker
def test_a_branch_that_does_not_exist_fails_in_download_source(alice, project, base_image):
    build = ended(start(alice, project, sourceVersion="nowhere"))
    assert context_of(build, "DOWNLOAD_SOURCE")["message"].startswith(
        "reference not found for primary source and source version nowhere"
    )


@pytest.mark.docker
def test_a_role_that_may_not_pull_fails_in_download_source_and_the_denial_is_recorded(alice, project, base_image):
    role = Role.objects.create(
        name="powerless", trust_policy=Role.objects.get(name="codebuild-service-role").trust_policy
    )
    project.service_role_arn = role.arn
    project.save()
    build = ended(start(alice, project))
    assert context_of(build, "DOWNLOAD_SOURCE")["message"].startswith("authorization failed for primary source")
    event = Event.objects.get(event_name="GitPull")
    assert (event.outcome, event.principal_kind) == ("Denied", "role")


def test_a_second_delivery_of_the_message_does_nothing(alice, project):
    build = start(alice, project)
    first = lifecycle.claim(build.pk)
    assert first is not None
    assert lifecycle.claim(build.pk) is None
    tasks.run_build(build.pk)
    build.refresh_from_db()
    assert (build.status, build.lease_owner) == ("IN_PROGRESS", first.lease_owner)


def test_a_queued_build_is_stopped_at_once_and_never_runs(alice, project):
    build = lifecycle.stop_build(alice.principal, start(alice, project))
    assert (build.status, build.current_phase) == ("STOPPED", "COMPLETED")
    assert phase_statuses(build)["QUEUED"] == "STOPPED"
    assert lifecycle.claim(build.pk) is None


def test_a_build_that_waits_too_long_is_timed_out(alice, project):
    build = start(alice, project, queuedTimeoutInMinutesOverride=5)
    Build.objects.filter(pk=build.pk).update(started_at=timezone.now() - timedelta(minutes=6))
    assert lifecycle.end_expired_leases() == 1
    build.refresh_from_db()
    assert (build.status, phase_statuses(build)["QUEUED"]) == ("TIMED_OUT", "TIMED_OUT")


@pytest.mark.docker
def test_a_build_whose_worker_went_silent_ends_with_a_reason_its_whole_log_and_no_container(
    alice, project, base_image, leftovers, install
):
    build = lifecycle.claim(start(alice, project).pk)
    assert build is not None
    with lease.redis_client() as redis:
        log = LogWriter(str(build.uuid), redis, chunk_putter(build))
        for number in range(2500):
            log.line(f"line {number}")
        wait_for(lambda: log_access.line_count(build) == 2500)
        log.abandon()  # what a killed worker leaves: some chunks, and a tail in Redis alone
    dead = DockerExecutor(install)
    dead.provision(Spec(build.api_id, "codeservices/base", 2**30, 1), lambda sentence: None)
    Phase.objects.create(build=build, phase_type="BUILD", started_at=timezone.now())
    past = timezone.now() - timedelta(seconds=1)
    Build.objects.filter(pk=build.pk).update(lease_expires_at=past)
    assert lifecycle.end_expired_leases() == 0  # doubted, as its worker may only have slept
    Build.objects.filter(pk=build.pk).update(lease_expires_at=past)
    assert lifecycle.end_expired_leases() == 1
    build.refresh_from_db()
    assert (build.status, phase_statuses(build)["BUILD"]) == ("FAULT", "FAULT")
    assert "went silent" in context_of(build, "BUILD")["message"]
    lines = log_of(build).splitlines()
    assert lines[:2500] == [f"line {number}" for number in range(2500)]
    assert len(lines) == 2501 and "went silent" in lines[2500]
    assert leftovers() == []
    assert lifecycle.end_expired_leases() == 0
    dead.close()


@pytest.mark.parametrize("begun", [(), ("FINALIZING", "COMPLETED")], ids=["before the first", "after the last"])
def test_a_build_whose_worker_went_silent_between_two_phases_tells_its_reason(alice, project, begun):
    build = lifecycle.claim(start(alice, project).pk)
    assert build is not None
    for name in begun:
        ended = {"status": "SUCCEEDED", "ended_at": timezone.now()} if name != "COMPLETED" else {}
        Phase.objects.create(build=build, phase_type=name, started_at=timezone.now(), **ended)
    for _ in range(2):  # the lease is doubted first
        Build.objects.filter(pk=build.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        lifecycle.end_expired_leases()
    build.refresh_from_db()
    assert (build.status, phase_statuses(build)["FINALIZING"]) == ("FAULT", "FAULT")
    assert "went silent" in context_of(build, "FINALIZING")["message"]
    assert list(build.phases.values_list("phase_type", flat=True))[-2:] == ["FINALIZING", "COMPLETED"]


def test_a_log_that_could_not_be_closed_is_sealed_by_the_sweep(alice, project):
    build = lifecycle.claim(start(alice, project).pk)
    assert build is not None
    with lease.redis_client() as redis:
        log = LogWriter(str(build.uuid), redis, chunk_putter(build))
        log.line("only in Redis")
        wait_for(lambda: log_access.line_count(build) == 1)
        log.abandon()
    lifecycle.finish(build, "SUCCEEDED", line_count=None)
    lifecycle.end_expired_leases()
    build.refresh_from_db()
    assert (build.status, build.is_log_complete, build.log_line_count) == ("SUCCEEDED", True, 1)
    assert log_of(build) == "only in Redis\n"


def test_an_error_of_ours_ends_the_build_as_a_fault_at_once(alice, project, monkeypatch):
    monkeypatch.setattr(running, "plan", lambda build, report: 1 // 0)
    build = ended(start(alice, project))
    assert (build.status, build.is_log_complete) == ("FAULT", True)
    assert "(ZeroDivisionError)" in log_of(build)


def test_a_worker_that_lost_its_lease_writes_nothing_more(alice, project):
    build = lifecycle.claim(start(alice, project).pk)
    assert build is not None
    Build.objects.filter(pk=build.pk).update(lease_owner="another")
    with pytest.raises(lease.LeaseLost):
        lifecycle.finish(build, "SUCCEEDED", line_count=0)
    assert Build.objects.get(pk=build.pk).status == "IN_PROGRESS"


def test_a_queued_build_whose_message_was_lost_is_sent_again_once(alice, project, no_broker):
    with lease.redis_client() as redis:
        redis.delete(lifecycle.QUEUE)  # what others have sent in this run and nobody took
    build = start(alice, project)
    assert no_broker == [build.pk]
    assert lifecycle.requeue_builds() == 0
    Build.objects.filter(pk=build.pk).update(queued_message_at=timezone.now() - timedelta(minutes=2))
    assert lifecycle.requeue_builds() == 1
    assert lifecycle.requeue_builds() == 0
    assert no_broker == [build.pk, build.pk]


def test_build_numbers_count_up_and_tokens_start_one_build(alice, project):
    first = start(alice, project, idempotencyToken="once")
    assert start(alice, project, idempotencyToken="once").pk == first.pk
    assert [first.number, start(alice, project).number, start(alice, project).number] == [1, 2, 3]


def test_overrides_replace_settings_and_merge_variables(alice, project):
    project.environment["environmentVariables"] = [
        {"name": "A", "value": "1", "type": "PLAINTEXT"},
        {"name": "B", "value": "1", "type": "PLAINTEXT"},
    ]
    project.save()
    build = start(
        alice,
        project,
        environmentVariablesOverride=[{"name": "B", "value": "2"}],
        computeTypeOverride="BUILD_GENERAL1_LARGE",
        timeoutInMinutesOverride=7,
    )
    values = {one["name"]: one["value"] for one in build.environment["environmentVariables"]}
    assert values == {"A": "1", "B": "2"}
    assert (build.environment["computeType"], build.timeout_minutes) == ("BUILD_GENERAL1_LARGE", 7)
    project.refresh_from_db()
    assert project.environment["computeType"] == "BUILD_GENERAL1_SMALL"
    with pytest.raises(InvalidInput, match="CODEBUILD_"):
        start(alice, project, environmentVariablesOverride=[{"name": "CODEBUILD_X", "value": "1"}])


def test_starting_stopping_and_retrying_need_their_rights(alice, bob, project):
    with pytest.raises(AccessDenied, match="codebuild:StartBuild"):
        start(bob, project)
    build = start(alice, project)
    with pytest.raises(AccessDenied, match="codebuild:StopBuild"):
        lifecycle.stop_build(bob.principal, build)
    with pytest.raises(AccessDenied, match="codebuild:RetryBuild"):
        lifecycle.retry_build(bob.principal, build)
    with pytest.raises(NotFound):
        lifecycle.start_build(alice.principal, "unknown")
    again = lifecycle.retry_build(alice.principal, build)
    assert (again.number, again.environment) == (2, build.environment)


def in_thread(function, *args) -> None:
    """A call in a thread whose database connection is closed behind it."""
    try:
        function(*args)
    finally:
        connection.close()
