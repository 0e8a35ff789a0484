"""What repository pages draw: addresses with any name in them, and names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from codeservices.templatetags.ui import icon, short_oid_words
from repos.git import refs
from repos.signatures import Signature

register = template.Library()

# Kept as they are in an address; all else, odd bytes too, is percent-encoded.
ADDRESS_SAFE = "/:@!$&'()*+,;=~"
_SIGNATURE_PICTURES = {"verified": "shield-check", "bad": "shield-exclamation"}


def code_address(repository_name: str, page: str, revision: str, path: str = "") -> str:
    """The address of a revision's page: "browse", "raw", "commits", "commit", … Names may hold any byte."""
    return f"{place_address(repository_name)}{page}/{quoted_spec(revision, path)}"


@lru_cache(maxsize=1000)
def place_address(repository_name: str) -> str:
    """The address of a repository, which those of its pages begin with.

    A page of commits needs it a hundred times, and to work it out costs more than to write the row it is for.
    """
    return reverse("repos:repository", args=[repository_name])


def quoted_spec(revision: str, path: str = "") -> str:
    """A revision and a path as the end of an address."""
    return quote(f"{revision}/{path}" if path else revision, safe=ADDRESS_SAFE, errors="surrogateescape")


register.simple_tag(code_address, name="code_url")


@register.simple_tag
def compare_url(repository_name: str, base: str, head: str, dots: str = "...") -> str:
    """The address of the comparison of two revisions: with two dots of themselves, with three since they parted."""
    return f"{place_address(repository_name)}compare/{quoted_spec(f'{base}{dots}{head}')}"


@register.simple_tag
def commit_signature(signatures: Mapping[str, Signature] | None, oid: str) -> SafeString | str:
    """What is told of a commit's signature; `signatures` is from `repos.signatures.of_commits`."""
    signature = (signatures or {}).get(oid)
    if signature is None:
        return ""
    picture = _SIGNATURE_PICTURES.get(signature.state, "key")
    return format_html(
        '<span class="signature" data-state="{}" title="{}">{} {}</span>',
        signature.state,
        signature.sentence,
        icon(picture),
        signature.word,
    )


@register.filter
def shown(name: str) -> str:
    """A name with what can't or shouldn't be printed as escapes."""
    return refs.shown(name)


@register.filter
def short_revision(name: str) -> str:
    """A revision as a person typed it; of a full commit id its beginning."""
    return short_oid_words(name) if refs.OID.fullmatch(name) else refs.shown(name)


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
