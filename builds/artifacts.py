"""Choose files of a build's workspace by pattern, take them out of the container, pack them.

Nothing that comes out is trusted: the container's files arrive as a tar whose names and links are whatever the build
made. Only regular files are taken (and links that stay inside, where the buildspec asks for links), under names that
can't leave a folder; numbers and sizes are limited; the zip is written here.

Source of the patterns' meaning: AWS CodeBuild User Guide, "artifacts" in the buildspec reference.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from builds import tarstream
from builds.buildspec import Artifacts
from builds.path_patterns import PathPattern
from builds.runner.executor import Executor, Note, PhaseError

MAX_FILES = 100_000
MAX_TOTAL_BYTES = 5 * 1024**3
MAX_PATH_BYTES = 1024
MAX_DEPTH = 64
# One date for every file, so that equal contents give an equal zip; it is the earliest that zip knows.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Entry:
    """A file that was chosen. `path` is clean and relative; `target` is set for a symbolic link."""

    path: str
    size_bytes: int
    is_executable: bool
    target: str = ""


@dataclass(frozen=True)
class Packed:
    """A finished zip: its size, its checksums in hex, and what is inside."""

    size_bytes: int
    md5: str
    sha256: str
    entries: tuple[Entry, ...]


Write = Callable[[Entry, Iterator[bytes]], None]


def collect(executor: Executor, artifacts: Artifacts, directory: str, write: Write, note: Note) -> list[Entry]:
    """Hand every chosen file to `write`, each path once, in the same order for the same files.

    Args:
        directory: CODEBUILD_SRC_DIR.

    Raises:
        PhaseError: CLIENT_ERROR in CodeBuild's words where nothing was found or a limit is passed.
    """
    return _Collection(executor, artifacts, directory, write, note).run()


def pack(executor: Executor, artifacts: Artifacts, directory: str, target: IO[bytes], note: Note) -> Packed:
    """The chosen files as a zip written to `target`, a file that can be read and sought."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:

        def write(entry: Entry, pieces: Iterator[bytes]) -> None:
            info = zipfile.ZipInfo(entry.path, ZIP_DATE)
            info.create_system = 3  # Unix: only then do the modes below count
            info.compress_type = zipfile.ZIP_DEFLATED
            kind = stat.S_IFLNK | 0o777 if entry.target else stat.S_IFREG | (0o755 if entry.is_executable else 0o644)
            info.external_attr = kind << 16
            with archive.open(info, "w", force_zip64=entry.size_bytes >= 2**31) as member:
                for piece in pieces:
                    member.write(piece)

        entries = collect(executor, artifacts, directory, write, note)
    target.seek(0)
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    size_bytes = 0
    while piece := target.read(tarstream.PIECE_BYTES):
        md5.update(piece)
        sha256.update(piece)
        size_bytes += len(piece)
    target.seek(0)
    return Packed(size_bytes, md5.hexdigest(), sha256.hexdigest(), tuple(entries))


def clean_path(path: str) -> str | None:
    """A path that stays below any folder it is put in, or None where it can't be one."""
    if not path or path.startswith("/") or "\\" in path or any(ord(letter) < 32 for letter in path):
        return None
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or len(parts) > MAX_DEPTH or re.fullmatch(r"[A-Za-z]:", parts[0]):
        return None
    cleaned = "/".join(parts)
    return cleaned if len(cleaned.encode("utf-8", "surrogateescape")) <= MAX_PATH_BYTES else None


