"""Entries of a tar stream for a container, made one by one from names that nobody has checked yet.

Where a source comes from outside (an archive, a folder of objects), its names are judged here before any byte is sent:
a name leads into the source's directory and nowhere else, and no two entries claim the same place.
"""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterable, Iterator
from itertools import pairwise

BLOCK_BYTES = 512
END = b"\0" * BLOCK_BYTES * 2
# Of Linux: limits.h, NAME_MAX and PATH_MAX.
MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4095
FILE, DIRECTORY, SYMLINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE


class FileTooLarge(Exception):
    """A file is larger than whoever reads it can use."""


class UnsafeName(Exception):
    """A name or a link that may not become a file of the container; the text says which and why."""


def check_path(name: str) -> str:
    """A name as a path inside the source: without `./`, empty parts and a slash at its end; "" is the source itself.

    Raises:
        UnsafeName: It is absolute, climbs with `..`, is longer than Linux allows, or holds a NUL.
    """
    if name.startswith("/"):
        raise UnsafeName(f"“{shown(name)}” is an absolute path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UnsafeName(f"“{shown(name)}” leads out of the source")
    if "\0" in name:
        raise UnsafeName(f"“{shown(name)}” holds a NUL character")
    path = "/".join(parts)
    if len(path.encode()) > MAX_PATH_BYTES or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        raise UnsafeName(f"“{shown(name)}” is longer than a path may be")
    return path


def check_link(path: str, target: str) -> None:
    """Raises UnsafeName where a symbolic link's target is not inside the source."""
    reached = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if not target or "\0" in target or target.startswith("/") or reached == ".." or reached.startswith("../"):
        raise UnsafeName(f"“{shown(path)}” is a link that leads out of the source, to “{shown(target)}”")


def check_places(paths: Iterable[tuple[str, bytes]]) -> None:
    """Raises UnsafeName where two entries have one path, or one lies below another that is no folder.

    Args:
        paths: The checked path and the kind of every entry.
    """
    kinds: dict[str, bytes] = {}
    for path, kind in paths:
        if path in kinds and (kind, kinds[path]) != (DIRECTORY, DIRECTORY):
            raise UnsafeName(f"“{shown(path)}” is there twice")
        kinds[path] = kind
    # Where slashes go before all else, what lies below an entry follows it at once: neighbours are compared, since a
    # path of 4 KiB has two thousand folders above it, and there may be 200,000 paths.
    for above, below in pairwise(sorted(kinds, key=lambda one: one.replace("/", "\0"))):
        if kinds[above] != DIRECTORY and below.startswith(f"{above}/"):
            raise UnsafeName(f"“{shown(below)}” lies below “{shown(above)}”, which is no folder")


def folder(directory: str, modified_at: float) -> bytes:
    """The header of a folder at an absolute path of the container."""
    return _header(directory, DIRECTORY, 0o755, modified_at)


def entry(
    directory: str, path: str, kind: bytes, *, mode: int, size_bytes: int, modified_at: float, target: str = ""
) -> bytes:
    """The header of one entry below `directory`; `size_bytes` of content and `padding` follow that of a file."""
    name = f"{directory}/{path}" if path else directory
    return _header(name, kind, mode, modified_at, size_bytes if kind == FILE else 0, target)


def padding(size_bytes: int) -> bytes:
    """What fills a file's last block."""
    return b"\0" * (-size_bytes % BLOCK_BYTES)


def file(
    directory: str, path: str, content: Iterator[bytes], *, size_bytes: int, modified_at: float
) -> Iterator[bytes]:
    """A whole file of mode 0644; the caller sees to it that the content has just that many bytes."""
    yield entry(directory, path, FILE, mode=0o644, size_bytes=size_bytes, modified_at=modified_at)
    yield from content
    yield padding(size_bytes)


def shown(name: str) -> str:
    """A name for a sentence: cut, with nothing in it that a terminal would act on."""
    plain = "".join(one if one.isprintable() else "?" for one in name)
    return plain if len(plain) <= 120 else f"{plain[:120]}…"


def _header(name: str, kind: bytes, mode: int, modified_at: float, size_bytes: int = 0, target: str = "") -> bytes:
    info = tarfile.TarInfo(name.strip("/"))
    info.type, info.mode, info.mtime, info.size, info.linkname = kind, mode, int(modified_at), size_bytes, target
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
