"""How two commits came apart: where, by how many commits, and by which; and how old commits are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from repos.git import log, objects, program
from repos.git.store import BareRepository

COUNT_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Divergence:
    """Two commits, A and B.

    Attributes:
        merge_bases: The best common ancestors, the one that git compares from first; none of unrelated histories.
        behind: How many commits only A has; None where there was no time to count.
        ahead: How many commits only B has.
    """

    merge_bases: tuple[str, ...]
    behind: int | None
    ahead: int | None


def divergence(repository: BareRepository, a: str, b: str) -> Divergence:
    """Where the histories of two commits, given by their full oids, part.

    Source: git-merge-base(1), git-rev-list(1).
    """
    # It ends with 1 where there is none.
    bases = program.run(repository, ["merge-base", "--all", a, b], ok_codes=(0, 1)).decode("ascii").split()
    try:
        ahead, behind = ahead_behind(repository, a, b, timeout_seconds=COUNT_SECONDS)
    except program.GitTimeout:
        return Divergence(tuple(bases), None, None)
    return Divergence(tuple(bases), behind, ahead)


def is_ancestor(repository: BareRepository, oid: str, tip: str) -> bool:
    """Whether a commit is in the history of another one, or is that one; both full oids, `tip` also of a tag.

    Raises:
        GitError: One of them is not there, or leads to no commit.
    """
    args = ["rev-list", "--max-count=1", "--end-of-options", oid, f"^{tip}"]
    return oid == tip or not program.run(repository, args).strip()


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


def commits_between(repository: BareRepository, a: str, b: str, *, skip: int, limit: int) -> list[log.Commit]:
    """Commits that B has and A has not, newest first and never a parent before its child.

    Args:
        a, b: Full oids of commits.
    """
    args = ["rev-list", "--date-order", f"--skip={skip}", f"--max-count={limit}", b, f"^{a}"]
    oids = program.run(repository, args).decode("ascii").split()
    return [log.parse(oid, objects.read(repository, oid)[1]) for oid in oids]


def timestamps(repository: BareRepository, oids: Iterable[str]) -> dict[str, int]:
    """When each of these commits was committed, in seconds since 1970. What is no commit is left out."""
    given = "".join(f"{oid}\n" for oid in dict.fromkeys(oids)).encode("ascii")
    if not given:
        return {}
    args = ["rev-list", "--no-walk=unsorted", "--timestamp", "--ignore-missing", "--stdin"]
    rows = (line.split() for line in program.run(repository, args, input=given).decode("ascii").splitlines())
    return {oid: int(seconds) for seconds, oid in rows}
