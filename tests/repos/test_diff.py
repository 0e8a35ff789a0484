"""Changed files between two trees, and the rows of one: the same lines as git's own patch."""

from __future__ import annotations

import random

import pytest

from repos.diff import changes, hunks
from repos.diff.hunks import Options, Window
from repos.git import objects
from tests.repos import patch_text

LINES = [f"line {number}\n" for number in range(1, 41)]


def between(made, old, new, **options):
    """The changes between two file mappings, and the hunks of the first."""
    trees = [made.tree(files) for files in (old, new)]
    found = changes.changes(made.repository, *trees)
    return found.files, hunks.hunks(made.repository, found.files[0], **options)


def patch(file_diff):
    """What a diff shows, as text."""
    signs = {"context": " ", "removed": "-", "added": "+"}
    return [
        line
        for hunk in file_diff.hunks
        for line in [f"{hunk.range} {hunk.header}".strip(), *(signs[row.kind] + row.text for row in hunk.rows)]
    ]


def test_added_modified_and_deleted_files_are_listed_with_their_counts(made):
    old, new = (
        made.tree({"keep": "1", "change": "a\nb\n", "gone": "x\n"}),
        made.tree({"keep": "1", "change": "a\nc\nd\n", "new": "y"}),
    )
    found = changes.changes(made.repository, old, new)
    counts = hunks.counts(made.repository, found.files)
    assert [(one.status, one.path, *count) for one, count in zip(found.files, counts, strict=True)] == [
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
    assert [one.path for one in changes.of_commit(made.repository, trees[root], None).files] == ["a"]
    assert [one.path for one in changes.of_commit(made.repository, trees[merge], trees[root]).files] == ["b"]
    assert changes.of_commit(made.repository, trees[merge], trees[side]).files == ()


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
    assert (files[0].status, files[0].is_mode_changed, found.hunks) == ("M", True, ())
    assert (files[0].old_mode, files[0].new_mode, files[0].mode_words) == ("100644", "100755", "became executable")


def test_names_with_tabs_line_feeds_and_odd_bytes_are_kept(made):
    names = [b"tab\there", b"line\nfeed", b"caf\xe9", b"--output=x", b'"quoted"']
    found = changes.changes(made.repository, made.tree({}), made.tree(dict.fromkeys(names, "1")))
    assert sorted(one.path.encode("utf-8", "surrogateescape") for one in found.files) == sorted(names)
    for one in found.files:
        assert patch(hunks.hunks(made.repository, one)) == ["@@ -0,0 +1 @@", "+1"]


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
    assert (files[0].status, found.hunks) == ("A", ())
    assert hunks.counts(made.repository, files) == [(0, 0)]


@pytest.mark.parametrize("new", [b"a\0c", "sixteen bits".encode("utf-16")], ids=["nul", "utf-16"])
def test_a_binary_file_has_no_rows_and_no_counts(made, new):
    files, found = between(made, {"x": b"a\0b"}, {"x": new})
    assert (found.is_binary, found.hunks) == (True, ())
    assert hunks.counts(made.repository, files) == [(None, None)]


@pytest.mark.parametrize(
    ("old", "new", "encodings"),
    [
        ("eins\nzwei\n".encode("utf-16"), "eins\ndr\xe4i\n".encode("utf-16"), ("utf-16-le", "utf-16-le")),
        (b"eins\nzwei\n", b"\xfe\xff" + "eins\ndr\xe4i\n".encode("utf-16-be"), ("utf-8", "utf-16-be")),
        ("eins\nzwei\n".encode("utf-16"), "eins\ndr\xe4i\n".encode("latin-1"), ("utf-16-le", "latin-1")),
    ],
    ids=["both", "new", "old"],
)
def test_utf_16_is_compared_as_the_text_that_it_is(made, old, new, encodings):
    files, found = between(made, {"x": old}, {"x": new})
    assert patch(found) == ["@@ -1,2 +1,2 @@", " eins", "-zwei", "+dr\xe4i"]
    assert (found.is_binary, found.old_encoding, found.new_encoding) == (False, *encodings)
    assert hunks.counts(made.repository, files) == [(1, 1)]


def test_the_same_text_in_another_encoding_has_no_rows(made):
    files, found = between(made, {"x": "a\n".encode("utf-16")}, {"x": "a\n"})
    assert (found.is_binary, found.hunks, found.old_encoding, found.new_encoding) == (False, (), "utf-16-le", "utf-8")
    assert hunks.counts(made.repository, files) == [(0, 0)]


def test_a_file_in_utf_16_that_came_has_one_encoding(made):
    _, found = between(made, {}, {"x": "a\n".encode("utf-16")})
    assert (patch(found), found.old_encoding, found.new_encoding) == (["@@ -0,0 +1 @@", "+a"], "", "utf-16-le")


@pytest.mark.parametrize("wide", [b"\xff\xfe" + b"a\0" * 2**19, b"\xff\xfe\0\0a\0\0\0"], ids=["large", "utf-32"])
def test_what_begins_like_utf_16_and_is_too_large_or_holds_nul_stays_binary(made, wide):
    files, found = between(made, {}, {"x": wide})
    assert (found.is_binary, found.hunks) == (True, ())
    assert hunks.counts(made.repository, files) == [(None, None)]


def test_rows_come_in_windows_that_join_up(made):
    new = "".join(line.replace("line 5\n", "five\n").replace("line 30\n", "thirty\nand one\n") for line in LINES)
    files, whole = between(made, {"x": "".join(LINES)}, {"x": new})
    rows, first, windows = [], 0, 0
    while first is not None:
        part = hunks.hunks(made.repository, files[0], window=Window(first, 4, 10**6))
        assert part.first_row == first
        assert [hunk.is_continued for hunk in part.hunks] == [first not in (0, 8), *([False] * (len(part.hunks) - 1))]
        rows += [(row.kind, row.old_number, row.new_number, row.text) for row in part.rows]
        first = part.next_row
        windows += 1
    assert rows == [(row.kind, row.old_number, row.new_number, row.text) for row in whole.rows]
    assert windows == 5


def test_a_window_is_bounded_in_bytes_and_always_has_a_row(made):
    files, found = between(made, {"x": ""}, {"x": f"{'a' * 100}\n{'b' * 100}\n"}, window=Window(0, 100, 50))
    assert ([row.text[0] for row in found.rows], found.next_row) == (["a"], 1)
    assert [row.text[0] for row in hunks.hunks(made.repository, files[0], window=Window(1, 100, 50)).rows] == ["b"]


def test_a_very_long_line_is_cut_and_says_so_and_can_be_had_whole(made):
    new = "é" * 3000 + "\n"
    files, found = between(made, {"x": "a\n"}, {"x": new})
    assert [(len(row.text), row.is_cut) for row in found.rows] == [(1, False), (hunks.MAX_LINE_BYTES // 2, True)]
    found = hunks.hunks(made.repository, files[0], options=Options(max_line_bytes=hunks.MAX_WHOLE_LINE_BYTES))
    assert [(len(row.text), row.is_cut) for row in found.rows] == [(1, False), (3000, False)]


def test_context_and_white_space_are_options(made):
    old, new = (
        {"x": "".join(LINES)},
        {"x": "".join(LINES).replace("line 20\n", "line  20\n").replace("line 30\n", "LINE 30\n")},
    )
    _, found = between(made, old, new, options=Options(context=0))
    assert patch(found) == [
        "@@ -20 +20 @@ line 19",
        "-line 20",
        "+line  20",
        "@@ -30 +30 @@ line 29",
        "-line 30",
        "+LINE 30",
    ]
    _, found = between(made, old, new, options=Options(context=1, whitespace="all"))
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
    assert (removed.marks, added.marks) == (((7, 15),), ((7, 15),))
    assert (removed.pair, added.pair) == (1, 0)


def test_line_ends_that_alone_changed_are_told(made):
    _, found = between(made, {"x": "a\nb\n"}, {"x": "a\r\nb\r\n"})
    assert (found.line_ends, found.has_mixed_line_ends) == (("LF", "CRLF"), True)
    _, found = between(made, {"x": "a\r\nb\r\n"}, {"x": "a\r\nb\n"})
    assert found.line_ends == ("CRLF", "LF")
    _, found = between(made, {"x": "a\r\nb\r\n"}, {"x": "a\r\nc\n"})
    assert found.line_ends is None
    _, found = between(made, {"x": "a\r\nb\r\n"}, {"x": "a\r\nc\r\n"})
    assert (found.line_ends, found.has_mixed_line_ends) == (None, False)


def test_a_file_that_differs_in_white_space_alone_is_left_out(made):
    old, new = {"a": "x y\n", "b": "1\n", "c": "x\n"}, {"a": "x  y\n", "b": "2\n", "c": "x \n"}
    files = changes.changes(made.repository, made.tree(old), made.tree(new)).files
    assert [index for index, _ in hunks.hunks_of_many(made.repository, files)] == [0, 1, 2]
    for whitespace, indexes in (("all", [1]), ("eol", [0, 1])):
        options = Options(whitespace=whitespace)
        assert [index for index, _ in hunks.hunks_of_many(made.repository, files, options=options)] == indexes


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


def test_a_list_of_files_can_be_cut_with_the_count_of_all(made):
    new = made.tree({f"f{number}": str(number) for number in range(12)})
    found = changes.changes(made.repository, made.tree({}), new, max_files=5)
    assert (len(found.files), found.total, found.is_cut) == (5, 12, True)


def test_git_ends_when_nobody_reads_on(made):
    old, new = ({f"f{number}": f"{word}\n" for number in range(50)} for word in ("old", "new"))
    files = changes.changes(made.repository, made.tree(old), made.tree(new)).files
    found = hunks.hunks_of_many(made.repository, files)
    assert next(found)[0] == 0
    found.close()
    assert list(found) == []


def assert_same_by_one_process(made, old, new):
    """Files and rows out of one answer of git's are those that two give."""
    files = changes.changes(made.repository, old, new).files
    opened, rows = hunks.of_trees(made.repository, hunks.begin_trees(made.repository, old, new))
    assert opened == files
    assert list(rows) == list(hunks.hunks_of_many(made.repository, files))


def assert_same_as_git(made, old, new):
    """The rows turned back into a patch are git's own patch."""
    ours = patch_text.patch_of(made.repository, changes.changes(made.repository, old, new).files)
    theirs = made.git("-c", "core.quotePath=false", *patch_text.git_args(old, new))
    assert ours == theirs
    assert_same_by_one_process(made, old, new)


def test_equal_trees_have_neither_files_nor_rows(made):
    assert_same_by_one_process(made, made.tree({"a": "1"}), made.tree({"a": "1"}))


def test_a_list_longer_than_one_read_is_told_whole_before_its_rows(made):
    old, new = ({f"folder/{number:0200}": f"{number} {word}\n" for number in range(1500)} for word in ("old", "new"))
    assert_same_by_one_process(made, made.tree(old), made.tree(new))


def test_git_ends_when_nobody_reads_the_rows_of_two_trees(made):
    old, new = ({f"f{number}": f"{word}\n" for number in range(50)} for word in ("old", "new"))
    begun = hunks.begin_trees(made.repository, made.tree(old), made.tree(new))
    files, rows = hunks.of_trees(made.repository, begun)
    assert (len(files), next(rows)[0]) == (50, 0)
    rows.close()
    assert list(rows) == []


def odd_shapes(made):
    """Two trees between which everything odd happens to a file that may happen."""
    text = "".join(f"{number} words that stay\n" for number in range(30))
    script, link, other_link = made.blob("#!/bin/sh\n"), made.blob("target"), made.blob("other/target")
    old = {
        "no-newline": "a\nb", "no-newline-new": "a\nb\n", "no-newline-both": "a\nb",
        "crlf": "a\r\nb\r\n", "crlf-to-lf": "a\r\nb\r\n", "lone-cr": "a\rb\n",
        "nul": b"a\0b\n", "late-nul": b"x\n" * 5000 + b"\0\nend\n", "binary-to-text": b"\0",
        "mode": ("100644", script), "mode-and-text": ("100755", made.blob("1\n")),
        "file-to-link": text, "link-to-file": ("120000", link), "link": ("120000", link),
        "file-to-submodule": "x\n", "submodule-to-file": ("160000", "1" * 40), "submodule": ("160000", "2" * 40),
        "empty-to-link": "", "gone-link": ("120000", link), "gone-submodule": ("160000", "5" * 40),
        "emptied": "x\n", "filled": "", "gone": "bye\n", "gone-empty": "",
        "renamed": text, "renamed-changed": text.replace("words", "names"), "renamed-mode": text.replace("stay", "go"),
        "folder-to-file/inner": "in\n", "file-to-folder": "out\n",
        b"tab\there": "1\n", b"line\nfeed": "1\n", b'"quoted"\\': "1\n", b"caf\xe9": "1\n", "--output=x": "1\n",
        "b lank": "1\n",
        b"bell\x07\x7f": "1\n", "naïve": "1\n",
        "long-line": "short\n", "latin-1": b"caf\xe9\n", "latin-1-to-utf-8": b"caf\xe9\n",
        "utf-16": "one\n".encode("utf-16"), "bom": b"\xef\xbb\xbfone\n", "mixed": b"\xff\n\xc3\xa9\n",
        "like-a-patch": "diff --git a/0000001 b/0000001\n--- a\n+++ b\n@@ -1 +1 @@\n\\ No newline\n",
        "header": f"int {'x' * 76}é{'y' * 40}(void)\n" + "\n".join(f"  {n};" for n in range(20)),
        "header-latin": b"int " + b"\xe9" * 120 + b"\n" + b"\n".join(b"  %d;" % n for n in range(20)),
        "blank-lines": "\n\n\n", "form-feed": "a\x0cb\u2028c\n", "far": text * 3,
    }  # fmt: skip
    new = {
        "no-newline": "a\nc", "no-newline-new": "a\nb", "no-newline-both": "a\nB\nb",
        "crlf": "a\r\nc\r\n", "crlf-to-lf": "a\nb\n", "lone-cr": "a\rc\n",
        "nul": b"a\0c\n", "late-nul": b"x\n" * 5000 + b"\0\nEND\n", "binary-to-text": "text\n",
        "mode": ("100755", script), "mode-and-text": ("100644", made.blob("2\n")),
        "file-to-link": ("120000", link), "link-to-file": text, "link": ("120000", other_link),
        "file-to-submodule": ("160000", "3" * 40), "submodule-to-file": "y\n", "submodule": ("160000", "4" * 40),
        "empty-to-link": ("120000", link), "new-link": ("120000", other_link), "new-submodule": ("160000", "6" * 40),
        "emptied": "", "filled": "x\n", "new": "hello\n", "new-empty": "",
        "moved/renamed": text, "moved/changed": text.replace("words", "names") + "more\n",
        "moved/mode": ("100755", made.blob(text.replace("stay", "go"))),
        "folder-to-file": "in\n", "file-to-folder/inner": "out\n",
        b"tab\there": "2\n", b"line\nfeed": "2\n", b'"quoted"\\': "2\n", b"caf\xe9": "2\n", "--output=x": "2\n",
        "b lank": "2\n",
        b"bell\x07\x7f": "2\n", "naïve": "2\n",
        "long-line": "l" * 5_000_000 + "\n", "latin-1": b"caf\xe8\n", "latin-1-to-utf-8": "café\n",
        "utf-16": "two\n".encode("utf-16"), "bom": "one\n", "mixed": b"\xfe\n\xc3\xa9\n",
        "like-a-patch": "diff --git a/0000002 b/0000002\n--- b\n+++ c\n@@ -2 +2 @@\n\\ No newline",
        "header": f"int {'x' * 76}é{'y' * 40}(void)\n" + "\n".join(f"  {n};" for n in range(21)),
        "header-latin": b"int " + b"\xe9" * 120 + b"\n" + b"\n".join(b"  %d;" % n for n in range(21)),
        "blank-lines": "\n\n", "form-feed": "a\x0cB\u2028c\n", "far": text + text.replace("1", "one") + text,
    }  # fmt: skip
    return made.tree(old), made.tree(new)


def test_odd_shapes_are_the_same_byte_for_byte_as_in_git(made):
    old, new = odd_shapes(made)
    assert_same_as_git(made, old, new)
    assert_same_as_git(made, new, old)
    assert_same_as_git(made, objects.EMPTY_TREE, new)  # a first commit


def test_the_merge_of_66_branches_is_the_same_as_in_git_against_each_of_its_parents(made):
    tips = [made.commit({"a": f"{number}\n", f"f{number}": "1\n"}, branch=f"b{number}") for number in range(66)]
    merge = made.commit({"a": "all\n", **{f"f{number}": "1\n" for number in range(66)}}, "Octopus", tips)
    for tip in (tips[0], tips[40], tips[65]):
        assert_same_as_git(made, *(objects.tree_oid(made.repository, oid) for oid in (tip, merge)))


@pytest.mark.parametrize("seed", range(6))
def test_random_texts_are_the_same_as_in_git(made, seed):
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
    assert_same_as_git(made, made.tree(old_files), made.tree(new_files))
