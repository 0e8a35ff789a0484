from __future__ import annotations

import logging

from codeservices.logs import LineFormatter


def line(message: str, error: BaseException | None = None) -> str:
    info = (type(error), error, None) if error is not None else None
    return LineFormatter().format(logging.LogRecord("test", logging.INFO, "", 0, "%s", (message,), info))


def test_nobody_begins_a_line_or_steers_the_terminal_of_a_reader():
    told = line("GET /a\r\nb\x1b[2J\x9b31m\u2028c\td")
    assert told.endswith("GET /a\\r\\nb\\x1b[2J\\x9b31m\\u2028c\\td")
    assert len(told.splitlines()) == 1


def test_a_traceback_keeps_its_lines_and_loses_its_escapes():
    told = line("failed", ValueError("one\ntwo\x1b[2J"))
    assert told.splitlines()[-2:] == ["ValueError: one", "two\\x1b[2J"]
