"""From the spool into the database: each act once, whatever ends in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid

import pytest
from django.conf import settings
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone

from codeservices.audit import drain, record, spool, trail, verify, writer
from codeservices.audit.acts import RequestInfo
from codeservices.audit.models import Event, OpenAct, Outcome, SpoolOffset
from codeservices.audit.record import act
from codeservices.errors import ServiceError
from codeservices.iam.authorize import authorize
from codeservices.iam.models import AccountPasswordPolicy, ConsoleSession
from tests import factories
from tests.fixtures.installation import wait_for
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)

REPOSITORY = "arn:aws:codecommit:us-east-1:123456789012:demo"


def info() -> RequestInfo:
    return RequestInfo(str(uuid.uuid4()), "192.0.2.7", "test", "api")


def change(name: str = "demo") -> None:
    with act(factories.SERVICE, info()) as current:
        authorize(factories.SERVICE, "codecommit:CreateRepository", REPOSITORY)
        current.parameters["repositoryName"] = name


def spooled() -> list[dict]:
    return [json.loads(line) for one in spool.segments(drain.spool_root()) for line in one.lines(0, 1 << 20)]


def test_an_act_is_in_the_trail_when_it_has_ended():
    change()
    event = Event.objects.get()
    assert (event.event_name, event.sequence, event.request_parameters) == (
        "CreateRepository",
        1,
        {"repositoryName": "demo"},
    )


def test_a_change_is_written_down_before_it_happens_and_a_read_is_not():
    with act(factories.SERVICE, info()):
        authorize(factories.SERVICE, "codecommit:GetRepository", REPOSITORY)
        assert spooled() == []
    with act(factories.SERVICE, info()):
        authorize(factories.SERVICE, "codecommit:ListRepositories", "*")
        authorize(factories.SERVICE, "codecommit:DeleteRepository", REPOSITORY)
        assert spooled()[-1]["kind"] == "begun"
        assert spooled()[-1]["event"]["event_name"] == "DeleteRepository"
    assert [event.event_name for event in Event.objects.order_by("sequence")] == ["GetRepository", "DeleteRepository"]


def test_draining_again_changes_nothing():
    change()
    before = list(Event.objects.values_list("event_id", "chain_hash"))
    assert drain.drain() == 0
    assert list(Event.objects.values_list("event_id", "chain_hash")) == before


def test_a_line_is_stored_once_though_its_place_in_the_file_was_lost():
    for _ in range(3):
        change()
    SpoolOffset.objects.all().delete()
    drain.drain()
    assert Event.objects.count() == 3
    assert verify.verify().count == 3


def test_a_file_whose_process_has_gone_is_drained_and_removed(monkeypatch):
    monkeypatch.setattr(drain, "soon", lambda: None)
    change()
    assert not Event.objects.exists()
    writer.forget()
    assert drain.drain() == 1
    assert list(drain.spool_root().iterdir()) == []
    assert not SpoolOffset.objects.exists()


def test_what_a_transaction_undoes_is_drained_again(monkeypatch):
    class Undone(Exception):
        pass

    original = SpoolOffset.save

    def fail(self, *args, **kwargs):
        original(self, *args, **kwargs)
        raise Undone

    monkeypatch.setattr(SpoolOffset, "save", fail)
    with pytest.raises(Undone):
        change()
    assert not Event.objects.exists()
    monkeypatch.undo()
    assert drain.drain() == 1


def test_an_event_that_no_database_takes_is_set_aside_and_holds_up_no_other(monkeypatch, caplog):
    monkeypatch.setattr(drain, "soon", lambda: None)
    change("one")
    writer.current().write("ended", {"event_id": "no uuid", "event_time": "never"})
    change("two")
    drain.drain()
    assert [event.request_parameters["repositoryName"] for event in Event.objects.order_by("pk")] == ["one", "two"]
    assert b"no uuid" in (settings.AUDIT_ROOT / "rejected.jsonl").read_bytes()
    assert "rejected.jsonl" in caplog.text


def test_hostile_text_is_kept_by_every_database():
    with act(factories.SERVICE, info(), event_name="Odd\0Name") as current:
        current.parameters = {"a\0": "x\0y", "half": "\ud800", "number": 1e22, "odd": float("nan"), "list": [0.5, -0.0]}
        current.additional["long"] = "x" * 100_000
    change()
    event = Event.objects.get(event_name="Odd\ufffdName")
    assert event.request_parameters["half"] == "\\ud800"
    assert verify.verify().count == 2


@pytest.mark.parametrize("kind", ["change", "read"])
def test_where_nothing_can_be_written_changes_are_refused_and_reads_are_logged(kind, caplog, monkeypatch):
    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    own = writer.current()
    monkeypatch.setattr(own.spool, "append", full)
    if kind == "change":
        with pytest.raises(ServiceError, match="nothing is changed without a record") as refused:
            change()
        assert (refused.value.status, refused.value.code) == (503, "ServiceUnavailableException")
    else:
        with act(factories.SERVICE, info()):
            authorize(factories.SERVICE, "codecommit:GetRepository", REPOSITORY)
    assert "No space left" in caplog.text
    assert own.failures
    monkeypatch.undo()
    change()  # and with it what could not be written before
    assert Event.objects.count() == 2


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("/sign-in/", {"username": "bob", "password": factories.PASSWORD}),
        ("/me/credentials/password", {"old_password": factories.PASSWORD, "new_password": "another one, quite long"}),
        ("/me/credentials/sessions", {"change": "others"}),
    ],
)
def test_what_needs_no_policy_is_not_done_without_a_record_either(bob, address, form, monkeypatch):
    client = Client() if address == "/sign-in/" else signed_in(bob)
    signed_in(bob)  # another session, to be ended
    AccountPasswordPolicy.objects.create(pk=1, allow_users_to_change_password=True)
    before = sorted(ConsoleSession.objects.values_list("session_key", flat=True))

    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer.current().spool, "append", full)
    answer = client.post(address, form)
    assert answer.status_code == 503 and "nothing is changed without a record" in answer.content.decode()
    monkeypatch.undo()
    assert sorted(ConsoleSession.objects.values_list("session_key", flat=True)) == before
    bob.refresh_from_db()
    assert bob.check_password(factories.PASSWORD)
    assert client.post(address, form).status_code == 302


def test_a_deferred_act_is_completed_once_by_those_who_know_how_it_ended():
    with pytest.raises(KeyboardInterrupt), act(factories.SERVICE, info(), event_name="GitPush") as current:
        current.is_read_only, current.is_deferred = False, True
        authorize(factories.SERVICE, "codecommit:GitPush", REPOSITORY)
        assert spooled() == []
        record.begin(current, is_deferred=True)
        monkey = record.record
        record.record = lambda ended: None  # the process is killed here
        try:
            raise KeyboardInterrupt
        finally:
            pass
    record.record = monkey
    writer.forget()
    drain.drain()
    assert not Event.objects.exists() and OpenAct.objects.count() == 1
    assert record.settle(current.event_id, error=None, additional={"recovered": True})
    assert not record.settle(current.event_id, error=None, additional={})
    event = Event.objects.get()
    assert (event.outcome, event.additional_event_data) == (Outcome.SUCCESS, {"recovered": True})
    assert not OpenAct.objects.exists()


def test_an_act_that_nobody_ends_for_days_is_told_as_such():
    writer.begin(
        {**members_of("GitPush"), "event_time": (timezone.now() - drain.OPEN_ACT_AGE * 2).isoformat()},
        is_deferred=True,
    )
    drain.drain()
    assert drain.end_forgotten_acts() == 1
    assert Event.objects.get().error_code == "ProcessEnded"


def members_of(name: str) -> dict:
    event = factories.event(event_name=name)
    members = {name: getattr(event, name) for name in ("event_name", "principal_kind", "outcome")}
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_event")
        cursor.execute("DELETE FROM audit_chainhead")
    trail.head_path().unlink(missing_ok=True)
    return {**members, "event_id": str(uuid.uuid4())}


def test_a_thread_drains_soon_and_all_when_it_is_stopped():
    drain.start()
    try:
        change()
        wait_for(Event.objects.exists, what="the event in the database")
        assert Event.objects.count() == 1
        for _ in range(20):
            change()
    finally:
        writer.close()
    assert Event.objects.count() == 21
    assert list(drain.spool_root().iterdir()) == []


def test_the_thread_goes_on_after_a_failure(monkeypatch):
    monkeypatch.setattr(drain, "RETRY_SECONDS", 0.05)
    failures = [DatabaseError("gone"), OSError("full")]
    original = drain.drain

    def sometimes() -> int:
        if failures:
            raise failures.pop()
        return original()

    monkeypatch.setattr(drain, "drain", sometimes)
    drain.start()
    try:
        change()
        wait_for(Event.objects.exists, what="the event in the database")
    finally:
        writer.close()
    assert Event.objects.count() == 1


# ---- processes that are killed ---------------------------------------------------------------------------------------

WRITE = """
import sys, uuid
import django; django.setup()
from django.conf import settings
from pathlib import Path
name, database = sys.argv[1:3]
settings.DATABASES["default"]["NAME"] = database
from codeservices.audit import drain
from codeservices.audit.acts import RequestInfo
from codeservices.audit.record import act
from codeservices.iam.authorize import authorize
from tests import factories
drain.start()
number = 0
while True:
    info = RequestInfo(f"{name}-{number}", "192.0.2.7", "test", "api")
    with act(factories.SERVICE, info):
        authorize(factories.SERVICE, "codecommit:CreateRepository", "arn:aws:codecommit:us-east-1:123456789012:demo")
        print("doing", number, flush=True)
    print("done", number, flush=True)
    number += 1
