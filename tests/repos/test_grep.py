"""Search in the text of a commit's files."""

from __future__ import annotations

import pytest

from codeservices.errors import InvalidInput
from repos.git import grep


def search(made, oid, pattern, **options):
    return grep.search(made.repository, oid, grep.Query(pattern, **options))


def lines(found):
    """(path, number, text with matches in brackets) of the lines that match."""
    return [
        (file.path, line.number, "".join(f"[{text}]" if is_match else text for text, is_match in line.pieces))
        for file in found.files
        for group in file.groups
        for line in group
        if line.is_match
    ]


@pytest.fixture
def oid(made):
    return made.commit(
        {
            "a.py": "import os\nimport sys\n\n\n\n\nOS = os.name\n",
            "docs/b.txt": "nothing\nposition a.c abc\n",
            b"caf\xe9.txt": "os\n",
            "binary": b"os\0os\n",
            "--output=x": "os\n",
            "new\nline": "mos\n",
        }
    )


def test_a_text_is_found_in_every_text_file_whatever_its_case(made, oid):
    found = search(made, oid, "OS")
    assert lines(found) == [
        ("--output=x", 1, "[os]"),
        ("a.py", 1, "import [os]"),
        ("a.py", 7, "[OS] = [os].name"),
        ("caf\udce9.txt", 1, "[os]"),
        ("docs/b.txt", 2, "p[os]ition a.c abc"),
        ("new\nline", 1, "m[os]"),
    ]
    assert (found.match_count, found.cut) == (6, "")
    assert [[line.number for line in group] for group in found.files[1].groups] == [[1, 2], [6, 7]]


@pytest.mark.parametrize(
    ("pattern", "options", "expected"),
    [
        ("OS", {"is_case_sensitive": True}, [("a.py", 7, "[OS] = os.name")]),
        ("os", {"is_whole_word": True, "path": "docs"}, []),
        ("a.c", {}, [("docs/b.txt", 2, "position [a.c] abc")]),
        ("a.c", {"is_regex": True}, [("docs/b.txt", 2, "position [a.c] [abc]")]),
        ("^import (os|sys)$", {"is_regex": True}, [("a.py", 1, "[import os]"), ("a.py", 2, "[import sys]")]),
        ("os", {"path": "/docs/"}, [("docs/b.txt", 2, "p[os]ition a.c abc")]),
        ("import os", {"path": "*.py"}, [("a.py", 1, "[import os]")]),
        ("position", {"path": "*.txt"}, [("docs/b.txt", 2, "[position] a.c abc")]),
        ("position", {"path": "do?s"}, [("docs/b.txt", 2, "[position] a.c abc")]),
        ("os", {"path": "--output=x"}, [("--output=x", 1, "[os]")]),
        ("os", {"path": ":(exclude)a.py"}, []),
        ("os", {"path": "caf\udce9.txt"}, [("caf\udce9.txt", 1, "[os]")]),
        ("--output=/tmp/x", {}, []),
        ("-e", {}, []),
    ],
)
def test_choices_and_paths_narrow_and_nothing_typed_is_an_option(made, oid, pattern, options, expected):
    assert lines(search(made, oid, pattern, **options)) == expected


@pytest.mark.parametrize(
    ("pattern", "sentence"), [("a(b", "unmatched"), ("[[:foo:]]", "character class"), ("a{99999}", "too big")]
)
def test_what_is_no_regular_expression_is_told(made, oid, pattern, sentence):
    with pytest.raises(grep.PatternInvalid, match=sentence):
        search(made, oid, pattern, is_regex=True)


@pytest.mark.parametrize("pattern", ["", "a\nb", "a\0b", "x" * 501])
def test_what_is_no_text_to_look_for_is_refused(made, oid, pattern):
    with pytest.raises(InvalidInput):
        search(made, oid, pattern)


@pytest.mark.parametrize("name", ["main", "--all", "HEAD", ""])
def test_only_a_resolved_commit_is_searched(made, oid, name):
    with pytest.raises(InvalidInput, match="no commit id"):
        search(made, name, "os")


@pytest.mark.parametrize(
    ("limit", "value", "cut", "matches", "files"),
    [
        ("MAX_MATCHES", 5, "matches", 5, 2),
        ("MAX_FILES", 1, "files", 3, 1),
        ("MAX_MATCHES_OF_FILE", 1, "", 3, 3),
        ("MAX_OUTPUT_BYTES", 200, "size", 3, 1),
    ],
)
def test_it_ends_at_its_limits_and_says_so(made, monkeypatch, limit, value, cut, matches, files):
    monkeypatch.setattr(grep, limit, value)
    oid = made.commit(dict.fromkeys("abc", "x\nx\nx\n"))
    found = search(made, oid, "x")
    assert (found.cut, found.match_count, len(found.files)) == (cut, matches, files)
    assert all(file.is_cut == (limit == "MAX_MATCHES_OF_FILE") for file in found.files)


def test_it_ends_when_its_time_is_over(made):
    """A backward reference makes the expression's search exponential."""
    oid = made.commit({"a": "a" * 5000 + "\n"})
    slow = grep.Query(r"^(a*)*(a*)*(a*)*\1\2\3b$", is_regex=True)
    found = grep.search(made.repository, oid, slow, timeout_seconds=0.5)
    assert (found.cut, found.match_count) == ("time", 0)
    assert found.seconds < 5


def test_a_long_line_is_cut_around_its_first_match(made):
    oid = made.commit({"a.js": f"{'x' * 70_000}", "b.js": f"{'é' * 1000}needle{'y' * 5000}\n"})
    found = search(made, oid, "needle")
    line = found.files[0].groups[0][0]
    shown = "".join(text for text, _ in line.pieces)
    assert shown.startswith("…é")
    assert "needle" in shown
    assert line.is_cut
    assert len(shown) <= grep.MAX_LINE_CHARACTERS


def test_a_file_that_draws_the_marks_itself_harms_nothing(made):
    oid = made.commit({"a": "\x1b[1;31mred\x1b[m x\r\n--\nb\0".replace("\0", "")})
    assert [line for _, _, line in lines(search(made, oid, "x"))] == ["[red] [x]"]
