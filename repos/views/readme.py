"""The README of a folder: Markdown as HTML, all else as it is written."""

from __future__ import annotations

import posixpath
import re
import secrets
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final

from django.utils.safestring import mark_safe

from codeservices.errors import NotFound
from codeservices.http import ConsoleRequest
from repos.git import blob, tree
from repos.git.revspec import Resolved
from repos.models import Repository
from repos.remembered import remembered
from repos.templatetags.repository import code_address
from repos.text import highlight, markup
from repos.text.child_pool import Stopped
from repos.views import kept

MAX_BYTES: Final = 256 * 1024
# The first that is there, whatever the case of its name: of two in one folder the one that can be drawn.
_ENDINGS: Final = ("md", "markdown", "mdown", "mkd", "rst", "adoc", "org", "txt", "")
_NAME: Final = re.compile(r"readme(?:\.([a-z]+))?", re.IGNORECASE)
# Where projects put the README of the whole when there is none in the root.
_ELSEWHERE: Final = (".github", "docs")
MAX_LINKS: Final = 3
# Stand for the addresses of a revision, so that one HTML serves all of them; no text can hold what nobody knows.
_BROWSE: Final = f"/{secrets.token_hex(16)}"
_RAW: Final = f"/{secrets.token_hex(16)}"


def context(
    request: ConsoleRequest, repository: Repository, at: Resolved, entries: Sequence[tree.Entry]
) -> dict[str, Any]:
    """What the page of a folder shows of its README: `readme`, a blob, and `readme_html`; empty where there is none."""
    found = _find(repository, at, entries)
    if found is None:
        return {}
    path, entry = found
    text = blob.read(repository.git, at.oid, entry.path, max_bytes=MAX_BYTES)
    html = None
    if text.text is not None and not text.is_truncated and markup.is_markdown(entry.name):
        html = rendered(request, repository, at, entry.path, text.oid, text.text)
    return {"readme": text, "readme_path": path, "readme_html": html}


def rendered(
    request: ConsoleRequest, repository: Repository, at: Resolved, path: str, oid: str, text: str
) -> str | None:
    """A Markdown file as HTML for a page; None where it is to be shown as it is written.

    Args:
        at: The revision at which its links lead.
        path: Of the file.
        oid: Of the file's blob.
        text: Its content.
    """
    folder = posixpath.dirname(path)
    addresses = markup.Addresses(browse=_BROWSE, raw=_RAW, folder=folder)
    try:
        html = remembered(
            repository, "markup", oid, folder, make=lambda: markup.render(text, addresses, highlight=highlight.lines)
        )
    except Stopped:
        kept.not_final(request)
        return None
    if html is None:
        return None
    for placeholder, page in ((_BROWSE, "browse"), (_RAW, "raw")):
        html = html.replace(placeholder, escape(code_address(repository.name, page, at.name)))
    return mark_safe(html)  # noqa: S308  sanitised by markup


def _find(repository: Repository, at: Resolved, entries: Sequence[tree.Entry]) -> tuple[str, tree.Entry] | None:
    """(the path it is shown under, the file) of the README; they differ where it is a symbolic link."""
    for candidate in _candidates(entries):
        file = _followed(repository, at, candidate)
        if file is not None:
            return candidate.path, file
    if at.path:
        return None
    for folder in _ELSEWHERE:
        if any(one.name == folder and one.kind == "tree" for one in entries):
            for candidate in _candidates(tree.entries(repository.git, at.oid, folder)):
                if candidate.kind == "blob":
                    return candidate.path, candidate
    return None


def _candidates(entries: Iterable[tree.Entry]) -> list[tree.Entry]:
    ranked = [
        (_ENDINGS.index(ending), one.name, one)
        for one in entries
        if one.name[:6].lower() == "readme"
        and one.kind in ("blob", "symlink")
        and (match := _NAME.fullmatch(one.name))
        and (ending := (match[1] or "").lower()) in _ENDINGS
    ]
    return [one for _, _, one in sorted(ranked, key=lambda row: row[:2])]


def _followed(repository: Repository, at: Resolved, entry: tree.Entry) -> tree.Entry | None:
    """The file that a symbolic link in the repository leads to; the entry itself where it is a file."""
    for _ in range(MAX_LINKS):
        if entry.kind == "blob":
            return entry
        if entry.kind != "symlink":
            return None
        target = blob.read(repository.git, at.oid, entry.path, max_bytes=4096).text or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), target))
        if target.startswith("/") or path.startswith("../"):
            return None
        try:
            entry = tree.entry(repository.git, at.oid, path)
        except NotFound:
            return None
    return None
