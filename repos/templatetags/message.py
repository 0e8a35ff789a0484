"""A commit's message with links: to commits that it names, and to addresses of the web."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Final

from django import template
from django.utils.safestring import SafeString, mark_safe

from repos.git.abbreviation import IN_TEXT
from repos.templatetags.repository import place_address

register = template.Library()

# Up to what ends a sentence or encloses an address rather than belongs to it.
_WEB: Final = r"https?://[^\s<>\"'`]+[^\s<>\"'`.,;:!?)\]}*]"
_LINKED: Final = re.compile(rf"(?P<web>{_WEB})|{IN_TEXT.pattern}")


@register.simple_tag
def message_links(text: str, repository_name: str, named: Mapping[str, str]) -> SafeString:
    """The text, escaped, with its links; `named` has the full oids of the commits that it names."""
    place = place_address(repository_name)

    def link(found: re.Match[str]) -> str:
        whole = found[0]
        if found["web"]:
            return f'<a href="{escape(whole)}" rel="nofollow noopener noreferrer">{escape(whole)}</a>'
        oid = named.get(whole)
        return f'<a href="{place}commit/{oid}">{whole}</a>' if oid else whole

    made: list[str] = []
    end = 0
    for found in _LINKED.finditer(text):
        made += (escape(text[end : found.start()]), link(found))
        end = found.end()
    return mark_safe("".join(made) + escape(text[end:]))  # noqa: S308 - every text is escaped here
