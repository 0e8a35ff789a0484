"""Which lines pair up and which words are marked, inside bounds."""

from __future__ import annotations

from repos.diff import pairing
from repos.diff.pairing import Budget, Mark


def test_lines_pair_with_the_most_alike_in_order():
    removed = ["first(a)", "unrelated words here", "second(b)"]
    added = ["new comment", "first(a, 1)", "second(b, 2)"]
    assert pairing.pairs(removed, added, Budget()) == [(0, 1), (2, 2)]


def test_lines_that_share_nothing_stay_alone():
    assert pairing.pairs(["import os", "import sys"], ["class A:", "def g()"], Budget()) == []


def test_one_line_that_became_one_line_is_always_a_pair():
    assert pairing.pairs(["alpha"], ["omega"], Budget()) == [(0, 0)]


def test_a_block_beyond_the_bound_pairs_by_position_only_where_sides_are_equal():
    many = [f"line {number}" for number in range(100)]
    assert pairing.pairs(many, many, Budget()) == [(number, number) for number in range(100)]
    assert pairing.pairs(many, many[:99], Budget()) == []


def test_a_spent_budget_leaves_lines_unpaired_and_unmarked():
    assert pairing.pairs(["a b", "c d"], ["c d", "a b", "e"], Budget(comparisons=3)) == []
    assert pairing.marks("a b", "a c", Budget(marked_chars=3)) == ((), ())
    assert pairing.marks("b a d a c", "x a y a z", Budget(word_matches=19)) == ((), ())
    assert pairing.marks("b a d a c", "x a y a z", Budget(word_matches=20)) != ((), ())


def test_marks_cover_whole_words_and_join_over_blanks():
    old, new = pairing.marks("call(one two, x, y, z)", "call(three four, x, y, z)", Budget())
    assert (old, new) == ((Mark(5, 12),), (Mark(5, 15),))


def test_an_insertion_marks_only_the_side_that_has_it():
    assert pairing.marks("f(a)", "f(a, b)", Budget()) == ((), (Mark(3, 6),))


def test_what_both_begin_and_end_with_is_never_marked():
    assert pairing.marks("if (!ret)", "if (!ret && !(flags & DRY))", Budget()) == ((), (Mark(8, 26),))
    assert pairing.marks("a a b", "a a a b", Budget()) == ((), (Mark(4, 6),))
    assert pairing.marks("to = from = x", "to = x", Budget()) == ((Mark(5, 12),), ())


def test_lines_that_differ_nearly_everywhere_are_not_marked():
    assert pairing.marks("alpha beta gamma", "one two three four", Budget()) == ((), ())


def test_a_hostile_file_costs_a_bounded_number_of_comparisons(monkeypatch):
    similarity, compared = pairing._similarity, []
    monkeypatch.setattr(pairing, "_similarity", lambda *sides: compared.append(sides) or similarity(*sides))
    removed = [f"{'a b ' * 90}{number}" for number in range(50)]
    added = [f"{'b a ' * 90}{number}" for number in range(50)]
    budget = Budget()
    for _ in range(100):
        for left, right in pairing.pairs(removed, added, budget):
            pairing.marks(removed[left], added[right], budget)
    assert 0 < len(compared) <= pairing.MAX_FILE_COMPARISONS
    assert min(budget.comparisons, budget.marked_chars, budget.word_matches) >= 0
    assert budget.word_matches < pairing.MAX_FILE_WORD_MATCHES
