"""Choose files of a build's container by pattern and hand them on, one at a time.

Nothing that comes out is trusted: the container's files arrive as a tar whose names and links are whatever the build
made. Only regular files are taken, and links that stay inside where links are asked for, under names that can't leave a
folder; numbers and sizes are limited, and nothing is held in memory but a piece of one file and what was chosen.

Source of the patterns' meaning: AWS CodeBuild User Guide, "artifacts" and "cache" in the buildspec reference.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from builds import path_patterns, tarstream
from builds.container_files import ContainerFiles, is_below, is_text
from builds.path_patterns import PathPattern
from builds.runner import agent
from builds.runner.executor import Executor, Note, PhaseError

MAX_PATH_BYTES = 1024
MAX_DEPTH = 64
# So many files that are passed over get a line each in the log; the others are counted.
MAX_TOLD = 20
# What belongs to the engine and to us, the credentials of the build's role above all.
NEVER = (agent.READONLY, "/codebuild/tmp", "/proc", "/sys", "/dev")
_BELOW_NEVER = tuple(f"{one}/" for one in NEVER)
_UNREADABLE = re.compile(r"[\0-\x1f\x7f\\]")


@dataclass(frozen=True)
class Limits:
    """How much one collection may hold."""

    max_files: int
    max_bytes: int


@dataclass(frozen=True)
class Choice:
    """Which files are wanted, and how they are taken.

    Attributes:
        patterns: Relative to the base directory.
        base_directory: Absolute and normal; its last names may hold `*`.
        base_text: As the buildspec has it, for the log.
        boundary: The folder that no link may lead out of.
        excluded: Patterns of what stays out.
        discards_paths: Everything lies at the top, under its last name.
        keeps_links: Links go in as links where they stay inside; otherwise as the files they lead to.
        keeps_everything: As a cache does: links as they are, folders, and all below a folder that a pattern names.
        what: What it is called in sentences.
    """

    patterns: tuple[str, ...]
    base_directory: str
    base_text: str = "."
    boundary: str = "/"
    excluded: tuple[str, ...] = ()
    discards_paths: bool = False
    keeps_links: bool = False
    keeps_everything: bool = False
    what: str = "artifact"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that was chosen. `path` is clean and relative; `mode` has the nine permission bits.

    Attributes:
        target: Of a link, where it leads.
        source: Where it lies in the container.
    """

    path: str
    size_bytes: int
    mode: int
    target: str = ""
    is_folder: bool = False
    user_id: int = 0
    group_id: int = 0
    modified: int = 0
    source: str = ""


class Writer(Protocol):
    """Takes the chosen files."""

    def add(self, entry: Entry, content: Iterator[bytes]) -> None:
        """Keep a file; a link's and a folder's content is empty."""
        ...

    def add_same(self, entry: Entry, path: str) -> bool:
        """Keep a file that has the content of `path`, which was kept before; False where that can't be had again."""
        ...


def collect(executor: Executor, choice: Choice, limits: Limits, writer: Writer, note: Note) -> list[Entry]:
    """Hand every chosen file to `writer`, each path once, in the same order for the same files.

    Raises:
        PhaseError: CLIENT_ERROR in CodeBuild's words where nothing was found or a limit is passed.
    """
    collection = _Collection(ContainerFiles(executor), choice, limits, writer, note)
    try:
        entries = collection.run()
    except tarstream.TarError as error:
        raise PhaseError("CLIENT_ERROR", f"the files of {choice.base_directory} can't be read: {error}") from error
    if not entries and not choice.keeps_everything:
        if not collection.is_base_there():
            raise PhaseError("CLIENT_ERROR", f"no matching base directory path found for {choice.base_text}")
        raise PhaseError("CLIENT_ERROR", "no matching artifact paths found")
    return entries


def clean_path(path: str) -> str | None:
    """A path that stays below any folder it is put in and that everybody can read, or None where it can't be one."""
    if not path or path.startswith("/") or _UNREADABLE.search(path):
        return None
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or len(parts) > MAX_DEPTH or re.fullmatch(r"[A-Za-z]:", parts[0]):
        return None
    cleaned = "/".join(parts)
    return cleaned if is_text(cleaned) and len(cleaned.encode()) <= MAX_PATH_BYTES else None


