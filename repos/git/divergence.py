"""How two commits came apart: where, by how many commits, and by which."""

from __future__ import annotations

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
        counted = program.run(
            repository, ["rev-list", "--count", "--left-right", f"{a}...{b}"], timeout_seconds=COUNT_SECONDS
        )
    except program.GitTimeout:
        return Divergence(tuple(bases), None, None)
    behind, ahead = (int(number) for number in counted.split())
    return Divergence(tuple(bases), behind, ahead)


def commits_between(repository: BareRepository, a: str, b: str, *, skip: int, limit: int) -> list[log.Commit]:
    """Commits that B has and A has not, newest first and never a parent before its child.

    Args:
        a, b: Full oids of commits.
    """
    args = ["rev-list", "--date-order", f"--skip={skip}", f"--max-count={limit}", b, f"^{a}"]
    oids = program.run(repository, args).decode("ascii").split()
    return [log.parse(oid, objects.read(repository, oid)[1]) for oid in oids]
