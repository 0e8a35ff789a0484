"""Commits reverted and applied elsewhere."""

from __future__ import annotations

import pytest

from codeservices.errors import ServiceError
from repos import branches
from repos.editing import picks
from repos.editing.rules import Wording
from repos.editing.tips import NothingChanged, Target
from repos.git import log, refs, store
from repos.models import Push, PushState, Repository
from tests import gitrepo

MAIN = Target("main")
LINES = "one\ntwo\nthree\nfour\nfive\n"


def tree_of(repository: Repository, revision: str) -> str:
    return gitrepo.git(repository.git, "rev-parse", f"{revision}^{{tree}}")


def test_a_commit_is_reverted_under_later_ones_with_gits_words(alice, demo):
    gitrepo.commit(demo.git, {"a": LINES, "gone": "g"})
    oid = gitrepo.commit(demo.git, {"a": LINES.replace("two", "TWO"), "gone": None, "new": "n"}, "Change “two”")
    gitrepo.commit(demo.git, {"a": LINES.replace("two", "TWO").replace("five", "FIVE")})
    made = picks.revert(alice.principal, "demo", MAIN, oid, wording=Wording("Alice", "alice@example.com"))
    found = log.commit(demo.git, made.oid)
    assert found.message == f'Revert "Change “two”"\n\nThis reverts commit {oid}.\n'
    assert (found.author.name, found.author.email) == ("Alice", "alice@example.com")
    assert gitrepo.git(demo.git, "show", "main:a") == LINES.replace("five", "FIVE").strip()
    assert gitrepo.git(demo.git, "ls-tree", "--name-only", "main").split() == ["a", "gone"]
    assert gitrepo.git(demo.git, "fsck", "--strict") == ""
    assert "merge <>" not in gitrepo.git(demo.git, "cat-file", "--batch", "--batch-all-objects"), (
        "the commits that only the merge needed came along"
    )
    again = picks.revert(alice.principal, "demo", MAIN, made.oid)
    assert tree_of(demo, "main") == tree_of(demo, f"{made.oid}^")
    assert log.commit(demo.git, again.oid).subject == 'Revert "Revert "Change “two”""'


def test_the_first_commit_and_a_merge_can_be_reverted(alice, demo):
    first = gitrepo.commit(demo.git, {"a": "1"})
    side = gitrepo.commit(demo.git, {"b": "1"}, refname="refs/heads/side", parents=[first])
    merged = gitrepo.commit(demo.git, {"b": "1"}, "Merge side", parents=[first, side])
    made = picks.revert(alice.principal, "demo", MAIN, merged)
    assert tree_of(demo, "main") == tree_of(demo, first)
    assert (
        f"This reverts commit {merged}, reversing\nchanges made to {first}." in log.commit(demo.git, made.oid).message
    )
    picks.revert(alice.principal, "demo", MAIN, first)
    assert gitrepo.git(demo.git, "ls-tree", "main") == ""


def test_a_commit_is_applied_to_another_branch_and_keeps_its_author(alice, demo):
    base = gitrepo.commit(demo.git, {"a": LINES})
    oid = gitrepo.commit(
        demo.git, {"a": LINES.replace("five", "FIVE")}, "Fix five\n\nLong story.", branch="side", parents=[base],
        author="Zoë <zoe@example.com>", zone="+0530",
    )  # fmt: skip
    tip = gitrepo.commit(demo.git, {"a": LINES.replace("one", "ONE")})
    made = picks.cherry_pick(alice.principal, "demo", MAIN, oid, wording=Wording("Alice", "alice@example.com"))
    found = log.commit(demo.git, made.oid)
    assert (found.author.name, found.author.offset_minutes) == ("Zoë", 330)
    assert (found.committer.name, found.parent_oids) == ("Alice", (tip,))
    assert found.message == f"Fix five\n\nLong story.\n\n(cherry picked from commit {oid})\n"
    assert gitrepo.git(demo.git, "show", "main:a") == LINES.replace("one", "ONE").replace("five", "FIVE").strip()
    with pytest.raises(NothingChanged):
        picks.cherry_pick(alice.principal, "demo", MAIN, oid)


