"""Histories in pages that neither miss nor repeat a commit."""

from __future__ import annotations

import base64
import json
import random
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from codeservices.errors import InvalidInput, NotFound
from repos.git import log, program
from repos.git import walk as places


def walk(made, oid, limit, **options):
    """Every commit by way of the cursors, with the number of pages."""
    oids, cursor, pages = [], None, 0
    while True:
        page = log.commits(made.repository, oid, limit=limit, cursor=cursor, **options)
        oids += [one.oid for one in page.commits]
        cursor = page.next_cursor
        pages += 1
        if cursor is None:
            return oids, pages
        assert len(page.commits) == limit


def woven(made, count=60):
    """A history with branches and merges everywhere, some with equal dates; returns its tip."""
    chance = random.Random(7)
    tree = made.tree({"a": "1"})
    oids = [made.commit(tree, "root")]
    for number in range(1, count):
        parents = chance.sample(oids[-6:], min(len(oids[-6:]), chance.choice([1, 1, 2, 3])))
        made.clock -= 60 * chance.choice([0, 0, 1, 3])  # clocks differ: some children are older than their parents
        oids.append(made.commit(tree, f"commit {number}", parents))
    return made.commit(tree, "tip", oids[-6:])


@pytest.mark.parametrize("limit", [1, 2, 7, 30, 61, 100])
def test_pages_of_a_woven_history_give_every_commit_once_and_children_first(made, limit):
    tip = woven(made)
    oids, _ = walk(made, tip, limit)
    assert sorted(oids) == sorted(made.git("rev-list", tip).decode().split())
    place = {oid: number for number, oid in enumerate(oids)}
    for oid in oids:
        assert all(place[parent] > place[oid] for parent in log.commit(made.repository, oid).parent_oids)


@pytest.mark.parametrize(("whole", "most"), [(250, 3), (1, 500)], ids=["by-count", "by-abbreviated-oids"])
def test_a_history_with_many_open_lines_is_resumed(made, monkeypatch, whole, most):
    monkeypatch.setattr(places, "MAX_WHOLE", whole)
    monkeypatch.setattr(places, "MAX_OPEN", most)
    tip = woven(made)
    # To git, a branch comes before an abbreviated oid.
    made.git("update-ref", f"refs/heads/{made.git('rev-list', tip).decode().split()[20][:16]}", tip)
    oids, _ = walk(made, tip, 7)
    assert sorted(oids) == sorted(made.git("rev-list", tip).decode().split())
    assert len(set(oids)) == len(oids)
    for path in ("a", "b"):
        assert walk(made, tip, 3, path=path)[0] == walk(made, tip, 1000, path=path)[0]


@pytest.mark.parametrize("limit", [1, 3, 1000])
@pytest.mark.parametrize("with_graph", [True, False], ids=["with-commit-graph", "without"])
def test_pages_of_a_paths_woven_history_give_what_git_gives(made, limit, with_graph):
    tip = woven(made)
    if with_graph:
        made.git("commit-graph", "write", "--changed-paths", "--stdin-commits", given=f"{tip}\n".encode())
    for path in ("a", "b", "dir", "dir/c"):
        oids, _ = walk(made, tip, limit, path=path)
        assert sorted(oids) == sorted(made.git("rev-list", tip, "--", path).decode().split()), path
        assert oids == walk(made, tip, limit, path=path, follows=True)[0]


def skewed(made, seed, count=70):
    """A history by people with wrong clocks, in bursts and years off; each commit changes one of three folders."""
    chance = random.Random(seed)
    files = {f"{folder}/{number}": "0" for folder in "abc" for number in range(3)}
    oids = [made.commit(files, "root")]
    for number in range(1, count):
        files = files | {f"{chance.choice('aabc')}/{chance.randrange(3)}": str(number)}
        open_lines = oids[-8:] + oids[:1]  # now and then a line that is as old as the history
        parents = chance.sample(open_lines, min(len(open_lines), chance.choice([1, 1, 1, 2, 3])))
        made.clock += chance.choice([0, 0, 1, 60, 3600, -7200, -86400, 90000, 30_000_000, -30_000_000])
        oids.append(made.commit(files, f"commit {number}", parents))
    return made.commit(files, "tip", oids[-8:])


