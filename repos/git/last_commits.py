"""The last commit of each entry of a folder, found by following the folder back from commit to commit.

For a name, git's history of one path follows the first parent that has the same entry, and ends where none has. Here
that is done for all names at once. Along first parents, entries are sought in the folder's tree objects as bytes, where
they were in the one before: that costs microseconds, where git's own tree difference costs ten times as much. What came
in with a merge is followed into the merged branch.

Most names are found soon and a few far back: once those few are left, the commit-graph's filters of changed paths tell
of nearly all commits that they changed none of them, and their folders are not read.

What is known of an earlier commit of the main line ends the search there: after a push, only its commits are looked at.

On git/git with its 24,000 merges and 561 entries this takes a second where `git log` needs ten.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from repos.git import cat_file, changed_paths, commit_graph, program, refs
from repos.git.store import BareRepository

# Entries found until then are shown, the others stay blank. The page is there already, and the answer is kept.
TIMEOUT_SECONDS: Final = 8.0
# A merged branch is walked commit by commit up to here, and then as the main line is: most have a few commits.
MAX_STEPS: Final = 100
# Rows of the main line that are read ahead of the one that is looked at, for names that may be found meanwhile.
MAX_WAITING: Final = 500
# Of more names than these, the filters of nearly all commits would affirm one.
MAX_FILTERED: Final = 100
# A known answer from further back than so many commits of the main line is of no use.
MAX_SINCE_KNOWN: Final = 1000
_ENTRY: Final = re.compile(rb"([0-7]+ ([^\0]+)\0[\s\S]{20})")
# How far before an entry the NUL is that stands before the oid of another one.
_BEFORE_ENTRY: Final = 21


class Known(NamedTuple):
    """A whole answer of before: the commit it looked back from, and each name's commit."""

    oid: str
    commits: Mapping[str, str]


