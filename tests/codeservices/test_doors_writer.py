"""Every URL and every operation for a writer: all rights on its own things, none on anybody else's.

The doors are those of test_doors.py and test_doors_api.py, each tried on the writer's own thing, on a foreign one and
on one that does not exist: a door that forgets to ask about the very object fails here, whatever it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from builds.logs import groups
from codeservices import registry
from codeservices.iam import credentials, ssh_keys
from codeservices.iam.models import AccessKey, Group, Policy, Role, User
from repos import comments, deletion
from repos.models import Comment
from tests import factories
from tests.codeservices.behind_doors import (
    DOCUMENT,
    TOKEN,
    TRUST,
    body,
    changed,
    delivered_topic,
    denied_action,
    filled_bucket,
    finished_build,
    is_refusal,
    kept_values,
    state,
    told_trigger,
)
from tests.codeservices.test_doors import CONSOLE, Door, address
from tests.codeservices.test_doors_api import CALLS, called, filled
from tests.codeservices.worlds import History, LastingWorld, World, filled_repository, places

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

# Each of the writer's own things by name, with its twin that is somebody else's.
FOREIGN = {
    "hush": "noise",
    "hush-build": "noise-build",
    "dora": "fred",
    "erna": "gina",
    "team": "strangers",
    "crew": "gang",
    "ours": "theirs",
    "watch": "guard",
    "idle": "busy",
    "bell": "gong",
    "word": "rumour",
    "riddle": "puzzle",
    "gone": "lost",
    "shelf": "attic",
    "hollow": "void",
}
OWN = [
    "arn:aws:codecommit:*:*:hush",
    "arn:aws:codecommit:*:*:loud",  # what hush is renamed to
    "arn:aws:codecommit:*:*:gone",
    "arn:aws:codebuild:*:*:project/hush-build",
    "arn:aws:codebuild:*:*:project/made",
    "arn:aws:logs:*:*:log-group:/aws/codebuild/hush-build",
    "arn:aws:logs:*:*:log-group:/aws/codebuild/hush-build:*",
    "arn:aws:s3:::shelf",
    "arn:aws:s3:::shelf/*",
    "arn:aws:s3:::hollow",
    "arn:aws:sns:*:*:bell",
    "arn:aws:ssm:*:*:parameter/word",
    "arn:aws:secretsmanager:*:*:secret:riddle-*",
    "arn:aws:iam::*:user/dora",
    "arn:aws:iam::*:user/erna",
    "arn:aws:iam::*:user/moved/dora",  # where dora is moved to
    "arn:aws:iam::*:group/team",
    "arn:aws:iam::*:group/crew",
    "arn:aws:iam::*:group/renamed",  # what crew is renamed to
    "arn:aws:iam::*:policy/ours",
    "arn:aws:iam::*:policy/kept",
    "arn:aws:iam::*:policy/protected-branches/protect-hush-side-*",
    "arn:aws:iam::*:role/codebuild-service-role",
    "arn:aws:iam::*:role/idle",
    "arn:aws:iam::*:role/watch",
]
# Doors behind which several things meet: the one that decides is not the one that the address names first.
DECIDED_BY_THE_FORM = ("iam:user_groups",)
# Decided on no key's user: in AWS anybody with the right asks about any key id, and learns the account's number alone.
OF_THE_ACCOUNT = ("sts:GetAccessKeyInfo",)


@dataclass(frozen=True)
class Twins:
    """The writer with its access key, and for each of its own values (names and ids) the foreign one."""

    writer: User
    key: tuple[AccessKey, str]
    foreign: dict[str, str]

    def of(self, value: Any) -> Any:
        """The same parameters, about somebody else's things."""
        return self._mapped(value, self.foreign, "noise")

    def missing(self, value: Any) -> Any:
        """The same parameters, about things that nobody has."""
        return self._mapped(value, dict.fromkeys(FOREIGN, "nothing"), "nothing")

    def _mapped(self, value: Any, names: dict[str, str], repository_name: str) -> Any:
        if isinstance(value, dict):
            return {key: self._mapped(one, names, repository_name) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._mapped(one, names, repository_name) for one in value]
        if isinstance(value, str):
            return names.get(value) or value.replace("/v1/repos/hush", f"/v1/repos/{repository_name}")
        return value


