"""Rows of a commit graph."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from django import template
from django.http import QueryDict
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from codeservices.templatetags.ui import short_oid_words, timeago
from repos.git import refs
from repos.graph import drawing
from repos.graph.choice import Label
from repos.graph.pages import ShownRow, Window
from repos.models import Repository
from repos.templatetags.repository import code_address

register = template.Library()

# An octopus has up to 66 parents; its own page lists them all.
MAX_PARENTS = 3
MAX_LABELS = 6


@register.simple_tag
def graph_rows(repository: Repository, window: Window, choice_query: str) -> SafeString:
    """Table rows of a window; made here because a template needs several times as long for a hundred of them.

    Args:
        choice_query: The address's parameters that choose branches, without a question mark; may be empty.
    """
    here = f"{reverse('repos:graph', args=[repository.name])}?{choice_query}{'&' if choice_query else ''}"
    rows = (_Row(repository, window, here, shown).html() for shown in window.rows)
    return mark_safe("\n".join(rows))  # noqa: S308 - every text is escaped by _Row


@register.simple_tag
def choice_query(names: tuple[str, ...], is_all: bool) -> str:
    """The parameters of an address that choose these branches."""
    query = QueryDict(mutable=True)
    if is_all:
        query["all"] = "1"
    else:
        query.setlist("branch", [refs.escaped(name) for name in names])
    return query.urlencode(safe="/")


class _Row:
    def __init__(self, repository: Repository, window: Window, here: str, shown: ShownRow) -> None:
        self.repository = repository.name
        self.window = window
        self.here = escape(here)
        self.shown = shown

    def html(self) -> str:
        shown, row = self.shown, self.shown.row
        picture = drawing.draw(row, self.window.numbers, self.window.width)
        return (
            f'<tr id="c-{row.oid}" data-row="{shown.number}" aria-rowindex="{shown.number + 2}">'
            f'<td class="graph-lanes" aria-hidden="true">{picture}</td>'
            f'<td class="graph-subject">{self._labels()}{self._subject()}</td>'
            f'<td class="graph-parents">{self._parents()}</td>'
            f"{self._people()}"
            f'<td class="graph-id"><code class="oid" title="{row.oid}">{short_oid_words(row.oid)}</code></td></tr>'
        )

    def _subject(self) -> str:
        commit = self.shown.commit
        title = "(this commit can’t be read)" if commit is None else commit.subject or "(no message)"
        address = reverse("repos:commit", args=[self.repository, self.shown.row.oid])
        words = f'title="{escape(title[:200])}">{escape(title[:300])}'
        return f'<a class="row-title" data-row-link href="{address}" {words}</a>'

    def _labels(self) -> str:
        labels = self.shown.labels
        more = len(labels) - MAX_LABELS
        rest = f'<span class="graph-label" title="{more} more refs point here">+{more}</span>' if more > 0 else ""
        return "".join(map(self._label, labels[:MAX_LABELS])) + rest

    def _label(self, label: Label) -> str:
        revision = label.name if label.kind == "branch" else refs.TAGS + label.name
        address = escape(code_address(self.repository, "commits", revision))
        default = ' data-default="yes"' if label.is_default else ""
        word = "default branch" if label.is_default else label.kind
        return (
            f'<a class="graph-label" data-kind="{label.kind}"{default} href="{address}">'
            f'<span class="visually-hidden">{word} </span>{escape(refs.shown(label.name))}</a>'
        )

    def _parents(self) -> str:
        return " ".join(self._parent_links()) or '<span class="muted">none</span>'

    def _parent_links(self) -> Iterator[str]:
        row = self.shown.row
        if row.is_resumed:
            title = "Lines to this commit were cut further up: go to its first child"
            yield f'<a class="graph-child" href="{self.here}child={row.oid}" title="{title}">↑ child</a>'
        for oid in row.parent_oids[:MAX_PARENTS]:
            number = self.window.numbers.get(oid)
            if number is not None and self.window.total is not None and number >= self.window.total:
                yield f'<code class="oid" title="{oid}: below the end of this graph">{short_oid_words(oid)}</code>'
                continue
            cut = ' data-cut="yes"' if oid in row.cut_parent_oids else ""
            to = drawing.name(oid, self.window.numbers)
            yield (
                f'<a data-to="{to}"{cut} href="{self.here}commit={oid}#c-{oid}" title="Go to the parent {oid}">'
                f'↓ <span class="oid">{short_oid_words(oid)}</span></a>'
            )
        more = len(row.parent_oids) - MAX_PARENTS
        if more > 0:
            address = reverse("repos:commit", args=[self.repository, row.oid])
            yield f'<a href="{address}">+{more} parents</a>'

    def _people(self) -> str:
        commit = self.shown.commit
        if commit is None:
            return '<td class="graph-author"></td><td class="when"></td>'
        author = commit.author
        name = escape(author.name or "no author")
        when = timeago(commit.committer.when_at, "no date")
        who = f'<td class="graph-author"><span title="{escape(author.email)}">{name}</span></td>'
        return f'{who}<td class="when">{when}</td>'
