"""An installation as a newcomer has it after `make up`: what it answers, and what its other commands do to it."""

from __future__ import annotations

import io
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest

from deploy import places
from tests.fixtures.installation import ROOT, Installation, wait_for

pytestmark = pytest.mark.docker
ENDLESS = "version: 0.2\nphases:\n  build:\n    commands:\n      - while true; do echo still here; sleep 1; done\n"

# What the CLI does, in what the base image has: ask as whom the container's credentials act.
WHO_AM_I = """version: 0.2
phases:
  build:
    commands:
      - key() { sed -n "s/^aws_$1 = //p" "$AWS_SHARED_CREDENTIALS_FILE"; }
      - curl -sS --cacert "$AWS_CA_BUNDLE" --aws-sigv4 aws:amz:us-east-1:sts
        --user "$(key access_key_id):$(key secret_access_key)" -H "x-amz-security-token:$(key session_token)"
        -d "Action=GetCallerIdentity&Version=2011-06-15" "$AWS_ENDPOINT_URL/" | tee answer
      - grep -q "assumed-role/codebuild-service-role/AWSCodeBuild-${CODEBUILD_BUILD_ID##*:}<" answer
"""


def manage(installation: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [str(places.PYTHON), "manage.py", *arguments]
    return subprocess.run(argv, cwd=ROOT, env=installation.environment, capture_output=True, text=True, timeout=120)


def test_the_sample_is_there_and_its_first_build_has_succeeded(installation):
    client = installation.client("codebuild")
    ids = client.list_builds_for_project(projectName="sample", sortOrder="ASCENDING")["ids"]
    build = client.batch_get_builds(ids=ids[:1])["builds"][0]
    assert (build["buildStatus"], build["buildNumber"]) == ("SUCCEEDED", 1)
    assert build["artifacts"]["location"].startswith("arn:aws:s3:::codebuild-artifacts/")


def test_the_sample_is_cloned_with_the_credential_that_was_told(installation, tmp_path):
    installation.git("clone", "--quiet", f"{installation.https_url}/v1/repos/sample", str(tmp_path / "sample"))
    done = subprocess.run(["make", "-s", "test"], cwd=tmp_path / "sample", capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "7 passed, 0 failed"


def test_status_is_healthy_and_names_every_process(installation):
    done = installation.make("status")
    assert done.returncode == 0, done.stdout
    for name in ("redis", "web-0", "web-1", "worker", "maintainer", "notifier", "builder", "beat"):
        assert any(line.split()[:2] == [name, "running"] for line in done.stdout.splitlines()), name
    assert done.stdout.splitlines()[-1] == "Healthy."


def test_a_process_that_was_stopped_by_hand_makes_status_fail_and_up_brings_it_back(installation):
    """And `make up`, once there is an installation, tells addresses, no secrets, and makes no second sample."""
    configuration = str(installation.var / "run" / "supervisord.conf")
    argv = [str(places.PYTHON), "-m", "supervisor.supervisorctl", "-c", configuration, "stop", "beat"]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    done = installation.make("status")
    assert done.returncode != 0
    assert "beat       stopped" in done.stdout
    done = installation.make("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"http://127.0.0.1:{installation.http_port}" in done.stdout
    assert installation.admin["password"] not in done.stdout
    assert "The first build" not in done.stdout
    assert installation.running()["beat"]


def test_logs_are_told_with_the_name_of_their_process(installation):
    shown = {line.split("|")[0].strip() for line in installation.make("logs").stdout.splitlines()}
    assert {"redis", "web-0", "worker", "builder", "beat", "supervisord"} <= shown


def test_state_is_for_its_owner_alone(installation):
    assert stat.S_IMODE(installation.var.stat().st_mode) == 0o700
    for name in ("admin.json", "keys/secret_key", "keys/master_key", "tls/ca-key.pem", "tls/server.pem"):
        assert stat.S_IMODE((installation.var / name).stat().st_mode) == 0o600, name


def test_a_build_reaches_the_server_as_its_role(installation):
    client = installation.client("codebuild")
    build_id = client.start_build(projectName="sample", buildspecOverride=WHO_AM_I)["build"]["id"]

    def status() -> str:
        return client.batch_get_builds(ids=[build_id])["builds"][0]["buildStatus"]

    wait_for(lambda: status() != "IN_PROGRESS", seconds=60, what="the build's end")
    assert status() == "SUCCEEDED"


def test_a_build_that_runs_when_the_workers_have_to_stop_is_stopped_in_good_form(installation):
    client = installation.client("codebuild")
    build = client.start_build(projectName="sample", buildspecOverride=ENDLESS)["build"]

    def now() -> dict:
        return client.batch_get_builds(ids=[build["id"]])["builds"][0]

    wait_for(lambda: now()["currentPhase"] == "BUILD", seconds=30, what="the build's first command")
    done = manage(installation, "stop_builds", "--grace", "0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == "1 builds were running, 1 of them were stopped."
    assert (now()["buildStatus"], now()["currentPhase"]) == ("STOPPED", "COMPLETED")


def test_stopping_builds_with_an_odd_grace_is_refused(installation):
    done = manage(installation, "stop_builds", "--grace=-1")
    assert (done.returncode, done.stderr.strip()) == (1, "CommandError: --grace must be 0 or more, not -1.")


def test_older_code_refuses_this_var(installation):
    path: Path = installation.var / "VERSION"
    before = path.read_text()
    path.write_text("999\n")
    try:
        done = manage(installation, "install")
    finally:
        path.write_text(before)
    assert done.returncode == 1
    assert "was written by newer code (version 999;" in done.stderr


def test_the_archive_of_a_fresh_clone_is_what_was_pushed(installation, tmp_path):
    """The sample in the repository is the folder that ships with the code, byte by byte."""
    installation.git("clone", "--quiet", "--bare", f"{installation.https_url}/v1/repos/sample", str(tmp_path / "s.git"))
    archive = subprocess.run(
        ["git", "-C", str(tmp_path / "s.git"), "archive", "--format=zip", "main"], capture_output=True, check=True
    ).stdout
    shipped = ROOT / "builds" / "sample"
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        files = {name: opened.read(name) for name in opened.namelist() if not name.endswith("/")}
    assert files == {str(path.relative_to(shipped)): path.read_bytes() for path in shipped.rglob("*") if path.is_file()}
