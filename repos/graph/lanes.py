"""Commits in log order to lanes and lines; no drawing.

One sweep from the newest commit down. A lane is a column that waits for a commit; each awaited commit has one lane, so
that lines meet as soon as they lead to the same commit. A commit takes the lane that waits for it, its first parent
inherits that lane, further parents get the nearest free one. What the sweep knows between two rows is a `State`: given
it and the commits that follow, a page in the middle of a history is laid out without those above it.

The width is bounded: beyond `MAX_LANES` the line that has had nothing to show for longest is cut, to be taken up again
where its commit stands. gitk cuts long lines so, too; the sweep itself is that of `git log --graph`.

Nothing depends on how many rows stand above: a push puts rows on top, and below them the same lanes come out.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from zlib import crc32

MAX_LANES: Final = 16
COLOURS: Final = 8


class Line(NamedTuple):
    """A line through a row, from a lane at its top to a lane at its bottom; one that leaves the row's commit begins
    at the commit, in the middle of its lane. `oid` is the commit that it leads to."""

    top: int
    bottom: int
    colour: int
    leaves_commit: bool
    oid: str


class Cut(NamedTuple):
    """A lane whose line ends in a row without having reached its commit."""

    lane: int
    colour: int
    oid: str


class Lane(NamedTuple):
    """A column in use.

    Attributes:
        oid: The commit that it waits for.
        colour: From 0 to COLOURS - 1.
        since: The row since which nothing has happened in it; only which of two is smaller matters.
    """

    oid: str
    colour: int
    since: int


@dataclass(frozen=True)
class Row:
    """One commit's row.

    Attributes:
        oid, parent_oids: The commit.
        lane: Its column, from 0.
        colour: Of its dot, that of its lane.
        has_line_above: Whether a line comes down to it in its lane.
        is_resumed: Whether lines to it were cut further up.
        lines: All that is drawn below and beside the commit.
        cut_lanes: What is cut here of the lines from above.
        cut_parent_oids: Parents to which no line is drawn, because lines to them are cut already.
        width: Columns that the row needs.
    """

    oid: str
    parent_oids: tuple[str, ...]
    lane: int
    colour: int
    has_line_above: bool
    is_resumed: bool
    lines: tuple[Line, ...]
    cut_lanes: tuple[Cut, ...]
    cut_parent_oids: tuple[str, ...]
    width: int


@dataclass(frozen=True)
class State:
    """What a sweep knows between two rows.

    Attributes:
        lanes: The columns from the left; None is a free one. The last is never free.
        cut_oids: Commits that are awaited without a lane.
        row: How many rows stand above.
    """

    lanes: tuple[Lane | None, ...] = ()
    cut_oids: frozenset[str] = frozenset()
    row: int = 0

    def is_like(self, other: State) -> bool:
        """Whether the same rows come out below both, however many stand above."""
        return (
            self.cut_oids == other.cut_oids
            and [lane and lane[:2] for lane in self.lanes] == [lane and lane[:2] for lane in other.lanes]
            and self.ages() == other.ages()
        )

    def ages(self) -> list[int]:
        """The lanes' `since`, free ones left out, as ranks from 0; equal ones have an equal rank."""
        since = [lane.since for lane in self.lanes if lane is not None]
        rank = {value: at for at, value in enumerate(sorted(set(since)))}
        return [rank[value] for value in since]


class _Step(NamedTuple):
    """What one commit did to the lanes."""

    at: int
    colour: int
    had_lane: bool
    was_cut: bool
    moved_from: int | None
    drawn_parents: list[str]
    cut_parents: list[str]
    cut_lanes: dict[int, Lane]


