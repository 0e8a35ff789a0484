"""The last commit of each entry of a folder: what git's own history of each name tells, found for all at once."""

from __future__ import annotations

import random
import shutil

import pytest

from repos.git import cat_file, log, tree
from repos.git import last_commits as module
from repos.git.last_commits import Known, last_commits


def subjects(made, oid, path=""):
    names = [one.name for one in tree.entries(made.repository, oid, path)]
    found = last_commits(made.repository, oid, path, names)
    return {name: log.commit(made.repository, commit_oid).subject for name, commit_oid in found.items()}


def test_last_commits_name_the_commit_that_gave_each_entry_its_content(made):
    one = made.commit({"a": "1", "b": "1", "dir/x": "1", "dir/y": "1"}, "first")
    two = made.commit({"a": "2", "b": "1", "dir/x": "1", "dir/y": "1"}, "change a", [one])
    three = made.commit({"a": "2", "b": "1", "dir/x": "2", "dir/y": "1"}, "change x", [two])
    assert subjects(made, three) == {"a": "change a", "b": "first", "dir": "change x"}
    assert subjects(made, three, "dir") == {"x": "change x", "y": "first"}


def test_last_commits_see_through_merges_what_a_merge_changed_itself_and_what_it_threw_away(made):
    base = made.commit({"a": "1", "b": "1", "c": "1"}, "base")
    side = made.commit({"a": "side", "b": "thrown away", "c": "1"}, "side", [base], branch="side")
    main = made.commit({"a": "1", "b": "1", "c": "1", "d": "1"}, "main", [base])
    merge = made.commit({"a": "side", "b": "1", "c": "merge", "d": "1"}, "merge", [main, side])
    assert subjects(made, merge) == {"a": "side", "b": "base", "c": "merge", "d": "main"}


def test_last_commits_of_an_octopus_merge(made):
    base = made.commit({"z": "0"}, "base")
    sides = [made.commit({"z": "0", f"s{n}": "1"}, f"side {n}", [base], branch=f"s{n}") for n in range(4)]
    merge = made.commit({"z": "0", **{f"s{n}": "1" for n in range(4)}}, "octopus", sides)
    assert subjects(made, merge) == {"z": "base", **{f"s{n}": f"side {n}" for n in range(4)}}


def test_last_commits_take_names_with_patterns_line_feeds_and_odd_bytes_literally(made):
    one = made.commit({"dir/*": "1", "dir/a": "1", b"dir/\xff\n": "1"}, "first")
    two = made.commit({"dir/*": "1", "dir/a": "2", b"dir/\xff\n": "2"}, "second", [one])
    assert subjects(made, two, "dir") == {"*": "first", "a": "second", "\udcff\n": "second"}


def test_last_commits_out_of_time_give_what_was_found(made):
    oid = made.commit({"a": "1"})
    assert last_commits(made.repository, oid, "", ["a"], timeout_seconds=0) == {}


@pytest.mark.parametrize(("seed", "max_steps"), [(1, 100), (2, 100), (3, 1), (4, 2)])
def test_each_is_what_git_says_of_the_name_alone(made, monkeypatch, seed, max_steps):
    """Histories at random: merges that take from either side, reverts, files added, removed and made executable."""
    monkeypatch.setattr(module, "MAX_STEPS", max_steps)
    dice = random.Random(seed)
    names = [f"{folder}{name}" for folder in ("", "dir/") for name in ("a", "b", "c", "d.txt")]
    tips = {"main": (dict.fromkeys(names, "0"), made.commit(dict.fromkeys(names, "0"), "first"))}
    for number in range(60):
        branch = dice.choice(["main", "main", "left", "right"])
        files, parent = tips.get(branch, tips["main"])
        files, parents = dict(files), [parent]
        if dice.random() < 0.3:
            others, other = tips[dice.choice(list(tips))]
            if other != parent:
                parents.append(other)
                files = {
                    name: dice.choice([one for one in (files, others) if name in one])[name]
                    for name in {**files, **others}
                }
        for name in dice.sample(names, dice.choice([0, 1, 1, 2])):
            content = dice.choice(["1", "2", "3", None])
            if content is not None:
                files[name] = content if dice.random() < 0.8 else ("100755", made.blob(content))
            elif len(files) > 4:
                files.pop(name, None)
        tips[branch] = (files, made.commit(files, f"{number}", parents, branch=branch))
    oid = tips["main"][1]
    for path in {"", *(one.path for one in tree.entries(made.repository, oid) if one.kind == "tree")}:
        entries = tree.entries(made.repository, oid, path)
        expected = {one.name: made.git("rev-list", "-1", oid, "--", one.path).decode().strip() for one in entries}
        assert last_commits(made.repository, oid, path, list(expected)) == expected
        for known in (parent, oid):  # the filters of a part of the history, and of all
            made.git("commit-graph", "write", "--changed-paths", "--stdin-commits", given=f"{known}\n".encode())
            assert last_commits(made.repository, oid, path, list(expected)) == expected
        shutil.rmtree(made.path / "objects/info")


