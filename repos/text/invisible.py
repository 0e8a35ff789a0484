"""Characters in a text that cannot be seen, or that change the order in which others are: code may read otherwise than
it runs (CVE-2021-42574, "Trojan Source").

Source: Unicode Standard Annex 9, "Bidirectional Algorithm"; Unicode Technical Standard 39, "Security Mechanisms".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from html import escape
from typing import Final

# Direction marks and overrides, characters without width, fillers that look like a space, and those whose only use is
# to vary or tag other characters. The variation selectors of emoji (U+FE0E, U+FE0F) are ordinary text.
_DECEIVING: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d"
    "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
# These deceive nobody, but a browser draws them as nothing or as the end of a line. A tab is drawn.
_CONTROLS: Final = "\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029"
_NAMES: Final = {
    "\r": "CARRIAGE RETURN",
    "\x0c": "FORM FEED",
    "\x0b": "LINE TABULATION",
    "\x08": "BACKSPACE",
    "\x1b": "ESCAPE",
    "\x00": "NULL",
}

DECEIVING: Final = re.compile(f"[{_DECEIVING}]")
ODD: Final = re.compile(f"[{_DECEIVING}{_CONTROLS}]")
# Those of ODD in a text of lines that is ASCII.
_ODD_ASCII: Final = bytes(code for code in range(128) if ODD.match(chr(code)) and code != ord("\n"))


def lines_with_deceiving(lines: Iterable[str]) -> list[int]:
    """The numbers, from 1, of the lines with characters that hide or reorder others."""
    found = list(lines)
    joined = "\n".join(found)
    if joined.isascii() or not DECEIVING.search(joined):
        return []
    return [number for number, line in enumerate(found, start=1) if DECEIVING.search(line)]


def has_odd(text: str) -> bool:
    """Whether a text of lines has any character that can't be seen, line feeds aside."""
    if text.isascii():  # most are, and need no search character by character
        data = text.encode("ascii")
        return len(data.translate(None, _ODD_ASCII)) < len(data)
    return ODD.search(text.replace("\n", "")) is not None


def html(text: str) -> str:
    """The text as HTML, where each character that can't be seen is its number, with its name as a title."""
    return ODD.sub(
        lambda match: f'<span class="invisible" title="{name(match[0])}">U+{ord(match[0]):04X}</span>',
        escape(text, quote=False),
    )


def name(character: str) -> str:
    """What Unicode calls a character; control characters have no name there but common ones."""
    return unicodedata.name(character, "") or _NAMES.get(character, "CONTROL CHARACTER")
