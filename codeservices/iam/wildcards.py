"""Wildcards of the policy language: `*` is any run of characters, `?` one.

A wildcard that came out of a variable's value is no wildcard: `literal` marks it, and marks stand for themselves.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Private characters that stand for a plain * and ? until a pattern is compiled or a text compared.
_STAR, _MARK = "\ue000", "\ue001"


def literal(text: str) -> str:
    """Text whose `*` and `?` are only characters."""
    return text.replace("*", _STAR).replace("?", _MARK)


def plain(text: str) -> str:
    """Text as it was before `literal`, for comparisons without wildcards."""
    return text.replace(_STAR, "*").replace(_MARK, "?")


@lru_cache(maxsize=8192)
def compiled(text: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """A regular expression for `fullmatch`.

    What stands between two `*` is taken where it is found first and never looked for again, which finds all that there
    is to find: no pattern with many `*` makes a long text take for ever.
    """
    first, *rest = (re.escape(part).replace(r"\?", ".") for part in text.split("*"))
    pattern = first
    if rest:
        *middle, last = rest
        pattern = f"{first}{''.join(f'(?>.*?{part})' for part in middle if part)}.*{last}"
    pattern = pattern.replace(_STAR, r"\*").replace(_MARK, r"\?")
    return re.compile(pattern, re.DOTALL | (re.IGNORECASE if ignore_case else 0))