def test_folders_of_commits_that_changed_none_of_the_names_are_not_read(made, monkeypatch):
    files = {"old": "1", "new": "0", "é": "1"}
    first = tip = made.commit(files, "first")
    for number in range(1, 200):
        tip = made.commit(files | {"new": str(number)}, f"{number}", [tip])
    asked = []
    ask = cat_file.CatFile.ask
    monkeypatch.setattr(cat_file.CatFile, "ask", lambda self, name: (asked.append(name), ask(self, name)))
    assert last_commits(made.repository, tip, "", ["old", "new"]) == {"old": first, "new": tip}
    assert len(asked) > 200
    made.git("commit-graph", "write", "--changed-paths", "--stdin-commits", given=f"{tip}\n".encode())
    asked.clear()
    monkeypatch.setattr(module, "MAX_WAITING", 5)
    assert last_commits(made.repository, tip, "", ["old", "new"]) == {"old": first, "new": tip}
    assert len(asked) < 100
    assert last_commits(made.repository, tip, "", ["é"]) == {"é": first}


def test_after_a_push_what_is_known_of_the_former_tip_is_taken_over(made, monkeypatch):
    base = made.commit({"a": "1", "b": "1", "c": "1", "dir/x": "1"}, "base")
    old = made.commit({"a": "2", "b": "1", "c": "1", "dir/x": "1"}, "old", [base])
    side = made.commit({"a": "1", "b": "side", "c": "1", "dir/x": "1"}, "side", [base], branch="side")
    merge = made.commit({"a": "2", "b": "side", "c": "1", "dir/x": "1"}, "merge", [old, side])
    new = made.commit({"a": "2", "b": "side", "c": "1", "dir/x": "1", "d": "1"}, "new", [merge])
    names = ["a", "b", "c", "d", "dir"]
    whole = last_commits(made.repository, new, "", names)
    # "c" is not in it: another page of the folder had that then.
    known = Known(old, {"a": "known", "b": base, "dir": "known"})
    assert last_commits(made.repository, new, "", names, known=known) == {**whole, "a": "known", "dir": "known"}
    assert (whole["b"], whole["c"], whole["d"]) == (side, base, new)
    at_dir = Known(old, {"x": "known"})
    assert last_commits(made.repository, new, "dir", ["x"], known=at_dir) == {"x": "known"}
    # A commit that is no first parent of the main line, or too far from it, or gone, is of no use.
    for useless in (Known(side, dict.fromkeys(names, "known")), Known("1" * 40, {"a": "known"})):
        assert last_commits(made.repository, new, "", names, known=useless) == whole
    monkeypatch.setattr(module, "MAX_SINCE_KNOWN", 1)
    assert last_commits(made.repository, new, "", names, known=known) == whole


def test_a_folder_that_is_gone_from_the_commit_has_none(made):
    oid = made.commit({"a": "1"})
    assert last_commits(made.repository, oid, "gone", ["a"]) == {}
