"""A log line as a terminal would leave it: redrawn by carriage returns, coloured by SGR, all other escapes dropped.

`static/js/log_line.js` does the same in the browser; tests give both the same lines. `plain` is for whole texts, of
which only what is read counts.

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
# The same in a text of many lines, which keeps its newlines and carriage returns.
_ESCAPES = re.compile(
    rb"\x1b\[[0-9;:<=>?]*[ -/]*(?:[@-~]|$)"
    rb"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"
    rb"|\x1b[ -/]*[0-~]?"
    rb"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]",
    re.MULTILINE,
)
_CONTROLS = bytes({*range(0x20), 0x7F} - {0x09, 0x0A})
_REDRAWN = re.compile(rb"^[^\n]*\r(?=[^\r\n])", re.MULTILINE)
_SGR = re.compile(r"\x1b\[([0-9;:]*)m")
_RESETS = ("\x1b[0m", "\x1b[m")
# Codes beyond it set nothing anywhere: 100 to 107 are the last, aixterm's bright backgrounds.
_LAST_CODE = 107
# What an SGR code sets or ends, for those whose group is not their own number: colours, and what undoes several.
_GROUPS = {
    **dict.fromkeys((*range(30, 39), *range(90, 98)), "foreground"),
    **dict.fromkeys((*range(40, 49), *range(100, 108)), "background"),
    58: "underline colour",
    21: "4",
    6: "5",
}
_ENDS = {
    22: ("1", "2"),
    23: ("3", "20"),
    24: ("4",),
    25: ("5",),
    27: ("7",),
    28: ("8",),
    29: ("9",),
    39: ("foreground",),
    49: ("background",),
    55: ("53",),
    59: ("underline colour",),
}
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


def plain(text: bytes) -> bytes:
    """Lines as they read: no escapes, no control characters, and of a redrawn line what was drawn last.

    Args:
        text: Valid UTF-8; any number of lines.
    """
    if len(text.translate(None, _CONTROLS)) == len(text):  # many times faster than a search for any of them
        return text
    if b"\r" not in text:
        return _ESCAPES.sub(b"", text)
    return _REDRAWN.sub(b"", _ESCAPES.sub(b"", text)).replace(b"\r", b"")


def style_after(style: str, text: str) -> str:
    """The colours and styles that a text leaves on, as the parameters of one SGR sequence ("1;31"); empty for none.

    Args:
        style: What was on before it, in the same form.
    """
    if "\x1b[" not in text:
        return style
    position = max(text.rfind(reset) for reset in _RESETS) + 1
    if position:
        style = ""
    state: dict[str, str] = {}
    _change(state, style)
    for match in _SGR.finditer(text, position):
        _change(state, match[1])
    return ";".join(state.values())


def _change(state: dict[str, str], params: str) -> None:
    """What one SGR sequence does to the codes that are on, by what they set."""
    codes = params.replace(":", ";").split(";") if params else []
    index = 0
    while index < len(codes):
        code = _number(codes[index])
        size = 1
        if code in (38, 48, 58):
            size = {"5": 3, "2": 5}.get(codes[index + 1] if index + 1 < len(codes) else "", 1)
        if code == 0:
            state.clear()
        elif code in _ENDS:
            for name in _ENDS[code]:
                state.pop(name, None)
        elif code > _LAST_CODE:
            pass
        elif len(values := codes[index : index + size]) == size and (size > 1 or code not in (38, 48, 58)):
            name = _GROUPS.get(code, str(code))
            state.pop(name, None)
            state[name] = ";".join(str(min(_number(one), 255)) for one in values)
        index += size


def _number(parameter: str) -> int:
    """A parameter of a control sequence, 0 where it is left out; one of many digits is beyond all codes."""
    return int(parameter[:18]) if parameter.isdigit() else 0


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
            yield "", [_number(one) for one in re.split("[;:]", params)]
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
