"""Differences between two trees, and going on behind any of them."""

from __future__ import annotations

import itertools
import random

import pytest

from repos.git import differences, refs
from repos.git.tree import PathNotFound
from tests import gitrepo


@pytest.fixture
def git(tmp_path):
    with gitrepo.create(tmp_path) as made:
        yield made


def told_by_git(git, before: str, after: str) -> list[tuple[str, str]]:
    """(change, path) of git's own diff-tree; a changed type is a modification here."""
    fields = gitrepo.git(git, "diff-tree", "-r", "-z", "--no-renames", "--name-status", before, after).split("\0")
    return [(fields[at].replace("T", "M"), fields[at + 1]) for at in range(0, len(fields) - 1, 2)]


def told(git, before: str | None, after: str, **options) -> list[tuple[str, str]]:
    return [(one.change_type, one.relative_path) for one in differences.between(git, before, after, **options)]


def filled(chance: random.Random, count: int) -> dict[str, gitrepo.Change]:
    """Files of which many have names that sort oddly beside folders, and that get in each other's way as folders."""
    parts = ["a", "a-b", "a.b", "a0", "b", "é", "\udcff", "z z"]
    files: dict[str, gitrepo.Change] = {}
    for _ in range(count):
        path = "/".join(chance.choice(parts) for _ in range(chance.randint(1, 4)))
        if not any(other.startswith(f"{path}/") or path.startswith(f"{other}/") for other in files):
            mode = chance.choice(["100644", "100755", "120000"])
            files[path] = (mode, str(chance.randint(0, 3)))
    return files


def test_they_are_gits_own_in_gits_order_and_go_on_behind_any_path(git):
    chance = random.Random(5)
    oids = [gitrepo.commit(git, filled(chance, 60), refname=f"refs/heads/r{number}", parents=[]) for number in range(6)]
    for before, after in itertools.pairwise(oids):
        wanted = sorted(told_by_git(git, before, after), key=lambda one: refs.encode(one[1]))
        assert told(git, before, after) == wanted
        for at in (0, 1, len(wanted) // 2, len(wanted) - 1):
            assert told(git, before, after, behind=wanted[at][1]) == wanted[at + 1 :]


def test_going_on_reads_no_folder_that_ends_before(git, monkeypatch):
    oid = gitrepo.commit(git, {f"d{number:02}/{name}": "1" for number in range(30) for name in "ab"})
    read = []
    rows = differences.tree.rows
    monkeypatch.setattr(differences.tree, "rows", lambda git, oid: read.append(oid) or rows(git, oid))
    walk = differences.between(git, None, oid, behind="d20/a")
    assert next(walk).relative_path == "d20/b"
    assert len(read) == 2  # the root and d20


def test_a_folder_nested_deeper_than_python_recurses_is_walked(git):
    deep = "/".join("d" * 1500) + "/file"
    oid = gitrepo.commit(git, {deep: "1"})
    assert told(git, None, oid) == [("A", deep)]


def test_a_file_that_became_a_folder_is_deleted_and_its_files_added(git):
    first = gitrepo.commit(git, {"x": "1"})
    second = gitrepo.commit(git, {"x": None, "x/y": "1"})
    assert told(git, first, second) == [("D", "x"), ("A", "x/y")]
    assert told(git, first, second, before_path="x", after_path="x") == [("D", ""), ("A", "y")]
    assert told(git, first, second, before_path="x", after_path="x", behind="") == [("A", "y")]


def test_a_path_that_neither_side_has_is_told(git):
    first = gitrepo.commit(git, {"x": "1"})
    with pytest.raises(PathNotFound, match="Neither commit has “y”"):
        told(git, first, first, before_path="y", after_path="y")
