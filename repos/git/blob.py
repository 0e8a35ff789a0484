"""A file's content at a commit: its text and encoding, or that it is binary, too large, or kept elsewhere by LFS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from codeservices.errors import NotFound
from repos.git import objects, program, refs, tree
from repos.git.store import BareRepository

# A page shows this much of a file; the rest is a download away. The largest source files people read are near 1 MB.
MAX_TEXT_BYTES: Final = 2 * 1024 * 1024
# Git looks for a NUL in this much of a file before it calls it binary (buffer_is_binary in xdiff-interface.c).
BINARY_PROBE_BYTES: Final = 8000
# A download may take as long as a slow line needs for the largest blob a push may carry.
STREAM_SECONDS: Final = 6 * 3600.0
# By these a file's format is told, and they are what a page shows of a binary.
HEAD_BYTES: Final = 512
_UTF_16: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
# What to call the encodings of `encoding_of`; UTF-8 needs no word.
ENCODING_WORDS: Final = {
    "utf-8-sig": "UTF-8 with a byte order mark",
    "utf-16-le": "UTF-16, little-endian",
    "utf-16-be": "UTF-16, big-endian",
    "latin-1": "not UTF-8, read as ISO 8859-1",
}
_UTF_8_BOM: Final = b"\xef\xbb\xbf"
# Source: git-lfs, docs/spec.md: a pointer is a text of at most 1024 bytes beginning with its version.
MAX_POINTER_BYTES: Final = 1024
_POINTER: Final = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)


@dataclass(frozen=True)
class LfsPointer:
    """What a git LFS pointer file stands for: the SHA-256 and the size of content kept outside git."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Blob:
    """One file.

    Attributes:
        path: From the root; "" for a blob that a tag names directly.
        mode: Six octal digits; "120000" is a symbolic link, whose text is its target.
        size_bytes: Of the whole blob.
        is_binary: It has no text to show.
        encoding: "utf-8", "utf-8-sig", "utf-16-le", "utf-16-be" or "latin-1"; "" where binary.
        text: Decoded, without a byte order mark; None where binary.
        is_truncated: `text` is only the beginning, cut behind its last whole line.
        lfs: Set where the file is an LFS pointer.
        head: The first HEAD_BYTES of the content.
    """

    oid: str
    path: str
    mode: str
    size_bytes: int
    is_binary: bool
    encoding: str
    text: str | None
    is_truncated: bool
    lfs: LfsPointer | None
    head: bytes

    @property
    def is_symlink(self) -> bool:
        """The blob is the target of a symbolic link."""
        return self.mode == "120000"

    @cached_property
    def lines(self) -> list[str]:
        """The text's lines, see `split_lines`."""
        return split_lines(self.text or "")


def split_lines(text: str) -> list[str]:
    """A text's lines as git counts them, without their ends: line feed, or carriage return and line feed.

    A form feed, a lone carriage return or a Unicode line separator ends no line.
    """
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines] if "\r" in text else lines


def read(repository: BareRepository, oid: str, path: str = "", *, max_bytes: int = MAX_TEXT_BYTES) -> Blob:
    """The file under a path at a commit.

    Args:
        oid: A commit, a tree or a tag of one; or a blob or a tag of one, with no path.
        max_bytes: No more than this of the content is read.

    Raises:
        PathNotFound: Nothing is there, or a folder or a submodule.
    """
    return read_entry(repository, locate(repository, oid, path), max_bytes=max_bytes)


