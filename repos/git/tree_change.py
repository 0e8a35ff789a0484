"""A tree from another one and a set of changed files: no work tree, no index.

Source: AWS CodeCommit API Reference, the errors of CreateCommit, for what changes may not ask.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dulwich.errors import ObjectFormatException
from dulwich.objects import Blob, ObjectID, Tree, parse_tree

from codeservices.errors import InvalidInput, NotFound
from repos.git import objects, paths, quarantine, refs, tree
from repos.git.store import BareRepository
from repos.git.tree import Entry

NORMAL: Final = "100644"
EXECUTABLE: Final = "100755"
SYMLINK: Final = "120000"
KEEPER: Final = ".gitkeep"  # the file that keeps an otherwise empty folder, since git stores none
_FOLDER: Final = 0o040000
_SUBMODULE: Final = 0o160000


class FileMissing(NotFound):
    """There is no such file at the commit that is changed."""

    code = "FileDoesNotExistException"


class PathConflict(InvalidInput):
    """A path can't hold what it should, because of what else is there or is asked for."""

    code = "FileNameConflictsWithDirectoryNameException"


@dataclass(frozen=True)
class Put:
    """A file with this content; without a mode it keeps the one it has, and a new one is NORMAL."""

    path: str
    content: bytes
    mode: str | None = None


@dataclass(frozen=True)
class Copy:
    """A file with the content, and without a mode also the mode, that another one has before any change."""

    path: str
    source: str
    mode: str | None = None
    is_move: bool = False


@dataclass(frozen=True)
class Delete:
    """No file here any more; folders that hold nothing else go with it."""

    path: str


@dataclass(frozen=True)
class SetMode:
    """A file with the content it has, and this mode."""

    path: str
    mode: str


Change = Put | Copy | Delete | SetMode


@dataclass(frozen=True)
class Changed:
    """What changes have made of a tree: entries as they are now, the deleted ones as they were."""

    tree_oid: str
    added: tuple[Entry, ...]
    updated: tuple[Entry, ...]
    deleted: tuple[Entry, ...]


def change(
    draft: BareRepository, base_oid: str, changes: Sequence[Change], *, keep_empty_folders: bool = False
) -> Changed:
    """Write the tree that changes make of another one.

    Args:
        draft: Where the objects are written.
        base_oid: A commit or a tree; `objects.EMPTY_TREE` before the first commit.
        changes: In any order; deletions are applied first, and a copy's source is looked up before all.
        keep_empty_folders: Whether a folder that deletions leave empty stays, with a file .gitkeep.

    Raises:
        InvalidPath: A path breaks a rule.
        FileMissing: A file to delete, to copy or to give a mode is not there.
        PathConflict: A file would stand where a folder is, or the other way round, or in a submodule; or two of the
            changes are about the same path.
    """
    _check_paths(changes)
    base_tree_oid = objects.tree_oid(draft, base_oid)
    base, root = _Folder(draft, base_tree_oid), _Folder(draft, base_tree_oid)
    touched = _touched(changes)
    found = {path: base.file(path) for path in touched}
    sources = {one.source: _source(base, one.source) for one in changes if isinstance(one, Copy)}
    for path in [*(one.path for one in changes if isinstance(one, Delete)), *_moved(changes)]:
        if found.get(path) is None:
            raise _missing(path)
        root.remove(path)
    for change in changes:
        mode, oid = 0, ""
        match change:
            case Put(path, content, wanted):
                there = found[path]
                mode = int(wanted, 8) if wanted else (there[0] if there else int(NORMAL, 8))
                oid = _blob(draft, content)
            case Copy(path, source, wanted):
                mode, oid = sources[source]
                mode = int(wanted, 8) if wanted else mode
            case SetMode(path, wanted):
                there = found[path]
                if there is None:
                    raise _missing(path)
                mode, oid = int(wanted, 8), there[1]
        if oid:
            root.put(change.path, mode, oid)
    kept = root.keep_empty(lambda: _blob(draft, b"")) if keep_empty_folders else []
    tree_oid = root.write()
    return _outcome(tree_oid, root, [*touched, *kept], found)


