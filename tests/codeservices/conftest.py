"""The world behind the doors."""

from __future__ import annotations

import shutil

import pytest

from builds.models import Project
from codeservices import registry
from codeservices.audit.models import Trail
from codeservices.iam import credentials
from codeservices.iam.managed_policies import SERVICE_ROLE_NAME
from codeservices.iam.models import Group, Policy, Role, User
from repos.git.store import BareRepository
from tests import factories, gitrepo
from tests.codeservices.behind_doors import DOCUMENT, World, finished_build


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[BareRepository, str]:
    """A repository with one commit, to be copied, and that commit's oid."""
    repository = gitrepo.create(tmp_path_factory.mktemp("history"))
    return repository, gitrepo.commit(repository, {"src/app.py": "print()\n"})


@pytest.fixture
def world(
    alice: User, bob: User, carol: User, history: tuple[BareRepository, str], monkeypatch: pytest.MonkeyPatch
) -> World:
    """The repository “hush”, its project with one build, a group, a policy; dora with keys, erna without."""
    monkeypatch.setattr(registry, "health_checks", [])
    dora = factories.user("dora")
    factories.user("erna")
    key, _ = credentials.issue_access_key(dora)
    credential, _ = credentials.issue_git_credential(dora)
    Group.objects.create(name="team")
    Policy.objects.create(name="ours", document=DOCUMENT)
    repository = factories.repository("hush")
    shutil.copytree(history[0].path, repository.git.path, dirs_exist_ok=True)
    project = factories.project("hush-build", repository_name="hush")
    Project.objects.update(last_build_number=1)
    build = finished_build(project)
    repository.triggers.create(name="ring", destination_arn=project.arn, events=["all"], branches=[], position=0)
    event = factories.event(event_name="Made")
    trail = Trail.objects.create(name="main", s3_bucket_name="logs", is_logging=True)
    names = {
        "oid": history[1],
        "key_id": key.access_key_id,
        "credential_id": credential.credential_id,
        "trail_arn": trail.arn,
        "event_id": str(event.event_id),
        "artifact_pk": str(build.artifacts.get().pk),
        "build_id": build.api_id,
        "repository_arn": repository.arn,
        "readers_arn": bob.policies.first().arn,
        "role_arn": Role.objects.get(name=SERVICE_ROLE_NAME).arn,
    }
    return World({"alice": alice, "bob": bob, "carol": carol}, names)
