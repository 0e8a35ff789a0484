"""Lanes and lines of the commit graph: checked by following each line from a child to its parents."""

from __future__ import annotations

import random

import pytest

from repos.graph.lanes import COLOURS, Lane, Row, State, Sweep


def laid_out(commits, **options) -> list[Row]:
    sweep = Sweep(State(), **options)
    return [sweep.add(oid, parents) for oid, parents in commits]


def history(seed: int, count: int, *, breadth: int) -> list[tuple[str, list[str]]]:
    """Commits in order, each with parents among the few that follow it; several tips, roots and octopus merges."""
    rng = random.Random(seed)
    found = []
    for i in range(count):
        left = range(i + 1, min(count, i + 1 + breadth))
        wanted = rng.choice([1, 1, 1, 1, 2, 2, 0, 5])
        found.append((f"{i:040x}", [f"{j:040x}" for j in rng.sample(left, min(wanted, len(left)))]))
    return found


def check(commits, rows: list[Row], max_lanes: int) -> None:
    """Follow every line: what a row sends down the next one takes up, and it ends at the parent it was for."""
    waiting: dict[int, str] = {}  # what each lane at the top of the row leads to
    cut: set[str] = set()
    assert [row.oid for row in rows] == [oid for oid, _ in commits]
    for row in rows:
        assert row.has_line_above == (waiting.get(row.lane) == row.oid)
        assert row.is_resumed == (row.oid in cut)
        cut.discard(row.oid)
        if row.has_line_above:
            del waiting[row.lane]
        assert row.oid not in waiting.values(), "every line to a commit has met in its lane"
        assert row.lane not in waiting
        below: dict[int, str] = {}
        for line in row.lines:
            if not line.leaves_commit:
                assert line.top == line.bottom or line.bottom == row.lane < line.top
                below[line.bottom] = waiting[line.top]
                assert line.oid == waiting[line.top]
        drawn = [line for line in row.lines if line.leaves_commit]
        assert all(line.top == row.lane for line in drawn)
        to_parents = [parent for parent in row.parent_oids if parent not in row.cut_parent_oids]
        assert len(drawn) == len(to_parents)
        for line, parent in zip(drawn, to_parents, strict=True):
            assert below.get(line.bottom, parent) == parent == line.oid
            below[line.bottom] = parent
        for lane, _, oid in row.cut_lanes:
            assert lane not in below
            assert waiting[lane] == oid
            cut.add(oid)
        cut.update(row.cut_parent_oids)
        assert set(waiting) == {line.top for line in row.lines if not line.leaves_commit} | {
            one.lane for one in row.cut_lanes
        }
        assert len(below) <= max_lanes
        assert row.width <= 2 * max_lanes + 1
        assert all(0 <= line.colour < COLOURS for line in row.lines)
        waiting = below
    assert not waiting
    assert not cut


def test_a_line_of_commits_stays_in_one_lane_and_colour():
    rows = laid_out([("c", ["b"]), ("b", ["a"]), ("a", [])])
    assert {(row.lane, row.colour, row.width) for row in rows} == {(0, rows[0].colour, 1)}
    assert [row.has_line_above for row in rows] == [False, True, True]
    assert rows[-1].lines == ()


def test_a_merge_opens_a_lane_that_closes_where_the_branch_began():
    rows = laid_out([("m", ["a", "t"]), ("t", ["r"]), ("a", ["r"]), ("r", [])])
    assert [row.lane for row in rows] == [0, 1, 0, 0]
    assert [(line.top, line.bottom) for line in rows[2].lines] == [(1, 0), (0, 0)]
    assert [(line.top, line.bottom) for line in rows[0].lines if line.leaves_commit] == [(0, 0), (0, 1)]
    joined = laid_out([("m", ["a", "t"]), ("a", ["r"]), ("t", ["r"]), ("r", [])])[2]
    assert [(line.top, line.bottom) for line in joined.lines if line.leaves_commit] == [(1, 0)]


