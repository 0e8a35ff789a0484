"""Which branches and tags have a commit: it is their tip, or in the history of it."""

from __future__ import annotations

from typing import Final

from repos.git import program, refs
from repos.git.store import BareRepository

# With a commit-graph thousands of refs take a tenth of this; without one, a large history may need more.
TIMEOUT_SECONDS: Final = 4.0


def branches(repository: BareRepository, oid: str) -> list[str]:
    """The short names of the branches that have a commit, given by its full oid; by name.

    Raises:
        GitTimeout: They could not be found in that time.

    Source: git-for-each-ref(1). git-branch(1) would tell of a detached HEAD too.
    """
    return _names(repository, ["for-each-ref", "--format=%(refname)", f"--contains={oid}", refs.HEADS], refs.HEADS)


def tags(repository: BareRepository, oid: str) -> list[str]:
    """The same of tags, those that were made first before the others.

    Source: git-tag(1), which remembers where it walked: with 900 tags it needs a twentieth of for-each-ref's time.
    """
    args = ["tag", "--list", "--sort=creatordate", "--format=%(refname)", f"--contains={oid}"]
    return _names(repository, args, refs.TAGS)


def _names(repository: BareRepository, args: list[str], prefix: str) -> list[str]:
    found = program.run(repository, args, timeout_seconds=TIMEOUT_SECONDS).splitlines()
    return [refs.decode(line).removeprefix(prefix) for line in found]
