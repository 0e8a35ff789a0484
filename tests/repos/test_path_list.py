"""All paths of a commit, and the best of them for what somebody types."""

from __future__ import annotations

import pytest

from repos.git import path_list


def test_every_path_of_a_commit_in_gits_order(made):
    names = ["b/c.txt", "a", b"b/\xff", "b/new\nline", "-x"]
    oid = made.commit({**dict.fromkeys(names, "x"), "sub": ("160000", "1" * 40), "link": ("120000", made.blob("a"))})
    found = path_list.paths(made.repository, oid)
    assert found.paths == ("-x", "a", "b/c.txt", "b/new\nline", "b/\udcff", "link", "sub")
    assert not found.is_cut


def test_of_very_many_paths_the_first_are_given(made, monkeypatch):
    monkeypatch.setattr(path_list, "MAX_PATHS", 2)
    oid = made.commit({"a": "1", "b": "1", "c": "1"})
    assert path_list.paths(made.repository, oid) == path_list.Paths(("a", "b"), is_cut=True)
    monkeypatch.setattr(path_list, "MAX_PATHS", 3)
    assert not path_list.paths(made.repository, oid).is_cut


TREE = (
    "repos/git/revspec.py",
    "tests/repos/test_revspec.py",
    "revspec",
    "revspec.md",
    "docs/re-v-s-p-e-c.txt",
    "revspec/long/name.txt",
    "xrevspec.c",
    "r/e/v/s/p/e/c",
    "other.txt",
)


def test_names_come_before_folders_what_is_whole_before_what_is_scattered():
    assert path_list.matching(TREE, "RevSpec", 10) == [
        "revspec",
        "revspec.md",
        "repos/git/revspec.py",
        "tests/repos/test_revspec.py",
        "xrevspec.c",
        "revspec/long/name.txt",
        "docs/re-v-s-p-e-c.txt",
        "r/e/v/s/p/e/c",
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [("", []), ("  ", []), ("re otz", []), ("o t h", ["other.txt"]), ("(.*", []), ("rgrev", [TREE[0]])],
)
def test_spaces_mean_nothing_and_no_character_is_a_pattern(query, found):
    assert path_list.matching(TREE, query, 10)[: len(found) or 1] == found


def test_no_more_than_asked_for():
    assert path_list.matching([f"a{number}" for number in range(50)], "a", 3) == ["a0", "a1", "a2"]


def test_no_path_keeps_the_search_busy():
    hostile = "a" * 4000
    assert path_list.matching([hostile, hostile + "b"], "a" * 100 + "b", 10) == [hostile + "b"]
    assert path_list.matching([hostile] * 1000, "a" * 199 + "b", 10) == []
