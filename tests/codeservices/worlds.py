"""The world behind the doors: made for one test, or once for all tests of a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.test import Client
from django.test.client import ClientHandler
from django.utils import timezone

from builds.logs import groups
from builds.models import Build, Project, SourceCredential
from codeservices.audit.models import Trail
from codeservices.iam import credentials, secrets, ssh_keys, totp
from codeservices.iam.managed_policies import SERVICE_ROLE_NAME
from codeservices.iam.models import AccountPasswordPolicy, Group, MfaDevice, Policy, Role, User
from codeservices.notifications.models import SigningCertificate
from codeservices.objects.models import Piece
from repos import comments, deletion
from repos.git.store import BareRepository
from repos.models import Import, Mirror, Repository, RunState
from tests import factories, gitrepo
from tests.authenticator import mfa_code
from tests.codeservices.behind_doors import (
    DOCUMENT,
    TOKEN,
    TRUST,
    Writes,
    delivered_topic,
    filled_bucket,
    finished_build,
    kept_values,
    told_trigger,
)
from tests.fixtures.people import PEOPLE, person

History = tuple[BareRepository, str]
# All browsers share it: a client of its own handler sets all middleware up again.
_HANDLER = ClientHandler(enforce_csrf_checks=True)


@dataclass(frozen=True)
class World:
    """The people by name, what stands for an argument that is made anew with every world, and what lies on disk."""

    people: dict[str, User]
    names: dict[str, str]
    mfa_secret: str
    paths: list[Path] = field(default_factory=list)
    sessions: dict[int, str] = field(default_factory=dict)

    def sign_in(self, *people: User) -> None:
        """Give each a session of the console, for `browser`."""
        for user in people:
            client = Client()
            client.force_login(user)
            self.sessions[user.pk] = client.cookies[settings.SESSION_COOKIE_NAME].value

    def browser(self, user: User | None) -> Client:
        """A browser that holds the CSRF cookie of TOKEN, with CSRF checks on; signed in unless it is nobody's."""
        client = Client()
        client.handler = _HANDLER
        if user is not None:
            client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[user.pk]
        client.cookies[settings.CSRF_COOKIE_NAME] = TOKEN
        return client

    def now(self) -> World:
        """The same world with what passes: people as the database has them, codes of this half minute."""
        people = {user.name: user for user in User.objects.filter(name__in=self.people)}
        codes = {"mfa_code": mfa_code(self.mfa_secret), "mfa_next_code": mfa_code(self.mfa_secret, steps=1)}
        return World(people, self.names | codes, self.mfa_secret, self.paths, self.sessions)


def filled_repository(name: str, history: History) -> Repository:
    """A repository with the commit, branches and tag of `history`."""
    made = factories.repository(name)
    shutil.copytree(history[0].path, made.git.path, dirs_exist_ok=True)
    return made


