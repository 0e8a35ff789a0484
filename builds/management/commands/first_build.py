"""The very first build: a sample repository, a real push over HTTPS, and its log in the terminal until it has ended."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from builds import lifecycle, projects
from builds.logs import access as log_access
from builds.models import Build, Project, Status
from codeservices.errors import ServiceError
from codeservices.iam import arn, shell
from codeservices.iam.managed_policies import SERVICE_ROLE_NAME
from codeservices.iam.models import User
from codeservices.iam.principal import Principal
from repos import provision
from repos.models import Repository

NAME = "sample"
BRANCH = "main"
SAMPLE = Path(__file__).resolve().parents[2] / "sample"
_DESCRIPTION = "A small project with tests and a buildspec.yml. Change it, push, and watch it build."
_IMAGE = "codeservices/base"
_HEARTBEAT_SECONDS = 2.0
_POLL_SECONDS = 0.2
# The push has been answered by then; its event may wait for the sweep that sends what a dead worker left.
_START_SECONDS = 45.0
_PUSH_SECONDS = 60
_LINES_A_READ = 500


class Command(BaseCommand):
    help = "On a new installation, push a sample project and follow its first build to the end; later, do nothing."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        logging.getLogger().setLevel(logging.WARNING)  # the terminal tells the same in fewer words
        if self._marker.exists() or Build.objects.filter(status=Status.SUCCEEDED).exists():
            self._marker.touch()
            return
        credentials = self._credentials()
        if credentials is None:
            self.stdout.write("==> No first build: var/admin.json is gone, and its git credential with it.")
            return
        self.stdout.write("==> The first build: repository, project, push, build")
        try:
            build = self._build(credentials)
        except ServiceError as error:
            raise CommandError(error.message) from error
        self._follow(build)
        if build.status != Status.SUCCEEDED:
            raise CommandError(f"Build {build} ended {build.get_status_display().lower()}.")
        self._marker.touch()
        self.stdout.write(f"    build #{build.number} succeeded after {build.duration_seconds:.0f} s")

    @property
    def _marker(self) -> Path:
        """Somebody who deletes the sample does not want it back at the next start."""
        return settings.RUN_ROOT / "first-build-done"

    def _credentials(self) -> dict[str, str] | None:
        try:
            found: dict[str, str] = json.loads((settings.VAR / "admin.json").read_text())
        except (OSError, ValueError):
            return None
        return found

    def _build(self, credentials: dict[str, str]) -> Build:
        """The build that the push started; where an earlier try got that far, a new one."""
        administrator = User.objects.get_by_natural_key(credentials["username"]).principal
        repository = self._repository(administrator)
        project = self._project(administrator, repository, credentials["https_url"])
        last = Build.objects.filter(project=project).first()
        if last is not None and not last.is_finished:
            return last
        if repository.default_branch is None:
            self._push(credentials)
            started = self._wait_for_build(project)
            if started is not None:
                return started
        with shell.shell_act("first_build"):
            return lifecycle.start_build(administrator, NAME)

    def _repository(self, administrator: Principal) -> Repository:
        found = Repository.objects.filter(name=NAME).first()
        if found is not None:
            return found
        with shell.shell_act("first_build"):
            created = provision.create_repository(administrator, NAME, _DESCRIPTION)
        self.stdout.write(f"    repository {NAME}")
        return created

    def _project(self, administrator: Principal, repository: Repository, origin: str) -> Project:
        project = Project.objects.filter(name=NAME).first()
        if project is None:
            fields = {
                "name": NAME,
                "description": _DESCRIPTION,
                "source": {"type": "CODECOMMIT", "location": repository.clone_url(origin)},
                "artifacts": {
                    "type": "S3",
                    "location": projects.ARTIFACT_BUCKET,
                    "packaging": "ZIP",
                    "name": f"{NAME}.zip",
                },
                "environment": {
                    "type": "LINUX_CONTAINER",
                    "image": _IMAGE,
                    "computeType": "BUILD_GENERAL1_SMALL",
                    "environmentVariables": [],
                },
                "serviceRole": arn.role_arn(settings.ACCOUNT_ID, "/", SERVICE_ROLE_NAME),
            }
            with shell.shell_act("first_build"):
                project = projects.create_project(administrator, fields)
            self.stdout.write(f"    project {NAME}, in a container of {_IMAGE}, built on each push to {BRANCH}")
        with shell.shell_act("first_build"):
            projects.set_push_trigger(administrator, project, is_on=True)
        return project

    def _push(self, credentials: dict[str, str]) -> None:
        """Commit the sample in a folder of its own and push it with the real git, as anybody would."""
        with tempfile.TemporaryDirectory(prefix="codeservices-sample-") as folder:
            work = Path(folder) / NAME
            shutil.copytree(SAMPLE, work)
            self._git(work, credentials, "init", "--quiet", f"--initial-branch={BRANCH}")
            self._git(work, credentials, "add", "--all")
            self._git(work, credentials, "commit", "--quiet", "--message", "Count words, with tests and a build")
            url = f"{_local_origin()}/v1/repos/{NAME}"
            self.stdout.write(f"    git push {url} {BRANCH}")
            output = self._git(work, credentials, "push", url, BRANCH)
        for line in output.splitlines():
            self.stdout.write(f"      {line}")

    def _git(self, work: Path, credentials: dict[str, str], *arguments: str) -> str:
        helper = '!f() { echo "username=$SAMPLE_USERNAME"; echo "password=$SAMPLE_PASSWORD"; }; f'
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(work.parent),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_SSL_CAINFO": str(settings.TLS_ROOT / "ca.pem"),
            "SAMPLE_USERNAME": credentials["git_username"],
            "SAMPLE_PASSWORD": credentials["git_password"],
        }
        configuration = [
            f"credential.helper={helper}",
            "http.proxy=",
            "user.name=Code Services",
            "user.email=sample@localhost",
        ]
        argv = ["git", *(part for entry in configuration for part in ("-c", entry)), *arguments]
        try:
            done = subprocess.run(
                argv, cwd=work, env=environment, capture_output=True, text=True, check=False, timeout=_PUSH_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"git {arguments[0]} did not end within {_PUSH_SECONDS} s.") from error
        if done.returncode != 0:
            raise CommandError(f"git {arguments[0]} failed: {done.stderr.strip()[-500:]}")
        return done.stderr

    def _wait_for_build(self, project: Project) -> Build | None:
        start = shown = time.monotonic()
        while (build := Build.objects.filter(project=project).first()) is None:
            now = time.monotonic()
            if now - start > _START_SECONDS:
                return None
            if now - shown > _HEARTBEAT_SECONDS:
                self.stdout.write(f"    {now - start:.0f} s  waiting for the push to start its build")
                shown = now
            time.sleep(_POLL_SECONDS)
        return build

    def _follow(self, build: Build) -> None:
        """Print log lines as they come, and the phase while none come, until the build and its log have ended."""
        reader = log_access.reader_of(build.pk, str(build.uuid))
        start = shown = time.monotonic()
        told = 0
        self.stdout.write(f"    build #{build.number} of project {build.project_name}")
        while True:
            build.refresh_from_db()
            lines = reader.window(told, _LINES_A_READ)
            silent = time.monotonic() - shown
            for line in lines:
                self.stdout.write(f"      | {line.text}")
            if lines:
                told, shown = lines[-1].number + 1, time.monotonic()
            elif build.is_finished and (build.is_log_complete or silent > _HEARTBEAT_SECONDS):
                return
            elif silent > _HEARTBEAT_SECONDS and not build.is_finished:
                shown = time.monotonic()
                self.stdout.write(f"    {shown - start:.0f} s  {build.get_current_phase_display()} ...")
            self.stdout.flush()
            time.sleep(_POLL_SECONDS)


def _local_origin() -> str:
    """Where this machine reaches its own HTTPS server, under a name that the certificate has."""
    is_everywhere = settings.HTTPS_HOST in {"0.0.0.0", "::", "127.0.0.1"}  # noqa: S104  compared, not listened on
    return f"https://{'localhost' if is_everywhere else settings.HTTPS_HOST}:{settings.HTTPS_PORT}"