@pytest.mark.parametrize("graph", ["all", "half", "split"])
@pytest.mark.parametrize("seed", range(2))
def test_pages_are_the_walk_whatever_clocks_said(made, seed, graph):
    tip = skewed(made, seed)
    in_graph = [tip] if graph == "all" else made.git("rev-list", tip).decode().split()[30:31]
    for oid in [*in_graph, *([tip] if graph == "split" else [])]:
        made.git("commit-graph", "write", "--changed-paths", "--split", "--stdin-commits", given=f"{oid}\n".encode())
    for path in ("", "a", "b"):
        rows = made.git("rev-list", "--parents", tip, "--", *filter(None, [path])).decode().splitlines()
        parents = {oid: found for oid, *found in map(str.split, rows)}
        for limit in (7, 1000):
            oids, _ = walk(made, tip, limit, path=path)
            assert sorted(oids) == sorted(parents), (path, limit)
            place = {oid: number for number, oid in enumerate(oids)}
            assert all(place[oid] < place[parent] for oid in oids for parent in parents[oid]), (path, limit)
            if graph != "half":  # the order by corrected dates is the same wherever a page ends
                assert oids == walk(made, tip, 1000, path=path)[0]


def test_rows_that_wait_for_a_far_one_are_read_again_from_further_ahead(made, monkeypatch):
    monkeypatch.setattr(places, "READ_AHEAD", 1)
    tip = skewed(made, 7)
    made.git("commit-graph", "write", "--stdin-commits", given=f"{tip}\n".encode())
    whole, _ = walk(made, tip, 1000, path="a")
    assert walk(made, tip, 1, path="a")[0] == whole
    assert sorted(whole) == sorted(made.git("rev-list", tip, "--", "a").decode().split())


def test_all_history_is_read_from_the_graph_with_every_parent_of_an_octopus(made, monkeypatch):
    tip = skewed(made, 3)
    made.git("commit-graph", "write", "--stdin-commits", given=f"{tip}\n".encode())
    rows = made.git("rev-list", "--timestamp", "--parents", tip).decode().splitlines()
    expected = {oid: (tuple(parents), int(timestamp)) for timestamp, oid, *parents in map(str.split, rows)}
    monkeypatch.setattr(places.program, "lines", None)  # git is not asked
    found = places.Walk(made.repository, places.Place([tip])).rows(max_rows=1000, since=None, timeout_seconds=60)
    assert {row.oid: (row.parents, row.timestamp) for row in found} == expected
    assert max(len(parents) for parents, _ in expected.values()) == 8


def test_a_graph_that_reaches_below_where_history_is_cut_off_is_not_used(made):
    oids: list[str] = []
    for number in range(5):
        oids.append(made.commit({"a": str(number)}, f"{number}", oids[-1:]))
    made.git("commit-graph", "write", "--stdin-commits", given=f"{oids[-1]}\n".encode())
    (made.path / "shallow").write_text(f"{oids[2]}\n")
    assert walk(made, oids[-1], 2)[0] == oids[:1:-1]


def test_a_search_from_a_day_on_is_the_same_with_a_commit_graph(made):
    tip = skewed(made, 5)
    since = log.Search(since=(datetime.fromtimestamp(made.clock, UTC) - timedelta(days=30)).date())
    without = walk(made, tip, 9, path="a", search=since)[0]
    made.git("commit-graph", "write", "--stdin-commits", given=f"{tip}\n".encode())
    assert sorted(walk(made, tip, 9, path="a", search=since)[0]) == sorted(without)
    assert without


