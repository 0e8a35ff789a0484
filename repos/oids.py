"""Object ids as callers give them."""

from __future__ import annotations

from typing import Literal

from codeservices.errors import InvalidInput
from repos.git import refs


def check(oid: str, kind: Literal["commit", "blob"] = "commit") -> str:
    """The full id of a commit or a blob, as given.

    Raises:
        InvalidInput: CommitIdRequired or BlobIdRequired where it is empty, InvalidCommitId or InvalidBlobId where it is
            none (AWS CodeCommit API Reference, "GetCommit" and "GetBlob").
    """
    name = kind.capitalize()
    if not oid:
        raise InvalidInput(f"A {kind} id is required.", code=f"{name}IdRequiredException")
    if not refs.OID.fullmatch(oid):
        raise InvalidInput(
            f"“{oid[:100]}” is no {kind} id: give all 40 hexadecimal digits.", code=f"Invalid{name}IdException"
        )
    return oid
