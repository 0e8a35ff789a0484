"""The keys of a bucket in their order, page by page, with what a delimiter folds together.

Source: Amazon S3 User Guide, "Organizing objects using prefixes"; Amazon S3 API Reference, ListObjectsV2.
"""

from __future__ import annotations

from dataclasses import dataclass

from codeservices.iam.principal import Principal
from codeservices.objects import access
from codeservices.objects.models import Bucket, StoredObject

MAX_KEYS = 1000
FIRST_BATCH = 16


@dataclass(frozen=True)
class Listing:
    """One page.

    Attributes:
        objects: By key.
        prefixes: What several keys have in common up to the delimiter, each once, in order.
        last: The last key or prefix of the page, behind which the next page begins; "" where there is none.
    """

    bucket: Bucket
    objects: list[StoredObject]
    prefixes: list[str]
    last: str = ""

    @property
    def is_truncated(self) -> bool:
        return bool(self.last)


def list_objects(
    principal: Principal,
    bucket_name: str,
    *,
    prefix: str = "",
    delimiter: str = "",
    after: str = "",
    max_keys: int = MAX_KEYS,
) -> Listing:
    """One page of a bucket's objects.

    Args:
        prefix: What keys begin with.
        delimiter: Keys that have it behind the prefix are told as one entry, up to and with it.
        after: A key or a folded prefix, behind which the page begins.
        max_keys: Objects and folded prefixes together; at most MAX_KEYS are told.

    Raises:
        AccessDenied, NotFound: NoSuchBucket.
    """
    told = {"s3:prefix": prefix, "s3:max-keys": str(max_keys)} | ({"s3:delimiter": delimiter} if delimiter else {})
    bucket = access.bucket_for(principal, access.LIST, bucket_name, told)
    limit = min(max_keys, MAX_KEYS)
    if "\0" in prefix + delimiter + after or limit <= 0:
        return Listing(bucket, [], [])
    walk = _Walk(bucket, prefix, delimiter, limit)
    return walk.run(after)


class _Walk:
    """A walk along the index of keys that jumps over what is folded."""

    def __init__(self, bucket: Bucket, prefix: str, delimiter: str, limit: int) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._delimiter = delimiter
        self._limit = limit
        self._objects: list[StoredObject] = []
        self._prefixes: list[str] = []
        self._last = ""
        self._batch = limit + 1 if not delimiter else FIRST_BATCH

    def run(self, after: str) -> Listing:
        # At `start` or behind it, as a folded prefix is followed by whatever does not begin with it.
        folded = self._folded(after) if after.startswith(self._prefix) else ""
        start, is_exclusive = (successor(folded), False) if folded and folded == after else (after, True)
        while start is not None:
            rows = list(self._rows(start, is_exclusive))
            if not rows:
                break
            jump = ""
            for row in rows:
                if jump and row.key.startswith(jump):
                    continue
                if len(self._objects) + len(self._prefixes) >= self._limit:
                    return Listing(self._bucket, self._objects, self._prefixes, self._last)
                jump = self._take(row)
            start, is_exclusive = (successor(jump), False) if jump else (rows[-1].key, True)
            # Behind a folded prefix most likely another follows, each with many keys that nobody reads.
            self._batch = FIRST_BATCH if jump else min(2 * self._batch, self._limit + 1)
        return Listing(self._bucket, self._objects, self._prefixes)

    def _rows(self, start: str, is_exclusive: bool) -> list[StoredObject]:
        found = self._bucket.stored_objects.order_by("key")
        found = found.filter(key__gt=start) if is_exclusive else found.filter(key__gte=start)
        if self._prefix:
            found = found.filter(key__gte=self._prefix)
            end = successor(self._prefix)
            found = found.filter(key__lt=end) if end is not None else found
        return list(found[: self._batch])

    def _take(self, row: StoredObject) -> str:
        """Put a row on the page; the prefix that it is folded to, or ""."""
        folded = self._folded(row.key)
        if folded:
            self._prefixes.append(folded)
        else:
            self._objects.append(row)
        self._last = folded or row.key
        return folded

    def _folded(self, key: str) -> str:
        if not self._delimiter:
            return ""
        at = key.find(self._delimiter, len(self._prefix))
        return key[: at + len(self._delimiter)] if at >= 0 else ""


def successor(prefix: str) -> str | None:
    """The first text behind all that begin with `prefix`, in the order of code points; None where there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    # The halves of surrogate pairs are no letters.
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)
