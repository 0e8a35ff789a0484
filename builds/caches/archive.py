"""The files of a cache as one compressed tar, written here from what the container gave, and read back for the next.

The tar holds nothing but folders, regular files and links under absolute names, with modes, owners and dates, since
build tools compare dates. It only ever goes into a container, whose own root its links can't leave.
"""

from __future__ import annotations

import hashlib
import posixpath
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from builds import tarstream
from builds.collecting import Choice, Entry, Limits, collect
from builds.runner.executor import Executor, Note

# A cache is written once and read often, but by machines that have better things to do than to compress well.
COMPRESSION_LEVEL = 1
GZIP = 31  # zlib's word for a gzip header and trailer


@dataclass(frozen=True)
class PackedCache:
    """A finished archive."""

    size_bytes: int
    sha256: str
    file_count: int


def pack(
    executor: Executor, paths: Sequence[str], directory: str, target: IO[bytes], limits: Limits, note: Note
) -> PackedCache:
    """The files of cache.paths as an archive written to `target`, which ends at its beginning.

    Args:
        paths: As in the buildspec: relative to `directory` or absolute.

    Raises:
        PhaseError: CLIENT_ERROR where a limit is passed.
    """
    choice = Choice(
        patterns=tuple(posixpath.normpath(posixpath.join(directory, one)) for one in paths),
        base_directory="/",
        keeps_everything=True,
        what="cache",
    )
    output = _Output(target)
    entries = collect(executor, choice, limits, _TarWriter(output), note)
    output.write(b"\0" * tarstream.BLOCK_BYTES * 2)
    output.end()
    target.seek(0)
    return PackedCache(output.size_bytes, output.sha256(), sum(not one.is_folder for one in entries))


def digest(file: IO[bytes]) -> str:
    """The SHA-256 of a file from its beginning, to which it is wound back."""
    found = hashlib.sha256()
    file.seek(0)
    while piece := file.read(tarstream.PIECE_BYTES):
        found.update(piece)
    file.seek(0)
    return found.hexdigest()


def unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """The tar in an archive whose digest was found right."""
    inflate = zlib.decompressobj(GZIP)
    while piece := file.read(tarstream.PIECE_BYTES):
        while piece:
            yield inflate.decompress(piece, tarstream.PIECE_BYTES)
            piece = inflate.unconsumed_tail
    yield inflate.flush()


class _Output:
    """Compresses, counts and digests what is written."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._deflate = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, GZIP)
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        self._keep(self._deflate.compress(data))

    def end(self) -> None:
        self._keep(self._deflate.flush())
        self._target.flush()

    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def _keep(self, data: bytes) -> None:
        self._sha256.update(data)
        self.size_bytes += len(data)
        self._target.write(data)


class _TarWriter:
    """Puts entries into the tar."""

    def __init__(self, output: _Output) -> None:
        self._output = output

    def add(self, entry: Entry, content: Iterator[bytes]) -> None:
        info = self._info(entry)
        if entry.target:
            info.type, info.linkname = tarfile.SYMTYPE, entry.target
        elif entry.is_folder:
            info.type = tarfile.DIRTYPE
        else:
            info.size = entry.size_bytes
        self._output.write(_header(info))
        for piece in content:
            self._output.write(piece)
        self._output.write(b"\0" * (-info.size % tarstream.BLOCK_BYTES))

    def add_same(self, entry: Entry, path: str) -> bool:
        info = self._info(entry)
        info.type, info.linkname = tarfile.LNKTYPE, path
        self._output.write(_header(info))
        return True

    def _info(self, entry: Entry) -> tarfile.TarInfo:
        info = tarfile.TarInfo(entry.path)
        info.mode, info.mtime = entry.mode, entry.modified
        info.uid, info.gid = entry.user_id, entry.group_id
        return info


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")
