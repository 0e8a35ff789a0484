"""Coloured pieces of a line and its word marks, which know nothing of each other, as one row of spans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from repos.diff.pairing import Mark


class Span(NamedTuple):
    """A piece of a line that looks the same all along."""

    text: str
    css_class: str
    is_marked: bool


def merged(text: str, pieces: Iterable[tuple[str, str]] | None, marks: Sequence[Mark]) -> Iterator[Span]:
    """The line cut wherever its colour or its marking changes; the texts joined are the line.

    Args:
        pieces: (class, text) in order, as the highlighter gives them. Where their texts joined are not the line, but
            a longer or another one, the colours are left out from the place where they part.
        marks: Ascending and apart from each other.
    """
    at = 0
    for css_class, piece in pieces or ():
        fits = piece if text.startswith(piece, at) else ""
        if not fits and piece.startswith(text[at:]):  # the line was cut inside this piece
            fits = text[at:]
        if piece and not fits:
            break
        yield from _cut(text, at, at + len(fits), css_class, marks)
        at += len(fits)
    yield from _cut(text, at, len(text), "", marks)


def _cut(text: str, start: int, end: int, css_class: str, marks: Sequence[Mark]) -> Iterator[Span]:
    at = start
    for mark in marks:
        if mark.end <= at or mark.start >= end:
            continue
        if mark.start > at:
            yield Span(text[at : mark.start], css_class, False)
            at = mark.start
        stop = min(mark.end, end)
        yield Span(text[at:stop], css_class, True)
        at = stop
    if at < end:
        yield Span(text[at:end], css_class, False)
