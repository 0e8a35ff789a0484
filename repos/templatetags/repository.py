"""What repository pages draw: addresses with any name in them, and names."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

from django import template
from django.urls import reverse

from repos.git import refs

register = template.Library()

# Kept as they are in an address; all else, odd bytes too, is percent-encoded.
_SAFE = "/:@!$&'()*+,;=~"


def code_address(repository_name: str, page: str, revision: str, path: str = "") -> str:
    """The address of a revision's page: "browse", "raw", "commits", or "commit". Names may hold any byte."""
    spec = f"{revision}/{path}" if path else revision
    return f"{_place(repository_name)}{page}/{quote(spec, safe=_SAFE, errors='surrogateescape')}"


@lru_cache(maxsize=1024)
def _place(repository_name: str) -> str:
    """Where a repository's pages lie; kept, since a page of a folder asks a thousand times and `reverse` is slow."""
    return reverse("repos:repository", args=[repository_name])


register.simple_tag(code_address, name="code_url")


@register.filter
def shown(name: str) -> str:
    """A name with what can't or shouldn't be printed as escapes."""
    return refs.shown(name)


@register.filter
def form_value(name: str) -> str:
    """A name as a form's field carries it; views read it with `refs.unescaped`."""
    return refs.escaped(name)


@register.filter
def short_ref(refname: str) -> str:
    """A branch or tag by its short name, as far as it can be shown."""
    return refs.shown(refname.removeprefix("refs/heads/").removeprefix("refs/tags/"))


@register.filter
def arn_name(principal_arn: str) -> str:
    """Whom an ARN of IAM names: the user, or the role's session."""
    return principal_arn.rpartition("/")[2]