def renamed(made):
    """A file that was moved twice, the second time back over a name that another file once had."""
    body = "".join(f"line {number}\n" for number in range(30))
    steps = [
        {"old": "another file\n"},
        {"other": "x"},
        {"first": body, "other": "x"},
        {"first": body + "more\n", "other": "x"},
        {"dir/second": body + "more\n", "other": "x"},
        {"dir/second": body + "more\nand more\n", "other": "y"},
        {"old": body + "more\nand more\nat last\n", "other": "y"},
        {"old": "all new\n", "other": "y"},
    ]
    oids: list[str] = []
    for number, files in enumerate(steps):
        oids.append(made.commit(files, f"step {number}", oids[-1:]))
    return oids


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_a_file_is_followed_to_the_names_that_it_had(made, limit):
    oids = renamed(made)
    found, cursor = [], None
    while True:
        page = log.commits(made.repository, oids[-1], path="old", limit=limit, cursor=cursor, follows=True)
        found += [(oids.index(one.commit.oid), one.path, one.renamed_from) for one in page.entries]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == [
        (7, "old", None),
        (6, "old", "dir/second"),
        (5, "dir/second", None),
        (4, "dir/second", "first"),
        (3, "first", None),
        (2, "first", None),
    ]
    plain = log.commits(made.repository, oids[-1], path="old", limit=100)
    assert [oids.index(one.oid) for one in plain.commits] == [7, 6, 1, 0]


def test_a_file_that_was_made_on_two_branches_and_moved_on_one_shows_both_lines(made):
    body = "".join(f"line {number}\n" for number in range(30))
    root = made.commit({"x": body})
    left = made.commit({"y": body}, "moved", [root])
    right = made.commit({"x": body, "y": "quite another\n"}, "made", [root], branch="right")
    merge = made.commit({"y": body + "both\n"}, "merge", [left, right])
    oids, _ = walk(made, merge, 1, path="y", follows=True)
    assert oids == walk(made, merge, 10, path="y", follows=True)[0]
    assert oids[0] == merge and oids[-1] == root and set(oids) == {merge, left, right, root}


def followed(made, oid, path, limit):
    """What every row of a followed file says, page by page."""
    found, cursor = [], None
    while True:
        page = log.commits(made.repository, oid, path=path, limit=limit, cursor=cursor, follows=True)
        found += [(one.commit.oid, one.path, one.renamed_from) for one in page.entries]
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.entries) == limit


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_move_is_followed_where_the_file_goes_on_beside_it_and_in_a_merge(made, limit):
    body = "".join(f"line {number}\n" for number in range(30))
    root = made.commit({"y": "another file\n"}, "another file of that name")
    gone = made.commit({"x": body}, "gone", [root])
    left = made.commit({"y": body}, "moved on the left", [gone])
    right = made.commit({"x": body + "right\n"}, "right", [gone], branch="right")
    beside = made.commit({"x": body, "y": "made beside it\n"}, "beside", [gone], branch="beside")
    beside = made.commit({"x": body, "y": "changed beside it\n"}, "changed", [beside], branch="beside")
    merge = made.commit({"y": body + "both\n"}, "merge", [left, beside])
    moving = made.commit({"z": body + "right\n", "y": body}, "a merge that moves a file itself", [right, left])
    for tip, path in ((merge, "y"), (moving, "z")):
        assert followed(made, tip, path, limit) == followed(made, tip, path, 1000), path
    assert followed(made, merge, "y", 1000)[0] == (merge, "y", None)
    assert (left, "y", "x") in followed(made, merge, "y", 1000)
    assert followed(made, moving, "z", 1000)[0] == (moving, "z", "x")