"""


def writing(name: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "CODESERVICES_TEST_VAR": str(settings.VAR),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": str(settings.BASE_DIR),
    }
    database = str(connection.settings_dict["NAME"])
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, name, database], stdout=subprocess.PIPE, text=True, env=environment
    )


def test_two_processes_that_are_killed_leave_each_acknowledged_act_once():
    processes = {name: writing(name) for name in ("one", "two")}
    told: dict[str, list[str]] = {}
    for name, one in processes.items():
        assert one.stdout is not None
        told[name] = [one.stdout.readline() for _ in range(400)]
    for name, one in processes.items():
        one.kill()
        whole, _, _ = one.communicate()[0].rpartition("\n")  # the kill may cut the last line short
        told[name] += whole.splitlines()
    drain.drain()
    stored = list(Event.objects.values_list("request_id", "error_code"))
    assert len({request for request, _ in stored}) == len(stored)
    for name, lines in told.items():
        last_done = max(int(line.split()[1]) for line in lines if line.startswith("done"))
        last_begun = max(int(line.split()[1]) for line in lines if line.startswith("doing"))
        ends = {request: code for request, code in stored if request.startswith(f"{name}-")}
        for number in range(last_done + 1):
            assert ends[f"{name}-{number}"] == ""
        # What was under way is there as well, and says that its end is not known.
        for number in range(last_done + 1, last_begun + 1):
            assert ends[f"{name}-{number}"] in ("", "ProcessEnded")
        assert last_begun + 1 <= len(ends) <= last_begun + 2
    assert list(drain.spool_root().iterdir()) == []
    assert verify.verify().fault is None
