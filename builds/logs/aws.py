"""CloudWatch Logs' operations over the logs of builds: they are written by builds alone, and read here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from botocore.model import OperationModel
from django.db.models import Min, QuerySet, Sum

from builds.logs import events, filter_pattern, groups, turns
from builds.logs.events import Event
from builds.logs.groups import InvalidParameter
from builds.logs.patterns import PatternError
from builds.models import Build, LogChunk
from codeservices.aws import validate
from codeservices.aws.dispatch import Call, constraint_error, operation
from codeservices.aws.paging import page
from codeservices.aws.validate import Problem
from codeservices.errors import NotFound, ServiceError
from codeservices.iam.authorize import authorize

PAGE = 50


@constraint_error("logs")
def _constraint_error(_model: OperationModel, problems: list[Problem]) -> ServiceError:
    return InvalidParameter(validate.sentences(problems))


@operation("logs", "DescribeLogGroups")
def describe_log_groups(call: Call) -> dict[str, Any]:
    """The groups that the caller may look at."""
    prefix, part = call.params.get("logGroupNamePrefix"), call.params.get("logGroupNamePattern")
    if prefix is not None and part is not None:
        raise InvalidParameter("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
    names = groups.visible_groups(call.principal, "logs:DescribeLogGroups")
    if "logGroupIdentifiers" in call.params:
        asked = {groups.named_group(None, one) for one in call.params["logGroupIdentifiers"]}
        names = [name for name in names if name in asked]
    if call.params.get("logGroupClass", "STANDARD") != "STANDARD":
        names = []
    shown, token = page(
        [name for name in names if name.startswith(prefix or "") and (part or "") in name],
        key=lambda name: name,
        kind=f"log-groups-{prefix}-{part}",
        token=call.params.get("nextToken"),
        limit=call.params.get("limit", PAGE),
        refusal=_bad_token(),
    )
    return {"logGroups": [_group(name) for name in shown], "nextToken": token}


@operation("logs", "DescribeLogStreams")
def describe_log_streams(call: Call) -> dict[str, Any]:
    """A group's streams, by name or by the time of their last event."""
    group, prefix = _group_of(call), call.params.get("logStreamNamePrefix")
    order = call.params.get("orderBy", "LogStreamName")
    is_descending = call.params.get("descending", False)
    if order == "LastEventTime" and prefix is not None:
        raise InvalidParameter("Cannot order by LastEventTime with a logStreamNamePrefix.")
    builds = groups.streams_of(call.principal, "logs:DescribeLogStreams", group)

    def key(row: tuple[int, Any, datetime | None]) -> str:
        _, name, ended_at = row
        # A running build's last event is the newest of all.
        return str(name) if order == "LogStreamName" else f"{ended_at.isoformat() if ended_at else '~'} {name}"

    shown, token = page(
        [row for row in builds.values_list("pk", "uuid", "ended_at") if str(row[1]).startswith(prefix or "")],
        key=key,
        kind=f"log-streams-{group}-{prefix}-{order}-{is_descending:d}",
        token=call.params.get("nextToken"),
        limit=call.params.get("limit", PAGE),
        refusal=_bad_token(),
        descending=is_descending,
    )
    rows = builds.in_bulk([pk for pk, _, _ in shown])
    return {"logStreams": [_stream(group, rows[pk]) for pk, _, _ in shown if pk in rows], "nextToken": token}


@operation("logs", "GetLogEvents")
def get_log_events(call: Call) -> dict[str, Any]:
    """A page of one stream."""
    params = call.params
    build = groups.stream_of(call.principal, "logs:GetLogEvents", _group_of(call), params["logStreamName"])
    found = events.get_events(
        build,
        start_ms=params.get("startTime"),
        end_ms=params.get("endTime"),
        is_from_head=params.get("startFromHead", False),
        limit=params.get("limit", events.MAX_EVENTS),
        token=params.get("nextToken"),
    )
    return {
        "events": [_event(one) for one in found.events],
        "nextForwardToken": found.forward_token,
        "nextBackwardToken": found.backward_token,
    }