def moving(made, seed):
    """A history with branches, merges and wrong clocks, in which one file is moved; (tip, its name there)."""
    chance = random.Random(seed)
    body = "".join(f"line {number}\n" for number in range(30))
    oids, names = [made.commit({"a": body}, "root")], ["a"]
    for number in range(1, 40):
        chosen = chance.sample(range(max(0, number - 5), number), min(number, chance.choice([1, 1, 1, 2])))
        name = chance.choice([names[chosen[0]]] * 5 + ["a", "b", "c"])
        text = body + f"{chance.randrange(3)}\n" if chance.random() < 0.5 else body
        made.clock -= 60 * chance.choice([0, 0, 1, 3])
        oids.append(made.commit({name: text}, f"commit {number}", [oids[one] for one in chosen]))
        names.append(name)
    return oids[-1], names[-1]


@pytest.mark.parametrize("seed", range(3))
def test_pages_of_a_file_that_moves_about_in_a_woven_history_are_those_of_one_page(made, seed):
    tip, name = moving(made, seed)
    whole = followed(made, tip, name, 1000)
    assert len({row[1] for row in whole}) > 1
    for limit in (1, 2, 5):
        assert followed(made, tip, name, limit) == whole, limit


@pytest.mark.parametrize("seed", range(6))
def test_where_a_commit_graph_tells_dates_pages_of_a_file_neither_miss_nor_repeat_a_row(made, seed):
    tip, name = moving(made, seed)
    whole = followed(made, tip, name, 1000)
    made.git("commit-graph", "write", "--changed-paths", "--stdin-commits", given=f"{tip}\n".encode())
    for limit in (1, 2, 5, 1000):
        assert sorted(followed(made, tip, name, limit)) == sorted(whole), limit


def test_the_first_page_of_a_file_is_in_gits_own_order_as_far_as_clocks_were_right(made, monkeypatch):
    oids = [made.commit({"a": "0"}, "root")]
    for number in range(1, 9):
        made.clock += 600 if number == 4 else 0  # the fourth is later than all of its children
        oids.append(made.commit({"a": str(number)}, f"commit {number}", oids[-1:]))
        made.clock -= 600 if number == 4 else 0
    made.git("commit-graph", "write", "--changed-paths", "--stdin-commits", given=f"{oids[-1]}\n".encode())
    asked, real = [], program.lines
    monkeypatch.setattr(places.program, "lines", lambda *args, **more: asked.append(args[1]) or real(*args, **more))
    assert [row[0] for row in followed(made, oids[-1], "a", 3)] == oids[::-1]
    assert ["--date-order" in args for args in asked[:2]] == [False, True]


def test_the_first_page_of_a_file_leaves_it_to_the_second_how_its_lines_go_on(made, monkeypatch):
    tip, asked = woven_file(made), []
    real = program.lines
    monkeypatch.setattr(places.program, "lines", lambda *args, **more: asked.append(args[1]) or real(*args, **more))
    whole = followed(made, tip, "a", 1000)
    asked.clear()
    assert followed(made, tip, "a", 4) == whole and len(whole) > 12
    assert ["--parents" in args for args in asked[:4]] == [False, True, True, True]
    assert [args[-2] for args in asked[:4]] == ["--max-count=5", "--max-count=8", "--max-count=4", "--max-count=4"]


def woven_file(made):
    """A history with branches and merges that change one file; returns its tip."""
    chance = random.Random(3)
    oids = [made.commit({"a": "0"}, "root")]
    for number in range(1, 50):
        parents = chance.sample(oids[-4:], min(len(oids[-4:]), chance.choice([1, 1, 2])))
        oids.append(made.commit({"a": str(chance.randrange(20)), "b": str(number)}, f"commit {number}", parents))
    return made.commit({"a": "tip"}, "tip", oids[-4:])


