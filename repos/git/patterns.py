"""Which refs of another server are meant: full refnames, or such with one `*`, as refspecs of git have them."""

from __future__ import annotations

from collections.abc import Sequence

from codeservices.errors import InvalidInput
from repos.git import refs

NOTES = "refs/notes/"
# What an import brings, and a mirror unless it is told otherwise. Not refs/pull/*, refs/merge-requests/* and
# refs/changes/*: they are another server's reviews, often more than all branches, and nobody here could update them.
ALL_PATTERNS = (f"{refs.HEADS}*", f"{refs.TAGS}*", f"{NOTES}*")
MAX_PATTERNS = 50


def parse(text: str) -> list[str]:
    """What a person typed, one pattern a line, as full refnames with at most one `*`; raises InvalidInput.

    "main" and "release/*" are branches; "refs/tags/v*" says it in full.
    """
    found: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        pattern = line if line.startswith("refs/") else refs.HEADS + line
        if line.count("*") > 1 or not refs.is_valid_refname(pattern.replace("*", "x")):
            raise InvalidInput(f"“{refs.shown(line[:100])}” is no pattern of refs: main, release/*, refs/tags/v*.")
        if not pattern.startswith((refs.HEADS, refs.TAGS, NOTES)):
            raise InvalidInput(f"“{line[:100]}” is neither a branch, nor a tag, nor notes.")
        found.append(pattern)
    if len(found) > MAX_PATTERNS:
        raise InvalidInput(f"A mirror has at most {MAX_PATTERNS} patterns, not {len(found)}.")
    return list(dict.fromkeys(found))


def matches(refname: str, patterns: Sequence[str]) -> bool:
    """Whether a full refname is one of the patterns', as a refspec of git means them: `*` stands for any characters."""
    for pattern in patterns:
        before, star, after = pattern.partition("*")
        if refname == pattern:
            return True
        if star and refname.startswith(before) and refname.endswith(after) and len(refname) > len(before) + len(after):
            return True
    return False