def test_a_pick_may_begin_a_branch(alice, demo):
    tip = gitrepo.commit(demo.git, {"a": LINES})
    oid = gitrepo.commit(demo.git, {"a": "1"}, branch="side", parents=[tip])
    made = picks.cherry_pick(alice.principal, "demo", Target("main", "fix"), oid)
    assert (refs.tip(demo.git, "refs/heads/fix"), refs.tip(demo.git, "refs/heads/main")) == (made.oid, tip)


def test_conflicts_are_told_by_path_and_nothing_moves(alice, demo):
    gitrepo.commit(demo.git, {"a": LINES, "b": "1\n"})
    oid = gitrepo.commit(demo.git, {"a": LINES.replace("two", "TWO"), "b": "2\n"})
    tip = gitrepo.commit(demo.git, {"a": LINES.replace("two", "ZWEI"), "b": None})
    before = gitrepo.git(demo.git, "count-objects", "-v")
    with pytest.raises(picks.PickConflict) as caught:
        picks.revert(alice.principal, "demo", MAIN, oid)
    assert [(one.path, one.kinds) for one in caught.value.conflicts] == [
        ("a", ("contents",)),
        ("b", ("modify/delete",)),
    ]
    assert "“a”, “b” changed otherwise since" in caught.value.message
    assert refs.tip(demo.git, "refs/heads/main") == tip
    assert gitrepo.git(demo.git, "count-objects", "-v") == before
    assert not Push.objects.exists()


def test_a_commit_whose_objects_upkeep_removes_meanwhile_is_refused(alice, demo, monkeypatch):
    """The picked commit is on no branch, and its new file goes after the merge was made and before the ref moves."""
    base = gitrepo.commit(demo.git, {"a": "1"})
    oid = gitrepo.commit(demo.git, {"new": "unreached"}, branch="gone", parents=[base])
    gitrepo.git(demo.git, "update-ref", "-d", "refs/heads/gone")
    blob = gitrepo.git(demo.git, "rev-parse", f"{oid}:new")
    adopt = store.adopt

    def adopt_and_expire(draft, repository):
        adopt(draft, repository)
        (repository.path / "objects" / blob[:2] / blob[2:]).unlink()

    monkeypatch.setattr(store, "adopt", adopt_and_expire)
    with pytest.raises(ServiceError, match="was removed a moment ago"):
        picks.cherry_pick(alice.principal, "demo", MAIN, oid)
    assert refs.tip(demo.git, "refs/heads/main") == base
    assert [push.state for push in Push.objects.all()] == [PushState.DROPPED]


@pytest.mark.parametrize("what", [picks.revert, picks.cherry_pick])
def test_what_can_not_be_picked_is_refused(alice, bob, demo, what):
    oid = gitrepo.commit(demo.git, {"a": "1"})
    branches.create_tag(alice.principal, "demo", "v1", oid)
    for target, commit_oid, code in (
        (Target("nowhere"), oid, "BranchDoesNotExistException"),
        (Target("v1"), oid, "BranchNameIsTagNameException"),
        (Target("main"), "1" * 40, "CommitIdDoesNotExistException"),
        (Target("main"), "HEAD", "InvalidCommitIdException"),
        (Target("main"), log.commit(demo.git, oid).tree_oid, "CommitIdDoesNotExistException"),
        (Target("main", "a..b"), oid, "InvalidBranchNameException"),
        (Target("main", "main"), oid, "BranchNameExistsException"),
    ):
        with pytest.raises(ServiceError) as caught:
            what(alice.principal, "demo", target, commit_oid)
        assert caught.value.code == code, caught.value.message
    with pytest.raises(ServiceError) as caught:
        what(bob.principal, "demo", Target("main"), oid)
    assert caught.value.code == "AccessDeniedException"