def test_a_search_finds_text_in_any_case_without_patterns_and_goes_on_page_by_page(made):
    oids: list[str] = []
    for number in range(40):
        subject = f"Fix .* number {number}" if number % 4 == 0 else f"Other {number}\n\nSee FIX .* in the body"
        message = subject if number % 2 == 0 else "Nothing"
        oids.append(made.commit({"a": str(number)}, message, oids[-1:]))
    expected = [oids[number] for number in range(38, -1, -2)]
    for text in ("fix .*", "FIX .*"):
        assert walk_loosely(made, oids[-1], 7, search=log.Search(message=text)) == expected
    assert walk_loosely(made, oids[-1], 7, search=log.Search(message="fix .+")) == []
    assert walk_loosely(made, oids[-1], 7, search=log.Search(author="LOVELACE")) == oids[::-1]
    assert walk_loosely(made, oids[-1], 7, search=log.Search(author="lovelace", message="number 36")) == [oids[36]]
    assert walk_loosely(made, oids[-1], 7, path="a", search=log.Search(message="number 36")) == [oids[36]]
    assert walk_loosely(made, oids[-1], 7, search=log.Search(message="--all")) == []


def walk_loosely(made, oid, limit, **options):
    """As `walk`, where the last page may be empty."""
    oids, cursor = [], None
    while True:
        page = log.commits(made.repository, oid, limit=limit, cursor=cursor, **options)
        oids += [one.oid for one in page.commits]
        cursor = page.next_cursor
        if cursor is None:
            return oids


def test_a_search_by_day_takes_whole_days_of_utc(made):
    oids: list[str] = []
    for day in range(6):
        made.clock = 1_500_000_000 - 1_500_000_000 % 86400 + day * 86400 + (-60 if day % 2 else 86339 - 60)
        oids.append(made.commit({"a": str(day)}, f"day {day}", oids[-1:]))
    first = datetime.fromtimestamp(made.clock, UTC).date() - timedelta(days=5)
    found = log.Search(since=first + timedelta(days=1), until=first + timedelta(days=3))
    times = [log.commit(made.repository, oid).committer.when_at.date() for oid in oids]
    expected = [oid for oid, day in zip(oids, times, strict=True) if found.since <= day <= found.until][::-1]
    assert walk_loosely(made, oids[-1], 1, search=found) == expected and expected
    assert walk_loosely(made, oids[-1], 2, search=log.Search(until=times[0])) == oids[:1]


def test_a_search_that_takes_too_long_says_how_far_it_came_and_goes_on_there(made, monkeypatch):
    oids: list[str] = []
    for number in range(30):
        oids.append(made.commit({"a": str(number)}, "Wanted" if number == 3 else "Other", oids[-1:]))
    monkeypatch.setattr(log, "FIRST_BATCH", 10)
    monkeypatch.setattr(log, "MAX_BATCH", 10)
    real, calls = log._matching, []

    def slow(*args):
        calls.append(args)
        if len(calls) == 2:
            raise program.GitTimeout("rev-list", 1)
        return real(*args)

    monkeypatch.setattr(log, "_matching", slow)
    page = log.commits(made.repository, oids[-1], search=log.Search(message="wanted"))
    assert (page.commits, page.seen) == ((), 10)
    assert page.reached_at == log.commit(made.repository, oids[20]).committer.when_at
    page = log.commits(made.repository, oids[-1], search=log.Search(message="wanted"), cursor=page.next_cursor)
    assert [one.oid for one in page.commits] == [oids[3]] and not page.seen


def test_a_page_that_ends_with_the_last_commit_has_no_next_one(made):
    one = made.commit({"a": "1"})
    two = made.commit({"a": "2"}, parents=[one])
    assert walk(made, two, 2) == ([two, one], 1)
    assert walk(made, two, 1) == ([two, one], 2)


def test_the_cursor_keeps_to_its_history_when_the_branch_moves_on(made):
    one = made.commit({"a": "1"})
    two = made.commit({"a": "2"}, parents=[one])
    cursor = log.commits(made.repository, two, limit=1).next_cursor
    three = made.commit({"a": "3"}, parents=[two])
    assert [each.oid for each in log.commits(made.repository, three, limit=5, cursor=cursor).commits] == [one]


