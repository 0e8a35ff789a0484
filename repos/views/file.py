"""A file at a revision: its lines, its picture, or what it is."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

from django.http import HttpResponse
from django.shortcuts import render

from codeservices.errors import NotFound
from codeservices.http import ConsoleRequest, is_partial
from repos.git import blob, content_type, log, tree
from repos.git.revspec import Resolved
from repos.models import Repository
from repos.remembered import remembered
from repos.text import invisible, markup, table
from repos.views import kept, readme, source
from repos.views.shared import place

# A file page is about three times as large as the text in it, and 512 KiB are some 15,000 lines of code.
MAX_SHOWN_BYTES: Final = 512 * 1024
# A picture that a page shows without being asked. Whoever wants a larger one can open it.
MAX_IMAGE_BYTES: Final = 10 * 1024 * 1024
MAX_DUMP_BYTES: Final = 256
MAX_TARGET_BYTES: Final = 4096


@dataclass(frozen=True)
class Facts:
    """What a page tells of a blob beside its lines.

    Attributes:
        encoding: In words; "" for UTF-8 and for what is no text.
        line_ends: "CRLF", "mixed", or "" where all lines end with a line feed or there are none.
        lacks_end: The last line has no end.
        deceiving: The numbers of the lines with characters that hide or reorder others.
        target: Of a symbolic link.
        format: By the content's first bytes.
    """

    size_bytes: int
    has_text: bool
    encoding: str
    is_truncated: bool
    line_count: int
    line_ends: str
    lacks_end: bool
    deceiving: tuple[int, ...]
    lfs: blob.LfsPointer | None
    target: str
    format: content_type.ContentType | None
    is_svg: bool
    head: bytes

    @property
    def is_picture(self) -> bool:
        """A browser can draw it, and it is no more than a page should load by itself."""
        is_drawn = self.is_svg or (self.format is not None and self.format.image_type != "")
        return is_drawn and self.size_bytes <= MAX_IMAGE_BYTES

    @property
    def dump(self) -> list[tuple[str, str, str]]:
        """The first bytes as rows of (position, hexadecimal, characters)."""
        rows = [self.head[start : start + 16] for start in range(0, min(len(self.head), MAX_DUMP_BYTES), 16)]
        return [
            (
                f"{number * 16:08x}",
                f"{row[:8].hex(' ')}  {row[8:].hex(' ')}",
                "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row),
            )
            for number, row in enumerate(rows)
        ]


class File:
    """A file or a symbolic link of a repository, as its pages show it; read once and only where it is needed."""

    def __init__(self, repository: Repository, entry: tree.Entry) -> None:
        self.repository, self.entry = repository, entry
        self._load = cache(lambda: blob.read_entry(repository.git, entry, max_bytes=MAX_SHOWN_BYTES))

    @cached_property
    def facts(self) -> Facts:
        """What is told of it."""
        parts = (self.entry.oid, self.entry.name, self.entry.kind)
        return remembered(self.repository, "file", *parts, make=lambda: _facts(self._load(), self.entry.name))

    @property
    def text(self) -> str:
        """Its text, as far as it is shown."""
        return self._load().text or ""

    def source(self, patience_seconds: float | None) -> source.Source:
        """Its lines, with colours if there are any in time."""
        return source.source(
            self.repository, self.entry.oid, self.entry.name, self._load, patience_seconds=patience_seconds
        )


def show(request: ConsoleRequest, repository: Repository, at: Resolved, entry: tree.Entry) -> HttpResponse:
    """The page of a file or a symbolic link; the caller has authorized codecommit:GetFile.

    Its last commit comes with a second request, or without scripts by a link.
    """
    with_commits = "last_commit" in request.GET
    latest = log.latest(repository.git, at.oid, at.path) if with_commits else None
    if with_commits and is_partial(request):
        context = {"repository": repository, "at": at, "latest": latest, "with_commits": True}
        return render(request, "repos/_latest_commit.html", context)
    file = File(repository, entry)
    facts = file.facts
    has_lines = facts.has_text and facts.line_count > 0 and entry.kind == "blob"
    if is_partial(request):
        lines = file.source(source.COLOUR_SECONDS) if has_lines else None
        if lines is None or not lines.is_final:
            return HttpResponse(status=204)  # the lines stay as they are
        return render(request, "repos/_source.html", {"source": lines})
    wants_source = "source" in request.GET
    is_picture = facts.is_picture and entry.kind == "blob" and not (facts.is_svg and wants_source)
    context = place(request, repository, at) | {
        "latest": latest,
        "with_commits": with_commits,
        "entry": entry,
        "facts": facts,
        "is_picture": is_picture,
        "views": _views("Picture", wants_source) if facts.is_svg else [],
    }
    if has_lines and not facts.is_truncated and markup.is_markdown(entry.name):
        context["views"] = _views("Text", wants_source)
        if not wants_source:
            context["html"] = readme.rendered(request, repository, at, at.path, entry.oid, file.text)
    if has_lines and not facts.is_truncated and table.is_table(entry.name):
        records = table.table(file.text, entry.name)
        if records is not None:
            context["views"] = _views("Table", wants_source)
            context["table"] = None if wants_source else records
    if has_lines and not is_picture and context.get("html") is None and context.get("table") is None:
        is_short = facts.size_bytes <= source.MAX_AWAITED_BYTES
        lines = context["source"] = file.source(source.PATIENCE_SECONDS if is_short else None)
        if not lines.is_final:
            kept.not_final(request)
    if entry.kind == "symlink":
        context["target_path"] = _target_path(repository, at, facts.target)
    return render(request, "repos/blob.html", context)


def _views(drawn: str, wants_source: bool) -> list[tuple[str, str, bool]]:
    """The two ways to look at a file: label, query, and whether it is the present one."""
    return [(drawn, "", not wants_source), ("Source", "?source", wants_source)]


def _facts(found: blob.Blob, filename: str) -> Facts:
    text = found.text or ""
    known = content_type.of(found.head)
    windows_ends = text.count("\r\n")
    ends = text.count("\n")
    return Facts(
        size_bytes=found.size_bytes,
        has_text=found.text is not None and known is None,
        encoding=blob.ENCODING_WORDS.get(found.encoding, ""),
        is_truncated=found.is_truncated,
        line_count=len(found.lines),
        line_ends="" if not windows_ends else "CRLF" if windows_ends == ends else "mixed",
        lacks_end=bool(text) and not found.is_truncated and not text.endswith("\n"),
        deceiving=tuple(invisible.lines_with_deceiving(found.lines)),
        lfs=found.lfs,
        target=text[:MAX_TARGET_BYTES] if found.is_symlink else "",
        format=known,
        is_svg=content_type.is_svg(filename, found.head) and not found.is_symlink,
        head=found.head,
    )


def _target_path(repository: Repository, at: Resolved, target: str) -> str | None:
    """Where in this tree a symbolic link leads; None where that is outside, or nothing is there."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(at.path), target))
    if target.startswith("/") or path == ".." or path.startswith("../") or "\0" in path:
        return None
    path = "" if path == "." else path
    try:
        tree.entry(repository.git, at.oid, path)
    except NotFound:
        return None
    return path
