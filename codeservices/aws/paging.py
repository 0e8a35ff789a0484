"""Lists in pages: opaque tokens that say where the next page begins.

A token holds the key of the last row shown, so rows that come or go between two pages neither hide nor repeat others.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TypeVar

from codeservices.errors import ServiceError

Row = TypeVar("Row")


def page(
    rows: Iterable[Row],
    *,
    key: Callable[[Row], str],
    kind: str,
    token: str | None,
    limit: int,
    refusal: ServiceError,
    descending: bool = False,
) -> tuple[list[Row], str | None]:
    """One page of rows in the order of their keys, and the token of the next page; None at the end.

    Args:
        rows: All rows, in any order.
        key: A text that orders the rows and is never the same for two.
        kind: What list this is, order included: a token of one list is none of another's.
        token: What the page before gave, or None for the first page.
        limit: Rows in the page.
        refusal: Raised where the token is not one that such a list gave.
        descending: Last key first.
    """
    ordered = sorted(rows, key=key, reverse=descending)
    if token is not None:
        last = decode(kind, token, refusal)
        ordered = [row for row in ordered if (key(row) < last if descending else key(row) > last)]
    shown = ordered[:limit]
    return shown, encode(kind, key(shown[-1])) if len(ordered) > limit else None


def encode(kind: str, key: str) -> str:
    """The token for the rows after `key`."""
    return base64.urlsafe_b64encode(f"{kind}:{key}".encode("utf-8", "surrogateescape")).rstrip(b"=").decode()


def decode(kind: str, token: str, refusal: ServiceError) -> str:
    """The key that a token of this kind of list holds; raises `refusal` for any other text."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise refusal from None
    found, separator, key = raw.decode("utf-8", "surrogateescape").partition(":")
    if not separator or found != kind:
        raise refusal
    return key
