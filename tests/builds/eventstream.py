"""A client of server-sent events as browsers are one, over a real socket."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

from codeservices.iam.models import User
from tests.fixtures.people import signed_in


@dataclass(frozen=True)
class ServerEvent:
    """One event; a comment has the name "comment" and its text as data."""

    name: str
    data: str
    last_event_id: str


class EventStream:
    """An open stream. Iterating gives events as they come; reading past `timeout` seconds of silence raises."""

    def __init__(self, origin: str, path: str, user: User, *, last_event_id: str = "", timeout: float = 60) -> None:
        address = urlsplit(origin)
        self.connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout)
        session = signed_in(user).cookies["codeservices_session"].value
        headers = {"Cookie": f"codeservices_session={session}", "Accept": "text/event-stream"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        self.connection.request("GET", path, headers=headers)
        self.response = self.connection.getresponse()
        self.last_event_id = last_event_id

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.response.close()
        self.connection.close()

    def __iter__(self) -> Iterator[ServerEvent]:
        name, data = "", []
        while line := self.response.readline():
            text = line.decode().rstrip("\n")
            field, _, value = text.partition(":")
            value = value.removeprefix(" ")
            if text.startswith(":"):
                yield ServerEvent("comment", value, self.last_event_id)
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                self.last_event_id = value
            elif not text and data:
                yield ServerEvent(name or "message", "\n".join(data), self.last_event_id)
                name, data = "", []

    def lines(self) -> Iterator[tuple[int, str, str]]:
        """(number, text, id of its event) of every log line up to the end event."""
        for event in self:
            if event.name == "end":
                return
            if event.name == "log":
                body = json.loads(event.data)
                for offset, (_, text) in enumerate(body["lines"]):
                    yield body["first"] + offset, text, event.last_event_id
