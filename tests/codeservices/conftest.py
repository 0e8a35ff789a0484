"""The world behind the doors."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.utils import timezone

from builds.models import Project
from codeservices import registry
from codeservices.audit.models import Trail
from codeservices.iam import credentials, secrets, ssh_keys, totp
from codeservices.iam.managed_policies import SERVICE_ROLE_NAME
from codeservices.iam.models import AccountPasswordPolicy, Group, MfaDevice, Policy, Role, User
from codeservices.notifications.models import SigningCertificate
from repos import deletion
from repos.git.store import BareRepository
from repos.models import Import, Mirror, RunState
from tests import factories, gitrepo
from tests.authenticator import mfa_code
from tests.codeservices.behind_doors import DOCUMENT, TRUST, World, Writes, delivered_topic, finished_build


class Clock:
    """The time that the product sees; it stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = timezone.now()

    def now(self) -> datetime:
        return self.moment

    def advance(self, **duration: float) -> None:
        self.moment += timedelta(**duration)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(timezone, "now", made.now)
    return made


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[BareRepository, str]:
    """A repository with one commit, a branch beside main and a tag, to be copied; and that commit's oid."""
    repository = gitrepo.create(tmp_path_factory.mktemp("history"))
    oid = gitrepo.commit(repository, {"src/app.py": "print()\n"})
    gitrepo.update_ref(repository, "refs/heads/side", oid)
    gitrepo.tag(repository, "v1", oid)
    return repository, oid


@pytest.fixture
def world(
    alice: User, bob: User, carol: User, history: tuple[BareRepository, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """The repository “hush”, its project with one build, “gone”, which is deleted; groups, policies, roles; dora with
    keys, erna without.
    """
    monkeypatch.setattr(registry, "health_checks", [])
    dora = factories.user("dora")
    User.objects.create(name="erna", password=make_password(None))
    key, _ = credentials.issue_access_key(dora)
    credential, _ = credentials.issue_git_credential(dora)
    Group.objects.create(name="team")
    ours = Policy.objects.create_with_document(DOCUMENT, name="ours")
    kept = Policy.objects.create_with_document(DOCUMENT, name="kept", version_number=2)
    kept.versions.create(number=1, document=DOCUMENT)
    crew = Group.objects.create(name="crew")
    crew.users.add(dora)
    crew.policies.add(kept)
    crew.inline_policies.create(name="inline", document=DOCUMENT)
    dora.inline_policies.create(name="inline", document=DOCUMENT)
    watch = Role.objects.create(name="watch", trust_policy=TRUST, tags={"a": "b"})
    watch.policies.add(kept)
    watch.inline_policies.create(name="inline", document=DOCUMENT)
    Role.objects.create(name="idle", trust_policy=TRUST)
    ssh_key = ssh_keys.upload(factories.SERVICE, "dora", factories.ssh_key())
    AccountPasswordPolicy.objects.create(pk=1)
    secret = totp.new_secret()
    device = MfaDevice.objects.create(
        name="dora", user=dora, enabled_at=timezone.now(), sealed_secret=secrets.seal(secret)
    )
    free_device = MfaDevice.objects.create(name="free", sealed_secret=secrets.seal(secret))
    repository = factories.repository("hush")
    shutil.copytree(history[0].path, repository.git.path, dirs_exist_ok=True)
    source = {"url": "https://git.example.com/hush", "owner": alice, "owner_name": "alice"}
    Import.objects.create(repository=repository, state=RunState.FAILED, **source)
    Mirror.objects.create(repository=repository, patterns=["refs/heads/elsewhere"], **source)
    project = factories.project("hush-build", repository_name="hush")
    Project.objects.update(last_build_number=1)
    build = finished_build(project)
    repository.triggers.create(name="ring", destination_arn=project.arn, events=["all"], branches=[], position=0)
    gone = factories.repository("gone")
    deletion.delete_repository(factories.SERVICE, "gone")
    event = factories.event(event_name="Made")
    trail = Trail.objects.create(name="main", s3_bucket_name="logs", is_logging=True)
    bell = delivered_topic("bell")
    SigningCertificate.objects.create(name="known", certificate_pem="PEM", sealed_key="sealed-signing-key")
    names = {
        "topic_arn": bell.message.topic.arn,
        "subscription_arn": bell.subscription.arn,
        "subscription_id": str(bell.subscription.subscription_id),
        "delivery_id": str(bell.delivery_id),
        "oid": history[1],
        "key_id": key.access_key_id,
        "credential_id": credential.credential_id,
        "mfa_serial": device.serial_number,
        "free_serial": free_device.serial_number,
        "mfa_code": mfa_code(secret),
        "mfa_next_code": mfa_code(secret, steps=1),
        "trail_arn": trail.arn,
        "event_id": str(event.event_id),
        "artifact_pk": str(build.artifacts.get().pk),
        "build_id": build.api_id,
        "repository_arn": repository.arn,
        "gone_id": str(gone.repository_id),
        "ssh_key_id": ssh_key.key_id,
        "new_ssh_key": factories.ssh_key(),
        "ours_arn": ours.arn,
        "kept_arn": kept.arn,
        "dora_arn": dora.arn,
        "watch_arn": watch.arn,
        "readers_arn": bob.policies.first().arn,
        "role_arn": Role.objects.get(name=SERVICE_ROLE_NAME).arn,
    }
    with connection.execute_wrapper(Writes()):
        yield World({"alice": alice, "bob": bob, "carol": carol}, names)