@operation("logs", "FilterLogEvents")
def filter_log_events(call: Call) -> dict[str, Any]:
    """What a filter pattern wants of a group's streams, always interleaved by time."""
    params = call.params
    if "logStreamNames" in params and "logStreamNamePrefix" in params:
        raise InvalidParameter("Name the streams by logStreamNames or by logStreamNamePrefix, not by both.")
    builds = _chosen(groups.streams_of(call.principal, "logs:FilterLogEvents", _group_of(call)), params)
    try:
        wanted = filter_pattern.parse(params.get("filterPattern", ""))
    except PatternError as error:
        raise InvalidParameter(str(error)) from error
    with turns.turn():
        found, token = events.filter_events(
            builds,
            wanted,
            start_ms=params.get("startTime"),
            end_ms=params.get("endTime"),
            is_from_head=params.get("startFromHead", True),
            limit=params.get("limit", events.MAX_EVENTS),
            token=params.get("nextToken"),
        )
    shown = [_event(one) | {"logStreamName": str(one.build.uuid), "eventId": one.event_id} for one in found]
    # Which streams were searched is not told any more, there either.
    return {"events": shown, "searchedLogStreams": [], "nextToken": token}


@operation("logs", "ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any]:
    """A group's tags: groups of builds have none."""
    resource = call.params["resourceArn"]
    authorize(call.principal, "logs:ListTagsForResource", resource)
    name = resource.removeprefix(groups.group_arn(""))
    if not groups.builds_with_log().filter(project_name=name.removeprefix(groups.PREFIX)).exists():
        raise NotFound("The specified resource does not exist.")
    return {"tags": {}}


# ---- what several share ----------------------------------------------------------------------------------------------


def _group_of(call: Call) -> str:
    return groups.named_group(call.params.get("logGroupName"), call.params.get("logGroupIdentifier"))


def _chosen(builds: QuerySet[Build], params: dict[str, Any]) -> list[Build]:
    """The builds whose streams are asked for."""
    if "logStreamNames" in params:
        names = dict.fromkeys(params["logStreamNames"])
        found = list(groups.named_streams(builds, list(names)).only(*events.FIELDS))
        if len(found) < len(names):
            raise NotFound("The specified log stream does not exist.")
        return found
    prefix = params.get("logStreamNamePrefix", "")
    return [build for build in builds.only(*events.FIELDS) if str(build.uuid).startswith(prefix)]


def _group(name: str) -> dict[str, Any]:
    builds = groups.builds_with_log().filter(project_name=name.removeprefix(groups.PREFIX))
    arn = groups.group_arn(name)
    return {
        "logGroupName": name,
        "creationTime": _ms(builds.aggregate(first=Min("started_at"))["first"]),
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "storedBytes": LogChunk.objects.filter(build__in=builds).aggregate(sum=Sum("size_bytes"))["sum"] or 0,
        "logGroupClass": "STANDARD",
    }


def _stream(group: str, build: Build) -> dict[str, Any]:
    times = events.first_and_last_ms(build)
    shown: dict[str, Any] = {
        "logStreamName": str(build.uuid),
        "creationTime": _ms(build.started_at),
        "arn": groups.stream_arn(group, str(build.uuid)),
        "storedBytes": 0,  # of streams CloudWatch Logs always says so
    }
    if times is not None:
        first_ms, last_ms = times
        shown |= {"firstEventTimestamp": first_ms, "lastEventTimestamp": last_ms, "lastIngestionTime": last_ms}
    return shown


def _event(event: Event) -> dict[str, Any]:
    return {"timestamp": event.line.time_ms, "message": event.message, "ingestionTime": event.line.time_ms}


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _bad_token() -> ServiceError:
    return InvalidParameter("The specified nextToken is invalid.")
