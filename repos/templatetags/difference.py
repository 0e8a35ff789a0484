"""Rows of a difference with their buttons, and the tree of changed files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from codeservices.templatetags.ui import copy_button, icon
from repos.diff import excerpt, hunks, markup
from repos.diff.changes import FileChange
from repos.diff.excerpt import Gap
from repos.diff.hunks import Counts
from repos.diff.rows import FileDiff
from repos.git import refs

if TYPE_CHECKING:
    from repos.views.difference_page import DiffPage, Section

register = template.Library()

_WORDS = {"A": "added", "M": "modified", "D": "deleted", "R": "renamed", "C": "copied", "T": "type changed"}

Listed = tuple[int, FileChange, Counts | None]


@register.simple_tag
def diff_file(file: Section) -> SafeString:
    """A changed file: its head, what there is to say about it, and its rows. Not in a template: a page has hundreds."""
    notes = long = ""
    if not file.change.is_content_changed:
        notes = f'<p class="fold">{_unchanged_words(file.change)}</p>'
    elif not file.is_plain:
        notes = render_to_string(
            "repos/_diff_file_notes.html", {"file": file, "change": file.change, "shown": file.shown}
        )
    if file.shown.has_cut_lines:
        long = render_to_string("repos/_diff_file_long_lines.html", {"file": file})
    return mark_safe(  # noqa: S308 - every text is escaped here, below, or by the templates
        f'<section class="diff-file" id="file-{file.index}" data-path="{escape(file.escaped_path)}" '
        f'aria-label="{escape(file.path)}">\n<header>{_head(file)}</header>\n{notes}{_table(file)}{long}</section>\n'
    )


def _head(file: Section) -> str:
    """What stands above a file: what happened to it, its name, remarks, counts, and the ways to more of it."""
    change, path = file.change, escape(file.path)
    old = f"{escape(refs.shown(change.old_path))} → " if change.old_path != change.new_path else ""
    remarks = render_to_string("repos/_diff_file_remarks.html", {"file": file}) if file.has_remarks else ""
    whole = view = ""
    if file.may_be_whole:
        address = escape(file.whole_address)
        whole = (
            f'<a class="button" href="{address}#file-{file.index}" hx-get="{address}" '
            'hx-target="closest section" hx-swap="outerHTML">Whole file</a>'
        )
    if file.view_address:
        view = f'<a class="button" href="{escape(file.view_address)}">View file</a>'
    return (
        f'<span class="tag">{file.word}</span> <span>{old}{path}</span>{copy_button(file.path, "Copy the path")}'
        f'{remarks}<span class="actions">{file.counts_html}{whole}{view}</span>'
    )


def _unchanged_words(change: FileChange) -> str:
    """What is told of a file whose content is the same on both sides."""
    mode = change.mode_words
    if change.status in "RC":
        return f"Only its name changed; it {mode}." if mode else "Only its name changed."
    return f"Only its mode changed, from {change.old_mode} to {change.new_mode}: it {mode}."


def _table(file: Section) -> str:
    """A file's rows in their table, which asks for the colours when it is scrolled to; nothing where it has no rows."""
    if not file.shown.parts:
        return ""
    label = f"Changes of {escape(file.path)}"
    colours = (
        ""
        if file.shown.is_coloured
        else f' hx-get="{escape(file.colours_address)}" hx-trigger="intersect once" hx-swap="innerHTML"'
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">'
        f'<table class="diff highlight" data-view="{file.wishes.view}">'
        f'<caption class="visually-hidden">{label}</caption>{file.columns_html}<tbody{colours}>\n'
        f"{diff_rows(file)}\n</tbody></table></div>"
    )


@register.simple_tag
def diff_rows(file: Section) -> SafeString:
    """Table rows of a file: lines, buttons where some are not shown, and the way to the rows after these."""
    view = file.wishes.view
    here, wider = escape(file.here), escape(file.wider_address)
    rows = [
        part if isinstance(part, str) else _gap_row(part, view, here, f"{wider}#file-{file.index}")
        for part in file.shown.parts
    ]
    if file.shown.next_row is not None:
        address = escape(file.more_address)
        rows.append(
            f'<tr class="more"><td colspan="{3 if view == "unified" else 4}"><a class="button" '
            f'href="{address}#file-{file.index}" hx-get="{address}" hx-target="closest tr" hx-swap="outerHTML">'
            f"Show the next {hunks.MAX_ROWS:,} rows</a></td></tr>"
        )
    return mark_safe("\n".join(rows))  # noqa: S308 - every text was escaped where the row was made


