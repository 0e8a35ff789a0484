"""The event that a trigger sends, and which refs of a push it tells of."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from repos.git import refs
from repos.git.refs import RefCommand
from repos.triggers import events as trigger_events
from repos.triggers.events import Origin

NONE, ONE, TWO = "0" * 40, "1" * 40, "2" * 40
ORIGIN = Origin(
    region="us-east-1",
    repository_arn="arn:aws:codecommit:us-east-1:123456789012:demo",
    trigger_name="push",
    custom_data="",
    configuration_id="96765393-40e7-4f49-aed7-64c9ba599195",
    user_arn="arn:aws:iam::123456789012:user/alice",
    at=datetime(2021, 3, 23, 20, 42, 23, 131999, UTC),
)
PUSH = [
    RefCommand("refs/heads/main", ONE, TWO),
    RefCommand("refs/heads/new", NONE, TWO),
    RefCommand("refs/heads/old", ONE, NONE),
    RefCommand("refs/tags/v1", NONE, TWO),
    RefCommand("refs/notes/commits", NONE, TWO),
]


def test_the_event_has_the_members_that_codecommit_sends_in_its_order():
    told = trigger_events.references(PUSH[:2], ["all"], [])
    [text] = trigger_events.parts(ORIGIN, told)
    event_id = json.loads(text)["Records"][0]["eventId"]
    assert text == (
        '{"Records":[{"awsRegion":"us-east-1","codecommit":{"references":['
        f'{{"commit":"{TWO}","ref":"refs/heads/main"}},{{"commit":"{TWO}","created":true,"ref":"refs/heads/new"}}'
        f']}},"customData":null,"eventId":"{event_id}","eventName":"ReferenceChanges","eventPartNumber":1,'
        '"eventSource":"aws:codecommit","eventSourceARN":"arn:aws:codecommit:us-east-1:123456789012:demo",'
        '"eventTime":"2021-03-23T20:42:23.131+0000","eventTotalParts":1,'
        '"eventTriggerConfigId":"96765393-40e7-4f49-aed7-64c9ba599195","eventTriggerName":"push",'
        '"eventVersion":"1.0","userIdentityARN":"arn:aws:iam::123456789012:user/alice"}]}'
    )


def test_a_deleted_ref_tells_the_commit_that_it_had():
    told = trigger_events.references(PUSH, ["deleteReference"], [])
    assert told == [{"commit": ONE, "deleted": True, "ref": "refs/heads/old"}]


@pytest.mark.parametrize(
    ("events", "branches", "refnames"),
    [
        (["all"], [], ["heads/main", "heads/new", "heads/old", "tags/v1"]),
        (["createReference"], [], ["heads/new", "tags/v1"]),
        (["updateReference"], [], ["heads/main"]),
        (["createReference", "deleteReference"], [], ["heads/new", "heads/old", "tags/v1"]),
        (["all"], ["main", "v1"], ["heads/main"]),
        (["createReference"], ["main"], []),
        (["deleteReference"], ["old", "new"], ["heads/old"]),
    ],
)
def test_the_refs_told_are_those_that_match_the_events_and_the_branches(events, branches, refnames):
    told = trigger_events.references(PUSH, events, branches)
    assert [one["ref"].removeprefix("refs/") for one in told] == refnames


def test_a_large_event_comes_in_parts_that_fit_a_message_and_lose_nothing():
    told = [{"commit": ONE, "ref": f"refs/heads/{number:04d}-ä{'x' * 200}"} for number in range(4000)]
    texts = trigger_events.parts(ORIGIN, told)
    records = [json.loads(text)["Records"][0] for text in texts]
    assert len(texts) > 1 and all(len(text.encode()) <= 256 * 1024 for text in texts)
    assert [one["eventPartNumber"] for one in records] == list(range(1, len(texts) + 1))
    assert {(one["eventTotalParts"], one["eventId"]) for one in records} == {(len(texts), records[0]["eventId"])}
    assert [ref for text in texts for ref in trigger_events.references_of(text)] == told
    assert len(trigger_events.parts(ORIGIN, told, max_bytes=None)) == 1


def test_a_refname_that_is_no_utf_8_becomes_text():
    command = RefCommand(refs.decode(b"refs/heads/\xff"), NONE, ONE)
    [text] = trigger_events.parts(ORIGIN, trigger_events.references([command], ["all"], []))
    assert json.loads(text)["Records"][0]["codecommit"]["references"][0]["ref"] == r"refs/heads/\xff"


def test_a_subject_fits_a_message():
    assert trigger_events.subject("us-east-1", "demo") == "UPDATE: AWS CodeCommit us-east-1 push: demo"
    assert len(trigger_events.subject("us-east-1", "x" * 100)) == 100
