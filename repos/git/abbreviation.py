"""The beginning of a commit's id, as people paste it, to the commit that it means."""

from __future__ import annotations

import re
from typing import Final

from codeservices.errors import NotFound
from repos.git import program
from repos.git.store import BareRepository

# Git's own least; a full id is no abbreviation.
ABBREVIATED: Final = re.compile(r"[0-9a-f]{4,39}")
# What can name a commit in a text: seven digits or more, as git writes them, that are a word of their own.
IN_TEXT: Final = re.compile(r"(?<![\w-])(?=[a-f]*[0-9])[0-9a-f]{7,40}(?![\w-])")
MAX_IN_TEXT: Final = 50


def commit_oid(repository: BareRepository, beginning: str) -> str:
    """The full oid of the one commit whose id begins so; other kinds of objects do not count.

    Refs are not looked at: a branch may be called like the beginning of somebody's commit.

    Args:
        beginning: What ABBREVIATED matches.

    Raises:
        NotFound: No commit's id begins so, or those of several do.

    Source: git-rev-parse(1), --disambiguate; git-cat-file(1).
    """
    found = program.run(repository, ["rev-parse", f"--disambiguate={beginning}"]).decode("ascii").split()
    commits = [oid for oid in _commits(repository, found) if oid]
    if len(commits) == 1:
        return commits[0]
    told = f"The ids of {len(commits)} commits begin" if commits else "No commit's id begins"
    raise NotFound(
        f"{told} with “{beginning}”.",
        code="CommitIdDoesNotExistException",
        hint="Give more of its digits." if commits else "Copy the id from the list of commits.",
    )


def named_in(repository: BareRepository, text: str) -> dict[str, str]:
    """The commits that a text names, of its first MAX_IN_TEXT words that can be ids: as written there, to full oids."""
    words = list(dict.fromkeys(IN_TEXT.findall(text)))[:MAX_IN_TEXT]
    try:
        oids = _commits(repository, words)
    except program.GitError:  # a word can name an object that is damaged, which is no fault of this text
        return {}
    # Git takes a branch of that name first.
    return {word: oid for word, oid in zip(words, oids, strict=True) if oid.startswith(word)}


def _commits(repository: BareRepository, names: list[str]) -> list[str]:
    """The full oid of each, in that order; "" where it is no commit, or not known, or means several."""
    if not names:
        return []
    given = "".join(f"{name}\n" for name in names).encode("ascii")
    rows = program.run(repository, ["cat-file", "--batch-check=%(objecttype) %(objectname)"], input=given).splitlines()
    return [row[7:].decode("ascii") if row.startswith(b"commit ") else "" for row in rows]
