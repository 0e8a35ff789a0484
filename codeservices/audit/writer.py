"""The way of an event from an act that has ended into the spool, and from there, soon, into the database.

A change is told twice: `begin` before it happens, `end` when it has. A process that dies in between leaves the first,
which then becomes an event that says so.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from pathlib import Path
from typing import Any, Literal

from codeservices.audit import drain
from codeservices.audit.spool import Spool
from codeservices.errors import ServiceError

logger = logging.getLogger(__name__)

Kind = Literal["begun", "deferred", "ended", "dropped"]

# What a spool that takes nothing leaves us holding; beyond that the log alone has it.
MAX_UNWRITTEN = 10_000


class AuditUnavailable(ServiceError):
    """A change that could not be recorded is not made."""

    code = "ServiceUnavailableException"
    status = 503


class Writer:
    """This process's spool, and the lines that it did not take yet."""

    def __init__(self, root: Path) -> None:
        self.spool = Spool(root)
        self.failures = 0
        self.last_failure = ""
        self._unwritten: deque[bytes] = deque(maxlen=MAX_UNWRITTEN)
        self._lock = threading.Lock()

    def write(self, kind: Kind, members: dict[str, Any]) -> None:
        """Append one line; raises OSError where the file system takes none."""
        line = json.dumps({"kind": kind, "event": members}, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        try:
            self.write_left_over()
            self.spool.append(line)
        except OSError as error:
            self.failures += 1
            self.last_failure = str(error)
            if kind in ("ended", "dropped"):
                with self._lock:
                    self._unwritten.append(line)
            raise
        self.last_failure = ""

    def write_left_over(self) -> None:
        """Try again what the file system did not take before; raises OSError where it still does not."""
        while self._unwritten:
            with self._lock:
                if self._unwritten:
                    self.spool.append(self._unwritten[0])
                    self._unwritten.popleft()


_writer: Writer | None = None
_making = threading.Lock()


def current() -> Writer:
    """The writer of this process."""
    global _writer
    if _writer is None:
        with _making:
            if _writer is None:
                _writer = Writer(drain.spool_root())
    return _writer


def forget() -> None:
    """Let go of the process's spool, whose lines are then anybody's to finish; the next event begins another."""
    global _writer
    if _writer is not None:
        _writer.spool.close()
        _writer = None


def close() -> None:
    """Store all events of this process, or leave them to others, and end its background thread."""
    forget()
    drain.stop()


def begin(members: dict[str, Any], *, is_deferred: bool = False) -> None:
    """Tell that a change is about to happen.

    Args:
        members: What is known of the event.
        is_deferred: Where the process dies, somebody else knows how the act ended and calls `end`.

    Raises:
        AuditUnavailable: It could not be told, so the change must not happen.
    """
    try:
        current().write("deferred" if is_deferred else "begun", members)
    except OSError as error:
        logger.error("the audit spool takes nothing, so a change is refused: %s", error)
        raise AuditUnavailable(
            "The audit trail can't be written at the moment, and nothing is changed without a record.",
            hint="An administrator finds the reason at /readyz; most often the disk is full.",
        ) from error


def end(members: dict[str, Any]) -> None:
    """Tell how an act ended. What the spool does not take is logged and tried again."""
    _tell("ended", members)


def drop(event_id: str) -> None:
    """Tell that a begun act turned out to be none."""
    _tell("dropped", {"event_id": event_id})


def _tell(kind: Kind, members: dict[str, Any]) -> None:
    try:
        current().write(kind, members)
    except OSError as error:
        logger.error("the audit spool takes nothing (%s); kept in memory: %s", error, json.dumps(members)[:4000])
        return
    drain.soon()
