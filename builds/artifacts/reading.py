"""What is in a stored artifact: its files, one folder at a time, and their bytes.

An artifact's object may have been replaced by a later build under the same key, or by somebody who may write to the
bucket. What is not what the build stored is not shown as its artifact.
"""

from __future__ import annotations

import io
import posixpath
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from builds.artifacts import manifest
from builds.artifacts.packing import ZIP_DATE
from builds.models import Artifact
from codeservices.errors import NotFound
from codeservices.objects import pieces
from codeservices.objects.models import StoredObject

PIECE_BYTES = 256 * 1024
MAX_TARGET_BYTES = 4096


@dataclass(frozen=True, slots=True)
class File:
    """One file. `target` is where a symbolic link leads."""

    path: str
    size_bytes: int
    target: str = ""

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)


@dataclass
class Folder:
    """A folder in a listing, with what all below it comes to."""

    path: str
    size_bytes: int = 0
    file_count: int = 0

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)


@dataclass(frozen=True)
class Listing:
    """What lies directly in one folder, by name.

    Attributes:
        path: The folder's own; "" is the top.
        parents: The folders above it, from the top down.
    """

    path: str
    parents: tuple[Folder, ...]
    folders: tuple[Folder, ...]
    files: tuple[File, ...]

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)


def listing(artifact: Artifact, path: str = "") -> Listing:
    """One folder of an artifact.

    Raises:
        NotFound: There is no such folder, or the artifact is not in the object store any more.
    """
    prefix = f"{path}/" if path else ""
    folders: dict[str, Folder] = {}
    found: list[File] = []
    for file in files(artifact):
        if not file.path.startswith(prefix):
            continue
        name, slash, _ = file.path[len(prefix) :].partition("/")
        if not slash:
            found.append(file)
            continue
        folder = folders.setdefault(name, Folder(prefix + name))
        folder.size_bytes += file.size_bytes
        folder.file_count += 1
    if path and not folders and not found:
        raise NotFound(f"{artifact.name} has no folder {path}.")
    parts = path.split("/") if path else []
    parents = tuple(Folder("/".join(parts[: count + 1])) for count in range(len(parts) - 1))
    by_name = sorted(folders.values(), key=lambda one: one.path)
    return Listing(path, parents, tuple(by_name), tuple(sorted(found, key=lambda one: one.path)))


def files(artifact: Artifact) -> list[File]:
    """All files, as they were stored; raises NotFound where the artifact is not in the object store any more."""
    if artifact.is_zip:
        with opened_zip(artifact) as archive:
            return [File(one.filename, one.file_size, _target(archive, one)) for one in archive.infolist()]
    return [File(one.path, one.size_bytes) for one in _manifest(artifact)]


def opened_zip(artifact: Artifact) -> zipfile.ZipFile:
    """The ZIP, to be closed by the caller. Its bytes are those that `packing` wrote, or this raises NotFound."""
    try:
        return zipfile.ZipFile(pieces.reader(_stored(artifact, artifact.key, artifact.object_modified_at)))
    except (zipfile.BadZipFile, FileNotFoundError):
        raise gone(artifact) from None


def object_key(artifact: Artifact, path: str) -> str:
    """The key of the object that holds a file."""
    if artifact.is_zip:
        return artifact.key
    return f"{artifact.key}/{path}" if artifact.key else path


def check_stored(artifact: Artifact, stored: StoredObject, path: str = "") -> None:
    """Raise NotFound where an object isn't the one that the build stored."""
    times = (
        [artifact.object_modified_at]
        if artifact.is_zip
        else [datetime.fromisoformat(one.modified_at) for one in _manifest(artifact) if one.path == path]
    )
    if stored.modified_at not in times:
        raise gone(artifact)


def file_of_zip(artifact: Artifact, path: str) -> tuple[int, Iterator[bytes]]:
    """The size and the bytes of one file of a ZIP.

    Raises:
        NotFound: There is no such file, it is a link, or the ZIP is gone.
    """
    archive = opened_zip(artifact)
    try:
        info = archive.getinfo(path)
        if _is_link(info):
            raise KeyError(path)
    except KeyError:
        archive.close()
        raise NotFound(f"{artifact.name} has no file {path}.") from None

    def content() -> Iterator[bytes]:
        with archive, archive.open(info) as member:
            while piece := member.read(PIECE_BYTES):
                yield piece

    return info.file_size, content()


def as_zip(artifact: Artifact) -> Iterator[bytes]:
    """An artifact of single files as one ZIP, made on the way; files that were replaced since are left out."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, stored in _present(artifact):
            info = zipfile.ZipInfo(path, ZIP_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            with pieces.reader(stored) as file, archive.open(info, "w", force_zip64=True) as member:
                while piece := file.read(PIECE_BYTES):
                    member.write(piece)
                    yield sink.taken()
    yield sink.taken()


def arns(artifact: Artifact) -> Sequence[str]:
    """What it takes s3:GetObject on to have all of an artifact."""
    if artifact.is_zip:
        return [artifact.arn]
    return [f"arn:aws:s3:::{artifact.bucket}/{object_key(artifact, one.path)}" for one in _manifest(artifact)]


def _present(artifact: Artifact) -> Iterator[tuple[str, StoredObject]]:
    for one in _manifest(artifact):
        try:
            modified_at = datetime.fromisoformat(one.modified_at)
            yield one.path, _stored(artifact, object_key(artifact, one.path), modified_at)
        except NotFound:
            continue


def _stored(artifact: Artifact, key: str, modified_at: datetime | None) -> StoredObject:
    found = StoredObject.objects.filter(bucket__name=artifact.bucket, key=key).first()
    if found is None or found.modified_at != modified_at:
        raise gone(artifact)
    return found


def _manifest(artifact: Artifact) -> list[manifest.StoredFile]:
    try:
        return manifest.read(artifact.manifest_key)
    except FileNotFoundError:
        raise gone(artifact) from None


def _target(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    return archive.read(info)[:MAX_TARGET_BYTES].decode("utf-8", "replace") if _is_link(info) else ""


def _is_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)


def gone(artifact: Artifact) -> NotFound:
    """The error that tells that an artifact can't be had any more."""
    return NotFound(
        f"{artifact.name} is not in the object store any more, or something else is in its place.",
        hint=f"It was stored as s3://{artifact.bucket}/{artifact.key}; a later build may have used the same key.",
    )


class _Sink(io.RawIOBase):
    """What a ZIP is written to that can't be sought in."""

    def __init__(self) -> None:
        super().__init__()
        self._data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._data += data
        return len(data)

    def taken(self) -> bytes:
        data, self._data = bytes(self._data), bytearray()
        return data
