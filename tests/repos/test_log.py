"""Commits as they are, also odd ones; and histories in pages that neither miss nor repeat one."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from codeservices.errors import InvalidInput, NotFound
from repos.git import log


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


def test_a_commit_tells_its_people_its_times_and_its_message(made):
    root = made.commit({"a": "1"}, "First")
    oid = made.commit({"a": "2"}, "Subject line\ncontinued\n\nBody one\n\nBody two", [root])
    found = log.commit(made.repository, oid)
    assert (found.oid, found.parent_oids, found.is_merge) == (oid, (root,), False)
    assert (found.author.name, found.author.email) == ("Ada Lovelace", "ada@example.org")
    assert found.author.when_at == datetime.fromtimestamp(made.clock, UTC)
    assert found.author.local_at.utcoffset().total_seconds() == 7200
    assert found.subject == "Subject line continued"
    assert found.body == "Body one\n\nBody two"


@pytest.mark.parametrize("limit", [1, 2, 7, 30, 61, 100])
def test_pages_of_a_woven_history_give_every_commit_once_and_children_first(made, limit):
    tip = woven(made)
    oids, _ = walk(made, tip, limit)
    assert sorted(oids) == sorted(made.git("rev-list", tip).decode().split())
    place = {oid: number for number, oid in enumerate(oids)}
    for oid in oids:
        assert all(place[parent] > place[oid] for parent in log.commit(made.repository, oid).parent_oids)


def test_a_history_wider_than_a_cursor_is_resumed_by_count(made, monkeypatch):
    monkeypatch.setattr(log, "MAX_FRONTIER", 3)
    tip = woven(made)
    oids, _ = walk(made, tip, 7)
    assert sorted(oids) == sorted(made.git("rev-list", tip).decode().split())
    assert len(set(oids)) == len(oids)


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


def commit_with(made, lines: bytes, message: bytes = b"odd\n"):
    tree = made.tree({"a": "1"})
    return log.commit(made.repository, made.raw("commit", b"tree " + tree.encode() + b"\n" + lines + b"\n" + message))


def test_a_commit_without_author_or_date_is_shown_with_what_it_has(made):
    found = commit_with(made, b"committer Bo <bo@x.org> 0 +0000\n")
    assert found.author == log.NOBODY
    assert found.committer.when_at == datetime(1970, 1, 1, tzinfo=UTC)
    found = commit_with(made, b"author Bo\ncommitter Bo <bo@x.org>\n")
    assert (found.author.name, found.author.when_at) == ("Bo", None)
    assert (found.committer.email, found.committer.timestamp) == ("bo@x.org", None)
    found = commit_with(made, b"")
    assert (found.author, found.committer) == (log.NOBODY, log.NOBODY)


@pytest.mark.parametrize(
    ("date", "year"),
    [("0 +0000", 1970), ("4294967295 +0000", 2106), ("-1 +0000", 1969), ("99999999999999999 +0000", None)],
)
def test_dates_at_the_ends_of_time(made, date, year):
    found = commit_with(made, f"author A <a@x> {date}\ncommitter A <a@x> {date}\n".encode())
    assert (found.author.when_at.year if found.author.when_at else None) == year


@pytest.mark.parametrize("zone", ["+51800", "+9999", "-0000", "UTC"])
def test_zones_that_no_clock_has(made, zone):
    found = commit_with(made, f"author A <a@x> 1600000000 {zone}\ncommitter A <a@x> 1 +0000\n".encode())
    assert found.author.local_at.year == 2020


@pytest.mark.parametrize(
    ("encoding", "message", "expected"),
    [
        (b"ISO-8859-1", b"na\xefve", "naïve"),
        (b"windows-1251", "Привет".encode("cp1251"), "Привет"),
        (b"", b"na\xefve", "naïve"),
        (b"klingon", b"na\xefve", "naïve"),
        (b"unicode_escape", rb"\u202e", r"\u202e"),
        (b"UTF-8", "naïve".encode(), "naïve"),
    ],
)
def test_messages_in_stated_unstated_and_wrong_encodings(made, encoding, message, expected):
    header = b"author A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\n" + (
        b"encoding " + encoding + b"\n" if encoding else b""
    )
    assert commit_with(made, header, message).subject == expected


def test_a_ten_megabyte_message_is_cut_and_says_so(made):
    found = commit_with(made, b"author A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\n", "é".encode() * 5_000_000)
    assert found.is_truncated
    assert len(found.message) == log.MAX_MESSAGE_CHARS
    assert len(found.subject) == log.MAX_SUBJECT_CHARS


def test_an_octopus_merge_and_a_signed_commit_are_told(made):
    sides = [made.commit({"a": str(number)}, branch=f"b{number}") for number in range(66)]
    found = log.commit(made.repository, made.commit({"a": "x"}, "octopus", sides))
    assert len(found.parent_oids) == 66
    assert walk(made, found.oid, 10)[0][0] == found.oid
    signed = commit_with(made, b"author A <a@x> 1 +0000\ngpgsig -----BEGIN\n parent fake\n -----END\n")
    assert signed.is_signed
    assert signed.parent_oids == ()
