"""How templates write what builds are made of."""

from __future__ import annotations

import re

from django import template

register = template.Library()

# `refs/heads/B^{OID}`: this ref, at this commit. The oid stands beside it anyway.
_PIN = re.compile(r"\^\{[0-9a-f]{40}\}$")


@register.filter
def version_word(source_version: str) -> str:
    """A source version for people: "main" for `refs/heads/main^{OID}`."""
    return _PIN.sub("", source_version).removeprefix("refs/heads/").removeprefix("refs/tags/")
