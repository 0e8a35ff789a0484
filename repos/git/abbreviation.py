"""The beginning of a commit's id, as people paste it, to the commit that it means."""

from __future__ import annotations

import re
from typing import Final

from codeservices.errors import NotFound
from repos.git import program
from repos.git.store import BareRepository

# Git's own least; a full id is no abbreviation.
ABBREVIATED: Final = re.compile(r"[0-9a-f]{4,39}")


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
    asked = "".join(f"{oid}\n" for oid in found).encode("ascii")
    rows = program.run(repository, ["cat-file", "--batch-check=%(objectname) %(objecttype)"], input=asked).split(b"\n")
    commits = [oid.decode("ascii") for oid, _, kind in (row.partition(b" ") for row in rows) if kind == b"commit"]
    if len(commits) == 1:
        return commits[0]
    told = f"The ids of {len(commits)} commits begin" if commits else "No commit's id begins"
    raise NotFound(
        f"{told} with “{beginning}”.",
        code="CommitIdDoesNotExistException",
        hint="Give more of its digits." if commits else "Copy the id from the list of commits.",
    )
