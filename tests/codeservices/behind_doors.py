"""What stands behind every door in the tests of doors, and how they look at it."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.utils import timezone

from builds.models import Build, Project, Status
from codeservices.iam import secrets
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import User
from codeservices.notifications.models import Delivery, DeliveryState, Message, Receiver, Subscription, Topic
from codeservices.objects import services
from codeservices.objects.models import MultipartUpload
from codeservices.secretstore.models import Parameter, Secret
from codeservices.secretstore.parameters import writing as parameters
from codeservices.secretstore.secrets_manager import writing as stored_secrets
from codeservices.secretstore.secrets_manager.versions import Content
from repos.models import Repository, TriggerDelivery, TriggerDeliveryState
from repos.triggers import config as trigger_config
from repos.triggers.config import TriggerSettings
from tests import factories
from tests.builds import logged

TOKEN = "a" * 32
READ_ONLY = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
DOCUMENT = '{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}'
TRUST = (
    '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", '
    '"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}}'
)


def finished_build(project: Project, number: int = 1) -> Build:
    build = logged.running_build(
        project, number, status=Status.SUCCEEDED, ended_at=timezone.now(), is_log_complete=True, lease_expires_at=None
    )
    logged.artifact_of(build)
    return build


def told_trigger(repository: Repository, project: Project) -> TriggerDelivery:
    """A trigger of the project with a delivery that has ended, and one of an endpoint that has not confirmed."""
    for wanted in (
        TriggerSettings("ring", project.arn),
        TriggerSettings("hook", endpoint_url="https://8.8.8.8/", events=("deleteReference",)),
    ):
        trigger_config.add_trigger(factories.SERVICE, repository.name, wanted)
    return repository.trigger_deliveries.create(
        trigger_name="ring",
        destination_arn=project.arn,
        payload='{"Records":[{"codecommit":{"references":[]}}]}',
        state=TriggerDeliveryState.FAILED,
    )


def delivered_topic(name: str) -> Delivery:
    """A topic with an endpoint that was asked to confirm, once with the token “token”, and that got a message."""
    topic = Topic.objects.create(name=name)
    receiver, _ = Receiver.objects.get_or_create(origin="https://93.184.216.34:443")
    subscription = Subscription.objects.create(
        topic=topic,
        receiver=receiver,
        protocol="https",
        endpoint=f"https://93.184.216.34/{name}",
        token_hash=secrets.keyed_hash("token"),
        token_expires_at=timezone.now() + timedelta(days=1),
    )
    message = Message.objects.create(topic=topic, bodies={"default": "ding"})
    delivery = Delivery.objects.create(
        message=message, subscription=subscription, receiver=receiver, state=DeliveryState.FAILED, attempt_count=1
    )
    delivery.attempts.create(number=1, error="No answer came within 15 seconds.")
    return delivery


def kept_values(parameter_name: str, secret_name: str) -> tuple[Parameter, Secret]:
    """A parameter with one version, and a secret whose one version has the id “1111…”."""
    wanted = parameters.Wanted(parameter_name, "whispered", type="SecureString")
    secret, _ = stored_secrets.create_secret(factories.SERVICE, secret_name, Content(b"whispered"), version_id="1" * 32)
    return parameters.put_parameter(factories.SERVICE, wanted).parameter, secret


def filled_bucket(name: str, empty_name: str) -> MultipartUpload:
    """A bucket with an object and an upload that is under way, and an empty one."""
    services.ensure_bucket(empty_name)
    bucket = services.ensure_bucket(name)
    services.store(bucket, "a/note.txt", io.BytesIO(b"whispered"))
    return bucket.uploads.create(key="a/large", started_by=factories.SERVICE.arn)


# Tables that every request writes to, and columns that tell when something was last used: no change of the world.
PASSING_TABLES = (
    "audit.Event",
    "audit.ChainHead",
    "audit.OpenAct",
    "audit.SpoolOffset",
    "iam.ConsoleSession",
    "iam.SignInCounter",
    "auth.Permission",
    "contenttypes.ContentType",
)
PASSING_COLUMNS = ("last_login", "last_used_at", "last_used_service", "last_used_region")
_WRITE = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"(\w+)"')
_SET = re.compile(r'"(\w+)" = ')


class Writes:
    """Counts the statements that may have changed the world, so that reading all of it again can be spared.

    Between `rest` and `rewind`, which follows a rollback to the same place, what was there is not read again either.
    """

    def __init__(self) -> None:
        self.count = 0
        self.at_rest: State | None = None
        self._count_at_rest = 0
        self._passing = {one._meta.db_table for one in apps.get_models() if one._meta.label in PASSING_TABLES}

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.lstrip()[:6].upper().startswith(("SELECT", "SAVEPO", "RELEAS", "ROLLBA", "PRAGMA", "BEGIN")):
            table = _WRITE.match(sql)
            columns = _SET.findall(sql.partition(" WHERE ")[0])
            is_passing = table is not None and table[1] in self._passing
            if not is_passing and not (columns and set(columns) <= set(PASSING_COLUMNS)):
                self.count += 1
        return execute(sql, params, many, context)

    @property
    def is_at_rest(self) -> bool:
        return self.count == self._count_at_rest

    def rest(self) -> None:
        self._count_at_rest, self.at_rest = self.count, None

    def rewind(self) -> None:
        self.count = self._count_at_rest


class State(dict[str, list[Any]]):
    """All rows by table, and how many statements had been written by then."""

    writes: int


def _writes() -> Writes | None:
    return next((one for one in connection.execute_wrappers if isinstance(one, Writes)), None)


def state() -> State:
    """All rows, but for the audit trail, sessions and Django's own lists; when one was last seen is no change."""
    writes = _writes()
    if writes is not None and writes.is_at_rest and writes.at_rest is not None:
        return writes.at_rest
    found = State()
    for each in apps.get_models(include_auto_created=True):
        if each._meta.label not in PASSING_TABLES:
            names = [one.attname for one in each._meta.concrete_fields if one.attname not in PASSING_COLUMNS]
            found[each._meta.label] = list(each._base_manager.order_by("pk").values_list(*names))
    found.writes = writes.count if writes is not None else -1
    if writes is not None and writes.is_at_rest:
        writes.at_rest = found
    return found


def changed(before: State) -> list[str]:
    """The tables that are not as they were."""
    writes = _writes()
    if writes is not None and writes.count == before.writes:
        return []
    return [label for label, rows in state().items() if rows != before[label]]


def body(response: Any) -> str:
    return "" if response.streaming else response.content.decode()


def may(user: User, action: str) -> bool:
    """What the user's policies say of somebody else's things."""
    return is_allowed(user.principal, action, f"arn:aws:any:us-east-1:{settings.ACCOUNT_ID}:thing")


def is_refusal(text: str) -> bool:
    """Whether an API's answer says that policies don't allow it; SNS has a code of its own for that."""
    return "AccessDenied" in text or "<Code>AuthorizationError</Code>" in text


def denied_action(response: Any) -> str:
    """The action that a page says the person may not do, or nothing."""
    told = re.search(r"is not authorized to perform: (\S+) on resource", body(response))
    return told[1] if told and response.status_code == 403 else ""
