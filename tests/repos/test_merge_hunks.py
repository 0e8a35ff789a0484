"""Where two versions of a file part: the same places as git's own merge of files finds."""

from __future__ import annotations

import random
import subprocess

import pytest

from repos.git import merge_hunks
from tests import gitrepo


@pytest.fixture
def git(tmp_path):
    with gitrepo.create(tmp_path / "repositories") as made:
        yield made


def told(git, base: str | None, ours: str | None, theirs: str | None):
    oids = [gitrepo.blob(git, text) if text is not None else None for text in (base, ours, theirs)]
    return merge_hunks.hunks(git, *oids)


def test_each_place_has_its_lines_of_every_version(git):
    base = "1\n2\n3\n4\n5\n6\n7\n8\n9\n"
    found = told(git, base, "1\nzwei\n3\n4\n5\n6\nseven\n8\n9\n10\n", "1\ndeux\n3\n4\n5\n6\n7\n8\n9\n")
    assert [(one.is_conflict, one.base, one.ours, one.theirs) for one in found] == [
        (True, (1, 2, b"2\n"), (1, 2, b"zwei\n"), (1, 2, b"deux\n")),
        (False, (6, 7, b"7\n"), (6, 7, b"seven\n"), (6, 7, b"7\n")),
        (False, (9, 9, b""), (9, 10, b"10\n"), (9, 9, b"")),
    ]


def test_the_same_change_on_both_sides_is_no_conflict(git):
    [hunk] = told(git, "a\nb\n", "a\nB\n", "a\nB\n")
    assert not hunk.is_conflict


def test_a_line_that_ends_the_file_without_a_line_feed_is_kept_so(git):
    [hunk] = told(git, "a\nb", "a\nc", "a\nd\n")
    assert (hunk.ours, hunk.theirs) == ((1, 2, b"c"), (1, 2, b"d\n"))


def test_versions_that_do_not_exist_have_no_lines(git):
    [added] = told(git, None, "a\n", "b\n")
    assert (added.is_conflict, added.base, added.ours) == (True, None, (0, 1, b"a\n"))
    [deleted] = told(git, "a\nb\n", None, "a\nB\n")
    assert (deleted.is_conflict, deleted.ours, deleted.theirs) == (True, None, (0, 2, b"a\nB\n"))


def test_lines_that_look_like_the_marks_of_a_patch_are_lines(git):
    [hunk] = told(git, "@@ -1 +1 @@\n", "@@ -9,9 +9,9 @@\n", "@@ -1 +1 @@\n")
    assert hunk.ours == (0, 1, b"@@ -9,9 +9,9 @@\n")


def test_it_conflicts_where_git_merges_files_with_conflicts_and_else_merges_to_the_same(git, tmp_path):
    chance = random.Random(7)
    conflicts = 0
    for _ in range(60):
        base = [f"line {number}\n" for number in range(12)]
        sides = []
        for _ in range(2):
            side = list(base)
            for _ in range(chance.randint(1, 2)):
                at = chance.randrange(len(side))
                side[at : at + chance.randint(0, 2)] = [f"{chance.choice('ab')}\n"] * chance.randint(0, 2)
            sides.append("".join(side))
        paths = [tmp_path / name for name in ("ours", "base", "theirs")]
        for path, text in zip(paths, (sides[0], "".join(base), sides[1]), strict=True):
            path.write_text(text)
        by_git = subprocess.run(["git", "merge-file", "-p", *map(str, paths)], capture_output=True, text=True)
        found = told(git, "".join(base), *sides)
        assert any(one.is_conflict for one in found) == (by_git.returncode > 0)
        conflicts += by_git.returncode > 0
        if not by_git.returncode:
            merged = list(base)
            for one in reversed(found):
                changed = one.theirs if one.ours.content == one.base.content else one.ours
                merged[one.base.start : one.base.end] = [changed.content.decode()]
            assert "".join(merged) == by_git.stdout
    assert 10 < conflicts < 50
