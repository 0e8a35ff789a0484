"""An act that is under way: who does what, from where, and what its event will tell.

Edges open one (record.py); whatever runs inside finds it as `current_act()`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

from codeservices.errors import AccessDenied, ServiceError
from codeservices.iam.principal import Principal

_READ_PREFIXES = ("Get", "List", "Describe", "BatchGet", "BatchDescribe", "Filter", "Lookup", "Search", "Simulate")


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
    event_id: uuid.UUID = field(default_factory=uuid.uuid4)
    is_begun: bool = False
    # Its edge calls `begin` itself, once what `settle` will need is written.
    is_deferred: bool = False
    # The compiled policies of each principal asked about: a push of 4,000 refs reads them once, as does a long list.
    policies: dict[Principal, Any] = field(default_factory=dict, repr=False)
    # Likewise the condition keys that all its decisions have in common.
    condition_keys: dict[Principal, Any] = field(default_factory=dict, repr=False)
    # And the tags of each resource that conditions asked about, by its ARN.
    resource_tags: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)

    def note(self, action: str, resource: str) -> None:
        """Called by `authorize`: the first action names the act, or the first that changes something."""
        is_first_change = self.is_read_only is None and _is_read_action(self.action) and not _is_read_action(action)
        if not self.action or is_first_change:
            self.action, self.resource = action, resource

    @property
    def reads_only(self) -> bool:
        """Whether the act changes nothing, as the edge says or the name tells."""
        if self.is_read_only is not None:
            return self.is_read_only
        return is_read(self.event_name) if self.event_name else _is_read_action(self.action)

    @property
    def is_only_a_form(self) -> bool:
        """Whether somebody has just opened the form of a change: no act of its own, unless it was refused."""
        return (
            self.info.via == "console"
            and self.is_read_only is True
            and not self.event_name
            and not self.error_code
            and not _is_read_action(self.action)
        )

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


def _is_read_action(action: str) -> bool:
    return is_read(action.partition(":")[2])


_current: ContextVar[Act | None] = ContextVar("act", default=None)


def current_act() -> Act | None:
    """The act that is under way in this request or task, if any."""
    return _current.get()


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
