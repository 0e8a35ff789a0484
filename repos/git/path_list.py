"""All paths of a commit, for finding a file by a part of its name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from repos.git import objects, program, refs
from repos.git.store import BareRepository

# The linux kernel has 90,000 paths, 4 MB; a browser filters so many while one types.
MAX_PATHS: Final = 300_000
TIMEOUT_SECONDS: Final = 10.0
MAX_QUERY_CHARACTERS: Final = 200
_WORD_START: Final = re.compile(r"(?:^|[/_\-. ])")


@dataclass(frozen=True)
class Paths:
    """The paths of a commit's files, links and submodules in git's order; `is_cut` where there are more."""

    paths: tuple[str, ...]
    is_cut: bool


def paths(repository: BareRepository, oid: str) -> Paths:
    """Every path; bytes that are not UTF-8 stand as lone surrogates.

    Raises:
        NotFound: `oid` has no tree.
        GitTimeout: It takes too long.
    """
    args = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", "--end-of-options", objects.tree_oid(repository, oid)]
    found: list[str] = []
    for path in program.lines(repository, args, separator=b"\0", timeout_seconds=TIMEOUT_SECONDS):
        if len(found) == MAX_PATHS:
            return Paths(tuple(found), is_cut=True)
        found.append(refs.decode(path))
    return Paths(tuple(found), is_cut=False)


def matching(candidates: Iterable[str], query: str, limit: int) -> list[str]:
    """The paths that hold the query's characters in their order, the best first.

    As static/js/file_finder.js has it: what stands together counts more than what is scattered, a file's own name more
    than the folders before it, and a short path more than a long one. Spaces in the query mean nothing.
    """
    wanted = "".join(query.lower().split())[:MAX_QUERY_CHARACTERS]
    if not wanted:
        return []
    ranked = []
    for path in candidates:
        lower = path.lower()
        if _is_scattered(lower, wanted):
            ranked.append((_rank(lower, wanted), len(path), path))
    return [path for _, _, path in sorted(ranked)[:limit]]


def _is_scattered(text: str, wanted: str) -> bool:
    """Whether the characters stand in the text in their order: no expression, since a path can be made to keep one
    busy for ever."""
    at = -1
    for character in wanted:
        at = text.find(character, at + 1)
        if at < 0:
            return False
    return True


def _rank(path: str, wanted: str) -> int:
    name = path[path.rfind("/") + 1 :]
    at = name.find(wanted)
    if at == 0:
        return 0 if name == wanted else 1 if name.rpartition(".")[0] == wanted else 2
    if at > 0:
        return 3 if _WORD_START.fullmatch(name[at - 1]) else 4
    if wanted in path:
        return 5
    return 6 if _is_scattered(name, wanted) else 7
