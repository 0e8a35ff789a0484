"""Source text in pieces, by children that can be killed."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from pygments.lexers import get_all_lexers
from pygments.token import Keyword, Name, Punctuation, Text, Token

from repos.git.blob import split_lines
from repos.text import highlight, lexing

CODE_CSS = Path(__file__).parents[2] / "static" / "css" / "pages" / "code.css"


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A machine that runs other tests at once may need long for what takes a moment."""
    monkeypatch.setattr(highlight, "WAIT_SECONDS", 60.0)


@pytest.fixture(scope="module", autouse=True)
def ended():
    yield
    highlight._children.close()


@pytest.fixture
def gate(monkeypatch):
    """Until it is set, no text is highlighted; then each has no lines."""
    opened = threading.Event()

    def wait(found, name):
        opened.wait(60)
        return []

    for job in list(highlight._jobs.values()):  # what tests before this one left under way
        job.result(60)
    monkeypatch.setattr(highlight, "_highlight", wait)
    yield opened
    opened.set()


def texts(lines):
    return ["".join(piece.text for piece in line) for line in lines]


def test_the_pieces_of_a_line_have_classes():
    [line] = highlight.lines("x = 'one'  # two\n", "a.py")
    assert line == (("", "x = "), ("s1", "'one'"), ("", "  "), ("c1", "# two"))


@pytest.mark.parametrize(
    "text",
    [
        "a = 1\nb = 2\n",
        "no = 'end'",
        "a = 1\r\nb = 2\r\n",
        "\n\n\n  \na = 1\n\n\n",
        "a = 1\x0c\nb\rc = 2\n",
        "s = 'line\u2028separator\x85 and \x1c'\n",
        "\tif x:\n\t\ty\n",
        "s = '''one\n\ntwo\n'''\n",
        "\ud800 lone\n",
    ],
)
def test_the_lines_are_those_that_the_page_numbers(text):
    assert texts(highlight.lines(text, "a.py")) == split_lines(text)


@pytest.mark.parametrize(
    ("name", "text", "css_class"),
    [
        ("src/main.c", "int x;\n", "kt"),
        ("Makefile", "all: # x\n", "nf"),
        ("script", "#!/usr/bin/env -S python3.11 -u\nimport os\n", "ch"),
        ("script", "#!/bin/sh\nif true; then exit; fi\n", "ch"),
        (".gitmodules", "[submodule]\n", "k"),
    ],
)
def test_the_language_is_known_by_name_or_by_the_first_line(name, text, css_class):
    assert css_class in {piece.css_class for line in highlight.lines(text, name) for piece in line}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("notes", "import os\n"),
        ("data.unknown", "#!/usr/bin/unheard-of\n"),
        ("script", "#!\n"),
        ("a.py", ""),
        ("a.py", "x" * (highlight.MAX_LINE_CHARACTERS + 1)),
        ("a.py", "x\n" * (highlight.MAX_LINES + 1)),
        ("a.py", "x = 1111\n" * (highlight.MAX_BYTES // 9 + 1)),
        ("a.py", "# ä€\n" * (highlight.MAX_BYTES // 8)),
    ],
)
def test_what_is_unknown_or_too_large_has_no_colours(name, text):
    assert highlight.lines(text, name) is None


@pytest.mark.parametrize("name", ["notes.txt", "guide.adoc", "go.mod", "script"])
def test_no_child_is_asked_about_a_text_without_a_language(name, monkeypatch):
    monkeypatch.delattr(highlight, "_children")
    assert highlight.lines("import os\n", name) is None


def test_every_name_that_a_lexer_is_for_has_a_language():
    patterns = [one for _, aliases, names, _ in get_all_lexers(plugins=False) if "text" not in aliases for one in names]
    names = [re.sub(r"\[(.).*?\]", r"\1", one).replace("*", "x") for one in patterns]
    assert [name for name in names if not lexing.has_language(name, "")] == []


def test_a_text_that_takes_too_long_has_no_colours_and_the_next_one_has(monkeypatch):
    with monkeypatch.context() as short:
        short.setattr(highlight, "CPU_SECONDS", 0.02)
        short.setattr(highlight, "CPU_SECONDS_PER_BYTE", 0.0)
        short.setattr(highlight, "PATIENCE", 1000)
        assert highlight.lines("x = [1, 'two', three]\n" * 9000, "a.py") is None
    assert highlight.lines("y = 1\n", "a.py") is not None


def test_those_who_ask_for_the_same_text_are_given_one_answer(gate):
    assert len({id(highlight.begin("x = 1\n", "same.py")) for _ in range(20)}) == 1


def test_too_many_texts_at_once_are_not_queued(gate, monkeypatch):
    monkeypatch.setattr(highlight, "MAX_WAITING", 3)
    jobs = [highlight.begin(f"x = {number}\n", "a.py") for number in range(6)]
    assert jobs[3:] == [None, None, None]
    assert highlight.lines("x = 7\n", "a.py") is None
    gate.set()
    assert [job.result(60) for job in jobs[:3]] == [[], [], []]


def test_nobody_waits_longer_than_he_must(gate, monkeypatch):
    monkeypatch.setattr(highlight, "WAIT_SECONDS", 0.01)
    assert highlight.lines("x = 8\n", "a.py") is None


@pytest.mark.parametrize("numbers", [[0, 9], [0, 3, 0, 1], [200, 1], [0, 4, lexing.LINE_END, 0, 0, 1], []])
def test_what_a_child_could_not_mean_is_not_believed(numbers):
    assert highlight._joined(["four"], numbers) is None


def test_each_class_that_is_sent_has_a_colour_and_each_colour_a_class():
    coloured = set(
        re.findall(r"\.([a-z][a-z0-9]*)", " ".join(re.findall(r"\.highlight ([^{]*)\{", CODE_CSS.read_text())))
    )
    assert set(lexing.CLASSES) - {""} == coloured


def test_tokens_become_pieces_that_touch_as_one():
    tokens = [
        (0, Keyword, "if"),
        (2, Text, " "),
        (3, Name, "x"),
        (4, Punctuation, ":\n"),
        (6, Token.Odd.Kind, ""),
        (6, Text, "\ny"),
    ]
    index = lexing.CLASSES.index
    end = (lexing.LINE_END, 0)
    assert list(lexing.pieces(tokens)) == [(index("k"), 2), (0, 3), end, end, (0, 1)]
