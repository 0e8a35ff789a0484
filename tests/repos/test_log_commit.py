"""One commit as the log reads it: its people, times, message and signature, also where they are odd."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from codeservices.errors import NotFound
from repos.git import log


def test_a_commit_tells_its_people_its_times_and_its_message(made):
    root = made.commit({"a": "1"}, "First")
    oid = made.commit({"a": "2"}, "Subject line\ncontinued\n\nBody one\n\nBody two", [root])
    found = log.commit(made.repository, oid)
    assert (found.oid, found.parent_oids, found.is_merge) == (oid, (root,), False)
    assert (found.author.name, found.author.email) == ("Ada Lovelace", "ada@example.org")
    assert found.author.when_at == datetime.fromtimestamp(made.clock, UTC)
    assert found.author.offset_minutes == 120
    assert found.subject == "Subject line continued"
    assert found.body == "Body one\n\nBody two"


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
    assert found.author.when_at.year == 2020


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


def test_a_signed_commit_is_told(made):
    signed = commit_with(made, b"author A <a@x> 1 +0000\ngpgsig -----BEGIN\n parent fake\n -----END\n")
    assert signed.signature_kind == "unknown"
    assert signed.parent_oids == ()


def test_no_name_keeps_the_reading_of_a_commit_busy():
    """Six megabytes is what one commit may have; git's own checks accept blanks in a name."""
    blanks = b" " * 6_000_000
    found = log.signature(blanks + b"x <x@example.org>" + blanks + b"7 +0100")
    assert (found.name, found.email, found.timestamp, found.offset_minutes) == ("x", "x@example.org", 7, 60)
    assert log.signature(blanks + b"x").email == ""
    assert log.signature(b"<" * 1_000_000).name == ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"A <a@b> 5 +0000", ("A", "a@b", 5)),
        (b"A<a@b>5", ("A", "a@b", 5)),
        (b"A > B <a@b> -5 x", ("A > B", "a@b", -5)),
        (b"A <a <b> 5 +0000", ("A", "a", None)),
        (b"A <a@b", ("A", "a@b", None)),
        (b"<>", ("", "", None)),
        (b"A 5 +0000", ("A 5 +0000", "", None)),
    ],
)
def test_a_signature_in_any_shape_is_read(line, expected):
    found = log.signature(line)
    assert (found.name, found.email, found.timestamp) == expected


def test_names_are_shown_up_to_a_length():
    found = log.signature(b"x" * 100_000 + "é".encode() * 2000 + b" <" + b"y" * 100_000 + b"> 7 +0000")
    assert (len(found.name), len(found.email), found.timestamp) == (log.MAX_NAME_CHARS, log.MAX_NAME_CHARS, 7)
    assert log.signature("é".encode() * 2000).name == "é" * log.MAX_NAME_CHARS


def test_many_commits_are_read_at_once(made):
    oids = [made.commit({"a": str(number)}, f"Change {number} {'long ' * 400}") for number in range(40)]
    found = log.several(made.repository, oids * 2)
    assert found == {oid: log.commit(made.repository, oid) for oid in oids}
    assert log.several(made.repository, []) == {}
    for odd in ("1" * 40, made.blob("no commit")):
        with pytest.raises(NotFound):
            log.several(made.repository, [oids[0], odd, oids[1]])
