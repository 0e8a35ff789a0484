"""What the pages of a commit and of a comparison share: the list of changed files, and the files' rows in batches.

A page has all files of its page in the list and the first batch of their rows. Scrolling to its end, or the link
there, brings the next batch; `file` in the address starts at any other file, so every file has an address.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from codeservices.errors import InvalidInput, NotFound
from codeservices.http import ConsoleRequest, is_partial
from repos.diff import excerpt, hunks, markup, pages
from repos.diff.changes import FileChange
from repos.diff.excerpt import Gap
from repos.diff.hunks import Counts
from repos.diff.pages import Opening, Shown, Wishes
from repos.git import blob, objects, refs
from repos.models import Repository
from repos.templatetags.repository import code_address

# Files in the list of one page: some 300 bytes of HTML each.
PAGE_FILES: Final = 1000
# Lines are counted before the page is shown where there are no more files than these; for more, after it.
COUNTED_FILES: Final = 100
VIEW_COOKIE: Final = "diff_view"
COOKIE_SECONDS: Final = 365 * 24 * 3600
WHITESPACE: Final = {"1": "all", "eol": "eol"}
WORDS: Final = {"A": "added", "M": "modified", "D": "deleted", "R": "renamed", "C": "copied", "T": "type changed"}
IMAGE_ENDINGS: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".bmp", ".ico")
MAX_NUMBER: Final = 2**31
# What the query of a page may have that begins with the first file and shows all as nobody wishes otherwise.
_OPENING: Final = frozenset(("view", "parent"))


@dataclass(frozen=True)
class Comparison:
    """Two trees of a repository, and the page that shows what differs between them.

    Attributes:
        old_commit, new_commit: The commits they belong to; "" for nothing before a first commit.
        address: The page, without a query.
        kept: What of the query says which trees are compared.
    """

    repository: Repository
    old_tree: str
    new_tree: str
    old_commit: str
    new_commit: str
    address: str
    kept: Mapping[str, str]


@dataclass(frozen=True)
class Section:
    """One file on the page.

    Attributes:
        index: Its place among all changed files.
        sizes: Of the old and of the new side in bytes, where the file is not text; None for an absent side.
    """

    page: DiffPage
    index: int
    change: FileChange
    shown: Shown
    counts: Counts | None
    wishes: Wishes
    sizes: tuple[int | None, int | None] = (None, None)

    def link(self, **more: object) -> str:
        """The address of this file's rows with other wishes."""
        return self.here + "".join([f"&{key}={value}" for key, value in more.items() if value is not None])

    @cached_property
    def here(self) -> str:
        """This file's rows as the page has them."""
        return self.page.link(file=self.index)

    @property
    def wider_address(self) -> str:
        """With more lines around every change, for those without scripts."""
        return self.link(context=min(hunks.WHOLE_FILE, self.wishes.options.context + excerpt.STEP_LINES))

    @property
    def whole_address(self) -> str:
        return self.link(context="all")

    @property
    def colours_address(self) -> str:
        return self._as_wished(colours=1)

    @property
    def more_address(self) -> str:
        return self._as_wished(**{"from": self.shown.next_row})

    @property
    def long_lines_address(self) -> str:
        return self._as_wished(long=1)

    @property
    def is_whole(self) -> bool:
        return self.wishes.options.context >= hunks.WHOLE_FILE

    @property
    def may_be_whole(self) -> bool:
        """There may be lines between the hunks."""
        return not self.is_whole and any(isinstance(part, Gap) for part in self.shown.parts)

    @cached_property
    def path(self) -> str:
        """What to call the file, as far as it can be shown."""
        return refs.shown(self.change.path)

    @property
    def escaped_path(self) -> str:
        """The path as an address has it: "path" in the query begins with this file, whatever its number is."""
        return refs.escaped(self.change.path)

    @property
    def word(self) -> str:
        """What happened to it."""
        is_mode_alone = self.change.is_mode_changed and not self.change.is_content_changed
        return "mode changed" if is_mode_alone and self.change.status == "M" else WORDS[self.change.status]

    @property
    def has_remarks(self) -> bool:
        """Its head has more to tell than names and counts."""
        change = self.change
        is_alike = change.similarity is not None and change.similarity < 100
        return bool(is_alike or change.is_mode_changed or self.shown.line_ends or self.is_whole)

    @property
    def is_plain(self) -> bool:
        """It has rows of text, and nothing to be said before them."""
        is_text = self.shown.parts and not self.shown.failure and not any(self.shown.lfs)
        return bool(is_text and not (self.shown.encodings or self.change.is_submodule or self.change.is_symlink))

    @property
    def encoding_words(self) -> tuple[str, str]:
        """What the old and the new side's text is written in; "" of an absent one."""
        encodings = self.shown.encodings or ("", "")
        old, new = (encoding and blob.ENCODING_WORDS.get(encoding, "UTF-8") for encoding in encodings)
        return old, new

    @property
    def counts_html(self) -> SafeString:
        """Added and deleted lines, where they are known."""
        if self.counts is None or self.counts.additions is None:
            return mark_safe("")
        return format_html(
            '<span><span class="added-count">+{}</span> <span class="removed-count">−{}</span></span>', *self.counts
        )

    @property
    def columns_html(self) -> SafeString:
        """The widths of a split view's columns."""
        half = '<col class="number-column"><col>'
        return mark_safe(f"<colgroup>{half * 2}</colgroup>" if self.wishes.view == "split" else "")  # noqa: S308

    @property
    def is_image(self) -> bool:
        """A browser draws it, by its name."""
        return self.shown.is_binary and self.change.path.lower().endswith(IMAGE_ENDINGS)

    @cached_property
    def old_raw_address(self) -> str:
        """The old side's bytes; "" where it has none."""
        return self._raw(self.page.comparison.old_commit, self.change.old_oid, self.change.old_path)

    @cached_property
    def new_raw_address(self) -> str:
        """The new side's bytes; "" where it has none."""
        return self._raw(self.page.comparison.new_commit, self.change.new_oid, self.change.new_path)

    @cached_property
    def view_address(self) -> str:
        """The file's own page: of a deleted one, where it last was; "" of a submodule, which has none."""
        if self.change.is_submodule:
            return ""
        commit, path = self.page.comparison.new_commit, self.change.new_path
        if not self.change.new_oid:
            commit, path = self.page.comparison.old_commit, self.change.old_path
        return code_address(self.page.comparison.repository.name, "browse", commit, path) if commit else ""

    def _raw(self, commit: str, oid: str, path: str) -> str:
        return code_address(self.page.comparison.repository.name, "raw", commit, path) if commit and oid else ""

    def _as_wished(self, **more: object) -> str:
        options = self.wishes.options
        context: object = "all" if self.is_whole else options.context
        long = 1 if options.max_line_bytes > hunks.MAX_LINE_BYTES else None
        first = self.wishes.window.first_row or None
        return self.link(**{"context": None if context == 3 else context, "long": long, "from": first} | more)