def test_lanes_that_are_open_beside_each_other_differ_in_colour():
    rows = laid_out([("m", ["a", "b", "c", "d"]), ("d", ["r"]), ("c", ["r"]), ("b", ["r"]), ("a", ["r"]), ("r", [])])
    colours = [line.colour for line in rows[0].lines]
    assert len(set(colours)) == 4


def test_a_parent_named_twice_is_one_parent():
    assert laid_out([("b", ["a", "a"]), ("a", [])])[0].parent_oids == ("a",)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("breadth", "max_lanes"), [(3, 24), (12, 24), (60, 24), (60, 4), (200, 2)])
def test_every_line_leads_from_a_child_to_its_parent_or_is_cut_and_resumed(seed, breadth, max_lanes):
    commits = history(seed, 150, breadth=breadth)
    check(commits, laid_out(commits, max_lanes=max_lanes), max_lanes)


@pytest.mark.parametrize("seed", range(10))
def test_a_sweep_goes_on_from_any_row_as_if_it_had_not_stopped(seed):
    commits = history(seed, 120, breadth=40)
    whole = laid_out(commits, max_lanes=6)
    for at in range(0, len(commits), 7):
        sweep = Sweep(State(), 6)
        for oid, parents in commits[:at]:
            sweep.add(oid, parents)
        again = Sweep(sweep.state(), 6)
        assert [again.add(oid, parents) for oid, parents in commits[at:]] == whole[at:]


@pytest.mark.parametrize("seed", range(10))
def test_skipping_a_row_leaves_what_drawing_it_leaves(seed):
    commits = history(seed, 120, breadth=30)
    drawn, skipped = Sweep(State(), 5), Sweep(State(), 5)
    for oid, parents in commits:
        drawn.add(oid, parents)
        skipped.skip(oid, parents)
        assert skipped.state() == drawn.state()


@pytest.mark.parametrize("seed", range(10))
def test_a_push_on_top_changes_nothing_further_down(seed):
    commits = history(seed, 120, breadth=30)
    before, after = Sweep(State(), 6), Sweep(State(), 6)
    after.skip("e" * 40, ["d" * 40])
    after.skip("d" * 40, [commits[0][0]])
    for oid, parents in commits[:60]:
        before.skip(oid, parents)
        after.skip(oid, parents)
    assert before.state().lanes
    assert before.state().is_like(after.state())
    assert after.state().row == before.state().row + 2


def test_states_differ_where_a_lane_its_colour_or_what_would_be_cut_next_does():
    state = State((Lane("a", 1, 7), None, Lane("b", 2, 9)), frozenset("c"), 12)
    assert state.is_like(State((Lane("a", 1, 1), None, Lane("b", 2, 2)), frozenset("c"), 5))
    assert not state.is_like(State((Lane("a", 1, 2), None, Lane("b", 2, 1)), frozenset("c"), 5))
    assert not state.is_like(State((Lane("a", 1, 7), None, Lane("b", 3, 9)), frozenset("c"), 12))
    assert not state.is_like(State((Lane("a", 1, 7), Lane("b", 2, 9)), frozenset("c"), 12))
    assert not state.is_like(State((Lane("a", 1, 7), None, Lane("b", 2, 9)), frozenset("d"), 12))


def test_an_octopus_of_66_parents_stays_inside_the_bound():
    parents = [f"p{i}" for i in range(66)]
    commits = [("m", parents), *((one, ["r"]) for one in parents), ("r", [])]
    rows = laid_out(commits, max_lanes=10)
    check(commits, rows, 10)
    assert rows[0].width == 10
    assert len(rows[0].cut_parent_oids) == 56


def test_200_parallel_branches_of_one_root_stay_inside_the_bound():
    tips = [f"t{i:03}" for i in range(200)]
    commits = [*((tip, [f"u{tip}"]) for tip in tips), *((f"u{tip}", ["r"]) for tip in tips), ("r", [])]
    check(commits, laid_out(commits, max_lanes=24), 24)