class Sweep:
    """Lays out the commits that follow a state, one by one.

    Args:
        state: Where to go on: of the sweep that laid out the rows above, or an empty one above the first row.
        max_lanes: How many lanes may be open below a row, at least 2.

    Attributes:
        row: How many rows stand above.
    """

    def __init__(self, state: State, max_lanes: int = MAX_LANES) -> None:
        self._lanes: list[Lane | None] = list(state.lanes)
        self._position = {lane.oid: at for at, lane in enumerate(state.lanes) if lane is not None}
        self._cut = set(state.cut_oids)
        self.row = state.row
        self._max_lanes = max_lanes

    def state(self) -> State:
        """What is known below the last row."""
        return State(tuple(self._lanes), frozenset(self._cut), self.row)

    def add(self, oid: str, parent_oids: Sequence[str]) -> Row:
        """The row of the next commit.

        Never a parent before its child: `git rev-list --date-order --parents` has them so.
        """
        before = list(self._lanes)
        parents = tuple(_once(parent_oids))
        step = self._advance(oid, parents)
        cut = step.cut_lanes
        passing = []
        cut_lanes = []
        for i, lane in enumerate(before):
            if lane is None or (i == step.at and step.had_lane):
                continue
            bottom = step.at if i == step.moved_from else i
            if bottom in cut:
                cut_lanes.append(Cut(i, lane.colour, lane.oid))
            else:
                passing.append(Line(i, bottom, lane.colour, False, lane.oid))
        cut_oids = {lane.oid for lane in cut.values()}
        leaving = []
        for parent in step.drawn_parents:
            if parent in cut_oids:
                continue
            bottom = self._position[parent]
            lane = self._lanes[bottom]
            assert lane is not None
            colour = step.colour if parent == parents[0] else lane.colour
            leaving.append(Line(step.at, bottom, colour, True, parent))
        lines = (*passing, *leaving)
        cut_parents = (*step.cut_parents, *(parent for parent in step.drawn_parents if parent in cut_oids))
        width = 1 + max(step.at, *(max(line[:2]) for line in lines), *(one.lane for one in cut_lanes), 0)
        return Row(
            oid,
            parents,
            step.at,
            step.colour,
            step.had_lane,
            step.was_cut,
            lines,
            tuple(cut_lanes),
            cut_parents,
            width,
        )

    def skip(self, oid: str, parent_oids: Sequence[str]) -> None:
        """What `add` does to the state, without a row."""
        self._advance(oid, _once(parent_oids))

    def _advance(self, oid: str, parents: Sequence[str]) -> _Step:
        at = self._position.pop(oid, -1)
        had_lane, was_cut = at >= 0, False
        if self._cut and oid in self._cut:
            was_cut = True
            self._cut.discard(oid)
        if had_lane:
            own = self._lanes[at]
            assert own is not None
            colour = own.colour
        else:
            at = self._open(oid, near=0, is_tip=True)
            colour = self._lanes[at].colour  # type: ignore[union-attr]  # just opened
            del self._position[oid]
        self._lanes[at] = None
        moved_from = None
        if parents and self._position.get(parents[0], at) > at:
            moved_from = self._position[parents[0]]
            self._move(moved_from, at)
        drawn, cut_parents = self._lead_to_parents(parents, at, colour)
        cut_lanes = self._cut_idle_lanes() if len(self._position) > self._max_lanes else {}
        while self._lanes and self._lanes[-1] is None:
            self._lanes.pop()
        self.row += 1
        return _Step(at, colour, had_lane, was_cut, moved_from, drawn, cut_parents, cut_lanes)

    def _move(self, source: int, target: int) -> None:
        """Bend the line in one lane to a free lane on its left: a line of first parents stays where it is, and what
        branched off it comes back to it."""
        lane = self._lanes[source]
        assert lane is not None
        self._lanes[source] = None
        self._take(target, lane)

    def _lead_to_parents(self, parents: Sequence[str], at: int, colour: int) -> tuple[list[str], list[str]]:
        """The parents that have a lane below the commit in lane `at`, and those that have none, being cut already."""
        drawn: list[str] = []
        cut: list[str] = []
        for number, parent in enumerate(parents):
            if parent in self._cut:
                cut.append(parent)
                continue
            bottom = self._position.get(parent)
            if bottom is not None:
                lane = self._lanes[bottom]
                assert lane is not None
                self._lanes[bottom] = Lane(parent, colour if bottom == at else lane.colour, self.row)
            elif number == 0:
                self._take(at, Lane(parent, colour, self.row))
            else:
                self._open(parent, near=at)
            drawn.append(parent)
        return drawn, cut

    def _open(self, oid: str, *, near: int, is_tip: bool = False) -> int:
        """Give a commit the free lane that is nearest to another, of two the left one; a new one where none is free."""
        free = [i for i, lane in enumerate(self._lanes) if lane is None]
        at = min(free, key=lambda i: (abs(i - near), i), default=len(self._lanes))
        self._take(at, Lane(oid, self._colour(at, at if is_tip else crc32(oid.encode("ascii"))), self.row))
        return at

    def _take(self, at: int, lane: Lane) -> None:
        if at == len(self._lanes):
            self._lanes.append(None)
        self._lanes[at] = lane
        self._position[lane.oid] = at

    def _colour(self, at: int, preferred: int) -> int:
        """The colour that fewest lanes have, and of those one that no neighbour has; of equals the one preferred.

        A branch that goes on keeps the place of its tip, so the place chooses there, elsewhere the oid.
        """
        uses = [0] * COLOURS
        for lane in self._lanes:
            if lane is not None:
                uses[lane.colour] += 1
        for lane in self._lanes[max(0, at - 1) : at] + self._lanes[at + 1 : at + 2]:
            if lane is not None:
                uses[lane.colour] += 100
        fewest = min(uses)
        colour = preferred % COLOURS
        while uses[colour] != fewest:
            colour = (colour + 1) % COLOURS
        return colour

    def _cut_idle_lanes(self) -> dict[int, Lane]:
        """Close the lanes that have been idle for longest, of equals the right ones, until no more are open than may
        be; what was closed, by its place."""
        surplus = len(self._position) - self._max_lanes
        idlest = heapq.nsmallest(surplus, ((lane.since, -i) for i, lane in enumerate(self._lanes) if lane is not None))
        cut: dict[int, Lane] = {}
        for _, negative in idlest:
            lane = self._lanes[-negative]
            assert lane is not None
            cut[-negative] = lane
        for i, lane in cut.items():
            self._lanes[i] = None
            del self._position[lane.oid]
            self._cut.add(lane.oid)
        return cut


def _once(parent_oids: Sequence[str]) -> Sequence[str]:
    return parent_oids if len(parent_oids) < 2 else tuple(dict.fromkeys(parent_oids))
