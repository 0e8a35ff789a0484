"""Texts in UTF-16, which git takes for binary: both sides of a changed file as UTF-8, so that git can compare them."""

from __future__ import annotations

from typing import Final, NamedTuple

from repos.diff.changes import FileChange
from repos.git import blob, objects
from repos.git.store import BareRepository

# A larger side stays what git says it is: reading and decoding it would take longer than a page should.
MAX_SIDE_BYTES: Final = 1024 * 1024


class Decoded(NamedTuple):
    """What to compare instead of a file's two blobs.

    Attributes:
        encodings: Of the old and of the new side, by blob.encoding_of; "" of an absent one.
        contents: UTF-8 without a byte order mark, by the oid of the blob that it stands for.
    """

    encodings: tuple[str, str]
    contents: dict[str, bytes]


def decoded(repository: BareRepository, change: FileChange) -> Decoded | None:
    """The texts of a file that git calls binary; None where no side begins with UTF-16's mark or one is no text."""
    if change.is_submodule or change.is_symlink:
        return None
    oids = [oid for oid in (change.old_oid, change.new_oid) if oid]
    sizes = objects.sizes(repository, oids)
    if any(sizes.get(oid, MAX_SIDE_BYTES + 1) > MAX_SIDE_BYTES for oid in oids):
        return None
    encodings: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    for oid in oids:
        data = objects.read(repository, oid)[1]
        if not blob.is_text(data):
            return None
        encodings[oid] = blob.encoding_of(data)
        contents[oid] = blob.decode(data, encodings[oid]).encode("utf-8")
    if not any(blob.is_utf_16(encoding) for encoding in encodings.values()):
        return None
    return Decoded((encodings.get(change.old_oid, ""), encodings.get(change.new_oid, "")), contents)
