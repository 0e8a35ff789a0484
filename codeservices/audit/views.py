"""The audit trail: search it, look at one record, export what was found."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from codeservices.audit import cloudtrail, drain, lookup
from codeservices.audit.models import Event, Outcome
from codeservices.audit.search import matching
from codeservices.errors import InvalidInput, NotFound
from codeservices.http import ConsoleRequest, download, is_partial
from codeservices.iam.authorize import authorize

PAGE_ROWS = 50
EXPORT_CHUNK_ROWS = 500
CSV_COLUMNS = (
    "eventTime",
    "eventSource",
    "eventName",
    "outcome",
    "userName",
    "principalArn",
    "sourceIPAddress",
    "via",
    "action",
    "resource",
    "errorCode",
    "errorMessage",
    "requestID",
    "eventID",
)


class FilterForm(forms.Form):
    """Every field may stay empty. Days are in UTC; both ends count."""

    who = forms.CharField(required=False, max_length=200, label="Who")
    what = forms.CharField(required=False, max_length=128, label="What")
    resource = forms.CharField(required=False, max_length=600, label="Resource")
    outcome = forms.ChoiceField(required=False, label="Outcome", choices=[("", "Any"), *Outcome.choices])
    kind = forms.ChoiceField(
        required=False,
        label="Kind",
        choices=[("", "Changes and refusals"), ("all", "Everything"), ("write", "Changes"), ("read", "Reads")],
    )
    since = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label="To", widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)

    def apply(self, events: QuerySet[Event]) -> QuerySet[Event]:
        """The events that match; call it on a valid form."""
        values = self.cleaned_data
        if values["who"]:
            who = values["who"]
            if who.startswith("arn:"):
                events = events.filter(principal_arn=who, principal_name__in=who.replace(":", "/").split("/"))
            elif Event.objects.filter(access_key_id=who).exists():
                events = events.filter(access_key_id=who)
            else:
                events = events.filter(matching("principal_name", who))
        if values["what"]:
            events = events.filter(matching("event_name", values["what"].rpartition(":")[2] or values["what"]))
        if values["resource"]:
            named = values["resource"]
            column = "resource_arn" if named.startswith("arn:") else "resource_name"
            events = events.filter(matching(column, named) | Q(resource_arn=named))
        if values["outcome"]:
            events = events.filter(outcome=values["outcome"])
        if values["kind"] in ("read", "write"):
            events = events.filter(is_read_only=values["kind"] == "read")
        elif not values["kind"]:
            # Each look at a page is a read; among them nobody would find what changed.
            events = events.filter(is_notable=True)
        if values["since"]:
            events = events.filter(event_time__gte=datetime.combine(values["since"], time.min, UTC))
        if values["until"]:
            end = datetime.combine(values["until"], time.min, UTC) + timedelta(days=1)
            events = events.filter(event_time__lt=end)
        return events


@require_GET
def event_list(request: ConsoleRequest) -> HttpResponse:
    """Events, newest first. Pages follow a cursor, so that the thousandth is as quick as the first."""
    authorize(request.principal, "cloudtrail:LookupEvents", "*")
    drain.drain()
    form = FilterForm(request.GET)
    found = form.apply(Event.objects.all()) if form.is_valid() else Event.objects.none()
    rows = list(_before(found, request.GET.get("before", ""))[: PAGE_ROWS + 1])
    older = lookup.cursor(rows[PAGE_ROWS - 1]) if len(rows) > PAGE_ROWS else ""
    context = {
        "events": rows[:PAGE_ROWS],
        "older": older,
        "form": form,
        "is_filtered": any(request.GET.get(name) for name in form.fields),
        "hides_reads": not request.GET.get("kind"),
        "is_first_page": not request.GET.get("before"),
    }
    template = "codeservices/_event_rows.html" if is_partial(request) else "codeservices/event_list.html"
    return render(request, template, context, status=200 if form.is_valid() else 400)


@require_GET
def event(request: ConsoleRequest, event_id: str) -> HttpResponse:
    """One event with its raw record."""
    authorize(request.principal, "cloudtrail:LookupEvents", "*")
    drain.drain()
    found = Event.objects.filter(event_id=event_id).first()
    if found is None:
        raise NotFound(f"The audit trail has no event {event_id}.", hint="It may have been exported and pruned.")
    record = json.dumps(cloudtrail.record(found), indent=2, ensure_ascii=False)
    same_request = Event.objects.filter(request_id=found.request_id).exclude(pk=found.pk)[:20]
    return render(request, "codeservices/event.html", {"event": found, "record": record, "same_request": same_request})


@require_GET
def export(request: ConsoleRequest) -> HttpResponseBase:
    """What the filter finds, as CSV or as JSON lines in CloudTrail's record shape; streamed, however much it is."""
    authorize(request.principal, "cloudtrail:LookupEvents", "*")
    drain.drain()
    form = FilterForm(request.GET)
    if not form.is_valid():
        raise InvalidInput(
            "The filter is not valid: " + "; ".join(" ".join(map(str, errors)) for errors in form.errors.values())
        )
    events = form.apply(Event.objects.all())
    stamp = timezone.now().strftime("%Y%m%dT%H%M%SZ")
    if request.GET.get("format") == "jsonl":
        return download(_json_lines(events), f"audit-{stamp}.jsonl", content_type="application/jsonl")
    return download(_csv_lines(events), f"audit-{stamp}.csv", content_type="text/csv; charset=utf-8")


def _before(events: QuerySet[Event], cursor: str) -> QuerySet[Event]:
    found = lookup.behind(events, cursor) if cursor else events
    if found is None:
        raise InvalidInput(f"“{cursor}” is no place in the audit trail.", hint="Start again from the newest events.")
    return found


def _rows(events: QuerySet[Event]) -> Iterator[Event]:
    """All events in small reads, each on its own, so that no long read holds the database while a client is slow."""
    cursor = ""
    while True:
        rows = list(_before(events, cursor)[:EXPORT_CHUNK_ROWS])
        yield from rows
        if len(rows) < EXPORT_CHUNK_ROWS:
            return
        cursor = lookup.cursor(rows[-1])


def _json_lines(events: QuerySet[Event]) -> Iterator[bytes]:
    for one in _rows(events):
        yield (json.dumps(cloudtrail.record(one), ensure_ascii=False) + "\n").encode()


def _csv_lines(events: QuerySet[Event]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for one in _rows(events):
        writer.writerow(
            _as_text(value)
            for value in (
                one.event_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
                one.event_source,
                one.event_name,
                one.outcome,
                one.principal_name,
                one.principal_arn,
                one.source_ip,
                one.via,
                one.action,
                one.resource_arn,
                one.error_code,
                one.error_message,
                one.request_id,
                one.event_id,
            )
        )
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def _as_text(value: object) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, "CSV Injection")."""
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
