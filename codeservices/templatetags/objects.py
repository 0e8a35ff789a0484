"""How keys are written on pages."""

from __future__ import annotations

import re

from django import template

from codeservices.objects.views import shared

register = template.Library()

# Characters that nobody sees, and those that turn the direction of writing: a key may hold any.
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")

register.filter("folder_url", shared.folder_url)
register.filter("object_url", shared.object_url)


@register.filter
def key_text(key: str) -> str:
    """A key, or a part of one, as text that shows what is in it."""
    return _HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", key) or "(no name)"