@dataclass(frozen=True)
class DiffPage:
    """The files of a comparison, those that are looked for, and how they are shown.

    Attributes:
        rows: Of all files from the first on, where git tells them already.
    """

    comparison: Comparison
    files: tuple[FileChange, ...]
    indexes: Sequence[int]
    wishes: Wishes
    find: str
    rows: pages.Rows | None = None

    def link(self, **more: object) -> str:
        """The page's address with more in its query: numbers and plain words; what is None is left out."""
        return self.address + "".join([f"&{key}={value}" for key, value in more.items() if value is not None])

    @cached_property
    def address(self) -> str:
        """The page with its wishes, to which more can be added."""
        return self.address_with()

    def address_with(self, **instead: str | None) -> str:
        """The page with other wishes; None takes one away."""
        query: dict[str, str | None] = {
            **self.comparison.kept,
            "view": self.wishes.view,
            "w": {"all": "1", "eol": "eol"}.get(self.wishes.options.whitespace),
            "find": refs.escaped(self.find) or None,
            **instead,
        }
        return f"{self.comparison.address}?{urlencode({k: v for k, v in query.items() if v is not None})}"

    def sections(
        self, start: int, wishes: Wishes, *, most: int = pages.BATCH_FILES, most_rows: int = pages.BATCH_ROWS
    ) -> list[Section]:
        """Files from a place among those looked for, as many as belong into one answer."""
        chosen = self.indexes[start : start + min(most, pages.BATCH_FILES)]
        files = [self.files[index] for index in chosen]
        shown = pages.batch(self.comparison.repository, files, wishes, most_rows, self.rows)
        found = [
            Section(self, index, self.files[index], one, one.counts, wishes)
            for index, one in zip(chosen, shown, strict=False)
        ]
        return self._with_sizes(found)

    def _with_sizes(self, found: list[Section]) -> list[Section]:
        binary = [one.change for one in found if one.shown.is_binary and not one.change.is_submodule]
        oids = [oid for change in binary for oid in (change.old_oid, change.new_oid) if oid]
        sizes = objects.sizes(self.comparison.repository.git, oids) if oids else {}
        return [
            replace(one, sizes=(sizes.get(one.change.old_oid), sizes.get(one.change.new_oid)))
            if one.shown.is_binary
            else one
            for one in found
        ]


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