class _Folder:
    """A folder while it is changed: what it holds, and the folders in it that were looked into."""

    def __init__(self, repository: BareRepository, oid: str | None = None) -> None:
        self._repository = repository
        self._entries: dict[bytes, tuple[int, str]] = {}
        self._opened: dict[bytes, _Folder] = {}
        self.is_changed = oid is None
        self._oid = oid
        if oid is not None:
            kind, data = objects.read(repository, oid)
            if kind != "tree":
                raise NotFound(f"The object {oid} is a {kind}, not a folder.", code="ObjectDamagedException")
            try:
                self._entries = {name: (mode, found.decode("ascii")) for name, mode, found in parse_tree(data, 20)}
            except (ObjectFormatException, ValueError) as error:
                raise NotFound(
                    f"The folder {oid} can't be read: it is damaged.", code="ObjectDamagedException"
                ) from error

    @property
    def is_empty(self) -> bool:
        """It holds nothing, or empty folders alone."""
        rest = [name for name in self._entries if name not in self._opened]
        return not rest and all(one.is_empty for one in self._opened.values())

    def file(self, path: str) -> tuple[int, str] | None:
        """Mode and oid of the file or link under a path; None where nothing is, or a folder.

        Raises:
            PathConflict: It is a submodule, or lies in one.
        """
        folder: _Folder | None = self
        *folders, name = _parts(path)
        for part in folders:
            folder = folder._open(part, path) if folder is not None else None
        found = folder._entries.get(name) if folder is not None and name not in folder._opened else None
        if found is not None and _kind(found[0]) == _SUBMODULE:
            raise _in_submodule(path)
        return found if found is not None and not stat.S_ISDIR(found[0]) else None

    def remove(self, path: str) -> None:
        """Take out a file that is there."""
        folder = self
        *folders, name = _parts(path)
        for part in folders:
            folder.is_changed = True
            opened = folder._open(part, path)
            assert opened is not None, "the file was found there"
            folder = opened
        folder.is_changed = True
        del folder._entries[name]

    def put(self, path: str, mode: int, oid: str) -> None:
        """Set a file, making the folders on the way.

        Raises:
            PathConflict: A file is on the way, or a folder is in its place.
        """
        folder = self
        *folders, name = _parts(path)
        for place, part in enumerate(folders, 1):
            folder.is_changed = True
            opened = folder._open(part, path)
            if opened is None:
                if part in folder._entries:
                    way = refs.decode(b"/".join(folders[:place]))
                    raise PathConflict(
                        f"“{refs.shown(path)}” can't be made: “{refs.shown(way)}” is a file, not a folder.",
                        code="DirectoryNameConflictsWithFileNameException",
                    )
                opened = folder._opened[part] = _Folder(self._repository)
            folder = opened
        folder.is_changed = True
        there = folder._open(name, path)
        if there is not None:
            if not there.is_empty:
                raise PathConflict(f"“{refs.shown(path)}” can't be a file: it is a folder that holds others.")
            del folder._opened[name]
        folder._entries[name] = (mode, oid)

    def keep_empty(self, blob: Callable[[], str], prefix: bytes = b"") -> list[str]:
        """Put a file .gitkeep into each folder that was looked into and holds nothing; their paths."""
        kept = []
        for name, folder in self._opened.items():
            here = prefix + name + b"/"
            if folder.is_changed and not folder._entries and not folder._opened:
                folder._entries[KEEPER.encode()] = (int(NORMAL, 8), blob())
                kept.append(refs.decode(here) + KEEPER)
            kept += folder.keep_empty(blob, here)
        return kept

    def write(self) -> str:
        """Write this folder and those in it, where they have changed; its oid."""
        if not self.is_changed and self._oid is not None:
            return self._oid
        for name, folder in self._opened.items():
            if folder.is_empty:
                self._entries.pop(name, None)
            else:
                self._entries[name] = (_FOLDER, folder.write())
        made = Tree()
        for name, (mode, oid) in self._entries.items():
            made.add(name, mode, ObjectID(oid.encode("ascii")))
        size_bytes = made.raw_length()
        if size_bytes > quarantine.MAX_METADATA_BYTES:
            raise InvalidInput(
                f"A folder would have {size_bytes:,} bytes of names; "
                f"a folder has at most {quarantine.MAX_METADATA_BYTES:,}.",
                code="FolderContentSizeLimitExceededException",
            )
        self._repository.dulwich.object_store.add_object(made)
        return made.id.decode("ascii")

    def _open(self, name: bytes, path: str) -> _Folder | None:
        """A folder in this one; None where there is none. Raises PathConflict where it is a submodule."""
        if name not in self._opened:
            mode, oid = self._entries.get(name, (0, ""))
            if _kind(mode) == _SUBMODULE:
                raise _in_submodule(path)
            if not stat.S_ISDIR(mode):
                return None
            self._opened[name] = _Folder(self._repository, oid)
        return self._opened[name]