def last_commits(
    repository: BareRepository,
    oid: str,
    path: str,
    names: Collection[str],
    *,
    known: Known | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> dict[str, str]:
    """The commit that gave each name in a folder the content and mode it has now: what `git log -1 -- NAME` tells.

    Args:
        oid: The commit to look back from.
        path: The folder; "" is the root.
        names: Those to look for; others are left out of the answer.
        known: An answer for the same folder, of use where first parents lead from `oid` to its commit.
        timeout_seconds: After this the names found so far are returned.

    Returns:
        Name to commit oid.
    """
    search = _Search(repository, path.strip("/"), time.monotonic() + timeout_seconds, known)
    with contextlib.suppress(program.GitTimeout):
        search.run(oid, {refs.encode(name) for name in names})
    return {refs.decode(name): commit_oid for name, commit_oid in search.found.items()}


class _Search:
    def __init__(self, repository: BareRepository, path: str, deadline: float, known: Known | None) -> None:
        self.repository = repository
        self.known = known
        self.path = refs.encode(path)
        self.deadline = deadline
        self.found: dict[bytes, str] = {}
        # Merges that brought names in: the merge, its other parents, the names.
        self.merged: deque[tuple[str, list[str], set[bytes]]] = deque()

    def run(self, oid: str, names: set[bytes]) -> None:
        with cat_file.opened(self.repository, timeout_seconds=self._left()) as objects:
            present = _entries(self._folder(objects, oid))
            self.wanted = _Wanted({name: entry for name, entry in present.items() if name in names})
            until = self.known.oid if self.known is not None and self._leads_to_known(oid) else None
            for _ in self._along(oid, self.wanted.names(), until):
                self._follow_merged(objects)  # at once, so that what is found in time is what changed last
            self._follow_merged(objects)

    def _follow_merged(self, objects: cat_file.CatFile) -> None:
        while self.merged:
            merge, parents, rest = self.merged.popleft()
            for parent in parents:
                same = rest - self.wanted.changed(self._folder(objects, parent), rest)
                if same:
                    self._into(objects, parent, same)
                    rest -= same
            self._settle(merge, rest)

    def _leads_to_known(self, oid: str) -> bool:
        """Whether first parents lead from a commit to the known one, by a few commits."""
        if self.known is None or oid == self.known.oid:
            return False
        args = ["rev-list", "--first-parent", f"--max-count={MAX_SINCE_KNOWN}", "--parents", oid, f"^{self.known.oid}"]
        try:
            rows = program.run(self.repository, [*args, "--"], timeout_seconds=self._left()).split(b"\n")
        except program.GitTimeout:
            raise
        except program.GitError:  # it was removed since
            return False
        # "COMMIT PARENT ...", the last one's first parent is where the line goes on.
        return len(rows) > 1 and rows[-2].split()[1:2] == [self.known.oid.encode()]

    def _at_known(self, known: Known, names: set[bytes]) -> Iterator[None]:
        """Take over what is known of names with the wanted entries there; others are followed from there on."""
        commits = {refs.encode(name): oid for name, oid in known.commits.items()}
        self.found |= {name: commits[name] for name in names if name in commits}
        rest = names - commits.keys()
        if rest:
            yield from self._along(known.oid, rest)

    def _along(self, oid: str, names: set[bytes], until: str | None = None) -> Iterator[None]:
        """Follow the first parents of a commit that has all these entries; yields where a name has been dealt with.

        Args:
            until: The known commit, which they lead to.
        """
        previous: tuple[str, list[str]] | None = None
        for commit_oid, parents, data in self._line(oid, names, until):
            if previous is not None and data is not None:
                changed = self.wanted.changed(data, names)
                if changed:
                    names -= changed
                    self._changed_by(*previous, changed)
                    yield
            if not names:
                return
            previous = (commit_oid, parents)
        if until is not None and self.known is not None:
            yield from self._at_known(self.known, names)
        elif previous is not None:
            self._changed_by(*previous, names)

    def _line(self, oid: str, names: set[bytes], until: str | None) -> Iterator[tuple[str, list[str], bytes | None]]:
        """(commit, its parents, the folder's tree object) along first parents where the folder changed, and `until`.

        Args:
            names: Those that are looked for, fewer and fewer. Where none of them changed since the commit before, None
                may stand for the tree object.
        """
        args = ["rev-list", "--first-parent", "--no-commit-header", "--format=%H %P", "--end-of-options", oid]
        args += [f"^{until}", "--"] if until else ["--"]
        rows = program.lines(
            self.repository,
            [*args, *([self.path] if self.path else [])],
            timeout_seconds=self._left(),
            environment={"GIT_LITERAL_PATHSPECS": "1"},
        )
        folder = self.path + b"/" if self.path else b""
        paths: changed_paths.Paths | None = None
        waiting: deque[tuple[str, list[str], bool]] = deque()
        child = ""
        with (
            cat_file.opened(self.repository, timeout_seconds=self._left()) as objects,
            contextlib.closing(commit_graph.Commits(self.repository)) as graph,
        ):

            def next_row() -> tuple[str, list[str], bytes | None]:
                commit_oid, parents, is_read = waiting.popleft()
                return commit_oid, parents, _bytes_of(objects.answer()) if is_read else None

            for row in rows:
                commit_oid, *parents = row.decode("ascii").split()
                if len(names) <= MAX_FILTERED and (paths is None or len(paths) > len(names)):
                    paths = changed_paths.Paths([folder + name for name in names])
                is_read = not child or paths is None or paths.may_be_in(graph.changed_paths(child))
                if is_read:
                    objects.ask(b"%s:%s" % (commit_oid.encode(), self.path))
                waiting.append((commit_oid, parents, is_read))
                child = commit_oid
                if objects.is_full or len(waiting) > MAX_WAITING:
                    for _ in range(len(waiting) // 2):
                        yield next_row()
            while waiting:
                yield next_row()
            if until:
                yield until, [], self._folder(objects, until)

    def _into(self, objects: cat_file.CatFile, oid: str, names: set[bytes]) -> None:
        """Follow a merged branch, whose tip has all these entries."""
        branches = [(oid, names)]
        steps = 0
        while branches:
            commit_oid, rest = branches.pop()
            steps += 1
            if steps > MAX_STEPS:
                for _ in self._along(commit_oid, rest):
                    pass
                continue
            objects.ask(commit_oid.encode())
            objects.ask(b"%s^1:%s" % (commit_oid.encode(), self.path))  # most have one parent, and git works meanwhile
            parents = _parents(_bytes_of(objects.answer()))
            first = _bytes_of(objects.answer())
            for number, parent in enumerate(parents):
                same = rest - self.wanted.changed(self._folder(objects, parent) if number else first, rest)
                if same:
                    branches.append((parent, same))
                    rest = rest - same
                if not rest:
                    break
            self._settle(commit_oid, rest)

    def _changed_by(self, commit_oid: str, parents: list[str], names: set[bytes]) -> None:
        if len(parents) > 1:
            self.merged.append((commit_oid, parents[1:], names))
        else:
            self._settle(commit_oid, names)

    def _settle(self, commit_oid: str, names: Iterable[bytes]) -> None:
        self.found |= dict.fromkeys(names, commit_oid)

    def _folder(self, objects: cat_file.CatFile, oid: str) -> bytes:
        objects.ask(b"%s:%s" % (oid.encode(), self.path))
        return _bytes_of(objects.answer())

    def _left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())


class _Wanted:
    """The entries that are looked for in one tree object after another, and where each lay when it was seen last.

    Nearly all lie where they did; behind an entry that came or went, all have moved as far.
    """

    def __init__(self, entries: Mapping[bytes, bytes]) -> None:
        self._seen = {name: (entry, 0) for name, entry in entries.items()}

    def names(self) -> set[bytes]:
        """All of them."""
        return set(self._seen)

    def changed(self, data: bytes, names: Iterable[bytes]) -> set[bytes]:
        """Those of the names whose entry is not in a tree object as it is wanted."""
        changed: set[bytes] = set()
        moved = 0
        for name in names:
            entry, at = self._seen[name]
            if data.startswith(entry, at) and (not at or not data[at - _BEFORE_ENTRY]):
                continue
            now = at + moved
            if not moved or not data.startswith(entry, now):
                now = data.find(entry)
            if now == 0 or (now >= _BEFORE_ENTRY and not data[now - _BEFORE_ENTRY]):
                self._seen[name] = entry, now
                moved = now - at
            else:
                changed.add(name)
        return changed


def _entries(data: bytes) -> dict[bytes, bytes]:
    return {row[2]: row[1] for row in _ENTRY.finditer(data)}


def _parents(data: bytes) -> list[str]:
    head = data.partition(b"\n\n")[0]
    return [line[7:].decode("ascii") for line in head.split(b"\n") if line.startswith(b"parent ")]


def _bytes_of(answer: tuple[bytes, bytes] | None) -> bytes:
    return answer[1] if answer is not None else b""
