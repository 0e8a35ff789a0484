"""The entries of a folder at a commit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, overload

from dulwich.errors import ObjectFormatException
from dulwich.objects import parse_tree

from codeservices.errors import NotFound
from repos.git import objects, refs
from repos.git.store import BareRepository

EntryKind = Literal["tree", "blob", "symlink", "submodule"]
TreeRow = tuple[bytes, int, bytes]  # name, mode, oid in hexadecimal

# Folders that hold nothing but a folder are shown as one step, this many at most.
MAX_SOLE_FOLDERS: Final = 20
_MODE: Final = re.compile(rb"[0-7]{1,7}")
# Whole entries: mode, name, the oid's bytes.
_ROWS: Final = re.compile(rb"(?:[0-7]{1,7}+ [^\0]++\0.{20})*+", re.DOTALL)
_TYPE_BITS: Final = 0o170000
_TREE_MODE: Final = 0o040000
_KINDS: Final[dict[int, EntryKind]] = {_TREE_MODE: "tree", 0o120000: "symlink", 0o160000: "submodule"}


class PathNotFound(NotFound):
    """There is nothing under this path, or something that is not what was asked for."""

    code = "PathDoesNotExistException"


@dataclass(frozen=True)
class Entry:
    """One name in a folder.

    Attributes:
        name: The last part of `path`; bytes that are not UTF-8 stand as lone surrogates.
        path: From the root, without a leading "/"; "" is the root itself.
        mode: Six octal digits: "040000", "100644", "100755", "120000", "160000".
        oid: Of the blob or tree; for a submodule the commit of the other repository.
        size_bytes: Of a file or a link, where it was asked for.
    """

    name: str
    path: str
    mode: str
    kind: EntryKind
    oid: str
    size_bytes: int | None = None

    @property
    def is_executable(self) -> bool:
        """A file with the executable bit."""
        return self.kind == "blob" and self.mode == "100755"


class Entries(Sequence[Entry]):
    """A folder's entries in order, each made when it is looked at: of 100,000 a page shows a thousand."""

    def __init__(self, rows: list[TreeRow], prefix: str) -> None:
        self._rows = rows
        self._prefix = prefix

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...

    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        if isinstance(index, slice):
            return [self._made(row) for row in self._rows[index]]
        return self._made(self._rows[index])

    def __eq__(self, other: object) -> bool:
        return list(self) == other

    __hash__ = None  # type: ignore[assignment]  # a sequence of what may be made anew

    def _made(self, row: TreeRow) -> Entry:
        name, mode, oid = row
        return entry_of(self._prefix + refs.decode(name), mode, oid.decode("ascii"))


def entries(repository: BareRepository, oid: str, path: str = "", *, with_sizes: bool = False) -> Sequence[Entry]:
    """A folder's entries: folders first, then all else, each by name.

    Args:
        oid: A commit, a tree, or a tag of either.
        path: The folder; "" is the root.
        with_sizes: Also find the size of each file, which costs one more process.

    Raises:
        PathNotFound: Nothing is under the path, or it is no folder.
        NotFound: `oid` has no tree, or an object is missing.
    """
    folder = entry(repository, oid, path)
    if folder.kind != "tree":
        raise PathNotFound(
            f"“{_shown(path)}” is a {_word(folder.kind)}, not a folder.", code="FolderDoesNotExistException"
        )
    found = Entries(
        sorted(rows(repository, folder.oid), key=lambda row: (row[1] & _TYPE_BITS != _TREE_MODE, row[0])),
        f"{folder.path}/" if folder.path else "",
    )
    if not with_sizes:
        return found
    sizes = objects.sizes(repository, [one.oid for one in found if one.kind in ("blob", "symlink")])
    return [replace(one, size_bytes=sizes.get(one.oid)) for one in found]


