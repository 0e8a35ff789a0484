"""What the pages of a commit and of a comparison share: the list of changed files, and the files' rows in batches.

A page has all files of its page in the list and the first batch of their rows. Scrolling to its end, or the link
there, brings the next batch; `file` in the address starts at any other file, so every file has an address.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import render

from codeservices.errors import InvalidInput, NotFound
from codeservices.http import ConsoleRequest, is_partial
from repos.diff import excerpt, hunks, markup, pages
from repos.diff.excerpt import Gap
from repos.diff.hunks import Counts
from repos.diff.pages import Opening, Shown, Wishes
from repos.git import refs
from repos.views.difference_page import Comparison, DiffPage, Section

# Files in the list of one page: some 300 bytes of HTML each.
PAGE_FILES: Final = 1000
# Lines are counted before the page is shown where there are no more files than these; for more, after it.
COUNTED_FILES: Final = 100
VIEW_COOKIE: Final = "diff_view"
COOKIE_SECONDS: Final = 365 * 24 * 3600
WHITESPACE: Final = {"1": "all", "eol": "eol"}
MAX_NUMBER: Final = 2**31
# What the query of a page may have that begins with the first file and shows all as nobody wishes otherwise.
_OPENING: Final = frozenset(("view", "parent"))


def begin(request: ConsoleRequest, comparison: Comparison) -> Opening | None:
    """Have git begin, for `page_of`, where the page begins with the first file as nobody wishes otherwise."""
    if is_partial(request) or request.GET.keys() - _OPENING:
        return None
    return pages.begin(comparison.repository, comparison.old_tree, comparison.new_tree)


def page_of(request: ConsoleRequest, comparison: Comparison, opening: Opening | None) -> DiffPage:
    """Read the wishes in the address, and list the files."""
    rows: pages.Rows | None = None
    if opening is not None:
        files, rows = pages.opened(comparison.repository, opening)
    else:
        files = pages.changes_between(comparison.repository, comparison.old_tree, comparison.new_tree)
    find = "" if "path" in request.GET else refs.unescaped(request.GET.get("find", "")).strip()
    wanted = find.lower()
    indexes: Sequence[int] = range(len(files))
    if wanted:
        indexes = [
            index for index, one in enumerate(files) if wanted in one.new_path.lower() or wanted in one.old_path.lower()
        ]
    options = hunks.Options(whitespace=WHITESPACE.get(request.GET.get("w", ""), "show"))  # type: ignore[arg-type]
    return DiffPage(comparison, files, indexes, Wishes(_view(request), options), find, rows)


def context(request: ConsoleRequest, page: DiffPage) -> dict[str, Any]:
    """What the templates of the list and of the files need."""
    asked = _number(request, "file")
    if asked is None and "path" in request.GET:
        asked = _file_at(page, request.GET["path"])
    start = _place(page, asked) if asked is not None else _list_start(request, page)
    list_start = start // PAGE_FILES * PAGE_FILES
    listed = page.indexes[list_start : list_start + PAGE_FILES]
    sections: list[Section] = []
    if listed:
        wishes = _file_wishes(request, page.wishes) if asked is not None else page.wishes
        if wishes == page.wishes:
            is_long = len(page.indexes) - start > pages.LONG_FILES
            most = pages.FIRST_FILES if is_long else pages.BATCH_FILES
            sections = page.sections(start, wishes, most=most, most_rows=pages.FIRST_ROWS)
        else:  # the wishes are for that file alone
            sections = page.sections(start, wishes, most=1)
    counts = _counts(request, page, list_start, listed, sections)
    following = start + len(sections)
    return {
        "page": page,
        "total": len(page.files),
        "found": len(page.indexes),
        "listed": [(index, page.files[index], counts[at] if counts else None) for at, index in enumerate(listed)],
        "has_counts": counts is not None,
        "counts_address": page.link(counts=1, page=list_start // PAGE_FILES + 1),
        "additions": sum(one.additions or 0 for one in counts or ()),
        "deletions": sum(one.deletions or 0 for one in counts or ()),
        "is_part": len(listed) < len(page.files),
        "sections": sections,
        "earlier_address": page.link(file=page.indexes[max(0, start - pages.BATCH_FILES)]) if start else "",
        "next_address": page.link(file=page.indexes[following]) if following < len(page.indexes) else "",
        "batch_address": page.link(files=following) if following < len(page.indexes) else "",
        "remaining": len(page.indexes) - following,
        "list_pages": _list_pages(page, list_start),
        "view": page.wishes.view,
        "whitespace": page.wishes.options.whitespace,
        "unified_address": page.address_with(view="unified"),
        "split_address": page.address_with(view="split"),
        "whitespace_choices": [
            ("Show all white space", page.address_with(w=None), page.wishes.options.whitespace == "show"),
            ("Ignore white space at line ends", page.address_with(w="eol"), page.wishes.options.whitespace == "eol"),
            ("Ignore all white space", page.address_with(w="1"), page.wishes.options.whitespace == "all"),
        ],
    }


def fragment(request: ConsoleRequest, page: DiffPage) -> HttpResponse:
    """What htmx asks for: the next batch, one file, more of its rows, lines of a gap, or the list with counts."""
    if "files" in request.GET:
        return _batch(request, page)
    if "counts" in request.GET:
        return render(request, "repos/_changed_files.html", context(request, page))
    index = _number(request, "file")
    if index is None or index >= len(page.files):
        raise NotFound("There is no changed file of that number.", code="PathDoesNotExistException")
    wishes = _file_wishes(request, page.wishes)
    if "gap" in request.GET:
        return _excerpt(request, page, index, wishes)
    change = page.files[index]
    if "colours" in request.GET:
        shown = pages.coloured(page.comparison.repository, change, wishes)
        return render(request, "repos/_diff_rows.html", {"file": Section(page, index, change, shown, None, wishes)})
    one_file = replace(page, indexes=[index])
    file = replace(one_file.sections(0, wishes)[0], page=page)
    if wishes.window.first_row:
        return render(request, "repos/_diff_rows.html", {"file": file})
    return render(request, "repos/_diff_files.html", {"sections": [file]})


def _list_pages(page: DiffPage, current: int) -> list[dict[str, Any]]:
    """The pages of the list, where there is more than one."""
    numbers = range(1, (len(page.indexes) - 1) // PAGE_FILES + 2)
    if len(numbers) < 2:
        return []
    return [
        {"number": number, "is_current": (number - 1) * PAGE_FILES == current, "address": page.link(page=number)}
        for number in numbers
    ]


def remember_view(request: ConsoleRequest, response: HttpResponse, page: DiffPage) -> None:
    """Keep the choice of split or unified that the address has."""
    if request.GET.get("view") in markup.VIEWS and request.COOKIES.get(VIEW_COOKIE) != page.wishes.view:
        response.set_cookie(VIEW_COOKIE, page.wishes.view, max_age=COOKIE_SECONDS, httponly=True, samesite="Lax")


def _view(request: ConsoleRequest) -> markup.View:
    """Unified or split: as asked now, else as chosen last."""
    wishes = (request.GET.get("view", ""), request.COOKIES.get(VIEW_COOKIE, ""))
    return next((view for wish in wishes for view in markup.VIEWS if wish == view), markup.VIEWS[0])


def _number(request: ConsoleRequest, key: str) -> int | None:
    """A number from 0 in the query; None where there is none or something else."""
    text = request.GET.get(key, "")
    with contextlib.suppress(ValueError):
        if 0 <= int(text) < MAX_NUMBER:
            return int(text)
    return None


def _place(page: DiffPage, index: int) -> int:
    """Where a file stands among those looked for."""
    if index not in page.indexes:
        raise NotFound("There is no changed file of that number.", code="PathDoesNotExistException")
    return page.indexes.index(index)


def _file_at(page: DiffPage, escaped_path: str) -> int:
    """The number of the file at a path."""
    for index in page.indexes:
        if refs.escaped(page.files[index].path) == escaped_path:
            return index
    raise NotFound(f"“{escaped_path[:200]}” is not among the files that differ here.", code="PathDoesNotExistException")


def _list_start(request: ConsoleRequest, page: DiffPage) -> int:
    number = max(1, _number(request, "page") or 1)
    last = max(0, len(page.indexes) - 1) // PAGE_FILES
    return min(number - 1, last) * PAGE_FILES


def _file_wishes(request: ConsoleRequest, wishes: Wishes) -> Wishes:
    """Those that the address has for one file: context, whole lines, a later window of rows."""
    options = wishes.options
    if request.GET.get("context") == "all":
        options = options._replace(context=hunks.WHOLE_FILE)
    elif (lines := _number(request, "context")) is not None:
        options = options._replace(context=min(lines, hunks.WHOLE_FILE))
    if "long" in request.GET:
        options = options._replace(max_line_bytes=hunks.MAX_WHOLE_LINE_BYTES)
    window = wishes.window._replace(first_row=_number(request, "from") or 0)
    return Wishes(wishes.view, options, window)


def _counts(
    request: ConsoleRequest, page: DiffPage, list_start: int, listed: Sequence[int], sections: Sequence[Section]
) -> list[Counts] | None:
    """Counts of the listed files: out of the rows where all are shown, else git counts, unless there are too many."""
    if len(sections) == len(listed) and all(one.counts is not None for one in sections):
        return [one.counts or pages.NONE for one in sections]
    if len(listed) > COUNTED_FILES and "counts" not in request.GET:
        return None
    where = (page.comparison.old_tree, page.comparison.new_tree, page.find, str(list_start))
    files = [page.files[index] for index in listed]
    return pages.counts_of(page.comparison.repository, files, page.wishes.options.whitespace, *where)


def _batch(request: ConsoleRequest, page: DiffPage) -> HttpResponse:
    start = _number(request, "files")
    if start is None or start >= len(page.indexes):
        raise NotFound("There are no changed files from that number on.", code="PathDoesNotExistException")
    sections = page.sections(start, page.wishes)
    following = start + len(sections)
    found = {
        "sections": sections,
        "next_address": page.link(file=page.indexes[following]) if following < len(page.indexes) else "",
        "batch_address": page.link(files=following) if following < len(page.indexes) else "",
        "remaining": len(page.indexes) - following,
    }
    return render(request, "repos/_diff_files.html", found)


def _excerpt(request: ConsoleRequest, page: DiffPage, index: int, wishes: Wishes) -> HttpResponse:
    """Rows for the place of a gap: `gap` is its three numbers, `show` which end of it."""
    change = page.files[index]
    numbers = request.GET["gap"].split(",")
    show = request.GET.get("show", "")
    if len(numbers) != 3 or show not in ("down", "up", "all") or not change.new_oid or change.is_submodule:
        raise InvalidInput("These lines can't be shown: the address does not say which.")
    try:
        old_start, new_start = int(numbers[0]), int(numbers[1])
        count = int(numbers[2]) if numbers[2] else None
    except ValueError:
        raise InvalidInput("These lines can't be shown: the address does not say which.") from None
    if not (0 < old_start < MAX_NUMBER and 0 < new_start < MAX_NUMBER and 0 <= (count or 0) < MAX_NUMBER):
        raise InvalidInput("These lines can't be shown: there is no such line.")
    repository = page.comparison.repository
    found = excerpt.excerpt(
        repository.git,
        change.new_oid,
        Gap(old_start, new_start, count),
        show,  # type: ignore[arg-type]  # one of the three
        max_rows=hunks.MAX_ROWS,
        max_bytes=hunks.MAX_BYTES,
    )
    lines = pages.coloured_lines(repository.git, change.new_oid, change.new_path)
    rows = markup.context_rows(found.rows, page.wishes.view, lines)
    parts = [part for part in (found.gap_above, rows, found.gap_below) if part]
    shown = Shown(parts=tuple(parts), is_coloured=True)
    return render(request, "repos/_diff_rows.html", {"file": Section(page, index, change, shown, None, wishes)})