def test_the_history_of_a_path_is_paged_and_names_are_no_patterns(made):
    oids = [made.commit({"src/*": "0", "src/b": "0"})]
    for number in range(1, 9):
        files = {"src/*": str(number // 2), "src/b": str(number)}
        oids.append(made.commit(files, f"c{number}", [oids[-1]]))
    expected = [oids[number] for number in (8, 6, 4, 2, 0)]
    assert walk(made, oids[-1], 2, path="src/*")[0] == expected
    assert len(walk(made, oids[-1], 4, path="src")[0]) == 9
    assert walk(made, oids[-1], 4, path="gone") == ([], 1)


def test_the_history_of_a_path_with_a_line_feed_or_a_leading_dash(made):
    one = made.commit({"a\nb": "1", "--all": "1", b"\xff": "1"})
    two = made.commit({"a\nb": "2", "--all": "1", b"\xff": "2"}, parents=[one])
    assert walk(made, two, 9, path="a\nb")[0] == [two, one]
    assert walk(made, two, 9, path="--all")[0] == [one]
    assert walk(made, two, 9, path="\udcff")[0] == [two, one]


def _cursor(text):
    return base64.urlsafe_b64encode(zlib.compress(text.encode("ascii"))).rstrip(b"=").decode("ascii")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 60_000,
        json.dumps({"w": 40, "o": "1" * 40, "p": "\ud800"}),
        json.dumps({"w": 40, "o": "1" * 40, "p": "a\0"}),
        json.dumps({"w": 40, "o": "1" * 40, "e": [["\ud800", "1" * 40]]}),
        json.dumps({"w": 40, "o": "--all" + "1" * 35}),
        json.dumps({"w": -1, "o": "1" * 40}),
    ],
    ids=["deep", "half a character", "NUL", "half a character earlier", "option", "backwards"],
)
def test_a_cursor_made_by_hand_is_refused_in_words(made, text):
    with pytest.raises(InvalidInput, match="cursor is not one that this server gave"):
        log.commits(made.repository, made.commit({"a": "1"}), cursor=_cursor(text), path="a")


@pytest.mark.parametrize("cursor", ["x", "é", "AAAA", "AAAAABQ", "A" * 300, "-" * 32])
def test_a_cursor_that_nobody_gave_is_refused_in_words(made, cursor):
    oid = made.commit({"a": "1"})
    with pytest.raises(InvalidInput, match="cursor is not one that this server gave|is gone or damaged"):
        log.commits(made.repository, oid, cursor=cursor)


def test_a_tag_leads_to_its_commit_and_other_objects_have_no_history(made):
    oid = made.commit({"a": "1"})
    tag = made.raw("tag", f"object {oid}\ntype commit\ntag v1\n\nwithout a tagger\n".encode())
    nested = made.raw("tag", f"object {tag}\ntype tag\ntag v2\n\nagain\n".encode())
    assert log.commit(made.repository, nested).oid == oid
    assert walk(made, nested, 5)[0] == [oid]
    with pytest.raises(NotFound, match="is a blob, not a commit"):
        log.commit(made.repository, made.blob("x"))
    with pytest.raises(NotFound, match="is a tree, so it has no history"):
        log.commits(made.repository, made.tree({"a": "1"}))


def test_an_octopus_merge_is_told(made):
    sides = [made.commit({"a": str(number)}, branch=f"b{number}") for number in range(66)]
    found = log.commit(made.repository, made.commit({"a": "x"}, "octopus", sides))
    assert len(found.parent_oids) == 66
    assert found.signature_kind is None
    assert walk(made, found.oid, 10)[0][0] == found.oid


def test_the_latest_commit_of_a_path_is_the_one_that_changed_it(made):
    first = made.commit({"a": "1", "d/b": "1"}, "Make both")
    second = made.commit({"a": "1", "d/b": "2"}, "Change one", [first])
    found = [log.latest(made.repository, second, path) for path in ("a", "d", "gone")]
    assert [one and one.oid for one in found] == [first, second, None]
