"""Which commit each line is from, by real git."""

from __future__ import annotations

import pytest

from codeservices.errors import NotFound
from repos.git import blame, program

ROOT = "alpha\nbeta\ngamma\ndelta\n"


@pytest.fixture
def history(made):
    """a.txt in three commits: the root, one that changes line 2, one that adds line 5 and moves the file."""
    first = made.commit({"a.txt": ROOT}, "Begin")
    second = made.commit({"a.txt": ROOT.replace("beta", "BETA")}, "Shout", [first], author="Bob <bob@example.org>")
    third = made.commit({"dir/b.txt": ROOT.replace("beta", "BETA") + "epsilon\n"}, "Move and add", [second])
    return made, [first, second, third]


def found(made, oid, path, first, last, **options):
    groups = blame.groups(made.repository, oid, path, first=first, last=last, **options)
    return [(group.first, group.line_count, group.origin and group.origin.oid) for group in groups]


def test_each_line_has_its_commit_through_renames_and_neighbours_are_one_group(history):
    made, [first, second, third] = history
    assert found(made, third, "dir/b.txt", 1, 5) == [(1, 1, first), (2, 1, second), (3, 2, first), (5, 1, third)]


def test_a_window_is_only_its_lines(history):
    made, [first, second, third] = history
    assert found(made, third, "dir/b.txt", 2, 3) == [(2, 1, second), (3, 1, first)]


def test_a_group_tells_author_date_subject_and_where_it_was_before(history):
    made, [first, second, third] = history
    groups = blame.groups(made.repository, third, "dir/b.txt", first=1, last=5)
    shout = groups[1].origin
    assert (shout.author, shout.email, shout.subject) == ("Bob", "bob@example.org", "Shout")
    assert (shout.when_at.isoformat(), shout.previous) == ("2020-09-13T12:28:40+00:00", (first, "a.txt"))
    assert groups[0].origin.previous is None
    assert groups[3].origin.previous == (second, "a.txt")


def test_commits_that_are_to_be_ignored_are_looked_through(history):
    made, [first, second, third] = history
    ignored = ["0" * 40, "--output=x", "HEAD", second]
    assert found(made, third, "dir/b.txt", 1, 5, ignored=ignored) == [(1, 4, first), (5, 1, third)]


def test_the_ignore_file_gives_full_oids_alone(made):
    oid = made.commit(
        {".git-blame-ignore-revs": f"# moved\n{'a' * 40} # all\n\n--contents=/etc/passwd\nabc\n {'b' * 40}\n"}
    )
    assert blame.ignored(made.repository, oid) == ("a" * 40, "b" * 40)
    assert blame.ignored(made.repository, made.commit({"a": "x"})) == ()
    assert blame.ignored(made.repository, made.commit({".git-blame-ignore-revs/a": "x"})) == ()


@pytest.mark.parametrize(
    "path", ["--contents=x", "a b\\c.txt", 'quo"te', "new\nline", b"caf\xe9", "*", ":(glob)x", "ü"]
)
def test_files_of_any_name_have_their_history(made, path):
    first = made.commit({path: "one\ntwo\n"})
    second = made.commit({path: "one\n2\n"}, "Change", [first])
    name = path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else path
    groups = blame.groups(made.repository, second, name, first=1, last=2)
    assert [group.origin.oid for group in groups] == [first, second]
    assert groups[1].origin.previous == (first, name)


def test_odd_commits_are_told_as_far_as_they_can(made):
    tree = made.tree({"a": "x\n"})
    commit = f"tree {tree}\nauthor  <> 99999999999999 +0000\ncommitter c <c> 0 +0000\n\n".encode() + b"caf\xe9\n"
    oid = made.raw("commit", commit)
    [group] = blame.groups(made.repository, oid, "a", first=1, last=1)
    assert (group.origin.author, group.origin.email) == ("", "")
    assert group.origin.subject.startswith("caf")


def test_what_is_not_found_in_time_is_told_as_such(history, monkeypatch):
    made, [*_, third] = history
    whole = program.lines

    def hurried(*args, **options):
        for number, line in enumerate(whole(*args, **options)):
            if line.startswith(b"filename") and number > 12:
                raise program.GitTimeout("blame", 1.0)
            yield line

    monkeypatch.setattr(program, "lines", hurried)
    groups = found(made, third, "dir/b.txt", 1, 5)
    assert sum(count for _, count, _ in groups) == 5
    assert {oid for _, _, oid in groups} == {third, None}


def test_groups_around_what_was_found_fill_the_window():
    origin = blame.Origin("1" * 40, "", "", None, "", None)
    assert blame._whole([blame.Group(5, 2, origin), blame.Group(3, 2, origin)], 1, 9) == [
        blame.Group(1, 2, None),
        blame.Group(3, 4, origin),
        blame.Group(7, 3, None),
    ]


def test_a_path_that_is_no_file_is_not_found(history):
    made, [*_, third] = history
    with pytest.raises(NotFound, match="git finds no file of that name at this commit"):
        blame.groups(made.repository, third, "gone", first=1, last=1)


def test_a_file_that_git_finds_no_more_in_a_damaged_tree_is_told(made):
    blob = bytes.fromhex(made.blob("text\n"))
    oid = made.commit(made.raw("tree", b"".join(b"100644 %s\0%s" % (name, blob) for name in (b"z", b"a"))))
    with pytest.raises(NotFound, match="Who wrote “a” can't be told: git finds no file of that name"):
        blame.groups(made.repository, oid, "a", first=1, last=1)
