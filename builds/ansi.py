"""A log line as a terminal would leave it: redrawn by carriage returns, coloured by SGR, all other escapes dropped.

`static/js/log_viewer.js` does the same in the browser; tests give both the same lines.

Source: ECMA-48, 8.3.117 (SGR) and 5.4 (control sequences); xterm control sequences, "Operating System Commands".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_STYLES = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse"}
_OFF = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("inverse",)}
# A control sequence, a string (title, link) up to its terminator, any other escape, or a lone control character.
_ESCAPE = re.compile(
    r"\x1b\[([0-9;:<=>?]*)[ -/]*([@-~]|$)"
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0a-\x0c\x0e-\x1f\x7f]"
)
_KINDS = (
    ("command", re.compile(r"\[Container\] \S+ \S+ Running command ")),
    ("phase", re.compile(r"\[Container\] \S+ \S+ (?:Entering phase |Phase complete: )")),
    (
        "error",
        re.compile(r"\[Container\] \S+ \S+ (?:Command did not exit successfully|Phase context status code: \S)"),
    ),
)


class Span(NamedTuple):
    """A run of text with the same classes ("ansi-red ansi-bold", or empty)."""

    classes: str
    text: str


def spans(text: str) -> list[Span]:
    """The visible text of a line, in runs."""
    state: dict[str, str] = {}
    made: list[Span] = []
    # A carriage return moves to the line's start; what follows is written over what was there.
    is_at_start = False
    for piece, params in _pieces(text):
        if params is not None:
            _apply(state, params)
            continue
        runs = [run for run in piece.split("\r") if run]
        if runs and (is_at_start or len(runs) > 1 or piece.startswith("\r")):
            made.clear()
        is_at_start = piece.endswith("\r") or (is_at_start and not runs)
        if runs:
            classes = " ".join(f"ansi-{name}" for name in state.values())
            made.append(Span(classes, runs[-1]))
    return made


def kind(text: str) -> str:
    """What our own lines tell of: "command", "phase", "error", or empty."""
    if not text.startswith("[Container] "):
        return ""
    return next((name for name, pattern in _KINDS if pattern.match(text)), "")


def _pieces(text: str) -> Iterator[tuple[str, list[int] | None]]:
    """Runs of text, and the parameters of SGR sequences."""
    position = 0
    for match in _ESCAPE.finditer(text):
        if match.start() > position:
            yield text[position : match.start()], None
        position = match.end()
        params = match.group(1)
        if match.group(2) == "m" and not params.startswith(("<", "=", ">", "?")):
            yield "", [int(one) if one.isdigit() and len(one) < 6 else 0 for one in re.split("[;:]", params)]
    if position < len(text):
        yield text[position:], None


def _apply(state: dict[str, str], params: list[int]) -> None:
    index = 0
    while index < len(params):
        code = params[index]
        if code == 0:
            state.clear()
        elif code in _STYLES:
            state[_STYLES[code]] = _STYLES[code]
        elif code in _OFF:
            for name in _OFF[code]:
                state.pop(name, None)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            state["colour"] = COLOURS[code % 10]
        elif code == 39:
            state.pop("colour", None)
        elif code in (38, 48, 58):
            # 5;N or 2;R;G;B follow; only the text's colour is shown.
            size = {5: 2, 2: 4}.get(params[index + 1] if index + 1 < len(params) else 0, 0)
            values = params[index + 2 : index + 1 + size]
            if code == 38 and len(values) == size - 1 > 0:
                state["colour"] = _indexed(values[0]) if size == 2 else _nearest(values)
            index += size
        index += 1


def _indexed(number: int) -> str:
    """One of the 256 colours as one of the eight."""
    if number < 16:
        return COLOURS[number % 8]
    if number < 232:
        cube = number - 16
        return _nearest([51 * (cube // 36), 51 * (cube // 6 % 6), 51 * (cube % 6)])
    return "white" if number >= 244 else "black"


def _nearest(rgb: list[int]) -> str:
    return COLOURS[sum(bit for value, bit in zip(rgb, (1, 2, 4), strict=True) if value >= 128)]
