"""Sources of type S3: a zip archive or a folder of objects of this server's object storage, read as the service role.

Source: AWS CodeBuild API Reference, "ProjectSource", location; AWS CodeBuild User Guide, "Source version sample".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import IO

from django.conf import settings

from builds.runner.executor import Executor, PhaseError
from builds.sources import archive, members
from builds.sources.archive import ArchiveError
from builds.sources.members import FileTooLarge, UnsafeName
from builds.sources.wanted import Wanted, sentence
from codeservices.errors import AccessDenied, ServiceError
from codeservices.iam.principal import Principal
from codeservices.objects import access
from codeservices.objects.models import StoredObject
from codeservices.objects.services import open_object

MAX_FILES = 20_000
PIECE_BYTES = 256 * 1024
# The version id of every object in a bucket without versioning, as S3 has it.
NO_VERSION = "null"


@dataclass(frozen=True)
class ZipSource:
    """A zip archive whose directory was read."""

    wanted: Wanted
    archive: archive.Archive
    directory: str
    url: str
    oid: str = ""
    refname: str = ""
    holding_refname: str = ""

    def read(self, path: str, max_bytes: int) -> bytes | None:
        try:
            return self.archive.read(path, max_bytes)
        except ArchiveError as error:
            raise _unusable(self.wanted, error) from error

    def put(self, executor: Executor) -> None:
        try:
            executor.put(self.archive.tar(self.directory))
        except ArchiveError as error:
            raise _unusable(self.wanted, error) from error


@dataclass(frozen=True)
class FolderSource:
    """The objects below a prefix: the path of each to its key."""

    wanted: Wanted
    bucket: str
    files: dict[str, str]
    directory: str
    url: str
    oid: str = ""
    refname: str = ""
    holding_refname: str = ""

    def read(self, path: str, max_bytes: int) -> bytes | None:
        if path not in self.files:
            return None
        found, file = self._open(self.files[path])
        with closing(file):
            if found.size_bytes > max_bytes:
                raise FileTooLarge
            return file.read()

    def put(self, executor: Executor) -> None:
        executor.put(self._tar())

    def _tar(self) -> Iterator[bytes]:
        yield members.folder(self.directory, 0)
        for path, key in self.files.items():
            found, file = self._open(key)
            with closing(file):
                content = iter(partial(file.read, PIECE_BYTES), b"")
                yield from members.file(
                    self.directory,
                    path,
                    content,
                    size_bytes=found.size_bytes,
                    modified_at=found.modified_at.timestamp(),
                )
        yield members.END

    def _open(self, key: str) -> tuple[StoredObject, IO[bytes]]:
        return _opened(self.wanted, self.bucket, key)


def find(wanted: Wanted) -> ZipSource | FolderSource:
    """The archive, or the objects of the folder where the key ends in a slash.

    Raises:
        PhaseError: CLIENT_ERROR in CodeBuild's words.
    """
    bucket, _, key = wanted.location.partition("/")
    if key.endswith("/"):
        return _folder(wanted, bucket, key)
    found, file = _opened(wanted, bucket, key)
    wanted.keep.callback(file.close)
    if wanted.version not in ("", NO_VERSION) and wanted.version.strip('"') != found.etag:
        why = f"The object's ETag is {found.etag}; its bucket keeps no older versions."
        raise wanted.refused("NoSuchVersion: The specified version does not exist. status code: 404", why)
    try:
        opened = archive.read(file, max_bytes=settings.BUILD_SOURCE_MAX_BYTES)
    except ArchiveError as error:
        raise _unusable(wanted, error) from error
    return ZipSource(wanted, opened, wanted.root, f"s3://{wanted.location}")


def read_object(principal: Principal, object_arn: str, max_bytes: int) -> bytes:
    """A small object by its ARN.

    Raises:
        AccessDenied, NotFound.
        FileTooLarge.
    """
    bucket, _, key = object_arn.removeprefix("arn:aws:s3:::").partition("/")
    found, file = open_object(principal, bucket, key)
    with closing(file):
        if found.size_bytes > max_bytes:
            raise FileTooLarge
        return file.read()


def failure(error: ServiceError) -> str:
    """An error of the object store as SDKs word it, which is what CodeBuild passes on."""
    code = "AccessDenied" if isinstance(error, AccessDenied) else error.code
    status = 403 if isinstance(error, AccessDenied) else 404
    return f"{code}: {sentence(error)} status code: {status}"


def _folder(wanted: Wanted, bucket: str, prefix: str) -> FolderSource:
    try:
        with wanted.reading():
            home = access.bucket_for(wanted.principal, access.LIST, bucket, {"s3:prefix": prefix})
        # "0" is the next character after the slash. A database may take large and small letters of a LIKE for the same:
        # objects of another folder would come along, which the role may not be allowed to list.
        below = StoredObject.objects.filter(bucket=home, key__gte=prefix, key__lt=f"{prefix[:-1]}0")
        rows = list(below.order_by("key")[: MAX_FILES + 1])
    except ServiceError as error:
        raise _denied(wanted, error) from error
    if not rows:
        raise _denied(wanted, ServiceError(f"There is no object below {wanted.location}.", code="NoSuchKey"))
    if len(rows) > MAX_FILES:
        raise wanted.refused(f"{wanted.location} has more than {MAX_FILES:,} objects")
    total = sum(one.size_bytes for one in rows)
    if total > settings.BUILD_SOURCE_MAX_BYTES:
        sizes = f"{total:,} bytes, and a source may have {settings.BUILD_SOURCE_MAX_BYTES:,}"
        raise wanted.refused(f"the objects below {wanted.location} come to {sizes}")
    files: dict[str, str] = {}
    try:
        for row in rows:
            path = members.check_path(row.key.removeprefix(prefix))
            if path and not row.key.endswith("/"):  # such a key is how consoles make an empty folder
                if path in files:
                    raise UnsafeName(f"“{members.shown(path)}” is there twice")
                files[path] = row.key
        members.check_places((path, members.FILE) for path in files)
    except UnsafeName as error:
        raise wanted.refused(f"the objects below {wanted.location} can't become files: {error}") from error
    return FolderSource(wanted, bucket, files, wanted.root, f"s3://{wanted.location}")


def _opened(wanted: Wanted, bucket: str, key: str) -> tuple[StoredObject, IO[bytes]]:
    try:
        with wanted.reading():
            return open_object(wanted.principal, bucket, key)
    except ServiceError as error:
        raise _denied(wanted, error) from error


def _denied(wanted: Wanted, error: ServiceError) -> PhaseError:
    where = f"arn:aws:s3:::{wanted.location}"
    which = f"source {wanted.identifier}" if wanted.identifier else "primary source"
    version = f"{where} at {wanted.version}" if wanted.version else where
    return PhaseError("CLIENT_ERROR", f"{failure(error)} for {which} and source version {version}")


def _unusable(wanted: Wanted, error: ArchiveError) -> PhaseError:
    return wanted.refused(f"{wanted.location} can't be unpacked", f"{error}.")
