"""The one way an event is written: an edge opens an act, services name it by what they authorize, its end records it.

    with act(principal, info) as current:
        ...                        # authorize() notes action and resource on the act
        current.parameters["repositoryName"] = name

A list filtered by policy is one act, not one a row: only the first `authorize` names it, unless a later one is denied.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

from codeservices.errors import AccessDenied, ServiceError
from codeservices.iam.principal import Principal

logger = logging.getLogger(__name__)

_READ_PREFIXES = ("Get", "List", "Describe", "BatchGet", "BatchDescribe", "Lookup", "Search", "Simulate")


@dataclass(frozen=True)
class RequestInfo:
    """Where a request came from.

    Attributes:
        request_id: A UUID, in every answer and log line of the request.
        source_ip: The client's address; a service's name for the server's own work.
        user_agent: As the client says.
        via: The door.
        is_secure: Whether it came over TLS.
    """

    request_id: str
    source_ip: str
    user_agent: str
    via: Literal["console", "api", "git", "worker", "shell"]
    is_secure: bool = False


@dataclass
class Act:
    """An act that is under way. Fill `parameters`, `response` and `additional` with JSON values, never secrets."""

    principal: Principal
    info: RequestInfo
    event_name: str = ""
    event_source: str = ""
    event_type: str = "AwsApiCall"
    action: str = ""
    resource: str = ""
    is_read_only: bool | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    response: dict[str, Any] = field(default_factory=dict)
    additional: dict[str, Any] = field(default_factory=dict)
    error_code: str = ""
    error_message: str = ""
    is_denied: bool = False
    # The compiled policies of each principal asked about: a push of 4,000 refs reads them once, as does a long list.
    policies: dict[Principal, Any] = field(default_factory=dict, repr=False)
    # Likewise the condition keys that all its decisions have in common.
    condition_keys: dict[Principal, Any] = field(default_factory=dict, repr=False)

    def note(self, action: str, resource: str) -> None:
        """Called by `authorize`: the first action names the act."""
        if not self.action:
            self.action, self.resource = action, resource

    def fail(self, error: BaseException) -> None:
        """Tell the act that it ended with an error that an edge has already turned into an answer."""
        if isinstance(error, AccessDenied):
            self.is_denied = True
            self.action, self.resource = error.action, error.resource
        if isinstance(error, ServiceError):
            self.error_code, self.error_message = error.code, error.message
        else:
            self.error_code, self.error_message = "InternalFailure", type(error).__name__


def is_read(event_name: str) -> bool:
    """Whether an operation of that name changes nothing."""
    return event_name.startswith(_READ_PREFIXES) or event_name == "GitPull"


_current: ContextVar[Act | None] = ContextVar("act", default=None)


def current_act() -> Act | None:
    """The act that is under way in this request or task, if any."""
    return _current.get()


@contextmanager
def act(
    principal: Principal,
    info: RequestInfo,
    *,
    event_name: str = "",
    event_source: str = "",
    event_type: str = "AwsApiCall",
) -> Iterator[Act]:
    """Open an act at an edge; when the block ends or raises, exactly one event is written.

    An act in which nothing was authorized and that has no name (a static page) leaves no event.
    """
    current = Act(principal, info, event_name=event_name, event_source=event_source, event_type=event_type)
    try:
        with entered(current):
            yield current
    finally:
        record(current)


@contextmanager
def entered(current: Act) -> Iterator[Act]:
    """Make an act the current one for a while without ending it; an error that leaves the block is noted on it.

    For an edge whose act spans threads and awaits, as a git request does; that edge calls `record` itself.
    """
    token = _current.set(current)
    try:
        yield current
    except BaseException as error:
        current.fail(error)
        raise
    finally:
        _current.reset(token)


def record(ended: Act) -> None:
    """Write the event of an act that has ended."""
    from codeservices.audit.models import Event, Outcome

    service, _, operation = ended.action.partition(":")
    name = ended.event_name or operation
    if not name:
        return
    if ended.is_denied:
        outcome = Outcome.DENIED
    else:
        outcome = Outcome.FAILED if ended.error_code else Outcome.SUCCESS
    is_read_only = ended.is_read_only
    if is_read_only is None:
        is_read_only = is_read(name)
    principal = ended.principal
    Event.objects.create(
        event_source=ended.event_source or f"{service or 'codeservices'}.amazonaws.com",
        event_name=name,
        event_type=ended.event_type,
        is_read_only=is_read_only,
        principal_kind=principal.kind,
        principal_arn=principal.arn,
        principal_id=principal.principal_id,
        principal_name=principal.name,
        access_key_id=principal.access_key_id,
        source_ip=ended.info.source_ip[:64],
        user_agent=ended.info.user_agent[:512],
        via=ended.info.via,
        request_id=ended.info.request_id,
        action=ended.action,
        resource_arn=ended.resource[:600],
        outcome=outcome,
        error_code=ended.error_code,
        error_message=ended.error_message[:4000],
        request_parameters=ended.parameters or None,
        response_elements=None if ended.error_code else (ended.response or None),
        additional_event_data=ended.additional or None,
    )
