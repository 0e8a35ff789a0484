"""The filter patterns of CloudWatch Logs for texts without structure.

`word "two words"` wants all of them, `?one ?other` any, `-word` none of it, and `%pattern%` a regular expression
(RE2's). Terms heed case. Where some are wanted, `?terms` count for nothing, as there.

Source: Amazon CloudWatch Logs User Guide, "Filter pattern syntax for metric filters, subscription filters, filter log
events, and Live Tail".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from builds.logs.patterns import Pattern, PatternError, compile_expression, compile_text

# Each may take a second for one of the longest lines, and no more than one line is looked at between two looks at the
# clock. CloudWatch has the same limit where it counts regular expressions.
MAX_EXPRESSIONS = 2
_TOKEN = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|(%)((?:[^%\\]|\\.)*)%|([^\s"%]+))(?=\s|$)')


@dataclass(frozen=True)
class Filter:
    """Which events are wanted: with all of `wanted`, or where that is empty any `optional`, and with no `unwanted`."""

    wanted: tuple[Pattern, ...] = ()
    optional: tuple[Pattern, ...] = ()
    unwanted: tuple[Pattern, ...] = ()

    def matches(self, message: str) -> bool:
        """Whether an event with this message, which ends with its newline, is wanted."""
        text = message.encode()
        if any(pattern.count(text, 0, len(text)) for pattern in self.unwanted):
            return False
        if self.wanted:
            return all(pattern.count(text, 0, len(text)) for pattern in self.wanted)
        return not self.optional or any(pattern.count(text, 0, len(text)) for pattern in self.optional)

    @property
    def piece_bytes(self) -> int | None:
        """How much text to ask `may_match` about at once; None where it has nothing to look for."""
        return self.wanted[0].piece_bytes if self.wanted else None

    def may_match(self, text: bytes, start: int, end: int) -> bool:
        """Whether any of these lines, between two starts of lines, can be wanted: false for most of a log that hardly
        ever says the word.
        """
        return all(next(pattern.lines(text, start, end), None) is not None for pattern in self.wanted[:1])


def parse(text: str) -> Filter:
    """A filter from a pattern; the empty one wants everything.

    Raises:
        PatternError: It is no pattern, one for structured events, or has more than MAX_EXPRESSIONS.
    """
    stripped = text.strip()
    if stripped.startswith(("{", "[")):
        raise PatternError("A build's log is text: a pattern for JSON or for columns matches nothing in it.")
    found: dict[str, list[Pattern]] = {"": [], "?": [], "-": []}
    position = expressions = 0
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            rest = stripped[position:].lstrip()
            raise PatternError(f"Invalid filter pattern at character {len(stripped) - len(rest) + 1}: {rest[:40]}")
        sign, quoted, percent, expression, word = match.groups()
        expressions += bool(percent)
        if expressions > MAX_EXPRESSIONS:
            raise PatternError(f"A filter pattern has at most {MAX_EXPRESSIONS} regular expressions.")
        if percent:
            found[sign].append(compile_expression(expression.replace(r"\%", "%")))
        else:
            found[sign].append(compile_text(word if quoted is None else re.sub(r"\\(.)", r"\1", quoted)))
        position = match.end()
    return Filter(*(tuple(found[sign]) for sign in ("", "?", "-")))
