"""The chosen files of a build as one ZIP, written here: nothing of the container's tar but names and contents is in it.

Equal files give an equal ZIP: every file has the same date, and they come in the order of the engine's walk, which goes
by name.

Source: PKWARE's .ZIP File Format Specification 6.3; zip64 where a file or the whole needs it.
"""

from __future__ import annotations

import hashlib
import posixpath
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from builds import tarstream
from builds.buildspec import Artifacts
from builds.collecting import Choice, Entry, Limits, collect
from builds.container_files import is_below
from builds.runner.executor import Executor, Note, PhaseError

# One date for every file; it is the earliest that ZIP knows, and a file's own may be before it.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
# From this size on a file's sizes need zip64, which has to be said before it is written.
ZIP64_BYTES = 2**31
COMPRESSION_LEVEL = 6
# A file that is put in a second time, as a hard link is, is held in memory up to here; a larger one comes from the
# container again, rather than by way of this host's disk.
AGAIN_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Packed:
    """A finished ZIP: its size, its checksums in hex, and what is inside."""

    size_bytes: int
    md5: str
    sha256: str
    entries: tuple[Entry, ...]


def pack(
    executor: Executor, wanted: Artifacts, directory: str, target: IO[bytes], limits: Limits, note: Note
) -> Packed:
    """The chosen files as a ZIP written to `target`, a file that can be read and sought; it ends at its beginning.

    Raises:
        PhaseError: As `collect`.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL) as archive:
        entries = collect(executor, choice(wanted, directory, is_zip=True), limits, _ZipWriter(archive), note)
    target.seek(0)
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    size_bytes = 0
    while piece := target.read(tarstream.PIECE_BYTES):
        md5.update(piece)
        sha256.update(piece)
        size_bytes += len(piece)
    target.seek(0)
    return Packed(size_bytes, md5.hexdigest(), sha256.hexdigest(), tuple(entries))


def choice(wanted: Artifacts, directory: str, *, is_zip: bool) -> Choice:
    """What a buildspec's artifacts block chooses; `directory` is CODEBUILD_SRC_DIR.

    Raises:
        PhaseError: CLIENT_ERROR, the base directory is relative and leads out of that.
    """
    base = posixpath.normpath(posixpath.join(directory, wanted.base_directory or "."))
    if not is_below(base, directory) and not wanted.base_directory.startswith("/"):
        raise PhaseError("CLIENT_ERROR", f"no matching base directory path found for {wanted.base_directory}")
    return Choice(
        patterns=wanted.files,
        base_directory=base,
        base_text=wanted.base_directory or ".",
        boundary=directory if is_below(base, directory) else "/",
        excluded=wanted.exclude_paths,
        discards_paths=wanted.discard_paths,
        keeps_links=is_zip and wanted.enable_symlinks and not wanted.discard_paths,
    )


def tell_expansion(wanted: Artifacts, note: Note) -> None:
    """CodeBuild's lines before it looks for files."""
    base = wanted.base_directory or "."
    note(f"Expanding base directory path: {base}")
    note("Assembling file list")
    note(f"Expanding {base}")
    note(f"Expanding file paths for base directory {base}")


class _ZipWriter:
    """Puts entries into a ZIP."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def add(self, entry: Entry, content: Iterator[bytes]) -> None:
        with self._archive.open(_info(entry), "w", force_zip64=entry.size_bytes >= ZIP64_BYTES) as member:
            if entry.target:
                member.write(entry.target.encode())
            for piece in content:
                member.write(piece)

    def add_same(self, entry: Entry, path: str) -> bool:
        if entry.size_bytes > AGAIN_BYTES:
            return False
        self.add(entry, iter([self._archive.read(path)]))
        return True


def _info(entry: Entry) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(entry.path, ZIP_DATE)
    info.create_system = 3  # Unix: only then do the modes below count
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (stat.S_IFLNK | 0o777 if entry.target else stat.S_IFREG | entry.mode) << 16
    return info
