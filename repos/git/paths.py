"""Which paths a new file may have, so that every clone can check it out and none is harmed by it.

Source: git-fsck(1), "hasDot", "hasDotdot", "hasDotgit" and "fullPathname"; git's path.c for what file systems of
Windows and macOS take for “.git”; CodeCommit User Guide, "Quotas" (4,096 bytes, 20 folders deep).
"""

from __future__ import annotations

import re
from typing import Final

from codeservices.errors import InvalidInput
from repos.git import quarantine, refs

MAX_DEPTH: Final = 20  # folders on the way to a file
# Characters that HFS+ ignores in names.
_IGNORED: Final = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


class InvalidPath(InvalidInput):
    """A file can't have this path."""

    code = "InvalidPathException"


def check(path: str) -> str:
    """The path itself; raises InvalidPath with the rule that it breaks, or PathRequired for an empty one.

    Args:
        path: From the root, without a slash at its ends, as `refs.decode` has it.
    """
    if not path:
        raise InvalidPath("A path is required.", code="PathRequiredException")
    try:
        raw = refs.encode(path)
    except UnicodeEncodeError:
        raise InvalidPath(f"The path {path[:100]!r} holds half a character.") from None
    shown = refs.shown(path if len(path) <= 100 else f"{path[:100]}…")
    if len(raw) > quarantine.MAX_PATH_BYTES:
        raise InvalidPath(
            f"The path “{shown}” has {len(raw):,} bytes; a path has at most {quarantine.MAX_PATH_BYTES:,}."
        )
    parts = path.split("/")
    if len(parts) > MAX_DEPTH + 1:
        raise InvalidPath(f"“{shown}” lies {len(parts) - 1} folders deep; a file lies at most {MAX_DEPTH} deep.")
    if "\0" in path:
        raise InvalidPath(f"The path “{shown}” holds a NUL.")
    for part in parts:
        if part in ("", ".", ".."):
            raise InvalidPath(
                f"“{shown}” is no path of a file: no part of it may be “{part}”.",
                hint="Write folder/name, without a slash at the beginning or the end.",
            )
        if _is_dot_git(part):
            raise InvalidPath(
                f"“{refs.shown(part)}” can't be the name of a file or folder: some file systems take it for git's own."
            )
    return path


def misleading_characters(path: str) -> bool:
    """Whether the path reads otherwise than it is: control characters, or ones that hide or reorder others."""
    return refs.shown(path) != path


def _is_dot_git(part: str) -> bool:
    # NTFS drops dots and blanks at the end and takes what follows a colon for a stream; a backslash separates.
    names = [re.split("[:]", name)[0].rstrip(". ").lower() for name in part.split("\\")]
    return ".git" in names or "git~1" in names or _IGNORED.sub("", part).lower() == ".git"
