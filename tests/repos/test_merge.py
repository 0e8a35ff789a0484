"""Three-way merges without a work tree: what is merged, and what is told of conflicts."""

from __future__ import annotations

import pytest

from repos.git import blob, merge, objects, program, store, tree
from tests import gitrepo

TEXT = "one\ntwo\nthree\nfour\nfive\n"


@pytest.fixture
def repository(tmp_path):
    with gitrepo.create(tmp_path) as made:
        yield made


def sides(repository, base, ours, theirs):
    """The oids of a commit and of two others made from it."""
    first = gitrepo.commit(repository, base, parents=[], refname="refs/heads/base")
    return first, *(
        gitrepo.commit(repository, files, parents=[first], refname=f"refs/heads/{name}")
        for name, files in (("ours", ours), ("theirs", theirs))
    )


def test_changes_of_both_sides_are_merged_and_a_rename_is_followed(repository):
    base, ours, theirs = sides(
        repository,
        {"a": TEXT, "b": "b"},
        {"a": None, "moved/a": TEXT.replace("one", "ONE")},
        {"a": TEXT.replace("five", "FIVE"), "c": "c"},
    )
    before = gitrepo.git(repository, "count-objects")
    with store.draft(repository) as draft:
        for base_oid in (base, None):
            result = merge.merge_trees(draft, base_oid, ours, theirs)
            assert result.is_clean
            merged = {
                one.path: blob.read(draft, result.tree_oid, one.path).text
                for one in [*tree.entries(draft, result.tree_oid, "moved"), tree.entry(draft, result.tree_oid, "c")]
            }
            assert merged == {"moved/a": "ONE\ntwo\nthree\nfour\nFIVE\n", "c": "c"}
    assert gitrepo.git(repository, "count-objects") == before, "the repository itself gained an object"


def test_a_base_of_ones_own_choice_is_what_decides(repository):
    """As a revert has it: from the commit to its parent, applied to a tip that the two know nothing of."""
    gitrepo.commit(repository, {"a": TEXT})
    changed = gitrepo.commit(repository, {"a": TEXT.replace("two", "TWO")})
    tip = gitrepo.commit(repository, {"a": TEXT.replace("two", "TWO").replace("five", "FIVE")})
    parent = gitrepo.git(repository, "rev-parse", f"{changed}^")
    with store.draft(repository) as draft:
        result = merge.merge_trees(draft, changed, tip, parent)
        assert blob.read(draft, result.tree_oid, "a").text == TEXT.replace("five", "FIVE")


def test_two_sides_that_are_alike_merge_to_what_they_are(repository):
    base, ours, theirs = sides(repository, {"a": "1"}, {"a": "2"}, {"a": "2"})
    with store.draft(repository) as draft:
        assert merge.merge_trees(draft, base, ours, theirs).tree_oid == objects.tree_oid(repository, ours)
        assert merge.merge_trees(draft, base, base, base).tree_oid == objects.tree_oid(repository, base)


def test_conflicts_are_told_by_path_with_their_kinds_and_the_three_entries(repository):
    base, ours, theirs = sides(
        repository,
        {"both": TEXT, "gone": "1\n", "bin": b"\0", b"caf\xe9".decode("utf-8", "surrogateescape"): "1"},
        {"both": TEXT.replace("two", "ours"), "gone": None, "bin": b"\0o", "new": "o", "x": "file"},
        {"both": TEXT.replace("two", "theirs"), "gone": "2\n", "bin": b"\0t", "new": "t", "x/y": "folder"},
    )
    with store.draft(repository) as draft:
        result = merge.merge_trees(draft, base, ours, theirs)
    found = {one.path: one for one in result.conflicts}
    assert not result.is_clean
    assert found["both"].kinds == ("contents",)
    assert [one and one.mode for one in (found["both"].base, found["both"].ours, found["both"].theirs)] == [
        "100644"
    ] * 3
    assert found["gone"].kinds == ("modify/delete",)
    assert found["gone"].ours is None
    assert found["gone"].theirs is not None
    assert "binary" in found["bin"].kinds
    assert found["new"].base is None
    assert any("file/directory" in one.kinds for one in result.conflicts)


def test_nothing_in_common_is_refused_unless_it_is_asked_for(repository):
    ours = gitrepo.commit(repository, {"a": "1"}, parents=[], refname="refs/heads/ours")
    theirs = gitrepo.commit(repository, {"b": "1"}, parents=[], refname="refs/heads/theirs")
    with store.draft(repository) as draft:
        with pytest.raises(program.GitError, match="unrelated histories"):
            merge.merge_trees(draft, None, ours, theirs)
        assert merge.merge_trees(draft, objects.EMPTY_TREE, ours, theirs).is_clean


def test_a_draft_is_gone_after_its_block(repository):
    with store.draft(repository) as draft:
        assert draft.path.is_dir()
    assert not draft.path.exists()
