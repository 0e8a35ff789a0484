"""Of which branches a graph is, and what the refs of a repository point at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from repos.git import program, refs
from repos.git.ref_answers import key_of
from repos.models import Repository
from repos.remembered import remembered

# With so many branches or fewer the graph is of all of them until somebody chooses.
# Source: CodeCommit User Guide, "Quotas", graph display of branches. There it is the most that a graph can have.
CHOICES_A_PAGE: Final = 35
# Names in an address, which proxies cut at 8 KB; whoever wants more takes all.
MAX_CHOSEN: Final = 100


class Label(NamedTuple):
    """A ref that points at a commit."""

    kind: str  # "branch" or "tag"
    name: str
    is_default: bool


@dataclass(frozen=True)
class Refs:
    """Branches and tags by what they point at.

    Attributes:
        branches: Every branch's short name and its commit, or None where it points at no commit.
        tags: Likewise, those of commits alone.
        default: The default branch.
    """

    branches: dict[str, str | None]
    tags: dict[str, str]
    default: str | None

    def labels(self) -> dict[str, list[Label]]:
        """By commit; branches first, of these the default one."""
        found: dict[str, list[Label]] = {}
        for name, oid in self.branches.items():
            if oid is not None:
                found.setdefault(oid, []).append(Label("branch", name, name == self.default))
        for labels in found.values():
            labels.sort(key=lambda one: not one.is_default)
        for name, oid in self.tags.items():
            found.setdefault(oid, []).append(Label("tag", name, False))
        return found


@dataclass(frozen=True)
class Choice:
    """The branches that a graph shows.

    Attributes:
        names: In the order of the list of branches.
        is_all: Whether it is of every branch there is, also of those made later.
        is_made: Whether somebody chose.
        missing: Names that were asked for and are no branches with a commit.
        tips: Their commits, each once, in order.
    """

    names: tuple[str, ...]
    is_all: bool
    is_made: bool
    missing: tuple[str, ...]
    tips: tuple[str, ...]

    @property
    def key(self) -> str:
        """What names this choice, whatever its branches point at: letters and digits."""
        return "all" if self.is_all else key_of(*self.names).hex()


def refs_of(repository: Repository) -> Refs:
    """The branches and tags of a repository, each followed to its commit; remembered while no ref moves."""
    state = refs.stored_state(repository.git).digest
    return remembered(repository, "refs of a graph", state, make=lambda: _read(repository))


def _read(repository: Repository) -> Refs:
    known = refs.all_refs(repository.git)
    heads = {name.removeprefix(refs.HEADS): oid for name, oid in known.items() if name.startswith(refs.HEADS)}
    tags = {name.removeprefix(refs.TAGS): oid for name, oid in known.items() if name.startswith(refs.TAGS)}
    peeled = _peeled(repository, {*heads.values(), *tags.values()})
    default = refs.head(repository.git).removeprefix(refs.HEADS)
    return Refs(
        branches={name: peeled.get(oid) for name, oid in heads.items()},
        tags={name: peeled[oid] for name, oid in tags.items() if oid in peeled},
        default=default if default in heads else None,
    )


def _peeled(repository: Repository, oids: set[str]) -> dict[str, str]:
    """The commit behind each of these objects that has one. Source: gitrevisions(7), "^{}"."""
    asked = sorted(oids)
    if not asked:
        return {}
    given = "".join(f"{oid}^{{}}\n" for oid in asked).encode("ascii")
    answer = program.run(repository.git, ["cat-file", "--batch-check=%(objectname) %(objecttype)"], input=given)
    lines = answer.decode("utf-8", "replace").splitlines()
    rows = zip(asked, (line.split(" ") for line in lines), strict=True)
    return {oid: row[0] for oid, row in rows if row[1:] == ["commit"]}


def chosen(known: Refs, names: Sequence[str], *, is_all: bool) -> Choice:
    """What to show: the branches named, or all; where nobody chose, all of few, and of many the default one."""
    live = {name: oid for name, oid in known.branches.items() if oid is not None}
    wanted = dict.fromkeys(names[:MAX_CHOSEN])
    taken = {name: oid for name, oid in live.items() if name in wanted}
    missing = tuple(name for name in wanted if name not in live)
    is_made = is_all or bool(taken)
    if not is_made:
        is_all = len(live) <= CHOICES_A_PAGE
        first = known.default if known.default in live else next(iter(live), None)
        taken = {first: live[first]} if first is not None else {}
    if is_all:
        taken = live
    return Choice(tuple(taken), is_all, is_made, missing, tuple(dict.fromkeys(taken.values())))
