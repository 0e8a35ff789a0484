"""The versions of one file, newest first, each with the versions that came of it; renames are followed.

Git simplifies the history of a path to the commits that changed it, and says which of those come before which. What
comes after a page is the set of those commits that a shown one descends from and that are not shown themselves: exactly
what is left is reachable from them, so a late page costs what the first one does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from codeservices.errors import InvalidInput, ServiceError
from repos.git import log, program, refs, tree
from repos.git.store import BareRepository

# More lines of history than this are open at once only where two histories have next to nothing in common.
MAX_OPEN: Final = 1000
# Git compares each deleted file with each added one; beyond this many it finds exact renames alone.
RENAME_LIMIT: Final = 1000
SECONDS: Final = 30.0


class TooDivergent(InvalidInput):
    """The history of the file has more branches than a page can lead to."""

    code = "TipsDivergenceExceededException"


@dataclass(frozen=True)
class FileVersion:
    """What a commit made of a file.

    Attributes:
        path: The file's own at that commit.
        blob_oid: None where the commit deleted it.
        child_oids: The commits with the next versions; empty for the newest.
    """

    commit: log.Commit
    path: str
    blob_oid: str | None
    child_oids: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where a history goes on: commits that changed the file, each with its children, and what was renamed to it.

    Attributes:
        path: What the file is called there.
        starts: Oid to the oids of its children.
        earlier: (oid, path, child) of each rename that is looked behind when nothing of this path is left.
    """

    path: str
    starts: Mapping[str, tuple[str, ...]]
    earlier: tuple[tuple[str, str, str], ...] = ()

    def dumps(self) -> str:
        """The place as text."""
        return json.dumps([self.path, {oid: list(kids) for oid, kids in self.starts.items()}, self.earlier])

    @classmethod
    def loads(cls, text: str, refusal: ServiceError) -> Place:
        """The place that a text of `dumps` stands for; raises `refusal` for any other text."""
        try:
            path, starts, earlier = json.loads(text)
            place = cls(
                path, {oid: tuple(kids) for oid, kids in starts.items()}, tuple((a, b, c) for a, b, c in earlier)
            )
            oids = [*place.starts, *(kid for kids in place.starts.values() for kid in kids)]
            oids += [oid for oid, _, child in place.earlier for oid in (oid, child)]
            texts = [place.path, *(one[1] for one in place.earlier)]
            is_ours = all(refs.OID.fullmatch(oid) for oid in oids) and not any(
                b"\0" in refs.encode(one) for one in texts
            )
        except (AttributeError, RecursionError, TypeError, ValueError):
            is_ours = False
        if not is_ours:
            raise refusal
        return place


@dataclass
class _Page:
    """A page that is being filled."""

    limit: int
    versions: list[FileVersion] = field(default_factory=list)

    @property
    def rest(self) -> int:
        return self.limit - len(self.versions)


def first_place(repository: BareRepository, oid: str, path: str) -> Place | None:
    """Where the history of a path begins at a commit; None where no commit before it ever had such a file."""
    newest = _walk(repository, [oid], path, 1)
    return Place(path, {newest[0][0]: ()}) if newest else None


def page(repository: BareRepository, place: Place | None, limit: int) -> tuple[list[FileVersion], Place | None]:
    """Versions of a file from a place on, and the place of the next page; None at the end.

    Raises:
        TooDivergent: The next page would begin at too many commits.
        GitError: A commit is missing.
    """
    filled = _Page(limit)
    while place is not None and filled.rest:
        place = _fill(repository, place, filled)
    if place is not None and len(place.starts) > MAX_OPEN:
        raise TooDivergent(f"The history of “{refs.shown(place.path)}” has over {MAX_OPEN:,} branches open at once.")
    return filled.versions, place


def _fill(repository: BareRepository, place: Place, filled: _Page) -> Place | None:
    """Add versions of one path to the page; where to go on, in the same path or in what it was renamed from."""
    open_starts = {oid: list(children) for oid, children in place.starts.items()}
    earlier = list(place.earlier)
    shown: set[str] = set()
    for oid, *parents in _walk(repository, list(place.starts), place.path, filled.rest):
        for parent in parents:
            open_starts.setdefault(parent, []).append(oid)
        commit = log.commit(repository, oid)
        children = tuple(open_starts.pop(oid, ()))
        shown.add(oid)
        filled.versions.append(FileVersion(commit, place.path, _blob_oid(repository, oid, place.path), children))
        old_path = None if parents or not commit.parent_oids else _renamed_from(repository, commit, place.path)
        if old_path is not None:
            earlier.append((commit.parent_oids[0], old_path, oid))
    left = {oid: tuple(children) for oid, children in open_starts.items() if oid not in shown}
    if left and shown:
        return Place(place.path, left, tuple(earlier))
    while earlier:
        parent, path, child = earlier.pop(0)
        newest = _walk(repository, [parent], path, 1)
        if newest:
            return Place(path, {newest[0][0]: (child,)}, tuple(earlier))
    return None


def _walk(repository: BareRepository, starts: list[str], path: str, limit: int) -> list[list[str]]:
    """[oid, parents…] of commits that changed the path, newest first; parents are such commits too.

    In the order of dates, which git can tell as it goes.
    """
    given = "".join(f"{oid}\n" for oid in starts).encode("ascii")
    output = program.run(
        repository,
        ["rev-list", "--parents", f"--max-count={limit}", "--stdin", "--", path],
        input=given,
        timeout_seconds=SECONDS,
        environment={"GIT_LITERAL_PATHSPECS": "1"},
    )
    return [line.split(" ") for line in output.decode("ascii").splitlines()]


def _blob_oid(repository: BareRepository, oid: str, path: str) -> str | None:
    try:
        found = tree.entry(repository, oid, path)
    except tree.PathNotFound:
        return None
    return found.oid if found.kind in ("blob", "symlink") else None


def _renamed_from(repository: BareRepository, commit: log.Commit, path: str) -> str | None:
    """What the commit that a path first appears in had renamed to it, against its first parent."""
    options = ["-r", "-z", "-M", f"-l{RENAME_LIMIT}", "--diff-filter=R", "--name-status", "--no-commit-id"]
    fields = program.run(
        repository,
        ["diff-tree", *options, "--end-of-options", commit.parent_oids[0], commit.oid],
        timeout_seconds=SECONDS,
    ).split(b"\0")
    wanted = refs.encode(path)
    return next((refs.decode(fields[at + 1]) for at in range(0, len(fields) - 2, 3) if fields[at + 2] == wanted), None)
