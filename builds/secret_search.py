"""Where any of many byte strings, the forms of secrets, stand in a text, and where one may have begun at its end.

A log of 67 MB must not be searched once for each of hundreds of forms. One automaton (Aho-Corasick, the ahocorasick_rs
package) finds in one pass where forms begin; what follows is compared there. Most of a log holds no secret at all: few
forms are looked for first with what that package does many times faster, the first of any and no overlaps.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from builds.secret_forms import MIN_BYTES

# The automaton knows so much of a form, and so much more where many forms begin alike.
_START_BYTES = 16
_FORMS_OF_START = 8
# A table of transitions is three times as fast as lists of them, and takes up to 1 KiB for each byte of a start.
_MAX_TABLE_BYTES = 16_000
# Up to so many strings at once are compared by vector instructions; with more passes than these, the table is faster.
_FILTER_STARTS = 64
_MAX_FILTERS = 4

Span = tuple[int, int]


class SecretSearch:
    """The forms to look for, each of at least MIN_BYTES; fixed from here on."""

    def __init__(self, forms: Collection[bytes]) -> None:
        self._sorted = sorted(forms)
        self._longest = max(map(len, forms), default=0)
        self._longest_of_lines = max((len(form) for form in forms if b"\n" in form), default=0)
        units = {form: _unit_bytes(form) for form in forms}
        # A run of these is found whole: in a log of one letter, "aaaa" stands at every byte.
        self._repeating = {form: _run(form, unit) for form, unit in units.items() if unit}
        by_start = _by_start(form for form, unit in units.items() if not unit)
        self._starts = _automaton(by_start)
        # What may stand where the automaton finds one of its starts: lists in the order that it has them.
        self._alike = list(by_start.values())
        self._openings = _automaton({form[:MIN_BYTES] for form in forms})
        starts = list(by_start)
        groups = [starts[first : first + _FILTER_STARTS] for first in range(0, len(starts), _FILTER_STARTS)]
        self._filters = [BytesAhoCorasick(group, matchkind=MatchKind.LeftmostFirst) for group in groups[:_MAX_FILTERS]]
        self._is_filtered = len(groups) <= _MAX_FILTERS

    def spans(self, data: bytes) -> list[Span]:
        """Where forms are in `data`, sorted; they may overlap, and those of a run of one form are one span."""
        found = [span for form in self._repeating for span in self._runs(data, form)]
        if not self._is_filtered or any(one.find_matches_as_indexes(data) for one in self._filters):
            found += [
                (start, start + len(form))
                for index, start, _ in self._starts.find_matches_as_indexes(data, overlapping=True)
                for form in self._alike[index]
                if data.startswith(form, start)
            ]
        return sorted(found)

    def _runs(self, data: bytes, form: bytes) -> Iterator[Span]:
        start = data.find(form)
        while start >= 0:
            match = self._repeating[form].match(data, start)
            assert match is not None
            yield match.span()
            # The next one may begin within the last of this run.
            start = data.find(form, match.end() - len(form) + 1)

    def unfinished(self, data: bytes) -> int:
        """Where the first possible start of a form is that `data` ends in; the length of `data` where there is none."""
        size = len(data)
        first = max(size - self._longest + 1, 0)
        # A form of one line doesn't begin before the last line's end.
        first = min(max(first, data.rfind(b"\n") + 1), max(size - self._longest_of_lines + 1, 0))
        tail = data[first:]
        openings = [start for _, start, _ in self._openings.find_matches_as_indexes(tail, overlapping=True)]
        for start in (*openings, *range(max(len(tail) - MIN_BYTES + 1, 0), len(tail))):
            if self._is_beginning(tail[start:]):
                return first + start
        return size

    def _is_beginning(self, text: bytes) -> bool:
        """Whether a form begins with this and goes on."""
        index = bisect_right(self._sorted, text)
        return index < len(self._sorted) and self._sorted[index].startswith(text)


def _automaton(starts: Collection[bytes]) -> BytesAhoCorasick:
    is_table = sum(map(len, starts)) <= _MAX_TABLE_BYTES
    return BytesAhoCorasick(starts, implementation=Implementation.DFA if is_table else Implementation.ContiguousNFA)


def _by_start(forms: Iterable[bytes], size: int = _START_BYTES) -> dict[bytes, list[bytes]]:
    """Forms by their first bytes: by as many as tell most of them apart."""
    found: dict[bytes, list[bytes]] = {}
    for form in forms:
        found.setdefault(form[:size], []).append(form)
    for start, alike in list(found.items()):
        if len(alike) > _FORMS_OF_START:
            del found[start]
            found |= _by_start(alike, size + _START_BYTES)
    return found


def _unit_bytes(form: bytes) -> int:
    """The length of the shortest string of which the form is a repetition, the last time perhaps in part; or 0.

    Only one that is at least twice in it counts.
    """
    half = form[: len(form) - len(form) // 2]
    unit = form.find(half, 1)
    while unit > 0 and not form.startswith(form[unit:]):
        unit = form.find(half, unit + 1)
    return max(unit, 0)


def _run(form: bytes, unit_bytes: int) -> re.Pattern[bytes]:
    """A form that repeats itself, as often as it overlaps itself by all but a unit."""
    return re.compile(b"%b(?:%b)*+" % (re.escape(form), re.escape(form[-unit_bytes:])), re.DOTALL)
