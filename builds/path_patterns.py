"""The patterns of a buildspec's artifacts: `*` and `?` stay within one name, `**` goes across folders.

A buildspec is written by whoever may push, and a worker matches its patterns against names that the build made: no
pattern may take for ever. A regular expression with k wildcards may need length ** k steps; beyond two of them a set of
states walks the path once instead.

Source of the patterns' meaning: AWS CodeBuild User Guide, "artifacts" in the buildspec reference.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from builds.container_files import is_below

MAX_REGEX_WILDCARDS = 2
_TOKEN = re.compile(r"(?P<folders>(?:\*\*/)+)|(?P<stars>\*+)|(?P<letter>.)", re.DOTALL)


class PathPattern:
    """One pattern; `**/*` matches every path, dot files too."""

    def __init__(self, pattern: str) -> None:
        tokens = list(_TOKEN.finditer(pattern))
        wildcards = sum(match.lastgroup != "letter" for match in tokens)
        self._regex = _regex(tokens) if wildcards <= MAX_REGEX_WILDCARDS else None
        self._states = None if self._regex else _States(tokens)

    def fullmatch(self, path: str) -> bool:
        """Whether the pattern is of this whole path."""
        if self._regex is not None:
            return self._regex.fullmatch(path) is not None
        assert self._states is not None
        return self._states.accept(path)


def plain(pattern: str) -> str:
    """A pattern as it is matched: `./` and a leading slash say nothing."""
    return pattern.removeprefix("./").lstrip("/")


def fixed_part(path: str) -> str:
    """The folder above the first part with a wildcard."""
    parts = path.split("/")
    first = next(index for index, part in enumerate(parts) if _is_wild(part))
    return "/".join(parts[:first]) or "/"


def _is_wild(text: str) -> bool:
    """Whether a text has wildcards."""
    return "*" in text or "?" in text


def roots(base: str, patterns: Sequence[str]) -> list[tuple[str, bool]]:
    """The fewest paths of the container that hold all that the patterns can match, each with whether to look below."""
    found: dict[str, bool] = {}
    for pattern in map(plain, patterns):
        joined = posixpath.normpath(posixpath.join(base, pattern))
        if not is_below(joined, base) or ".." in pattern.split("/"):
            continue  # a pattern with `..` matches nothing
        tail = joined[len(base.rstrip("/")) :]
        if _is_wild(tail):
            fixed = fixed_part(tail)
            joined = base if fixed == "/" else base.rstrip("/") + fixed
        found[joined] = found.get(joined, False) or _is_wild(tail)
    covered = {one for one in found if any(one != other and is_below(one, other) for other in found)}
    return [(one, found[one]) for one in sorted(found) if one not in covered]


def _regex(tokens: list[re.Match[str]]) -> re.Pattern[str]:
    pieces = []
    for match in tokens:
        if match["folders"]:
            pieces.append("(?:[^/]+/)*")
        elif match["stars"]:
            pieces.append(".*" if len(match["stars"]) > 1 else "[^/]*")
        else:
            pieces.append("[^/]" if match["letter"] == "?" else re.escape(match["letter"]))
    return re.compile("".join(pieces), re.DOTALL)


class _States:
    """The places in a pattern that a path may have come to, as the bits of a number: one step a character.

    A wildcard's bit stays set while it takes characters, and sets the one behind it. `**/` has two bits: before a name,
    and within one.
    """

    def __init__(self, tokens: list[re.Match[str]]) -> None:
        self._letters: dict[str, int] = {}
        self._any_letter = self._stars = self._all_stars = self._before = self._within = 0
        bit = 1
        for match in tokens:
            if match["folders"]:
                self._before |= bit
                bit <<= 1
                self._within |= bit
            elif match["stars"]:
                self._stars |= bit
                self._all_stars |= bit if len(match["stars"]) > 1 else 0
            elif match["letter"] == "?":
                self._any_letter |= bit
            else:
                self._letters[match["letter"]] = self._letters.get(match["letter"], 0) | bit
            bit <<= 1
        self._end = bit

    def accept(self, path: str) -> bool:
        places = self._opened(1)
        for letter in path:
            moved = (places & self._letters.get(letter, 0)) << 1
            if letter == "/":
                moved |= places & self._all_stars | (places & self._within) >> 1
            else:
                moved |= places & (self._stars | self._within) | (places & (self._any_letter | self._before)) << 1
            places = self._opened(moved)
            if not places:
                return False
        return bool(places & self._end)

    def _opened(self, places: int) -> int:
        """These places, and those behind wildcards that may stand for nothing."""
        while True:
            more = places | (places & self._stars) << 1 | (places & self._before) << 2
            if more == places:
                return places
            places = more
