"""CloudWatch Logs' operations over builds' logs, as boto3 calls them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from builds.logs import events, filter_pattern, groups
from builds.logs.access import line_count
from builds.logs.filter_pattern import Filter
from builds.models import Build
from codeservices.iam import credentials
from tests import factories
from tests.builds import logged
from tests.fixtures.installation import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]

GROUP = "/aws/codebuild/demo"


def client_of(origin: str, user: Any) -> Any:
    key, secret = credentials.issue_access_key(user)
    return boto3.client(
        "logs",
        endpoint_url=origin,
        region_name="us-east-1",
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 0}),
    )


@pytest.fixture
def project(live_server_url, alice):
    factories.repository("demo")
    return factories.project("demo")


@pytest.fixture
def logs(live_server_url, alice) -> Any:
    return client_of(live_server_url, alice)


def log_at(project: Any, texts: list[tuple[float, str]], number: int = 1) -> Build:
    """A finished build whose lines came so many seconds after the first of June."""
    from builds.logs.writer import LogWriter
    from builds.reporter import chunk_putter

    build = logged.running_build(project, number, started_at=moment(texts[0][0] - 1) if texts else moment(0))
    now = [0.0]
    writer = LogWriter(str(build.uuid), logged_redis(), chunk_putter(build), clock=lambda: now[0])
    for seconds, text in texts:
        now[0] = moment(seconds).timestamp()
        writer.write(f"{text}\n".encode())
    logged.end(build, writer)
    Build.objects.filter(pk=build.pk).update(ended_at=moment(texts[-1][0] + 1) if texts else moment(1))
    return build


def logged_redis() -> Any:
    import redis
    from django.conf import settings

    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=60, socket_connect_timeout=60)


def moment(seconds: float) -> datetime:
    return datetime(2026, 6, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def ms(seconds: float) -> int:
    return int(moment(seconds).timestamp() * 1000)


@contextlib.contextmanager
def refused(code: str, sentence: str) -> Iterator[None]:
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code and sentence in error["Message"], error


# ---- groups and streams ----------------------------------------------------------------------------------------------


def test_a_project_with_builds_is_a_group_and_each_build_a_stream(logs, project):
    first = log_at(project, [(10, "one"), (20, "two")])
    second = log_at(project, [(30, "three")], number=2)
    queued = logged.running_build(project, 3, current_phase="QUEUED")
    group = logs.describe_log_groups()["logGroups"][0]
    assert group["logGroupName"] == GROUP and group["storedBytes"] == 14
    assert group["arn"] == f"{group['logGroupArn']}:*" and group["logGroupArn"].endswith(f":log-group:{GROUP}")
    assert group["creationTime"] == ms(9)
    streams = logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", descending=True)["logStreams"]
    assert [one["logStreamName"] for one in streams] == [str(second.uuid), str(first.uuid)]
    assert (streams[1]["firstEventTimestamp"], streams[1]["lastEventTimestamp"]) == (ms(10), ms(20))
    assert streams[1]["arn"] == groups.log_arn(first)
    assert str(queued.uuid) not in {one["logStreamName"] for one in streams}
    by_identifier = logs.describe_log_streams(logGroupIdentifier=group["logGroupArn"])["logStreams"]
    assert [one["logStreamName"] for one in by_identifier] == sorted(one["logStreamName"] for one in streams)
    assert logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"] == {}


def test_lists_are_paged(logs, project):
    for number in range(5):
        log_at(project, [(number, "x")], number + 1)
        factories.project(f"other-{number}")
        log_at(factories.project(f"p{number}"), [(number, "x")])
    pages = list(logs.get_paginator("describe_log_groups").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["logGroups"]) for page in pages] == [2, 2, 2]
    assert len(logs.describe_log_groups(logGroupNamePrefix="/aws/codebuild/p")["logGroups"]) == 5
    assert len(logs.describe_log_groups(logGroupNamePattern="emo")["logGroups"]) == 1
    for options in ({}, {"orderBy": "LastEventTime"}, {"orderBy": "LastEventTime", "descending": True}):
        paginator = logs.get_paginator("describe_log_streams")
        pages = list(paginator.paginate(logGroupName=GROUP, PaginationConfig={"PageSize": 2}, **options))
        assert [len(page["logStreams"]) for page in pages] == [2, 2, 1]
        assert len({one["logStreamName"] for page in pages for one in page["logStreams"]}) == 5


# ---- one stream ------------------------------------------------------------------------------------------------------


def forward(logs: Any, stream: str, **options: Any) -> list[str]:
    """All messages as a client reads them: until the token comes back as it was sent."""
    messages: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True, **options, **token)
        messages += [event["message"] for event in answer["events"]]
        if token.get("nextToken") == answer["nextForwardToken"]:
            return messages
        token = {"nextToken": answer["nextForwardToken"]}


def backward(logs: Any, stream: str, **options: Any) -> list[str]:
    messages: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, **options, **token)
        messages = [event["message"] for event in answer["events"]] + messages
        if token.get("nextToken") == answer["nextBackwardToken"]:
            return messages
        token = {"nextToken": answer["nextBackwardToken"]}


def test_a_stream_is_read_in_pages_either_way_until_the_token_comes_back(logs, project):
    stream = str(log_at(project, [(number, f"line {number}") for number in range(25)]).uuid)
    wanted = [f"line {number}\n" for number in range(25)]
    assert forward(logs, stream, limit=4) == backward(logs, stream, limit=7) == wanted
    newest = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, limit=3)
    assert [event["message"] for event in newest["events"]] == wanted[22:]
    again = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, nextToken=newest["nextForwardToken"])
    assert again["events"] == [] and again["nextForwardToken"] == newest["nextForwardToken"]
    assert newest["events"][0] == {"timestamp": ms(22), "message": wanted[22], "ingestionTime": ms(22)}


def test_times_bound_a_stream_the_end_left_out(logs, project):
    stream = str(log_at(project, [(number // 2, f"line {number}") for number in range(20)]).uuid)
    wanted = [f"line {number}\n" for number in range(6, 14)]
    assert forward(logs, stream, startTime=ms(3), endTime=ms(7), limit=3) == wanted
    assert backward(logs, stream, startTime=ms(3), endTime=ms(7), limit=3) == wanted
    assert forward(logs, stream, startTime=ms(100)) == forward(logs, stream, endTime=ms(0)) == []
    assert len(forward(logs, stream, startTime=ms(9))) == 2


def test_an_answer_holds_a_mebibyte_at_most_and_at_least_one_event(logs, project):
    stream = str(log_at(project, [(number, "x" * 60_000) for number in range(40)]).uuid)
    page = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)
    assert len(page["events"]) == 17
    newest = logs.get_log_events(logGroupName=GROUP, logStreamName=stream)
    assert len(newest["events"]) == 17 and newest["events"][-1]["timestamp"] == ms(39)
    assert len(forward(logs, stream)) == len(backward(logs, stream)) == 40


def test_a_running_stream_goes_on_where_its_token_stood(logs, project):
    build = logged.running_build(project)
    writer = logged.writer_of(build)
    seen: list[str] = []
    token: dict[str, str] = {}
    for first in range(0, 3000, 500):
        writer.write("".join(f"line {number}\n" for number in range(first, first + 500)).encode())
        wait_for_lines(build, first + 500)
        while True:
            answer = logs.get_log_events(
                logGroupName=GROUP, logStreamName=str(build.uuid), startFromHead=True, limit=170, **token
            )
            seen += [event["message"] for event in answer["events"]]
            token = {"nextToken": answer["nextForwardToken"]}
            if not answer["events"]:
                break
    assert seen == [f"line {number}\n" for number in range(3000)]
    logged.end(build, writer)


def wait_for_lines(build: Build, count: int) -> None:
    wait_for(lambda: line_count(build) >= count, what=f"{count} lines")


# ---- a filter over many ----------------------------------------------------------------------------------------------


def filtered(logs: Any, **options: Any) -> list[dict[str, Any]]:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, **options)
    return [event for page in pages for event in page["events"]]


def test_streams_are_interleaved_by_time_and_every_page_goes_on_where_the_last_ended(logs, project):
    chance = random.Random(4)
    written: list[tuple[int, int, str]] = []
    for number in range(1, 5):
        second = chance.randint(0, 20)
        texts = []
        for line in range(30):
            second += chance.choice([0, 0, 1, 3])
            texts.append((float(second), f"build {number} line {line}"))
        build = log_at(project, texts, number)
        written += [(ms(seconds), build.pk, f"{text}\n") for seconds, text in texts]
    wanted = [text for _, _, text in sorted(written, key=lambda one: one[:2])]
    for size in (7, 1000):
        found = filtered(logs, interleaved=True, PaginationConfig={"PageSize": size})
        assert [event["message"] for event in found] == wanted
        newest_first = filtered(logs, startFromHead=False, PaginationConfig={"PageSize": size})
        assert newest_first == found[::-1]
        assert len({event["eventId"] for event in found}) == len(found) and found[0]["eventId"].isdecimal()
    between = filtered(logs, startTime=ms(15), endTime=ms(30), PaginationConfig={"PageSize": 5})
    back = filtered(logs, startTime=ms(15), endTime=ms(30), startFromHead=False, PaginationConfig={"PageSize": 5})
    assert back == between[::-1]
    assert [event["message"] for event in between] == [
        text for time, _, text in sorted(written, key=lambda one: one[:2]) if ms(15) <= time <= ms(30)
    ]


def test_a_pattern_and_names_choose_events(logs, project):
    first = log_at(project, [(1, "ERROR a"), (2, "fine"), (3, "ERROR b")])
    second = log_at(project, [(2, "ERROR c"), (4, "fine")], number=2)
    assert [event["message"] for event in filtered(logs, filterPattern="ERROR")] == [
        "ERROR a\n",
        "ERROR c\n",
        "ERROR b\n",
    ]
    assert [event["message"] for event in filtered(logs, filterPattern="ERROR -c", startTime=ms(2))] == ["ERROR b\n"]
    one = filtered(logs, logStreamNames=[str(second.uuid)])
    assert {event["logStreamName"] for event in one} == {str(second.uuid)} and len(one) == 2
    assert len(filtered(logs, logStreamNamePrefix=str(first.uuid)[:20])) == 3
    assert len(filtered(logs, filterPattern="%E[R]+OR [ab]%", limit=1, PaginationConfig={"PageSize": 1})) == 2


def test_a_filter_that_runs_out_of_time_says_where_to_go_on(logs, project, monkeypatch):
    log_at(project, [(number, "x" * 1000) for number in range(10)] + [(300, "needle")])
    monkeypatch.setattr(events, "SCAN_SECONDS", -1)
    pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, filterPattern="-x"))
    assert len(pages) > 5
    assert [event["message"] for page in pages for event in page["events"]] == ["needle\n"]


def test_the_newest_of_a_log_of_many_chunks_are_found_first(project):
    build = log_at(project, [(number // 7, f"line {number}") for number in range(9_000)])
    wanted = filter_pattern.parse("line -5")
    oldest_first, token = events.filter_events([build], wanted)
    assert token is None
    newest_first: list[events.Event] = []
    page, token = events.filter_events([build], wanted, is_from_head=False, limit=1_000)
    while token is not None:
        newest_first += page
        page, token = events.filter_events([build], wanted, limit=1_000, token=token)
    assert newest_first + page == oldest_first[::-1]


def test_a_filter_looks_at_the_clock_between_pieces_of_a_log_where_nothing_is_wanted(project, monkeypatch):
    """A chunk of 256 KiB takes the worst pattern three seconds, and a log has a thousand."""
    build = log_at(project, [(number, "x" * 5000) for number in range(40)])
    monkeypatch.setattr(events, "SCAN_SECONDS", -1)
    found, token = events.filter_events([build], filter_pattern.parse("%[y]%"))
    assert found == [] and token is not None and int(token.rpartition("-")[2]) < 5
    found, token = events.filter_events([build], filter_pattern.parse("%[y]%"), token=token)
    assert found == [] and token is not None and 2 < int(token.rpartition("-")[2]) < 8
    found, token = events.filter_events([build], filter_pattern.parse("%[y]%"), is_from_head=False)
    assert found == [] and token is not None and token.startswith("b-") and 34 < int(token.rpartition("-")[2]) < 40
    found, token = events.filter_events([build], filter_pattern.parse("%[y]%"), token=token)
    assert found == [] and token is not None and token.startswith("b-") and 30 < int(token.rpartition("-")[2]) < 37


def test_logs_of_builds_outside_the_time_that_is_asked_for_are_not_opened(project, monkeypatch):
    for number in range(1, 6):
        log_at(project, [(number * 1000, "one"), (number * 1000 + 1, "two")], number)
    builds = list(Build.objects.order_by("pk").only(*events.FIELDS))
    opened: list[int] = []
    real = events.reader_of
    monkeypatch.setattr(events, "reader_of", lambda pk, uuid: opened.append(pk) or real(pk, uuid))
    found, token = events.filter_events(builds, Filter(), start_ms=ms(3000), end_ms=ms(3001))
    assert ([event.message for event in found], token) == (["one\n", "two\n"], None)
    assert opened == [builds[2].pk]
    opened.clear()
    found, token = events.filter_events(builds, Filter(), start_ms=ms(3000), is_from_head=False, limit=3)
    assert [event.line.time_ms for event in found] == [ms(5001), ms(5000), ms(4001)] and token is not None
    assert opened == [builds[4].pk, builds[3].pk]


def test_of_several_running_builds_lines_of_the_last_moment_wait_for_each_other(project):
    builds = [logged.running_build(project, number) for number in (1, 2)]
    writers = [logged.writer_of(build) for build in builds]
    for writer, build in zip(writers, builds, strict=True):
        writer.write(b"hello\n")
        wait_for_lines(build, 1)
    newest = max(events.first_and_last_ms(build)[1] for build in builds) / 1000
    assert events.filter_events(builds, Filter(), now=lambda: newest) == ([], None)
    found, _ = events.filter_events(builds, Filter(), now=lambda: newest + 2)
    assert [event.message for event in found] == ["hello\n"] * 2
    assert len(events.filter_events(builds[:1], Filter(), now=lambda: newest)[0]) == 1
    for build, writer in zip(builds, writers, strict=True):
        logged.end(build, writer)


# ---- refusals --------------------------------------------------------------------------------------------------------


def test_what_is_missing_or_wrong_is_refused_in_cloudwatchs_words(logs, project):
    build = log_at(project, [(1, "one")])
    stream = str(build.uuid)
    with refused("ResourceNotFoundException", "The specified log group does not exist."):
        logs.get_log_events(logGroupName="/aws/codebuild/none", logStreamName=stream)
    with refused("ResourceNotFoundException", "The specified log group does not exist."):
        logs.filter_log_events(logGroupName="/aws/lambda/demo")
    for name in ("none", stream.upper(), stream.replace("-", "")):
        with refused("ResourceNotFoundException", "The specified log stream does not exist."):
            logs.get_log_events(logGroupName=GROUP, logStreamName=name)
    with refused("ResourceNotFoundException", "The specified log stream does not exist."):
        logs.filter_log_events(logGroupName=GROUP, logStreamNames=[stream, "none"])
    for token in ("x", "f/1/s", "f/" + "9" * 57 + "/s", "1-2-3"):
        with refused("InvalidParameterException", "nextToken is invalid"):
            logs.get_log_events(logGroupName=GROUP, logStreamName=stream, nextToken=token)
    for call in (logs.filter_log_events, logs.describe_log_streams):
        with refused("InvalidParameterException", "nextToken is invalid"):
            call(logGroupName=GROUP, nextToken="f/1/s")
    with refused("InvalidParameterException", "endTime must not be before startTime"):
        logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startTime=5, endTime=4)
    with refused("InvalidParameterException", "less than or equal to 10000"):
        logs.get_log_events(logGroupName=GROUP, logStreamName=stream, limit=10_001)
    with refused("InvalidParameterException", "no regular expression"):
        logs.filter_log_events(logGroupName=GROUP, filterPattern="%(%")
    with refused("InvalidParameterException", "not by both"):
        logs.filter_log_events(logGroupName=GROUP, logStreamNames=[stream], logStreamNamePrefix="a")
    with refused("InvalidParameterException", "Cannot order by LastEventTime"):
        logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", logStreamNamePrefix="a")
    with refused("InvalidParameterException", "logGroupName or by logGroupIdentifier"):
        logs.describe_log_streams()
    with refused("ResourceNotFoundException", "The specified resource does not exist."):
        logs.list_tags_for_resource(resourceArn=groups.group_arn("/aws/codebuild/none"))


def test_policies_name_groups_and_streams(live_server_url, project):
    mine, other = log_at(project, [(1, "mine")]), log_at(factories.project("secret"), [(1, "sesame")])
    actions = ("logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents")
    policy = factories.allow(*actions, resource=[f"{groups.group_arn(GROUP)}:*"])
    logs = client_of(live_server_url, factories.user("dave", document=policy))
    assert [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]] == [GROUP]
    assert len(logs.filter_log_events(logGroupName=GROUP)["events"]) == 1
    assert len(logs.get_log_events(logGroupName=GROUP, logStreamName=str(mine.uuid))["events"]) == 1
    secret = "/aws/codebuild/secret"
    for call in (
        lambda: logs.filter_log_events(logGroupName=secret),
        lambda: logs.describe_log_streams(logGroupName=secret),
        lambda: logs.get_log_events(logGroupName=secret, logStreamName=str(other.uuid)),
        lambda: logs.filter_log_events(logGroupName="/aws/codebuild/nothing"),
        lambda: logs.filter_log_events(logGroupIdentifier=groups.group_arn(secret)),
    ):
        with refused("AccessDeniedException", "is not authorized to perform: logs:"):
            call()
    nobody = client_of(live_server_url, factories.user("erin", document=factories.allow("codebuild:*")))
    with refused("AccessDeniedException", "logs:DescribeLogGroups"):
        nobody.describe_log_groups()


def test_a_stream_stays_when_its_project_is_gone(logs, project):
    build = log_at(project, [(1, "one")])
    project.delete()
    assert forward(logs, str(build.uuid)) == ["one\n"]