class _Collection:
    """One choice's way through the container's files."""

    def __init__(self, files: ContainerFiles, choice: Choice, limits: Limits, writer: Writer, note: Note) -> None:
        self.files = files
        self.choice = choice
        self.limits = limits
        self.writer = writer
        self.note = note
        self.base = choice.base_directory
        self.entries: dict[str, Entry] = {}
        self.folders: set[str] = set()
        # The entry's path by the file's path in the container, for hard and symbolic links to it.
        self.taken: dict[str, str] = {}
        self.total_bytes = 0
        self.hits: dict[str, int] = dict.fromkeys(choice.patterns, 0)
        self.patterns = [(pattern, _compiled(pattern, choice)) for pattern in choice.patterns]
        self.excluded = [PathPattern(path_patterns.plain(pattern)) for pattern in choice.excluded]
        self.has_base = False
        # Links whose file comes later in the scan or lies outside of it: where it is, and the entry to be.
        self.later: list[tuple[str, str, tarstream.Member]] = []
        self.told = 0

    def run(self) -> list[Entry]:
        self._scan_all()
        self._fetch_later()
        if self.told > MAX_TOLD:
            self.note(f"{self.told - MAX_TOLD:,} more files were passed over")
        for pattern, count in self.hits.items():
            self.note(f"Expanding {pattern}")
            self.note(f"Found {count} file(s)" if count else f"Skipping invalid file path {pattern}")
        return list(self.entries.values())

    def is_base_there(self) -> bool:
        """Whether the base directory, or one that its `*` stands for, is in the container."""
        if self.has_base or "*" in self.base:
            return self.has_base
        real = self.files.real_path(self.base, self.choice.boundary)
        return real is not None and (real != self.choice.boundary or self.files.exists(real))

    # ---- the scan ----------------------------------------------------------------------------------------------------

    def _scan_all(self) -> None:
        if "*" in self.base:
            pattern = PathPattern(self.base)
            self._scan(path_patterns.fixed_part(self.base), pattern, is_folder=True)
            return
        for root, is_folder in path_patterns.roots(self.base, self.choice.patterns):
            self._scan(root, None, is_folder=is_folder)

    def _scan(self, root: str, base: PathPattern | None, *, is_folder: bool) -> None:
        """Walk what has that path, by way of links that stay inside; the names are those of the path as it was given.

        Args:
            is_folder: What is wanted lies below it, so that it is followed where it is a link itself.
        """
        parent = posixpath.dirname(root)
        wanted = root if is_folder or not is_below(parent, self.choice.boundary) else parent
        real = self.files.real_path(wanted, self.choice.boundary)
        if real is None:
            return
        if wanted != root:
            real = posixpath.join(real, posixpath.basename(root))
        for path, member, content in self.files.scan(real):
            shown = root + path[len(real) :] if is_below(path, real) else path
            self._consider(shown, path, member, content, base)

    def _consider(
        self, shown: str, path: str, member: tarstream.Member, content: Iterator[bytes], base: PathPattern | None
    ) -> None:
        relative = self._relative(shown, base)
        if relative is None or _is_never(path):
            return
        is_folder = member.kind == tarstream.DIRECTORY
        if is_folder and not self.choice.keeps_everything:
            return
        matched = self._matched(relative)
        if not matched or any(one.fullmatch(relative) for one in self.excluded):
            return
        if is_folder:
            self._add(relative, member, content, path)
        elif member.kind == tarstream.OTHER:
            self._pass_over(relative, "it is neither a file nor a link")
        elif member.kind == tarstream.HARDLINK:
            self._link(path, relative, member)
        elif member.kind == tarstream.SYMLINK and not self.choice.keeps_everything:
            self._symbolic_link(path, relative, member)
        elif self._add(relative, member, content, path):
            self._count(matched)

    def _relative(self, path: str, base: PathPattern | None) -> str | None:
        """A path below the base directory, or below whatever its `*` matches."""
        if base is None:
            if not is_below(path, self.base) or path == self.base:
                return None
            self.has_base = True
            return path[len(self.base) :].lstrip("/")
        depth = self.base.count("/") + 1
        parts = path.split("/")
        if len(parts) <= depth or not base.fullmatch("/".join(parts[:depth])):
            return None
        self.has_base = True
        return "/".join(parts[depth:])

    def _matched(self, relative: str) -> list[str]:
        return [pattern for pattern, compiled in self.patterns if any(one.fullmatch(relative) for one in compiled)]

    def _count(self, matched: Iterable[str]) -> None:
        for pattern in matched:
            self.hits[pattern] += 1

    # ---- links -------------------------------------------------------------------------------------------------------

    def _link(self, path: str, relative: str, member: tarstream.Member) -> None:
        self._check_number(len(self.entries) + len(self.later))
        self.later.append((path, relative, member))

    def _symbolic_link(self, path: str, relative: str, member: tarstream.Member) -> None:
        if not self.choice.keeps_links:
            self._link(path, relative, member)
        elif self._stays_inside(relative, member.target):
            if self._add(relative, member, iter(()), path):
                self._count(self._matched(relative))
        else:
            self._pass_over(relative, "it is a link that leads out, or to a name that is no UTF-8")

    def _stays_inside(self, relative: str, target: str) -> bool:
        if target.startswith("/") or not is_text(target) or any(ord(letter) < 32 for letter in target):
            return False
        # `..` behind a name would be the parent of wherever a link of that name leads, which may be outside.
        if ".." in target.lstrip("./").split("/"):
            return False
        return not posixpath.normpath(posixpath.join(posixpath.dirname(relative), target)).startswith("..")

    def _fetch_later(self) -> None:
        """Links as the files they lead to: from what was taken where that is there, else from the container.

        A file with two names stands in an archive once; read alone, each name is a file.
        """
        for path, relative, member in self.later:
            if member.kind == tarstream.SYMLINK:
                real = self.files.real_path(path, self.choice.boundary)
            else:
                real = member.target if member.target in self.taken else path
            if real is None:
                self._pass_over(relative, "it is a link that leads nowhere or out of the workspace")
                continue
            if not _is_never(real) and self._add_linked(real, relative):
                self._count(self._matched(relative))

    def _add_linked(self, real: str, relative: str) -> bool:
        before = self.entries.get(self.taken.get(real, ""))
        if before is not None:
            same = tarstream.Member(
                name=relative,
                kind=tarstream.FILE,
                size_bytes=before.size_bytes,
                mode=before.mode,
                user_id=before.user_id,
                group_id=before.group_id,
                modified=before.modified,
            )
            return self._add(relative, same, None, real)
        for path, member, content in self.files.scan(real):
            if path == real and member.kind == tarstream.FILE:
                return self._add(relative, member, content, real)
            self._pass_over(relative, "it is a link to something that is no file")
            return False
        return False

    # ---- what goes in ------------------------------------------------------------------------------------------------

    def _add(self, relative: str, member: tarstream.Member, content: Iterator[bytes] | None, source: str) -> bool:
        """Hand a file to the writer; `content` is None where the file of that source was taken before."""
        path = clean_path(posixpath.basename(relative) if self.choice.discards_paths else relative)
        if path is None:
            self._pass_over(relative, "its name is too long, no UTF-8, or holds characters that a path can't have")
            return False
        is_folder = member.kind == tarstream.DIRECTORY
        if is_folder and path in self.folders:
            return False
        if path in self.entries:
            if self.choice.discards_paths and self.entries[path].source != source:
                self._pass_over(relative, f"another file called {path} is there already, and discard-paths is on")
            return False
        # Files of several base directories come together here: none may be put where another's link leads.
        folder = posixpath.dirname(path)
        is_known = not folder or folder in self.folders
        parents = [] if is_known else [path[:index] for index, letter in enumerate(path) if letter == "/"]
        if path in self.folders or any(one in self.entries and not self.entries[one].is_folder for one in parents):
            self._pass_over(relative, "it is a file here and a folder there")
            return False
        self._check_number(len(self.entries))
        self.total_bytes += member.size_bytes
        if self.total_bytes > self.limits.max_bytes:
            raise PhaseError("CLIENT_ERROR", f"the {self.choice.what} is larger than {self.limits.max_bytes:,} bytes")
        entry = Entry(
            path,
            member.size_bytes,
            member.mode & 0o777,
            member.target if member.kind == tarstream.SYMLINK else "",
            is_folder,
            member.user_id,
            member.group_id,
            member.modified,
            source,
        )
        self.entries[path] = entry
        self.folders.update(parents)
        if content is not None:
            self.writer.add(entry, content)
            if member.kind == tarstream.FILE:
                self.taken.setdefault(source, path)
        elif not self.writer.add_same(entry, self.taken[source]):
            for _, _, again in self.files.scan(source):
                self.writer.add(entry, again)
                break
        return True

    def _check_number(self, count: int) -> None:
        if count >= self.limits.max_files:
            raise PhaseError("CLIENT_ERROR", f"the {self.choice.what} has more than {self.limits.max_files:,} files")

    def _pass_over(self, relative: str, why: str) -> None:
        self.told += 1
        if self.told <= MAX_TOLD:
            self.note(f"Skipping {shown(relative)!r}: {why}")


def _is_never(path: str) -> bool:
    return path in NEVER or path.startswith(_BELOW_NEVER)


def shown(path: str) -> str:
    """A path of the container as text that can be stored and shown."""
    return path[:MAX_PATH_BYTES].encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _compiled(pattern: str, choice: Choice) -> list[PathPattern]:
    text = path_patterns.plain(pattern).rstrip("/")
    if choice.keeps_everything and text:
        return [PathPattern(text), PathPattern(f"{text}/**/*")]
    return [PathPattern(text)]