def entry(repository: BareRepository, oid: str, path: str) -> Entry:
    """What lies under a path: the root for "", else the entry that its folder has for it.

    Raises:
        PathNotFound: Nothing is there; the sentence says how far the path leads.
        NotFound: `oid` has no tree.
    """
    current = Entry("", "", "040000", "tree", objects.tree_oid(repository, oid))
    for part in path.strip("/").split("/") if path.strip("/") else []:
        if current.kind != "tree":
            raise PathNotFound(
                f"“{_shown(path)}” leads nowhere: “{_shown(current.path)}” is a {_word(current.kind)}, not a folder."
            )
        wanted = refs.encode(part)
        data = _bytes(repository, current.oid)
        row = _row(data, wanted) or next((row for row in _rows(data, current.oid) if row[0] == wanted), None)
        if row is None:
            place = f"the folder “{_shown(current.path)}”" if current.path else "the root folder"
            raise PathNotFound(
                f"No file or folder “{_shown(path)}” exists at this commit: {place} has no “{_shown(part)}”."
            )
        current = entry_of(f"{current.path}/{part}" if current.path else part, row[1], row[2].decode("ascii"))
    return current


def largest_bytes(repository: BareRepository, oid: str, path: str) -> int:
    """The size of the largest tree object on the way to a path, the root's included, as far as the path leads."""
    sizes = []
    folder = objects.tree_oid(repository, oid)
    for part in path.strip("/").split("/"):
        data = _bytes(repository, folder)
        sizes.append(len(data))
        row = _row(data, refs.encode(part))
        if row is None or row[1] & _TYPE_BITS != _TREE_MODE:
            break
        folder = row[2].decode("ascii")
    return max(sizes)


def sole_path(repository: BareRepository, folder: Entry) -> str:
    """The path of the folder that a folder leads to: itself, or the one below where that is all there is in it.

    Folders such as "src/main/java/com/example" are shown as one step.
    """
    path, oid = folder.path, folder.oid
    for _ in range(MAX_SOLE_FOLDERS):
        first = rows(repository, oid)
        if len(first) != 1 or first[0][1] & _TYPE_BITS != _TREE_MODE:
            break
        path, oid = f"{path}/{refs.decode(first[0][0])}", first[0][2].decode("ascii")
    return path


def rows(repository: BareRepository, oid: str) -> list[TreeRow]:
    """A tree object's entries in git's order."""
    return _rows(_bytes(repository, oid), oid)


def _rows(data: bytes, oid: str) -> list[TreeRow]:
    try:
        return list(parse_tree(data, 20))
    except (ObjectFormatException, ValueError) as error:
        raise NotFound(f"The folder {oid} can't be read: it is damaged.", code="ObjectDamagedException") from error


def _row(data: bytes, name: bytes) -> TreeRow | None:
    """One of a tree object's entries, found without taking all of them apart; None where it takes that."""
    at = data.find(b" " + name + b"\0")
    if at >= 0:
        # The bytes of an oid may read like an entry; only whole entries and a mode can stand before a real one.
        mode = data[_ROWS.match(data, 0, at).end() : at]  # type: ignore[union-attr]  # no rows are a match as well
        end = at + len(name) + 2
        if _MODE.fullmatch(mode) and len(data) >= end + 20:
            return name, int(mode, 8), data[end : end + 20].hex().encode("ascii")
    return None


def _bytes(repository: BareRepository, oid: str) -> bytes:
    kind, data = objects.read(repository, oid)
    if kind != "tree":
        raise PathNotFound(f"The object {oid} is a {kind}, not a folder.")
    return data


def entry_of(path: str, mode: int, oid: str) -> Entry:
    """The entry of a path, from what git says of it."""
    return Entry(path.rpartition("/")[2], path, f"{mode:06o}", _KINDS.get(mode & _TYPE_BITS, "blob"), oid)


def _shown(path: str) -> str:
    return refs.shown(path.strip("/"))


def _word(kind: EntryKind) -> str:
    return {"tree": "folder", "blob": "file", "symlink": "symbolic link", "submodule": "submodule"}[kind]
