"""The entries of a folder as rows of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Final, Protocol
from urllib.parse import quote

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator

from codeservices.templatetags.ui import icon, relative, short_oid
from repos.git import refs, tree
from repos.templatetags.repository import ADDRESS_SAFE, code_address

register = template.Library()

MAX_SUBJECT_CHARACTERS = 100
# Most names and paths, which stand in an address and in a text as they are.
_PLAIN: Final = re.compile(r"[A-Za-z0-9._/-]+", re.ASCII).fullmatch
_PICTURES = {
    "tree": ("folder", ""),
    "blob": ("file", ""),
    "symlink": ("link", "Symbolic link"),
    "submodule": ("cube-transparent", "Submodule"),
}


class Commit(Protocol):
    """The commit that gave an entry its content."""

    @property
    def oid(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def when_at(self) -> datetime | None: ...


class Row(Protocol):
    """An entry, its name as it is shown, where it leads, a link's target, and its last commit if it is known."""

    @property
    def entry(self) -> tree.Entry: ...
    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def commit(self) -> Commit | None: ...


@register.simple_tag
def folder_rows(rows: Iterable[Row], repository_name: str, revision: str) -> SafeString:
    """The rows; made here because a template needs eight times as long for 500 of them."""
    browse = escape(code_address(repository_name, "browse", revision))
    commit = escape(reverse("repos:commit", args=[repository_name, "0"]))[:-1]
    pictures = {kind: icon(name, label=label) for kind, (name, label) in _PICTURES.items()}
    now = datetime.now(UTC)
    made = [
        f'<tr data-kind="{row.entry.kind}"><td><a class="entry" href="{browse}/{_quoted(row.path)}">'
        f"{pictures[row.entry.kind]} <span>{_shown(row.name)}{_note(row)}</span></a></td>"
        f"{_commit_cells(row.commit, commit, now)}</tr>"
        for row in rows
    ]
    return mark_safe("\n".join(made))  # noqa: S308 - every text is escaped here and below


def _shown(name: str) -> str:
    return name if _PLAIN(name) else escape(refs.shown(name))


def _quoted(path: str) -> str:
    return path if _PLAIN(path) else escape(quote(path, safe=ADDRESS_SAFE, errors="surrogateescape"))


def _note(row: Row) -> str:
    if row.entry.kind == "submodule":
        note = '<span class="row-note">submodule: a commit of another repository</span>'
        return f" @ {short_oid(row.entry.oid)} {note}"
    return f' <span class="muted">→ {escape(refs.shown(row.target))}</span>' if row.target else ""


def _commit_cells(commit: Commit | None, address: str, now: datetime) -> str:
    if commit is None:
        return '<td class="message-title wide-only"></td><td class="when number"></td>'
    subject = commit.subject or "(no message)"
    if len(subject) > MAX_SUBJECT_CHARACTERS:
        subject = Truncator(subject).chars(MAX_SUBJECT_CHARACTERS)
    when = "no date"
    if commit.when_at is not None:  # as the tag timeago has it, without its cost
        exact = commit.when_at.isoformat(timespec="seconds")
        when = (
            f'<time datetime="{exact}" title="{exact[:10]} {exact[11:19]} UTC" data-relative>'
            f"{relative(commit.when_at, now)}</time>"
        )
    return (
        f'<td class="message-title wide-only"><a href="{address}{commit.oid}">{escape(subject)}</a></td>'
        f'<td class="when number">{when}</td>'
    )