@pytest.fixture
def world(lasting_world: LastingWorld, undrained: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(registry, "health_checks", [])
    return lasting_world.begin()


@pytest.fixture(scope="module")
def twins(lasting_world: LastingWorld, history: History) -> Twins:
    """To everything of the writer's in the world a twin that is somebody else's."""
    world = lasting_world.world
    fred, _ = factories.user("fred"), factories.user("gina")
    key, _ = credentials.issue_access_key(fred)
    credential, _ = credentials.issue_git_credential(fred)
    ssh_key = ssh_keys.upload(factories.SERVICE, "fred", factories.ssh_key())
    Group.objects.create(name="strangers")
    Group.objects.create(name="gang")
    guard, _ = (Role.objects.create(name=name, trust_policy=TRUST) for name in ("guard", "busy"))
    guard.inline_policies.create(name="inline", document=DOCUMENT)
    theirs = Policy.objects.create_with_document(DOCUMENT, name="theirs")
    repository = filled_repository("noise", history)
    remark = comments.post(factories.SERVICE, "noise", history[1], "Oh.")
    project = factories.project("noise-build", repository_name="noise")
    build = finished_build(project)
    delivery = told_trigger(repository, project)
    gong = delivered_topic("gong")
    kept_values("rumour", "puzzle")
    upload = filled_bucket("attic", "void")
    lost = factories.repository("lost")
    deletion.delete_repository(factories.SERVICE, "lost")
    foreign_names = {
        "topic_arn": gong.message.topic.arn,
        "subscription_arn": gong.subscription.arn,
        "subscription_id": str(gong.subscription.subscription_id),
        "delivery_id": str(gong.delivery_id),
        "gone_id": str(lost.repository_id),
        "upload_id": upload.upload_id.hex,
        "key_id": key.access_key_id,
        "credential_id": credential.credential_id,
        "artifact_pk": str(build.artifacts.get().pk),
        "build_id": build.api_id,
        "log_group": groups.group_name(build.project_name),
        "log_group_arn": groups.group_arn(groups.group_name(build.project_name)),
        "log_stream": str(build.uuid),
        "repository_arn": repository.arn,
        "project_arn": project.arn,
        "told_id": str(delivery.delivery_id),
        "comment_id": str(remark.comment_id),
        "dora_arn": fred.arn,
        "ssh_key_id": ssh_key.key_id,
        "ours_arn": theirs.arn,
        "kept_arn": theirs.arn,
        "watch_arn": guard.arn,
    }
    foreign = {world.names[name]: value for name, value in foreign_names.items() if name in world.names}
    artifact = world.names["artifact_pk"]
    own_objects = [one.arn for one in type(build.artifacts.get()).objects.filter(pk=artifact)]
    document = factories.allow("*", resource=[*OWN, *own_objects])
    writer = factories.user("wanda", document=document)
    Comment.objects.filter(comment_id=world.names["comment_id"]).update(author_id=writer.user_id)
    world.sign_in(writer)
    world.paths.extend([*places(repository, build), lost.git.path])
    made = Twins(writer, credentials.issue_access_key(writer), {**FOREIGN, **foreign})
    lasting_world.rest()
    return made


def object_doors() -> list[str]:
    """The doors that are about one thing of somebody's, and that policies open."""
    return [
        name
        for name, door in CONSOLE.items()
        if set(door.args) & set(FOREIGN) and (":" in door.get or ":" in door.post)
    ]


@pytest.mark.parametrize("name", object_doors())
def test_a_writer_gets_through_a_door_to_its_own_things_alone(name: str, world: World, twins: Twins):
    door = CONSOLE[name]
    writer = world.browser(twins.writer)
    own = [world.names.get(one, one) for one in door.args]
    form = {key: world.names.get(value, value) for key, value in door.form.items()}
    before = state()
    closed = [(twins.of(own), twins.of(form))]
    if name not in DECIDED_BY_THE_FORM:
        closed.append((twins.missing(own), twins.missing(form)))
    for args, fields in closed:
        path = reverse(name, args=args) + door.query
        if ":" in door.get:
            assert denied_action(writer.get(path)), path
        if ":" in door.post:
            assert denied_action(writer.post(path, {**fields, "csrfmiddlewaretoken": TOKEN})), path
    assert not changed(before), "a door to somebody else's thing has changed something"
    path = address(name, door, world)
    if ":" in door.get:
        opened(writer.get(path), Door.statuses)
    if ":" in door.post:
        opened(writer.post(path, {**form, "csrfmiddlewaretoken": TOKEN}), door.statuses)


def opened(response: Any, statuses: tuple[int, ...]) -> None:
    assert response.status_code in statuses and not denied_action(response), denied_action(response) or body(response)


def object_calls() -> list[str]:
    """The operations whose parameters name a thing of the writer's."""

    def names_one(value: Any) -> bool:
        if isinstance(value, dict | list):
            return any(names_one(one) for one in (value.values() if isinstance(value, dict) else value))
        ids = ("build_id", "repository_arn", "dora_arn", "ours_arn", "kept_arn", "key_id", "comment_id", "log_group")
        return value in (*FOREIGN, *ids, "log_group_arn", "topic_arn", "subscription_arn")

    return [
        operation for operation, call in CALLS.items() if names_one(call.params) and operation not in OF_THE_ACCOUNT
    ]


@pytest.mark.parametrize("operation", object_calls())
def test_a_writer_calls_an_operation_on_its_own_things_alone(operation: str, world: World, twins: Twins):
    params = filled(CALLS[operation].params, world)
    before = state()
    for others in (twins.of(params), twins.missing(params)):
        if others == params:
            continue  # ids have no missing twin
        answer = called(Client(), operation, others, twins.key)
        assert answer.status_code in (400, 403) and is_refusal(body(answer)), body(answer)
    assert not changed(before), "a call about somebody else's thing has changed something"
    answer = called(Client(), operation, params, twins.key)
    CALLS[operation].check(answer)


def test_a_missing_thing_is_told_to_those_who_may_ask(world: World, twins: Twins):
    alice = world.browser(world.people["alice"])
    before = state()
    for name in object_doors():
        door = CONSOLE[name]
        path = reverse(name, args=twins.missing([world.names.get(one, one) for one in door.args])) + door.query
        form = {**twins.missing(door.form), "csrfmiddlewaretoken": TOKEN}
        answer = alice.get(path) if ":" in door.get else alice.post(path, form)
        assert answer.status_code in (400, 404), (path, answer.status_code)
    assert not changed(before)
