"""How far branches are from each other, and how old they are: asked of git, which has a commit-graph for it."""

from __future__ import annotations

from collections.abc import Iterable

from repos.git import program
from repos.git.store import BareRepository


def ahead_behind(repository: BareRepository, base: str, oid: str, *, timeout_seconds: float) -> tuple[int, int]:
    """How many commits `oid` has that `base` has not, and the other way round; both full oids of commits.

    Raises:
        GitTimeout: It could not be counted in that time.
    """
    if base == oid:
        return 0, 0
    args = ["rev-list", "--left-right", "--count", "--end-of-options", f"{base}...{oid}"]
    behind, ahead = program.run(repository, args, timeout_seconds=timeout_seconds).split()
    return int(ahead), int(behind)


def timestamps(repository: BareRepository, oids: Iterable[str]) -> dict[str, int]:
    """When each of these commits was committed, in seconds since 1970. What is no commit is left out."""
    given = "".join(f"{oid}\n" for oid in dict.fromkeys(oids)).encode("ascii")
    if not given:
        return {}
    args = ["rev-list", "--no-walk=unsorted", "--timestamp", "--ignore-missing", "--stdin"]
    rows = (line.split() for line in program.run(repository, args, input=given).decode("ascii").splitlines())
    return {oid: int(seconds) for seconds, oid in rows}
