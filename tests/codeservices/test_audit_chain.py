"""The hash chain: whatever is done to the rows is told, and retention breaks nothing."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from codeservices.audit import chain, drain, health, retention, trail, verify
from codeservices.audit.models import AppendOnly, ChainHead, Checkpoint, Event, Trail
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def events(count: int = 5) -> None:
    for number in range(count):
        factories.event(event_name=f"Event{number + 1}", request_parameters={"n": number, "deep": [1.0, {"a": "ä"}]})


def sql(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def fault() -> tuple[int, str]:
    found = verify.verify().fault
    assert found is not None
    return found.sequence, found.kind


def test_a_trail_that_nobody_touched_is_sound():
    assert verify.verify().sentence == "0 events: the audit trail is empty."
    events()
    assert verify.verify().sentence == "5 events are sound, from 1 to 5."
    assert verify.verify(first=3).sentence == "3 events are sound, from 3 to 5."
    assert verify.verify(newest=2).sentence == "2 events are sound, from 4 to 5."
    for first in (0, 6, -1):
        with pytest.raises(verify.Unknown, match="holds the events 1 to 5"):
            verify.verify(first=first)


@pytest.mark.parametrize(
    "change",
    [
        "principal_name = 'mallory'",
        "outcome = 'Denied'",
        "event_time = '2017-01-01 00:00:00+00:00'",
        "request_parameters = '{\"n\": 9}'",
        "request_parameters = NULL",
        "is_notable = NOT is_notable",
        "chain_hash = 'x'",
    ],
)
def test_a_changed_event_is_found(change):
    events()
    sql(f"UPDATE audit_event SET {change} WHERE sequence = 3")
    assert fault() == (3, "changed")


def test_a_removed_event_is_found():
    events()
    sql("DELETE FROM audit_event WHERE sequence = 3")
    assert fault() == (3, "missing")


def test_a_removed_event_is_found_though_the_others_close_the_gap():
    events()
    sql("DELETE FROM audit_event WHERE sequence = 3")
    sql("UPDATE audit_event SET sequence = 3 WHERE sequence = 4")
    sql("UPDATE audit_event SET sequence = 4 WHERE sequence = 5")
    sql("UPDATE audit_chainhead SET sequence = 4")
    assert fault() == (3, "changed")


def test_the_removed_beginning_is_found():
    events()
    sql("DELETE FROM audit_event WHERE sequence < 3")
    assert fault() == (1, "missing")
    before = trail.rows().get(sequence=3).chain_hash
    Checkpoint.objects.create(sequence=2, chain_hash=before, mac="0" * 64)
    assert fault() == (2, "changed")


def test_a_trail_whose_end_was_cut_off_is_found_though_its_head_was_set_back():
    events()
    cut = trail.rows().get(sequence=3).chain_hash
    sql("DELETE FROM audit_event WHERE sequence > 3")
    assert fault() == (4, "missing")
    sql("UPDATE audit_chainhead SET sequence = 3, chain_hash = %s", cut)
    assert fault() == (4, "missing")
    assert "ends at event 3; head.json knows 5" in str(health.check_trail())
    # Events that are written later do not cover it up.
    events()
    assert fault() == (5, "head")
    with pytest.raises(CommandError, match="broken at event 5"):
        call_command("verify_audit_trail")
    # After a restore of the database it is an administrator who says so, and that is an event.
    out = io.StringIO()
    call_command("verify_audit_trail", accept_head=True, stdout=out)
    assert out.getvalue() == "9 events are sound, from 1 to 9.\n"
    assert Event.objects.get(event_name="AcceptTrailHead").request_parameters == {"sequence": 8}


COLUMNS = (
    "event_id, event_time, event_source, event_name, event_type, is_read_only, principal_kind, principal_arn,"
    " principal_id, principal_name, access_key_id, source_ip, user_agent, via, request_id, action, resource_arn,"
    " outcome, error_code, error_message"
)


@pytest.mark.parametrize("place", ["6", "0", "-3", "NULL"])
def test_an_added_event_is_found(place):
    events()
    ChainHead.objects.update(created_at=timezone.now() - trail.ADOPTION * 2)
    copied = COLUMNS.replace("event_id", "'11111111222233334444555555555555'", 1)
    if connection.vendor == "postgresql":
        copied = copied.replace("'11111111222233334444555555555555'", "'11111111222233334444555555555555'::uuid")
    sql(f"INSERT INTO audit_event (sequence, {COLUMNS}) SELECT {place}, {copied} FROM audit_event WHERE sequence = 2")
    assert fault() == (0 if place == "NULL" else int(place), "added")


def test_what_code_from_before_the_chain_writes_during_an_upgrade_is_chained():
    events(2)
    sql("UPDATE audit_event SET sequence = NULL, chain_hash = ''")
    ChainHead.objects.update(sequence=0, chain_hash=chain.GENESIS, created_at=timezone.now())
    trail.head_path().unlink()
    events(1)
    assert verify.verify().sentence == "3 events are sound, from 1 to 3."


def test_the_hash_depends_on_the_master_key(settings):
    events()
    settings.MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    assert fault() == (1, "changed")


def test_the_head_is_kept_beside_the_database():
    events()
    head = ChainHead.objects.get()
    assert json.loads(trail.head_path().read_text()) == {"sequence": 5, "chain_hash": head.chain_hash}
    trail.head_path().write_text("{")
    assert fault() == (0, "head")


def test_the_model_refuses_every_change():
    events(1)
    event = Event.objects.get()
    changes = [
        event.save,
        event.delete,
        Event.objects.all().delete,
        lambda: Event.objects.update(outcome="Denied"),
        lambda: Event.objects.create(event_name="x"),
        lambda: Event.objects.bulk_create([Event()]),
        lambda: Event.objects.get_or_create(event_name="x"),
    ]
    for one in changes:
        with pytest.raises(AppendOnly, match="append-only"):
            one()


# ---- retention -------------------------------------------------------------------------------------------------------


def old(count: int) -> None:
    for _ in range(count):
        factories.event(event_time=timezone.now() - timedelta(days=40))


def test_pruning_leaves_a_chain_that_holds():
    old(3)
    events(2)
    call_command("prune_audit_trail", days=30, stdout=(out := io.StringIO()))
    assert out.getvalue() == "Removed 3 events.\n"
    assert verify.verify().sentence == "3 events are sound, from 4 to 6."
    told = Event.objects.get(event_name="PruneEvents")
    assert told.additional_event_data == {"removedEvents": 3, "lastRemovedSequence": 3}
    sql("DELETE FROM audit_event WHERE sequence = 4")
    assert fault() == (4, "missing")


def test_pruning_stops_at_the_first_event_that_is_kept(monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    old(3)
    events(1)
    old(2)
    assert retention.prune(30) == 3
    assert retention.prune(30) == 0
    assert Checkpoint.objects.get().sequence == 3


def test_a_logging_trail_gets_its_events_before_they_go():
    old(3)
    waiting = Trail.objects.create(name="audit", s3_bucket_name="logs", is_logging=True, delivered_sequence=1)
    assert retention.prune(30) == 1
    waiting.is_logging, waiting.until_sequence = False, 2
    waiting.save()
    assert retention.prune(30) == 0
    waiting.delivered_sequence = 2
    waiting.save()
    assert retention.prune(30) == 2


def test_pruning_needs_days():
    with pytest.raises(CommandError, match="1 or more, not 0"):
        call_command("prune_audit_trail", days=0)


def test_verifying_drains_first(monkeypatch):
    monkeypatch.setattr(drain, "soon", lambda: None)
    call_command("verify_audit_trail", accept_head=True, stdout=io.StringIO())
    assert verify.verify().count == 1