class _Collection:
    """One artifact block's way through the container's files."""

    def __init__(self, executor: Executor, artifacts: Artifacts, directory: str, write: Write, note: Note) -> None:
        self.executor = executor
        self.artifacts = artifacts
        self.write = write
        self.note = note
        self.base = posixpath.normpath(posixpath.join(directory, artifacts.base_directory or "."))
        self.entries: dict[str, Entry] = {}
        self.folders: set[str] = set()
        self.total_bytes = 0
        self.hits: dict[str, int] = dict.fromkeys(artifacts.files, 0)
        self.patterns = {pattern: PathPattern(_plain(pattern)) for pattern in artifacts.files}
        self.excluded = [PathPattern(_plain(pattern)) for pattern in artifacts.exclude_paths]
        self.has_base = False
        self.hardlinks: list[tuple[str, str]] = []

    def run(self) -> list[Entry]:
        shown = self.artifacts.base_directory or "."
        self.note(f"Expanding base directory path: {shown}")
        self.note("Assembling file list")
        self.note(f"Expanding {shown}")
        self.note(f"Expanding file paths for base directory {shown}")
        if "*" in self.base:
            self._scan(_fixed_part(self.base), PathPattern(self.base))
        else:
            for root in _roots(self.base, self.artifacts.files):
                self._scan(root, None)
        self._fetch_hardlinks()
        for pattern, count in self.hits.items():
            self.note(f"Expanding {pattern}")
            self.note(f"Found {count} file(s)" if count else f"Skipping invalid file path {pattern}")
        if not self.entries:
            if not self._base_exists():
                raise PhaseError("CLIENT_ERROR", f"no matching base directory path found for {shown}")
            raise PhaseError("CLIENT_ERROR", "no matching artifact paths found")
        return list(self.entries.values())

    def _base_exists(self) -> bool:
        if self.has_base or "*" in self.base:
            return self.has_base
        with self.executor.read(self.base) as pieces:
            return pieces is not None

    def _scan(self, root: str, base: PathPattern | None) -> None:
        """Walk a file or folder of the container; an archive's names begin with the last part of `root`."""
        with self.executor.read(root) as pieces:
            if pieces is None:
                return
            parent = posixpath.dirname(root.rstrip("/"))
            try:
                for member, content in tarstream.read(pieces):
                    self._consider(posixpath.normpath(posixpath.join(parent, member.name)), member, content, base)
            except tarstream.TarError as error:
                raise PhaseError("CLIENT_ERROR", f"the artifact files of {root} can't be read: {error}") from error

    def _consider(
        self, path: str, member: tarstream.Member, content: Iterator[bytes], base: PathPattern | None
    ) -> None:
        relative = self._relative(path, base)
        if relative is None or member.kind in (tarstream.DIRECTORY, tarstream.OTHER):
            return
        matched = [pattern for pattern, regex in self.patterns.items() if regex.fullmatch(relative)]
        if not matched or any(regex.fullmatch(relative) for regex in self.excluded):
            return
        if member.kind == tarstream.HARDLINK:
            self.hardlinks.append((path, relative))
            return
        if member.kind == tarstream.SYMLINK and not self._keeps(relative, member.target):
            return
        for pattern in matched:
            self.hits[pattern] += 1
        self._add(relative, member, content)

    def _relative(self, path: str, base: PathPattern | None) -> str | None:
        """A path below the base directory, or below whatever its `*` matches."""
        if base is None:
            self.has_base = self.has_base or path.startswith(f"{self.base}/")
            return path[len(self.base) + 1 :] if path.startswith(f"{self.base}/") else None
        depth = self.base.count("/") + 1
        parts = path.split("/")
        if len(parts) <= depth or not base.fullmatch("/".join(parts[:depth])):
            return None
        self.has_base = True
        return "/".join(parts[depth:])

    def _keeps(self, relative: str, target: str) -> bool:
        """Whether a symbolic link goes in: only where links are asked for, and only one that stays inside."""
        if not self.artifacts.enable_symlinks or self.artifacts.discard_paths or target.startswith("/"):
            return False
        # `..` behind a name would be the parent of wherever a link of that name leads, which may be outside.
        if ".." in target.lstrip("./").split("/"):
            return False
        joined = posixpath.normpath(posixpath.join(posixpath.dirname(relative), target))
        return not joined.startswith("..")

    def _add(self, relative: str, member: tarstream.Member, content: Iterator[bytes]) -> None:
        path = clean_path(posixpath.basename(relative) if self.artifacts.discard_paths else relative)
        if path is None:
            self.note(f"Skipping invalid file path {relative[:MAX_PATH_BYTES]!r}")
            return
        if path in self.entries:
            return
        # Files of several base directories come together here: none may be put where another's link leads.
        parents = [path[:index] for index, letter in enumerate(path) if letter == "/"]
        if path in self.folders or any(parent in self.entries for parent in parents):
            self.note(f"Skipping {path!r}, which is a file here and a folder there")
            return
        if len(self.entries) >= MAX_FILES:
            raise PhaseError("CLIENT_ERROR", f"the artifact has more than {MAX_FILES:,} files")
        is_link = member.kind == tarstream.SYMLINK
        data: Iterator[bytes] = iter([member.target.encode("utf-8", "surrogateescape")]) if is_link else content
        entry = Entry(path, member.size_bytes, bool(member.mode & 0o111), member.target if is_link else "")
        self.total_bytes += member.size_bytes
        if self.total_bytes > MAX_TOTAL_BYTES:
            raise PhaseError("CLIENT_ERROR", f"the artifact is larger than {MAX_TOTAL_BYTES // 2**30} GiB")
        self.entries[path] = entry
        self.folders.update(parents)
        self.write(entry, data)

    def _fetch_hardlinks(self) -> None:
        """A file with two names stands in an archive once; read alone, each name is a file."""
        for path, relative in self.hardlinks:
            if len(self.entries) >= MAX_FILES:
                raise PhaseError("CLIENT_ERROR", f"the artifact has more than {MAX_FILES:,} files")
            with self.executor.read(path) as pieces:
                for member, content in tarstream.read(pieces or iter(())):
                    if member.kind == tarstream.FILE:
                        for pattern, regex in self.patterns.items():
                            self.hits[pattern] += bool(regex.fullmatch(relative))
                        self._add(relative, member, content)


def _plain(pattern: str) -> str:
    return pattern.removeprefix("./").lstrip("/")


def _fixed_part(path: str) -> str:
    """The folder above the first part with a wildcard."""
    parts = path.split("/")
    first = next(index for index, part in enumerate(parts) if "*" in part or "?" in part)
    return "/".join(parts[:first]) or "/"


def _roots(base: str, patterns: Sequence[str]) -> list[str]:
    """The fewest files and folders of the container that hold all that the patterns can match."""
    found: set[str] = set()
    for pattern in map(_plain, patterns):
        joined = posixpath.normpath(posixpath.join(base, pattern))
        if joined != base and not joined.startswith(f"{base}/"):
            continue  # a pattern with `..` that leaves the base directory matches nothing
        has_wildcard = "*" in joined[len(base) :] or "?" in joined[len(base) :]
        found.add(base + _fixed_tail(joined[len(base) :]) if has_wildcard else joined)
    return [one for one in sorted(found) if not _is_below(one, found)]


def _fixed_tail(tail: str) -> str:
    return "" if _fixed_part(tail) == "/" else _fixed_part(tail)


def _is_below(path: str, others: Iterable[str]) -> bool:
    return any(path != other and path.startswith(f"{other}/") for other in others)
