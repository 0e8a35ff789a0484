"""One log line an event: time, level, logger, request id, text. Greppable by `request=`."""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str] = ContextVar("request_id", default="-")


class RequestIdFilter(logging.Filter):
    """Puts the id of the request that is being answered on every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


# What would begin a line of its own, or be obeyed by the terminal of whoever reads the log.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


class LineFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.123Z INFO repos.tasks request=… text`, with control characters in the text escaped."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        text = _CONTROL.sub(_escaped, record.getMessage())
        line = f"{moment}Z {record.levelname} {record.name} request={getattr(record, 'request_id', '-')} {text}"
        if record.exc_info:
            line = f"{line}\n{_CONTROL_BUT_LINES.sub(_escaped, self.formatException(record.exc_info))}"
        return line