@register.simple_tag
def diff_rows_alone(file: FileDiff, change: FileChange, view: markup.View) -> SafeString:
    """Table rows of a difference that stands on no page of its own, so without buttons for what is not shown."""
    parts = markup.parts(file, change, view, 3)
    return mark_safe("\n".join(part for part in parts if isinstance(part, str)))  # noqa: S308 - escaped by markup


def _gap_row(gap: Gap, view: markup.View, here: str, wider: str) -> str:
    """A row for lines that are not shown, with what shows them; without scripts, more context around every change."""
    numbers = f"{gap.old_start},{gap.new_start},{'' if gap.line_count is None else gap.line_count}"
    buttons = "".join(
        f'<a href="{wider}" hx-get="{here}&amp;gap={numbers}&amp;show={show}" hx-target="closest tr" '
        f'hx-swap="outerHTML" title="{words}" aria-label="{words}">{icon(picture)}</a>'
        for show, words, picture in _choices(gap)
    )
    label = markup.label(gap.label) if gap.label else f"{gap.line_count:,} lines not shown" if gap.line_count else ""
    head = markup.NUMBERS[view].replace(">", f' class="gap">{buttons}', 1)
    return f'<tr data-kind="hunk">{head}{label}</td></tr>'


def _choices(gap: Gap) -> Iterator[tuple[str, str, str]]:
    """(what to show, its words, its icon) of a gap's buttons."""
    step = excerpt.STEP_LINES
    if gap.line_count is not None and gap.line_count <= step:
        yield (
            "all",
            f"Show the {gap.line_count:,} lines between" if gap.line_count > 1 else "Show the line between",
            "chevron-up-down",
        )
        return
    if not gap.is_at_top:
        yield "down", f"Show {step} more lines below", "chevron-down"
    if gap.line_count is not None:
        yield "up", f"Show {step} more lines above", "chevron-up"
    words = "Show the rest of the file" if gap.line_count is None else f"Show all {gap.line_count:,} lines"
    yield "all", words, "chevron-double-down" if gap.line_count is None else "chevron-up-down"


@register.simple_tag
def changed_tree(listed: Sequence[Listed], sections: Sequence[Section], page: DiffPage) -> SafeString:
    """The listed files as nested lists by their folders; a folder with nothing but a folder in it is one with it."""
    root: dict[str, Any] = {}
    for one in listed:
        *folders, name = one[1].path.split("/")
        node = root
        for folder in folders:
            node = node.setdefault(f"{folder}/", {})
        node[f"{name}\0{one[0]}"] = one  # beside a folder of the same name, where a link took its place
    present = {section.index for section in sections}
    prefix = escape(page.link())
    return mark_safe("".join(_branch(root, present, prefix)))  # noqa: S308 - names are escaped below


def _branch(node: dict[str, Any], present: set[int], prefix: str) -> Iterator[str]:
    """Without calling itself: a pusher makes folders two thousand deep."""
    waiting = [iter(node.items())]
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
            if waiting:
                yield "</ul></details></li>"
            continue
        name, inner = found
        if not isinstance(inner, dict):
            yield _leaf(inner, present, prefix)
            continue
        while len(inner) == 1 and isinstance(only := next(iter(inner.values())), dict):
            name, inner = name + next(iter(inner)), only
        folder = escape(refs.shown(name.removesuffix("/")))
        yield f"<li><details open><summary>{icon('folder')}<span>{folder}</span></summary><ul>"
        waiting.append(iter(inner.items()))


def _leaf(one: Listed, present: set[int], prefix: str) -> str:
    index, change, counts = one
    address = f"#file-{index}" if index in present else f"{prefix}&amp;file={index}#file-{index}"
    path = escape(refs.shown(change.path))
    title = f"{escape(refs.shown(change.old_path))} → {path}" if change.old_path != change.new_path else path
    word = _WORDS[change.status]
    return (
        f'<li data-row data-path="{path}"><a href="{address}" title="{title}">'
        f'<span class="change" data-status="{change.status}" title="{word}">{change.status}</span>'
        f'<span class="visually-hidden">{word}</span><span>{path.rpartition("/")[2]}</span></a>{_counts(counts)}</li>'
    )


def _counts(counts: Counts | None) -> str:
    if counts is None:
        return ""
    if counts.additions is None:
        return '<span class="muted">binary</span>'
    added = f'<span class="added-count">+{counts.additions:,}</span>' if counts.additions else ""
    deleted = f'<span class="removed-count">−{counts.deletions:,}</span>' if counts.deletions else ""
    return f"<span>{added} {deleted}</span>"
