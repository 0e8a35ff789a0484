"""What a header's name and value may hold that came in a URL's query, or goes into an answer."""

from __future__ import annotations

import re

# A token. Source: RFC 9110, section 5.6.2.
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_name(text: str) -> bool:
    """Whether a lower-case text can be a header's name."""
    return _NAME.fullmatch(text) is not None


def has_control(value: str) -> bool:
    """Whether a value holds what could end the line that it stands in."""
    return _CONTROL.search(value) is not None


def one_line(value: str) -> str:
    """A value as it can be sent: whatever it holds, it never ends its line."""
    return _CONTROL.sub(" ", value)
