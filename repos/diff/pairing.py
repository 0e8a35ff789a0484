"""Which removed line became which added line, and which words of the two differ. Texts in, numbers out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, NamedTuple

# Comparing every removed line of a block with every added one is quadratic: the two bounds are diff2html's. Larger
# blocks are paired by position where both sides have as many lines, else not at all.
MAX_BLOCK_COMPARISONS: Final = 2500
MAX_PAIRED_CHARS: Final = 400
# For a whole file: about a tenth of a second of comparing, and as much of marking.
MAX_FILE_COMPARISONS: Final = 30_000
MAX_FILE_MARKED_CHARS: Final = 200_000
# SequenceMatcher looks at every place where a word of one line stands in the other. A usual pair of lines has a hundred
# such places; two lines of one word over and over have ten thousands.
MAX_FILE_WORD_MATCHES: Final = 1_000_000
# Longer lines are compared in too many tokens to mark at once.
MAX_MARKED_CHARS: Final = 2000
# Less alike than this, two lines are two lines and not one that changed.
MIN_SIMILARITY: Final = 0.4
# Where nearly everything differs, marks only distract.
MAX_MARKED_SHARE: Final = 0.75

_TOKEN: Final = re.compile(r"\w+|\s+|[^\w\s]")


class Mark(NamedTuple):
    """A range of characters in a line: from `start` up to, not including, `end`."""

    start: int
    end: int


@dataclass
class Budget:
    """What may still be spent on one file; when it is gone, lines stay unpaired or unmarked, no more."""

    comparisons: int = MAX_FILE_COMPARISONS
    marked_chars: int = MAX_FILE_MARKED_CHARS
    word_matches: int = MAX_FILE_WORD_MATCHES


def pairs(removed: Sequence[str], added: Sequence[str], budget: Budget) -> list[tuple[int, int]]:
    """Pair the lines of a block of changes, in order on both sides, never crossing.

    Inside the bounds the pairing with the greatest sum of similarities is chosen; beyond them blocks with as many
    removed as added lines are paired by position.

    Returns:
        (index in `removed`, index in `added`), ascending.
    """
    count = len(removed) * len(added)
    if count == 0:
        return []
    too_long = any(len(text) > MAX_PAIRED_CHARS for side in (removed, added) for text in side)
    if count > min(MAX_BLOCK_COMPARISONS, budget.comparisons) or (too_long and count > 1):
        return [(index, index) for index in range(len(removed))] if len(removed) == len(added) else []
    budget.comparisons -= count
    if count == 1:
        return [(0, 0)]
    left = [_weights(text) for text in removed]
    right = [_weights(text) for text in added]
    return _best(left, right)


def marks(old: str, new: str, budget: Budget) -> tuple[tuple[Mark, ...], tuple[Mark, ...]]:
    """The ranges of each text that the other does not have, by words; empty where the texts share too little."""
    size = len(old) + len(new)
    if old == new or not old.strip() or not new.strip() or max(len(old), len(new)) > MAX_MARKED_CHARS:
        return (), ()
    if size > budget.marked_chars:
        return (), ()
    budget.marked_chars -= size
    old_tokens, new_tokens, before = _unlike(_TOKEN.findall(old), _TOKEN.findall(new))
    in_new = Counter(new_tokens)
    matches = sum(times * in_new[token] for token, times in Counter(old_tokens).items())
    if matches > budget.word_matches:
        return (), ()
    budget.word_matches -= matches
    old_offsets, new_offsets = _offsets(old_tokens, before), _offsets(new_tokens, before)
    old_marks: list[Mark] = []
    new_marks: list[Mark] = []
    for tag, a, b, c, d in SequenceMatcher(None, old_tokens, new_tokens, autojunk=False).get_opcodes():
        if tag != "equal":
            _add(old_marks, old, old_offsets[a], old_offsets[b])
            _add(new_marks, new, new_offsets[c], new_offsets[d])
    if _share(old_marks, old) > MAX_MARKED_SHARE and _share(new_marks, new) > MAX_MARKED_SHARE:
        return (), ()
    return tuple(old_marks), tuple(new_marks)


def _weights(text: str) -> tuple[Counter[str], int]:
    """How often each word stands in a line, and the weight of all: words count by their length, space not at all."""
    words = Counter(token for token in _TOKEN.findall(text) if not token.isspace())
    return words, sum(len(word) * times for word, times in words.items())


def _similarity(left: tuple[Counter[str], int], right: tuple[Counter[str], int]) -> float:
    total = left[1] + right[1]
    if total == 0:
        return 1.0
    few, many = sorted((left[0], right[0]), key=len)
    common = sum(len(word) * min(times, many[word]) for word, times in few.items() if word in many)
    return 2 * common / total


def _best(left: Sequence[tuple[Counter[str], int]], right: Sequence[tuple[Counter[str], int]]) -> list[tuple[int, int]]:
    """The non-crossing pairing with the greatest sum, from the back so that it is read off from the front."""
    rows, columns = len(left), len(right)
    gains = [[_similarity(a, b) for b in right] for a in left]
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            taken = gains[i][j] + best[i + 1][j + 1] if gains[i][j] >= MIN_SIMILARITY else 0.0
            best[i][j] = max(taken, best[i + 1][j], best[i][j + 1])
    result: list[tuple[int, int]] = []
    i = j = 0
    while i < rows and j < columns:
        if gains[i][j] >= MIN_SIMILARITY and best[i][j] == gains[i][j] + best[i + 1][j + 1]:
            result.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return result


def _unlike(old: list[str], new: list[str]) -> tuple[list[str], list[str], int]:
    """Both without the tokens that they begin and end with alike, and how many characters are left out before.

    Most changes of a line are of one place in it, so that nearly nothing is left to compare.
    """
    start, old_end, new_end = 0, len(old), len(new)
    while start < old_end and start < new_end and old[start] == new[start]:
        start += 1
    while old_end > start and new_end > start and old[old_end - 1] == new[new_end - 1]:
        old_end, new_end = old_end - 1, new_end - 1
    return old[start:old_end], new[start:new_end], sum(map(len, old[:start]))


def _offsets(tokens: Sequence[str], start: int) -> list[int]:
    offsets = [start]
    for token in tokens:
        offsets.append(offsets[-1] + len(token))
    return offsets


def _add(found: list[Mark], text: str, start: int, end: int) -> None:
    """Add a range; one that only blanks separate from the last joins it."""
    if start == end:
        return
    if found and text[found[-1].end : start].strip() == "":
        start = found.pop().start
    found.append(Mark(start, end))


def _share(found: Sequence[Mark], text: str) -> float:
    return sum(end - start for start, end in found) / max(1, len(text))