def _check_paths(changes: Sequence[Change]) -> None:
    """That each path is one, and that no two changes are about the same, or need one to be a file and a folder."""
    seen: set[str] = set()
    for path in _touched(changes):
        paths.check(path)
        if path in seen:
            raise PathConflict(
                f"“{refs.shown(path)}” is named twice: one commit changes a file once.", code="SamePathRequestException"
            )
        seen.add(path)
    made = {one.path for one in changes if isinstance(one, Put | Copy)}
    for path in made:
        parts = path.split("/")
        folder = next((way for end in range(1, len(parts)) if (way := "/".join(parts[:end])) in made), None)
        if folder is not None:
            raise PathConflict(
                f"“{refs.shown(folder)}” can't be a file and, for “{refs.shown(path)}”, a folder.",
                code="PutFileEntryConflictException",
            )
    for change in changes:
        if isinstance(change, Copy):
            paths.check(change.source)
            if change.source.rpartition("/")[2] == KEEPER:
                raise PathConflict(
                    f"“{refs.shown(change.source)}” keeps its folder and can be neither copied nor moved.",
                    code="RestrictedSourceFileException",
                )


def _touched(changes: Iterable[Change]) -> list[str]:
    return [*(one.path for one in changes), *_moved(changes)]


def _moved(changes: Iterable[Change]) -> list[str]:
    return [one.source for one in changes if isinstance(one, Copy) and one.is_move]


def _source(base: _Folder, path: str) -> tuple[int, str]:
    found = base.file(path)
    if found is None:
        raise _missing(path)
    return found


def _outcome(
    tree_oid: str, root: _Folder, touched: Iterable[str], before: dict[str, tuple[int, str] | None]
) -> Changed:
    added, updated, deleted = [], [], []
    for path in sorted(touched):
        was, now = before.get(path), root.file(path)
        if was is not None and now is None:
            deleted.append(tree.entry_of(path, *was))
        elif now is not None and was is None:
            added.append(tree.entry_of(path, *now))
        elif now is not None and now != was:
            updated.append(tree.entry_of(path, *now))
    return Changed(tree_oid, tuple(added), tuple(updated), tuple(deleted))


def _missing(path: str) -> FileMissing:
    return FileMissing(f"No file “{refs.shown(path)}” is at this commit.")


def _in_submodule(path: str) -> PathConflict:
    return PathConflict(
        f"“{refs.shown(path)}” is a submodule or lies in one: its files belong to another repository.",
        code="FilePathConflictsWithSubmodulePathException",
    )


def _parts(path: str) -> list[bytes]:
    return refs.encode(path).split(b"/")


def _kind(mode: int) -> int:
    return stat.S_IFMT(mode)


def _blob(draft: BareRepository, content: bytes) -> str:
    made = Blob.from_string(content)
    draft.dulwich.object_store.add_object(made)
    return made.id.decode("ascii")
