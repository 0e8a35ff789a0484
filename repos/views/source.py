"""The lines of a text file as HTML, with colours where there are some: shared by the pages of a file and of its blame.

A page never waits long for colours: what is not ready when it is sent comes with a second request. Those of a long text
are not even begun before that: they would take the processor from the page, and from the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as NotReady
from dataclasses import dataclass
from html import escape
from typing import Final

from repos.git.blob import Blob
from repos.models import Repository
from repos.remembered import recalled, remember
from repos.text import highlight, invisible
from repos.text.highlight import Piece

# A browser needs seconds to lay out a line of a megabyte, and nobody reads it.
MAX_LINE_CHARACTERS: Final = 5_000
# What a page waits for colours before it goes without, and what the request for colours alone waits.
PATIENCE_SECONDS: Final = 0.04
COLOUR_SECONDS: Final = 20.0
# The colours of a longer text take more than PATIENCE_SECONDS, so a page leaves them to the request for colours alone.
MAX_AWAITED_BYTES: Final = 20_000


@dataclass(frozen=True)
class Source:
    """The lines of a text.

    Attributes:
        lines: HTML, safe to show; the numbers and the content are those of `Blob.lines`.
        is_final: There are colours, or there will be none: to ask again would give the same.
    """

    lines: list[str]
    is_final: bool


def source(
    repository: Repository, oid: str, filename: str, load: Callable[[], Blob], *, patience_seconds: float | None
) -> Source:
    """The lines of a blob that has a text; the caller has authorized to show it.

    Args:
        filename: By which the language is known.
        load: Gives the blob, as far as it is shown; called where the lines are not remembered.
        patience_seconds: How long to wait for colours; 0 has them made meanwhile, None takes none but those at hand.
    """

    def made(coloured: highlight.Lines | None) -> list[str]:
        lines = lines_html(load().lines, coloured)
        remember(repository, "source", oid, filename, value=lines)
        return lines

    kept = recalled(repository, "source", oid, filename)
    if kept is not None:
        return Source(kept, is_final=True)
    job = highlight.begin(load().text or "", filename) if patience_seconds is not None else None
    if job is not None:
        try:
            return Source(made(job.result(patience_seconds)), is_final=True)
        except NotReady:
            job.add_done_callback(lambda done: None if done.cancelled() else made(done.result()))
    return Source(lines_html(load().lines, None), is_final=False)


def lines_html(lines: list[str], coloured: highlight.Lines | None) -> list[str]:
    """Each line as HTML, with spans by the classes of the highlighter where they are given."""
    joined = "\n".join(lines)
    is_plain = not invisible.has_odd(joined)
    if coloured is not None:
        text = _plain_text if is_plain else invisible.html
        return ["".join([_piece(piece, text) for piece in pieces]) for pieces in coloured]
    if is_plain and max(map(len, lines), default=0) <= MAX_LINE_CHARACTERS:
        return _plain_text(joined).split("\n") if lines else []
    return [_line(line) for line in lines]


def _line(line: str) -> str:
    if len(line) <= MAX_LINE_CHARACTERS:
        return invisible.html(line)
    rest = f"{len(line) - MAX_LINE_CHARACTERS:,}"
    shown = invisible.html(line[:MAX_LINE_CHARACTERS])
    return f'{shown} <span class="line-note">… {rest} more characters in this line</span>'


def _piece(piece: Piece, html: Callable[[str], str]) -> str:
    name, text = piece
    return f'<span class="{name}">{html(text)}</span>' if name else html(text)


def _plain_text(text: str) -> str:
    """A text of which every character can be seen."""
    return escape(text, quote=False)
