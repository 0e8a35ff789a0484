from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import AsyncClient

from codeservices.audit.models import Event, Outcome
from tests import factories
from tests.factories import allow
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db

NOON = datetime(2017, 3, 20, 12, 0, tzinfo=UTC)


def event(name: str, **fields) -> Event:
    values = {
        "event_name": name,
        "action": f"codecommit:{name}",
        "resource_arn": "arn:aws:codecommit:us-east-1:123456789012:demo",
        "event_time": NOON,
    }
    return factories.event(**{**values, **fields})


def names(client, **query) -> list[str]:
    response = client.get("/audit/", query)
    assert response.status_code == 200
    return [one.event_name for one in response.context["events"]]


@pytest.fixture
def auditor(db):
    return signed_in(factories.user("auditor", document=allow("cloudtrail:LookupEvents")))


def test_events_are_listed_newest_first_with_who_what_and_outcome(auditor):
    event("GitPush")
    event("DeleteBranch", event_time=NOON + timedelta(minutes=1), outcome=Outcome.DENIED)
    html = auditor.get("/audit/").content.decode()
    assert html.index("DeleteBranch") < html.index("GitPush")
    assert "erin" in html
    assert "Denied" in html


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"who": "ERIN"}, {"GitPush", "DeleteBranch"}),
        ({"who": "AKIAFRANK", "kind": "all"}, {"GitPull"}),
        ({"what": "delete"}, {"DeleteBranch"}),
        ({"resource": "other"}, {"StartBuild"}),
        ({"outcome": "Denied"}, {"DeleteBranch"}),
        ({"kind": "read"}, {"GitPull"}),
        ({"kind": "all"}, {"GitPush", "DeleteBranch", "GitPull", "StartBuild"}),
        ({"since": "2017-03-21"}, {"StartBuild"}),
        ({"until": "2017-03-20"}, {"GitPush", "DeleteBranch"}),
        ({"since": "2017-03-20", "until": "2017-03-20", "what": "push"}, {"GitPush"}),
    ],
)
def test_each_filter_finds_what_it_says(auditor, query, found):
    event("GitPush")
    event("DeleteBranch", outcome=Outcome.DENIED)
    event("GitPull", is_read_only=True, principal_name="frank", principal_arn="f", access_key_id="AKIAFRANK")
    later = NOON + timedelta(days=1)
    event("StartBuild", principal_name="f", principal_arn="f", resource_arn="other", event_time=later)
    query = {"until": "2017-12-31"} | query  # leaves out the lookups of this test itself
    assert set(names(auditor, **query)) == found


def test_reads_that_succeeded_are_left_out_unless_asked_for_and_the_page_says_so(auditor):
    event("GitPull", is_read_only=True)
    event("GetBlob", is_read_only=True, outcome=Outcome.DENIED)
    assert names(auditor) == ["GetBlob"]
    assert "Reads that succeeded are left out" in auditor.get("/audit/").content.decode()


def test_pages_follow_a_cursor_and_miss_and_repeat_nothing(auditor):
    for number in range(120):
        event(f"Push{number:03}", event_time=NOON + timedelta(seconds=number // 7))
    seen: list[str] = []
    query = {"who": "erin"}
    while True:
        context = auditor.get("/audit/", query).context
        seen += [one.event_name for one in context["events"]]
        if not context["older"]:
            break
        query["before"] = context["older"]
    assert len(seen) == 120
    assert sorted(seen, reverse=True) == seen


@pytest.mark.parametrize("query", [{"before": "nonsense"}, {"before": "2017-03-20_1"}, {"since": "yesterday"}])
def test_a_bad_filter_or_cursor_is_refused(auditor, query):
    assert auditor.get("/audit/", query).status_code == 400


def test_one_event_shows_its_raw_record(auditor):
    made = event("GitPush", request_parameters={"note": "<b>bold</b>"})
    html = auditor.get(f"/audit/{made.event_id}/").content.decode()
    assert str(made.event_id) in html
    assert "&quot;eventVersion&quot;" in html
    assert "<b>bold</b>" not in html


def test_the_csv_holds_what_the_filter_finds_and_no_formula(auditor):
    event("GitPush", principal_name="=HYPERLINK(1)")
    event("GitPull", is_read_only=True)
    response = auditor.get("/audit/export", {"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert [row["eventName"] for row in rows] == ["GitPush"]
    assert rows[0]["userName"] == "'=HYPERLINK(1)"
    assert response["Content-Disposition"].startswith('attachment; filename="audit-')


def test_json_lines_are_cloudtrail_records(auditor):
    for _ in range(3):
        event("GitPush")
    response = auditor.get("/audit/export", {"format": "jsonl", "who": "erin"})
    records = [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]
    assert [record["eventName"] for record in records] == ["GitPush"] * 3
    assert records[0]["userIdentity"]["userName"] == "erin"


@pytest.mark.django_db(transaction=True)
def test_an_export_is_streamed_under_asgi_too():
    from codeservices.iam.managed_policies import install

    install()
    user = factories.user("auditor", document=allow("cloudtrail:LookupEvents"))
    event("GitPush")
    client = AsyncClient()
    client.force_login(user, backend="codeservices.iam.backends.SessionBackend")

    async def read() -> bytes:
        response = await client.get("/audit/export", {"format": "jsonl"})
        return b"".join([part async for part in response])

    assert json.loads(asyncio.run(read()))["eventName"] == "GitPush"


@pytest.mark.parametrize("address", ["/audit/", "/audit/export"])
def test_the_trail_is_for_those_who_may_look_up_events(carol_client, bob_client, client, address):
    for other in (carol_client, bob_client):
        response = other.get(address)
        assert response.status_code == 403
        assert "cloudtrail:LookupEvents" in response.content.decode()
    assert client.get(address)["Location"].startswith("/sign-in/")


def test_missing_events_and_wrong_methods(auditor):
    assert auditor.get("/audit/11111111-2222-3333-4444-555555555555/").status_code == 404
    assert auditor.post("/audit/").status_code == 405
    assert auditor.post("/audit/export").status_code == 405


def test_an_empty_trail_says_what_it_is(auditor):
    assert "Every act in the console" in auditor.get("/audit/", {"who": "nobody"}).content.decode()
