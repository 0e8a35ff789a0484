"""Bytes into the store and out of it: pieces under keys of our own, which nothing that a user names gets into.

A piece's row is there before its bytes are and goes after them, so a process that dies at any point leaves nothing that
`sweep` would not find, and a piece that an object needs is never removed.
"""

from __future__ import annotations

import hashlib
import io
import logging
import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta
from types import TracebackType
from typing import IO, Self

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from codeservices import storage
from codeservices.errors import InvalidInput, ServiceError
from codeservices.objects.checksums import Checksum
from codeservices.objects.models import MultipartUpload, Piece, StoredObject

logger = logging.getLogger(__name__)

# Whoever writes for longer than this has died, or will have to begin again.
WRITING_TIME = timedelta(hours=24)
SWEPT_AT_ONCE = 1000


class PieceWriter:
    """A new piece, written bit by bit. A context manager: unless it is attached to something, it leaves nothing."""

    def __init__(self, max_bytes: int, algorithms: Iterable[str] = ()) -> None:
        unique = uuid.uuid4().hex
        self.piece = Piece.objects.create(storage_key=f"objects/{unique[:2]}/{unique}")
        self._max_bytes = max_bytes
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._checksums = [Checksum(one) for one in algorithms]
        self._writer = storage.writer(self.piece.storage_key)

    def write(self, data: bytes | memoryview) -> None:
        """Append; raises InvalidInput EntityTooLarge where it gets too much."""
        self.piece.size_bytes += len(data)
        if self.piece.size_bytes > self._max_bytes:
            raise too_large(self._max_bytes)
        self._md5.update(data)
        for one in self._checksums:
            one.update(data)
        self._writer.write(data)

    def digest(self) -> None:
        """Work out what is known of the bytes, so that it can be checked before they are kept."""
        self.piece.md5 = self._md5.hexdigest()
        self.piece.checksums = {one.algorithm: one.text() for one in self._checksums}

    def finish(self) -> Piece:
        """Keep the bytes. The piece belongs to nothing until somebody attaches it."""
        self.digest()
        self._writer.commit()
        self.piece.save(update_fields=["size_bytes", "md5", "checksums"])
        return self.piece

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, traceback)
        if kind is not None:
            remove([self.piece.pk])


def attach(piece: Piece, *, number: int, stored_object: StoredObject) -> None:
    """Make a finished piece that of an object; in the transaction that makes the object."""
    _attach(piece, stored_object=stored_object, number=number)


def attach_part(piece: Piece, *, number: int, upload: MultipartUpload) -> None:
    """Make a finished piece a part of an upload; in a transaction."""
    _attach(piece, upload=upload, number=number)


def discard(unwanted: QuerySet[Piece]) -> None:
    """Let go of pieces; when the transaction commits, their bytes are removed."""
    pks = list(unwanted.values_list("pk", flat=True))
    Piece.objects.filter(pk__in=pks).update(stored_object=None, upload=None, discarded_at=timezone.now())
    transaction.on_commit(lambda: remove(pks), robust=True)


def remove(pks: Sequence[int]) -> int:
    """Remove bytes and rows of pieces that belong to nothing; how many. What the store refuses waits for the sweep."""
    count = 0
    for piece in Piece.objects.filter(pk__in=pks, stored_object=None, upload=None):
        try:
            storage.delete(piece.storage_key)
        except Exception:
            # The store is a disk, or somebody's S3, and raises what it likes.
            logger.exception("the bytes %s could not be removed; the sweep will try again", piece.storage_key)
            continue
        count += Piece.objects.filter(pk=piece.pk, stored_object=None, upload=None).delete()[0]
    return count


def sweep() -> int:
    """Remove pieces that were let go of, and what died while it was written; how many."""
    old = timezone.now() - WRITING_TIME
    left = Piece.objects.filter(Q(discarded_at__isnull=False) | Q(created_at__lt=old), stored_object=None, upload=None)
    storage.remove_drafts(old)
    return remove(list(left.values_list("pk", flat=True)[:SWEPT_AT_ONCE]))


def reader(stored_object: StoredObject) -> PieceReader:
    """The object's bytes as a file that can be sought in.

    Raises:
        FileNotFoundError: They are gone, as the object was replaced or deleted just now, or the store has lost them.
    """
    return PieceReader(list(stored_object.pieces.all()))


class PieceReader(io.RawIOBase):
    """Pieces one behind the other; one of them is open at a time."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        super().__init__()
        self._pieces = pieces
        self._starts = [0]
        for piece in pieces:
            self._starts.append(self._starts[-1] + piece.size_bytes)
        self._position = 0
        self._index = -1
        self._file: IO[bytes] | None = None
        if pieces:
            self._open(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._starts[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        place = self.place(len(buffer))
        if place is None:
            return 0
        file, count = place
        data = file.read(count)
        if not data:
            raise OSError(f"{self._pieces[self._index].storage_key} is shorter than it was")
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def place(self, wanted: int) -> tuple[IO[bytes], int] | None:
        """The open file of the piece at the position, sought to it, and how much of `wanted` it has; None at the end.

        Who reads it otherwise moves the position by `seek`.
        """
        if self._position >= self._starts[-1]:
            return None
        index = self._index if self._index >= 0 else 0
        if not self._starts[index] <= self._position < self._starts[index + 1]:
            index = next(at for at, end in enumerate(self._starts[1:]) if self._position < end)
        file = self._open(index)
        offset = self._position - self._starts[index]
        if file.tell() != offset:
            file.seek(offset)
        return file, min(wanted, self._starts[index + 1] - self._position)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()

    def _open(self, index: int) -> IO[bytes]:
        if self._file is None or self._index != index:
            opened = storage.open_object(self._pieces[index].storage_key)
            if self._file is not None:
                self._file.close()
            self._file, self._index = opened, index
        return self._file


def too_large(max_bytes: int) -> InvalidInput:
    """The refusal of an object that would be larger than `max_bytes`."""
    return InvalidInput(
        "Your proposed upload exceeds the maximum allowed object size.",
        code="EntityTooLarge",
        hint=f"At most {max_bytes:,} bytes are allowed.",
    )


def _attach(piece: Piece, **owner: object) -> None:
    # The sweep may have taken it, from somebody who wrote for a day.
    if not Piece.objects.filter(pk=piece.pk, stored_object=None, upload=None, discarded_at=None).update(**owner):
        raise ServiceError("The upload took too long and has to be done again.", code="RequestTimeout")
