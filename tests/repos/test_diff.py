"""Changed files between two trees, and the rows of one: the same lines as git's own patch."""

from __future__ import annotations

import re

import pytest

from repos import diff
from repos.git import objects

LINES = [f"line {number}\n" for number in range(1, 41)]


def between(made, old, new, **options):
    """The changes between two file mappings, and the hunks of the first."""
    trees = [made.tree(files) for files in (old, new)]
    found = diff.changes(made.repository, *trees)
    return found.files, diff.hunks(made.repository, found.files[0], **options)


def patch(file_diff):
    """What a diff shows, as text."""
    signs = {"context": " ", "removed": "-", "added": "+"}
    return [
        line
        for hunk in file_diff.hunks
        for line in [f"{hunk.range} {hunk.header}".strip(), *(signs[row.kind] + row.text for row in hunk.rows)]
    ]


def git_patch(made, old, new):
    """Git's patch without headers and without the remarks on missing newlines."""
    lines = made.git("diff-tree", "-p", "-M", old, new).decode("utf-8", "replace").split("\n")
    result, left = [], (0, 0)
    for line in lines:
        match = re.match(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", line)
        if left == (0, 0):
            if match:
                left = (int(match[1] or 1), int(match[2] or 1))
                result.append(line)
        elif not line.startswith("\\"):
            left = (left[0] - (line[:1] in "- "), left[1] - (line[:1] in "+ "))
            result.append(line)
    return result


def test_added_modified_and_deleted_files_are_listed_with_their_counts(made):
    old, new = (
        made.tree({"keep": "1", "change": "a\nb\n", "gone": "x\n"}),
        made.tree({"keep": "1", "change": "a\nc\nd\n", "new": "y"}),
    )
    found = diff.changes(made.repository, old, new)
    assert [(one.status, one.path, one.additions, one.deletions) for one in found.files] == [
        ("M", "change", 2, 1),
        ("D", "gone", 0, 1),
        ("A", "new", 1, 0),
    ]
    assert (found.files[1].new_oid, found.files[2].old_oid) == ("", "")


def test_a_root_commit_added_everything_and_a_merge_is_compared_with_its_first_parent(made):
    root = made.commit({"a": "1"})
    side = made.commit({"a": "1", "b": "1"}, parents=[root], branch="side")
    merge = made.commit({"a": "1", "b": "1"}, "merge", [root, side])
    trees = {oid: objects.tree_oid(made.repository, oid) for oid in (root, side, merge)}
    assert [one.path for one in diff.of_commit(made.repository, trees[root], None).files] == ["a"]
    assert [one.path for one in diff.of_commit(made.repository, trees[merge], trees[root]).files] == ["b"]
    assert diff.of_commit(made.repository, trees[merge], trees[side]).files == ()


def test_a_rename_with_a_change_has_both_names_and_its_similarity(made):
    files, found = between(made, {"old/name": "".join(LINES)}, {"new/name": "".join(LINES[:-1]) + "changed\n"})
    assert (files[0].status, files[0].old_path, files[0].new_path) == ("R", "old/name", "new/name")
    assert 90 <= files[0].similarity < 100
    assert patch(found)[-2:] == ["-line 40", "+changed"]


def test_a_pure_rename_and_a_pure_mode_change_have_no_rows(made):
    files, found = between(made, {"a": "text\n"}, {"b": "text\n"})
    assert (files[0].status, files[0].similarity, found.hunks) == ("R", 100, ())
    oid = made.blob("#!/bin/sh\n")
    files, found = between(made, {"run": ("100644", oid)}, {"run": ("100755", oid)})
    assert (files[0].status, files[0].is_mode_changed, found.hunks, found.cut_reason) == ("M", True, (), None)
    assert (files[0].old_mode, files[0].new_mode) == ("100644", "100755")


def test_names_with_tabs_line_feeds_and_odd_bytes_are_kept(made):
    names = [b"tab\there", b"line\nfeed", b"caf\xe9", b"--output=x", b'"quoted"']
    found = diff.changes(made.repository, made.tree({}), made.tree(dict.fromkeys(names, "1")))
    assert sorted(one.path.encode("utf-8", "surrogateescape") for one in found.files) == sorted(names)
    for one in found.files:
        assert patch(diff.hunks(made.repository, one)) == ["@@ -0,0 +1 @@", "+1"]


def test_a_submodule_is_shown_as_the_commits_it_names(made):
    files, found = between(made, {"sub": ("160000", "1" * 40)}, {"sub": ("160000", "2" * 40)})
    assert files[0].is_submodule
    assert patch(found) == ["@@ -1 +1 @@", f"-Subproject commit {'1' * 40}", f"+Subproject commit {'2' * 40}"]


def test_a_file_that_became_a_link_goes_whole_and_comes_whole(made):
    files, found = between(made, {"x": "one\ntwo\n"}, {"x": ("120000", made.blob("target"))})
    assert files[0].status == "T"
    assert patch(found) == ["@@ -1,2 +0,0 @@", "-one", "-two", "@@ -0,0 +1 @@", "+target"]
    assert found.hunks[1].rows[0].ends_file


def test_a_missing_newline_at_the_end_is_told_on_the_side_that_lacks_it(made):
    _, found = between(made, {"x": "a\nb"}, {"x": "a\nb\n"})
    assert patch(found) == ["@@ -1,2 +1,2 @@", " a", "-b", "+b"]
    assert [row.ends_file for row in found.hunks[0].rows] == [False, True, False]


def test_an_empty_file_that_came_or_went_has_no_rows(made):
    files, found = between(made, {}, {"empty": ""})
    assert (files[0].status, files[0].additions, found.hunks) == ("A", 0, ())


def test_a_binary_file_has_no_rows_and_says_why(made):
    files, found = between(made, {"x": b"a\0b"}, {"x": b"a\0c"})
    assert (files[0].is_binary, found.cut_reason, found.hunks) == (True, "binary", ())


def test_a_file_over_the_limit_is_not_read_and_says_why(made, monkeypatch):
    monkeypatch.setattr(diff, "MAX_SIDE_BYTES", 10)
    _, found = between(made, {"x": "small\n"}, {"x": "larger than ten bytes\n"})
    assert (found.cut_reason, found.hunks) == ("large", ())


def test_more_rows_than_asked_for_are_cut_and_the_whole_can_be_had(made):
    files, found = between(made, {"x": ""}, {"x": "".join(LINES)}, max_rows=10)
    assert found.cut_reason == "long"
    assert sum(len(hunk.rows) for hunk in found.hunks) == 10
    whole = diff.hunks(made.repository, files[0], max_rows=40)
    assert (whole.cut_reason, len(whole.hunks[0].rows)) == (None, 40)


def test_a_very_long_line_is_cut_and_says_so(made):
    _, found = between(made, {"x": "a\n"}, {"x": "b" * 6000 + "\n"})
    assert [(len(row.text), row.is_cut) for row in found.hunks[0].rows] == [(1, False), (diff.MAX_LINE_CHARS, True)]


def test_context_and_white_space_are_options(made):
    old, new = (
        {"x": "".join(LINES)},
        {"x": "".join(LINES).replace("line 20\n", "line  20\n").replace("line 30\n", "LINE 30\n")},
    )
    _, found = between(made, old, new, context=0)
    assert patch(found) == [
        "@@ -20 +20 @@ line 19",
        "-line 20",
        "+line  20",
        "@@ -30 +30 @@ line 29",
        "-line 30",
        "+LINE 30",
    ]
    _, found = between(made, old, new, context=1, ignore_whitespace=True)
    assert [hunk.range for hunk in found.hunks] == ["@@ -29,3 +29,3 @@"]


def test_each_side_is_read_in_its_own_encoding(made):
    _, found = between(made, {"x": b"na\xefve\n"}, {"x": "naïve\n"})
    assert [row.text for row in found.hunks[0].rows] == ["naïve", "naïve"]
    assert (found.old_encoding, found.new_encoding) == ("latin-1", "utf-8")


def test_rows_have_the_numbers_of_their_side(made):
    _, found = between(made, {"x": "a\nb\nc\n"}, {"x": "a\nB1\nB2\nc\n"})
    rows = [(row.kind, row.old_number, row.new_number) for row in found.hunks[0].rows]
    assert rows == [("context", 1, 1), ("removed", 2, None), ("added", None, 2), ("added", None, 3), ("context", 3, 4)]


def test_changed_words_are_marked_on_both_sides(made):
    _, found = between(made, {"x": "return old_name + 1\n"}, {"x": "return new_name + 1\n"})
    removed, added = found.hunks[0].rows
    assert removed.pieces == [("return ", False), ("old_name", True), (" + 1", False)]
    assert added.pieces == [("return ", False), ("new_name", True), (" + 1", False)]
    assert (removed.pair, added.pair) == (1, 0)


def test_side_by_side_sets_changed_lines_opposite_each_other_and_keeps_every_line(made):
    old = "keep\nalpha = compute(1)\nbeta = compute(2)\nend\n"
    new = "keep\n# why\nalpha = compute(10)\nbeta = compute(20)\nextra()\nend\n"
    _, found = between(made, {"x": old}, {"x": new})
    sides = [(row.left and row.left.text, row.right and row.right.text) for row in found.hunks[0].split_rows]
    assert sides == [
        ("keep", "keep"),
        (None, "# why"),
        ("alpha = compute(1)", "alpha = compute(10)"),
        ("beta = compute(2)", "beta = compute(20)"),
        (None, "extra()"),
        ("end", "end"),
    ]


def test_a_list_of_files_beyond_the_limit_is_cut_with_the_count_of_all(made):
    new = made.tree({f"f{number}": str(number) for number in range(12)})
    found = diff.changes(made.repository, made.tree({}), new, max_files=5)
    assert (len(found.files), found.total, found.is_cut) == (5, 12, True)
    assert [one.additions for one in found.files] == [1] * 5


@pytest.mark.parametrize("seed", range(6))
def test_the_rows_are_those_of_git(made, seed):
    import random

    chance = random.Random(seed)
    words = [
        "alpha",
        "beta",
        "",
        "\tindented",
        "def f(x):",
        "    return x",
        "-- dashes",
        "++ plus",
        "@@ at",
        "\\ back",
        "é",
    ]
    old_files, new_files = {}, {}
    for name in ("a", "b/c", "b/d e", "z"):
        lines = [chance.choice(words) for _ in range(chance.randrange(60))]
        old_files[name] = "\n".join(lines) + chance.choice(["", "\n"])
        for _ in range(chance.randrange(8)):
            at = chance.randrange(len(lines) + 1)
            lines[at : at + chance.randrange(3)] = [chance.choice(words) for _ in range(chance.randrange(3))]
        new_files[name] = "\n".join(lines) + chance.choice(["", "\n"])
    old, new = made.tree(old_files), made.tree(new_files)
    ours = [
        line
        for one in diff.changes(made.repository, old, new).files
        for line in patch(diff.hunks(made.repository, one))
    ]
    assert ours == [line.rstrip() if line.startswith("@@") else line for line in git_patch(made, old, new)]
