"""What repository pages draw: addresses with any name in them, and names."""

from __future__ import annotations

from urllib.parse import quote

from django import template
from django.urls import reverse

from repos.git import refs

register = template.Library()

# Kept as they are in an address; all else, odd bytes too, is percent-encoded.
ADDRESS_SAFE = "/:@!$&'()*+,;=~"


def code_address(repository_name: str, page: str, revision: str, path: str = "") -> str:
    """The address of a revision's page: "browse", "raw" or "commits". Names may hold any byte."""
    spec = f"{revision}/{path}" if path else revision
    place = reverse("repos:repository", args=[repository_name])
    return f"{place}{page}/{quote(spec, safe=ADDRESS_SAFE, errors='surrogateescape')}"


register.simple_tag(code_address, name="code_url")


@register.filter
def shown(name: str) -> str:
    """A name with what can't or shouldn't be printed as escapes."""
    return refs.shown(name)


@register.filter
def grouped(number: int) -> str:
    """A count with its thousands apart."""
    return f"{number:,}"


@register.filter
def visible(text: str) -> str:
    """A line of a file with what hides or reorders characters as escapes; tabs stay."""
    return "\t".join(refs.shown(part) for part in text.split("\t"))


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
