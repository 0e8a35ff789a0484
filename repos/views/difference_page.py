"""What a page shows of two trees: their files, each as a section with its rows, and the addresses of all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final
from urllib.parse import urlencode

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from repos.diff import excerpt, hunks, pages
from repos.diff.changes import FileChange
from repos.diff.excerpt import Gap
from repos.diff.hunks import Counts
from repos.diff.pages import Shown, Wishes
from repos.git import blob, objects, refs
from repos.models import Repository
from repos.templatetags.repository import code_address

WORDS: Final = {"A": "added", "M": "modified", "D": "deleted", "R": "renamed", "C": "copied", "T": "type changed"}
IMAGE_ENDINGS: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".bmp", ".ico")


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
