"""Where two histories part, and what lies between them."""

from __future__ import annotations

from repos.git import divergence, program


def test_two_branches_have_a_merge_base_and_counts_on_both_sides(made):
    base = made.commit({"a": "1"}, "Base")
    left = made.commit({"a": "2"}, "Left", [base], branch="left")
    middle = made.commit({"b": "1"}, "Middle", [base], branch="right")
    right = made.commit({"b": "2"}, "Right", [middle], branch="right")
    found = divergence.divergence(made.repository, left, right)
    assert (found.merge_bases, found.behind, found.ahead) == ((base,), 1, 2)
    between = divergence.commits_between(made.repository, left, right, skip=0, limit=10)
    assert [commit.subject for commit in between] == ["Right", "Middle"]
    between = divergence.commits_between(made.repository, left, right, skip=1, limit=1)
    assert [commit.subject for commit in between] == ["Middle"]


def test_histories_without_a_common_commit_have_no_merge_base(made):
    one, other = made.commit({"a": "1"}, "One"), made.commit({"a": "1"}, "Other", branch="other")
    found = divergence.divergence(made.repository, one, other)
    assert (found.merge_bases, found.behind, found.ahead) == ((), 1, 1)


def test_histories_that_crossed_have_several_merge_bases(made):
    root = made.commit({"a": "1"}, "Root")
    a, b = made.commit({"a": "2"}, "A", [root]), made.commit({"a": "3"}, "B", [root], branch="b")
    ab, ba = made.commit({"a": "4"}, "AB", [a, b]), made.commit({"a": "5"}, "BA", [b, a], branch="b")
    assert set(divergence.divergence(made.repository, ab, ba).merge_bases) == {a, b}


def test_where_there_is_no_time_to_count_the_merge_base_is_told_alone(made, monkeypatch):
    one = made.commit({"a": "1"}, "One")
    two = made.commit({"a": "2"}, "Two", [one])
    run = program.run

    def slow(repository, args, **options):
        if "--count" in args:
            raise program.GitTimeout("rev-list", options["timeout_seconds"])
        return run(repository, args, **options)

    monkeypatch.setattr(program, "run", slow)
    found = divergence.divergence(made.repository, one, two)
    assert (found.merge_bases, found.behind, found.ahead) == ((one,), None, None)