def make(people: dict[str, User], history: History) -> World:
    """The repository “hush”, its project with one build, “gone”, which is deleted; groups, policies, roles; dora with
    keys, erna without.
    """
    alice, bob = people["alice"], people["bob"]
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
    repository = filled_repository("hush", history)
    source = {"url": "https://git.example.com/hush", "owner": alice, "owner_name": "alice"}
    Import.objects.create(repository=repository, state=RunState.FAILED, **source)
    Mirror.objects.create(repository=repository, patterns=["refs/heads/elsewhere"], **source)
    said = comments.post(alice.principal, "hush", history[1], "Hm.")
    project = factories.project("hush-build", repository_name="hush")
    Project.objects.update(last_build_number=1)
    build = finished_build(project)
    delivery = told_trigger(repository, project)
    gone = factories.repository("gone")
    deletion.delete_repository(factories.SERVICE, "gone")
    event = factories.event(event_name="Made")
    trail = Trail.objects.create(name="main", s3_bucket_name="logs", is_logging=True)
    bell = delivered_topic("bell")
    kept_values("word", "riddle")
    token = SourceCredential.objects.create(server_type="BITBUCKET", host="bitbucket.org", auth_type="BASIC_AUTH")
    SigningCertificate.objects.create(name="known", certificate_pem="PEM", sealed_key="sealed-signing-key")
    names = {
        "upload_id": filled_bucket("shelf", "hollow").upload_id.hex,
        "topic_arn": bell.message.topic.arn,
        "subscription_arn": bell.subscription.arn,
        "subscription_id": str(bell.subscription.subscription_id),
        "delivery_id": str(bell.delivery_id),
        "oid": history[1],
        "comment_id": str(said.comment_id),
        "blob_oid": gitrepo.git(history[0], "rev-parse", "main:src/app.py"),
        "key_id": key.access_key_id,
        "credential_id": credential.credential_id,
        "mfa_serial": device.serial_number,
        "free_serial": free_device.serial_number,
        "trail_arn": trail.arn,
        "event_id": str(event.event_id),
        "artifact_pk": str(build.artifacts.get().pk),
        "build_id": build.api_id,
        "log_group": groups.group_name(build.project_name),
        "log_group_arn": groups.group_arn(groups.group_name(build.project_name)),
        "log_stream": str(build.uuid),
        "repository_arn": repository.arn,
        "gone_id": str(gone.repository_id),
        "project_arn": project.arn,
        "source_credential_arn": token.arn,
        "told_id": str(delivery.delivery_id),
        "ssh_key_id": ssh_key.key_id,
        "new_ssh_key": factories.ssh_key(),
        "ours_arn": ours.arn,
        "kept_arn": kept.arn,
        "dora_arn": dora.arn,
        "watch_arn": watch.arn,
        "readers_arn": bob.policies.first().arn,
        "role_arn": Role.objects.get(name=SERVICE_ROLE_NAME).arn,
    }
    return World(people, names, secret, [*places(repository, build), gone.git.path])


def places(repository: Repository, build: Build) -> list[Path]:
    """Where the repository lies, and what the build has stored."""
    pieces = Piece.objects.filter(stored_object__key__startswith=str(build.uuid))
    return [repository.git.path, *((settings.OBJECTS_ROOT / one.storage_key).parent for one in pieces)]


class LastingWorld:
    """A world that many tests stand on: each leaves by rolling back to a savepoint, and `begin` puts the files back.

    What is added to it for all tests (rows, `world.paths`) ends with `rest`.
    """

    def __init__(self, world: World, writes: Writes, kept: Path) -> None:
        self.world = world
        self._writes = writes
        self._kept = kept
        self._listings: dict[Path, list[tuple[str, int, int]]] = {}

    def rest(self) -> None:
        """What is there now is what every test begins with."""
        self._writes.rest()
        for path in self.world.paths:
            if path not in self._listings:
                shutil.copytree(path, self._kept / path.name)
                self._listings[path] = _listing(path)

    def begin(self) -> World:
        """The world for the next test."""
        self._writes.rewind()
        for path, listing in self._listings.items():
            if _listing(path) != listing:
                shutil.rmtree(path, ignore_errors=True)
                shutil.copytree(self._kept / path.name, path)
        return self.world.now()


def _listing(root: Path) -> list[tuple[str, int, int]]:
    """Each file and folder with its size in bytes and when it was changed."""
    found = []
    for path in sorted([root, *root.rglob("*")] if root.exists() else []):
        status = path.stat()
        found.append((str(path), 0 if path.is_dir() else status.st_size, status.st_mtime_ns))
    return found


@contextmanager
def lasting(history: History, kept: Path) -> Iterator[LastingWorld]:
    """A world in a transaction that is rolled back at the end; the tests of doors run in savepoints of it."""
    around = transaction.atomic()
    around._from_testcase = True  # as in Django's TestCase: what must be outermost is, but for the test's own
    writes = Writes()
    with around, connection.execute_wrapper(writes):
        made = make({name: person(name) for name in PEOPLE}, history)
        made.sign_in(*made.people.values())
        lasting_world = LastingWorld(made, writes, kept)
        lasting_world.rest()
        yield lasting_world
        transaction.set_rollback(True)
