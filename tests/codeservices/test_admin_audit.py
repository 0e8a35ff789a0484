"""The audit trail in the admin panel: for those who may look events up, found by what an index answers."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from codeservices.audit.models import ChainHead, Checkpoint, Event, Outcome, Trail
from tests import factories
from tests.codeservices.behind_doors import body, denied_action
from tests.codeservices.panel import operator, place
from tests.codeservices.worlds import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

LOOK_UP = "cloudtrail:LookupEvents"


def test_whoever_may_not_look_events_up_sees_none(world: World):
    client = operator("iam:*", "cloudtrail:GetTrail")
    event = Event.objects.get(event_name="Made")
    pages = [place(Event), place(Event, "change", event.pk), place(Event, "history", event.pk), place(ChainHead)]
    for path in [*pages, place(Checkpoint), f"{place(Event)}?q=Made"]:
        answer = client.get(path)
        assert denied_action(answer) == LOOK_UP and "Made" not in body(answer), path
    index = body(client.get("/admin/"))
    assert place(Event) not in index and place(Trail) not in index
    assert denied_action(client.get(place(Trail))) == "cloudtrail:DescribeTrails"


def test_whoever_may_look_events_up_reads_them_and_changes_nothing(world: World):
    client = operator(LOOK_UP, "cloudtrail:DescribeTrails")
    event = Event.objects.get(event_name="Made")
    assert "Made" in body(client.get(place(Event)))
    page = body(client.get(place(Event, "change", event.pk)))
    assert "&quot;eventName&quot;: &quot;Made&quot;" in page and 'name="_save"' not in page
    before = Event.objects.values().get(pk=event.pk)
    for row in (event, ChainHead.objects.get()):
        assert client.post(place(type(row), "change", row.pk), {"event_name": "Forged"}).status_code == 403
        assert client.post(place(type(row), "delete", row.pk), {"post": "yes"}).status_code == 403
        assert client.post(place(type(row), "add"), {"event_name": "Forged"}).status_code == 403
    client.post(place(Event), {"action": "delete_selected", "_selected_action": [event.pk], "post": "yes"})
    assert Event.objects.values().get(pk=event.pk) == before
    trail = Trail.objects.get()
    assert "main" in body(client.get(place(Trail)))
    assert denied_action(client.get(place(Trail, "change", trail.pk))) == "cloudtrail:GetTrail"


def test_what_has_just_happened_is_in_the_list(alice_client: Client):
    alice_client.get("/iam/groups/")
    assert "ListGroups" in body(alice_client.get(place(Event)))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("erin", {"GitPush", "GitPull"}),
        ("push", {"GitPush"}),
        ("hush", {"GitPull"}),
        ("arn:aws:codecommit:us-east-1:123456789012:hush", {"GitPull"}),
        ("AKIAIOSFODNN7EXAMPLE", {"GitPush"}),
        ("99999999-2222-3333-4444-555555555555", {"GitPull"}),
        ("us-east-1:123456789012:hus", set()),
        ("nothing of the kind", set()),
    ],
)
def test_events_are_found_by_what_they_are_about(alice_client: Client, text: str, names: set[str]):
    factories.event(event_name="GitPush", access_key_id="AKIAIOSFODNN7EXAMPLE")
    factories.event(
        event_name="GitPull",
        resource_arn="arn:aws:codecommit:us-east-1:123456789012:hush",
        request_id="99999999-2222-3333-4444-555555555555",
    )
    rows = alice_client.get(place(Event), {"q": text}).context["cl"].result_list
    assert {row.event_name for row in rows} == names


def test_an_event_is_found_by_its_id_and_by_outcome_and_time(alice_client: Client):
    wanted = factories.event(outcome=Outcome.DENIED, event_name="GitPush")
    factories.event(event_name="GitPull")

    def found(**chosen: Any) -> list[Event]:
        return list(alice_client.get(place(Event), chosen).context["cl"].result_list)

    assert found(q=str(wanted.event_id)) == [wanted]
    assert found(outcome__exact="Denied", within="hour") == [wanted]
    assert wanted in found(within="month", kind="notable") and wanted in found(kind="write")
    assert wanted not in found(kind="read")


def test_the_list_and_its_search_sort_and_count_no_more_than_the_pages_show(alice_client: Client):
    for _ in range(60):
        factories.event()
    with CaptureQueriesContext(connection) as asked:
        assert alice_client.get(place(Event), {"q": "erin", "o": "7"}).context["cl"].result_count == 60
    assert len(asked) < 40
    statements = [one["sql"] for one in asked if 'FROM "audit_event"' in one["sql"]]
    assert not [one for one in statements if 'ORDER BY "audit_event"."source_ip"' in one or "django_datetime" in one]
    counts = [one for one in statements if "COUNT(" in one]
    assert counts and all("LIMIT 10000" in one for one in counts)
