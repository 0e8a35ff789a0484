from __future__ import annotations

import pytest

from repos.triggers import matching as triggers

NONE, ONE, TWO = "0" * 40, "1" * 40, "2" * 40


@pytest.mark.parametrize(
    ("old", "new", "event"),
    [(NONE, ONE, "createReference"), (ONE, TWO, "updateReference"), (ONE, NONE, "deleteReference")],
)
def test_the_event_is_told_by_the_tips(old, new, event):
    assert triggers.event_of(old, new) == event
    assert triggers.matches([event], [], "refs/heads/main", old, new)
    assert triggers.matches(["all"], [], "refs/heads/main", old, new)
    others = [one for one in triggers.EVENTS if one not in (event, "all")]
    assert not triggers.matches(others, [], "refs/heads/main", old, new)


def test_a_list_of_branches_leaves_out_other_branches_and_tags():
    def matches(refname: str) -> bool:
        return triggers.matches(["all"], ["main", "release/1"], refname, ONE, TWO)

    assert matches("refs/heads/main")
    assert matches("refs/heads/release/1")
    assert not matches("refs/heads/mainline")
    assert not matches("refs/tags/main")


def test_without_branches_every_branch_and_tag_counts_and_nothing_else():
    assert triggers.matches(["all"], [], "refs/tags/v1", NONE, ONE)
    assert not triggers.matches(["all"], [], "refs/notes/commits", NONE, ONE)
