"""One log line an event: time, level, logger, request id, text. Greppable by `request=`."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str] = ContextVar("request_id", default="-")


class RequestIdFilter(logging.Filter):
    """Puts the id of the request that is being answered on every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class LineFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.123Z INFO repos.tasks request=… text`, with line breaks in the text escaped."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        text = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        line = f"{moment}Z {record.levelname} {record.name} request={getattr(record, 'request_id', '-')} {text}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return line
