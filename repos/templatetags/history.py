"""The commits of a page of history as rows; made here because a template needs six times as long for 30 of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape

from django import template
from django.utils.dateformat import format as formatted
from django.utils.safestring import SafeString, mark_safe

from codeservices.registry import CommitStatus
from codeservices.templatetags.ui import SHORT_OID_LENGTH, commit_status, icon, short_oid, timeago
from repos.git.log import Commit, Entry, Page
from repos.git.refs import shown
from repos.signatures import Signature
from repos.templatetags.repository import code_address, commit_signature, place_address

register = template.Library()


@register.simple_tag
def commit_days(
    days: Sequence[tuple[date | None, Sequence[Entry]]],
    page: Page,
    repository_name: str,
    statuses: Mapping[str, CommitStatus],
    signatures: Mapping[str, Signature],
) -> SafeString:
    """A section for each day with its commits; `page` is the one of the history that they are from."""
    place = place_address(repository_name)
    last = page.entries[-1] if page.entries and not page.next_cursor else None
    made: list[str] = []
    for day, entries in days:
        made.append(f'<section class="commit-day">\n  <h2>{_day(day)}</h2>\n  <ol class="commit-list">')
        for entry in entries:
            oid = entry.commit.oid
            marks = f"{commit_status(statuses, oid)}{commit_signature(signatures, oid)}"
            made.append(_row(entry, place, repository_name, marks, is_last=entry is last))
        made.append("  </ol>\n</section>")
    return mark_safe("\n".join(made))  # noqa: S308 - every text is escaped here and below


def _day(day: date | None) -> str:
    if day is None:
        return "Without a date"
    return f'<time datetime="{day.isoformat()}">{formatted(day, "j F Y")}</time>'


def _row(entry: Entry, place: str, repository_name: str, marks: str, *, is_last: bool) -> str:
    commit = entry.commit
    browse = escape(code_address(repository_name, "browse", commit.oid, "" if entry.is_deletion else entry.path))
    words = [word for word, is_so in (("merge", commit.is_merge), ("deleted", entry.is_deletion)) if is_so]
    tags = "".join(f' <span class="tag">{word}</span>' for word in words)
    return (
        '<li class="commit-row" data-row>'
        f'<div><a class="row-title" data-row-link href="{place}commit/{commit.oid}">'
        f"{escape(commit.subject or '(no message)')}</a>{tags} "
        f'<span class="row-note">{_people(commit)} · {timeago(commit.committer.when_at, "no date")}</span>'
        f"{_renamed(entry, repository_name, is_last=is_last)}</div>"
        f'<div class="actions">{marks}{short_oid(commit.oid, copy=True)}'
        f'<a class="icon-button" href="{browse}" aria-label="Browse the code at {commit.oid[:SHORT_OID_LENGTH]}" '
        f'title="The code at this commit">{icon("source")}</a></div></li>'
    )


def _people(commit: Commit) -> str:
    author, committer = commit.author, commit.committer
    told = f'<span title="{escape(author.email)}">{escape(author.name or "no author")}</span>'
    if (committer.name, committer.email) == (author.name, author.email):
        return told
    by = f'<span title="{escape(committer.email)}">{escape(committer.name or "nobody")}</span>'
    return f"{told}, committed by {by}"


def _renamed(entry: Entry, repository_name: str, *, is_last: bool) -> str:
    if entry.renamed_from is None:
        return ""
    before = escape(code_address(repository_name, "browse", entry.commit.parent_oids[0], entry.renamed_from))
    rest = "" if is_last else "; what follows is the history of that name"
    return (
        f' <span class="row-note">{icon("arrow-uturn-left")} moved here from '
        f'<a href="{before}"><code>{escape(shown(entry.renamed_from))}</code></a>{rest}</span>'
    )