def read_entry(repository: BareRepository, entry: tree.Entry, *, max_bytes: int = MAX_TEXT_BYTES) -> Blob:
    """The file that an entry of a tree is; see `read`."""
    size = size_bytes(repository, entry.oid)
    data = _whole(repository, entry) if size <= max_bytes else _head(repository, entry.oid, max_bytes)
    is_truncated = size > len(data)
    if is_truncated:
        data = data[: data.rfind(b"\n") + 1] or data
    encoding = encoding_of(data) if is_text(data) else ""
    if is_truncated and is_utf_16(encoding):
        data = data[: len(data) // 2 * 2]
    return Blob(
        oid=entry.oid,
        path=entry.path,
        mode=entry.mode,
        size_bytes=size,
        is_binary=not encoding,
        encoding=encoding,
        text=decode(data, encoding) if encoding else None,
        is_truncated=is_truncated,
        lfs=pointer(data),
        head=data[:HEAD_BYTES],
    )


def locate(repository: BareRepository, oid: str, path: str) -> tree.Entry:
    """The entry of a file or link; for a blob without a path, one with an empty name.

    Raises:
        PathNotFound: Nothing is there, or a folder or a submodule.
    """
    if not path:
        kind, peeled, _ = objects.peel(repository, oid)
        if kind == "blob":
            return tree.Entry("", "", "100644", "blob", peeled)
    entry = tree.entry(repository, oid, path)
    if entry.kind == "tree":
        raise tree.PathNotFound(
            f"“{refs.shown(path) or '/'}” is a folder, not a file.", code="FileDoesNotExistException"
        )
    if entry.kind == "submodule":
        raise tree.PathNotFound(
            f"“{refs.shown(path)}” is a submodule: the commit {entry.oid} of another repository.",
            code="FileDoesNotExistException",
        )
    return entry


def size_bytes(repository: BareRepository, oid: str) -> int:
    """A blob's size, without reading it.

    Raises:
        NotFound: There is no such object.
    """
    size = objects.sizes(repository, [oid]).get(oid)
    if size is None:
        raise NotFound(f"No object {oid} is in this repository.", code="BlobIdDoesNotExistException")
    return size


def stream(repository: BareRepository, oid: str) -> Iterator[bytes]:
    """A blob's bytes in pieces, however large it is; leave or close the iterator at any time."""
    return program.pieces(repository, ["cat-file", "blob", oid], timeout_seconds=STREAM_SECONDS)


def is_binary(data: bytes) -> bool:
    """Git's own rule: a NUL near the beginning."""
    return b"\0" in data[:BINARY_PROBE_BYTES]


def is_text(data: bytes) -> bool:
    """Whether a page can show it as text: what git takes for one, and what begins with the mark of UTF-16."""
    return data[:2] in _UTF_16 or not is_binary(data)


def is_utf_16(encoding: str) -> bool:
    """Whether one of the encodings of `encoding_of` is UTF-16, which git takes for binary."""
    return encoding in _UTF_16.values()


def encoding_of(data: bytes) -> str:
    """The encoding a text is read as: by its byte order mark, else UTF-8 where it is valid, else Latin-1."""
    if data[:2] in _UTF_16:
        return _UTF_16[data[:2]]
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        # A text cut inside its last character is still UTF-8.
        if error.end < len(data) or error.reason != "unexpected end of data":
            return "latin-1"
    return "utf-8-sig" if data.startswith(_UTF_8_BOM) else "utf-8"


def decode(data: bytes, encoding: str) -> str:
    """Text in one of the encodings of `encoding_of`, without a byte order mark; never raises."""
    return data.decode(encoding, "replace").removeprefix("\ufeff")


def _whole(repository: BareRepository, entry: tree.Entry) -> bytes:
    kind, data = objects.read(repository, entry.oid)
    if kind != "blob":  # the folder lies, or the object's file holds another one
        sentence = f"“{refs.shown(entry.path)}” can't be read: the object {entry.oid} is a {kind}, not a file."
        raise NotFound(sentence, code="ObjectDamagedException")
    return data


def _head(repository: BareRepository, oid: str, max_bytes: int) -> bytes:
    data = bytearray()
    for piece in stream(repository, oid):
        data += piece
        if len(data) >= max_bytes:
            break
    return bytes(data[:max_bytes])


def pointer(data: bytes) -> LfsPointer | None:
    """What a file's whole content points at, where it is an LFS pointer."""
    match = _POINTER.fullmatch(data) if len(data) <= MAX_POINTER_BYTES else None
    return LfsPointer(match[1].decode("ascii"), int(match[2])) if match else None
