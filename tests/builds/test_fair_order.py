"""Whose turn it is, as a function of what waits and what runs."""

from __future__ import annotations

from builds.fair_order import Standing, Waiting, order


def names(waiting: list[Waiting], standings: dict[str, Standing] | None = None, *, within_limits: bool = False):
    return [one.pk for one in order(waiting, standings or {}, within_limits=within_limits)]


def test_a_hundred_builds_of_one_project_delay_another_s_one_by_one_build():
    waiting = [Waiting(number, "busy") for number in range(1, 101)] + [Waiting(101, "small")]
    assert names(waiting).index(101) == 1
    assert names(waiting, {"busy": Standing(served_at=5.0)}).index(101) == 0


def test_a_project_s_builds_go_in_the_order_of_their_arrival():
    assert names([Waiting(3, "a"), Waiting(1, "a"), Waiting(2, "a")]) == [1, 2, 3]


def test_projects_take_turns():
    waiting = [Waiting(number, "a") for number in (1, 2, 3)] + [Waiting(number, "b") for number in (4, 5)]
    assert names(waiting) == [1, 4, 2, 5, 3]
    assert names(waiting, {"a": Standing(served_at=9.0)}) == [4, 1, 5, 2, 3]


def test_the_project_with_the_fewest_running_builds_goes_first():
    assert names([Waiting(1, "a"), Waiting(2, "b")], {"a": Standing(running=2), "b": Standing(running=1)}) == [2, 1]


def test_higher_priority_goes_first_also_within_a_project():
    waiting = [Waiting(1, "a"), Waiting(2, "a", 1), Waiting(3, "b", 1), Waiting(4, "c", -1)]
    assert names(waiting) == [2, 3, 1, 4]


def test_within_limits_only_what_may_begin_now_is_given():
    waiting = [Waiting(1, "a"), Waiting(2, "a"), Waiting(3, "b"), Waiting(4, "b")]
    standings = {"a": Standing(running=1, limit=2), "b": Standing(running=1, limit=1)}
    assert names(waiting, standings, within_limits=True) == [1]
    assert sorted(names(waiting, standings)) == [1, 2, 3, 4]


def test_two_thousand_builds_are_ordered_without_a_walk_through_all_of_them_for_each():
    waiting = [Waiting(number, f"p{number % 50}") for number in range(2000)]
    found = names(waiting)
    assert len(found) == len(set(found)) == 2000
    assert {f"p{pk % 50}" for pk in found[:50]} == {f"p{number}" for number in range(50)}
