"""Bytes to lines of text, colours over lines, and the cap: rules without Redis and storage."""

from __future__ import annotations

import random

import pytest

from builds.logs import ansi
from builds.logs.cap import Cap
from builds.logs.format import Block, decode_chunk, encode_chunk
from builds.logs.text import MAX_LINE_BYTES, LineCutter
from tests.builds.ansi_lines import LINES

ESC = "\x1b"


def test_bytes_in_pieces_of_any_size_make_the_same_lines():
    """Whatever a program writes, in however many writes: no byte of text is lost, none comes twice."""
    chance = random.Random(11)
    alphabet = [b"a", b"line", b"\n", b"\r", b"\xff", b"\x00", "ä€😀".encode(), b"\x1b[31m", b"x" * 700]
    for _ in range(60):
        data = b"".join(chance.choice(alphabet) for _ in range(chance.randint(0, 900)))
        cutter = LineCutter()
        text = b""
        position = 0
        while position < len(data):
            size = chance.choice([1, 2, 3, 50, 5_000])
            text += cutter.feed(data[position : position + size])
            position += size
        if cutter.has_partial:
            text += cutter.feed(b"\n")
        wanted = data.replace(b"\0", b"").decode("utf-8", "replace").encode()
        assert text.rstrip(b"\n") == wanted.rstrip(b"\n")
        assert text.endswith(b"\n") or not text


@pytest.mark.parametrize("unit", [b"x", "€".encode(), b"\xff"], ids=["ascii", "wide", "binary"])
def test_a_line_of_many_megabytes_is_split_and_never_held_whole(unit):
    cutter = LineCutter()
    size = 0
    piece = unit * 50_000
    for _ in range(200):
        text = cutter.feed(piece)
        size += len(text.replace(b"\n", b""))
        assert len(cutter._partial) <= MAX_LINE_BYTES
        assert all(len(line) <= MAX_LINE_BYTES for line in text.split(b"\n"))
    size += len(cutter.feed(b"\n").replace(b"\n", b""))
    assert size == 200 * 50_000 * len(unit.decode("utf-8", "replace").encode())


def test_a_progress_bar_without_end_is_split_between_its_pictures():
    cutter = LineCutter()
    bar = b"".join(b"\r%5d of 99999 done" % number for number in range(20_000))
    lines = (cutter.feed(bar) + cutter.feed(b"\n")).split(b"\n")[:-1]
    assert len(lines) > 1 and all(line.startswith(b"\r") for line in lines)
    assert ansi.plain(lines[0]).endswith(b" of 99999 done")


@pytest.mark.parametrize(("line", "wanted"), LINES)
def test_a_plain_text_is_what_the_page_shows_without_colours(line, wanted):
    shown = "".join(text for _, text in wanted)
    assert ansi.plain(f"{line}\nnext\n{line}".encode()).decode() == f"{shown}\nnext\n{shown}"


def test_random_escapes_leave_the_same_text_on_a_page_and_in_a_file():
    chance = random.Random(5)
    alphabet = [*"ab\r[]31m;0K\\\x07\x08é ", ESC, f"{ESC}[0m", f"{ESC}[1;32m", f"{ESC}]8;;x"]
    for _ in range(3_000):
        line = "".join(chance.choice(alphabet) for _ in range(chance.randint(0, 14)))
        shown = "".join(span.text for span in ansi.spans(line))
        assert ansi.plain(f"{line}\n{line}".encode()).decode() == f"{shown}\n{shown}", repr(line)


@pytest.mark.parametrize(
    ("before", "text", "wanted"),
    [
        ("", "plain", ""),
        ("1;31", "plain", "1;31"),
        ("", f"{ESC}[1;31mred", "1;31"),
        ("1;31", f"a{ESC}[22mb", "31"),
        ("31", f"{ESC}[0m", ""),
        ("31", f"{ESC}[m{ESC}[4mx", "4"),
        ("31", f"{ESC}[;32m", "32"),
        ("38;5;9", f"{ESC}[48;2;1;2;3m", "38;5;9;48;2;1;2;3"),
        ("38;5;9", f"{ESC}[39m", ""),
        ("31", f"{ESC}[32m{ESC}[34m", "34"),
        ("31", f"{ESC}[2K{ESC}[10;20H", "31"),
        ("", f"{ESC}[38;5m", ""),
        ("", f"{ESC}[999999m", ""),
        ("31", f"{ESC}[999999m", "31"),
        ("31", f"{ESC}[108;240m", "31"),
        ("31", f"{ESC}[107;4m", "31;107;4"),
        ("", f"{ESC}[38;5;208;999m", "38;5;208"),
        ("", f"{ESC}[48;2;0;300;9999999m", "48;2;0;255;255"),
    ],
)
def test_colours_that_a_line_leaves_on_are_those_of_the_next(before, text, wanted):
    assert ansi.style_after(before, text) == wanted


def test_every_line_looks_by_itself_as_it_does_behind_those_before_it():
    """A window that begins anywhere has the colours of a terminal that saw it all."""
    chance = random.Random(8)
    codes = [0, 1, 2, 3, 4, 7, 22, 23, 24, 27, 31, 34, 39, 93]
    for _ in range(50):
        texts = [
            "".join(f"{ESC}[{chance.choice(codes)}m{chance.choice('xyz')}" for _ in range(chance.randint(0, 3))) + "."
            for _ in range(20)
        ]
        block = Block(0, 20, [[1, 20]], "".join(f"{text}\n" for text in texts).encode())
        middle = encode_chunk([Block(10, 10, [[1, 10]], block.text_from(10), block.lines(10)[0].style)])
        for line in [*block.lines(), *decode_chunk(middle.data).lines()]:
            behind = ansi.spans("".join(texts[: line.number + 1]))
            assert sorted(behind[-1].classes.split()) == sorted(ansi.spans(line.styled_text)[-1].classes.split())


def test_the_cap_keeps_head_and_tail_whole_and_counts_the_rest():
    chance = random.Random(2)
    for _ in range(200):
        head, tail = chance.randint(1, 400), chance.randint(1, 300)
        cap = Cap(head, tail)
        lines = [b"%d %s\n" % (number, b"x" * chance.randint(0, 30)) for number in range(chance.randint(0, 60))]
        kept: list[tuple[int, bytes]] = []
        position = 0
        while position < len(lines):
            count = chance.randint(1, 9)
            kept += cap.admit(position, b"".join(lines[position : position + count]))
            position += count
        kept += cap.rest()
        text = b"".join(text for _, text in kept)
        ours = [line for line in text.splitlines(keepends=True) if line.startswith(b"[Container]")]
        theirs = [line for line in text.splitlines(keepends=True) if not line.startswith(b"[Container]")]
        assert [time for time, _ in kept] == sorted(time for time, _ in kept)
        if sum(map(len, lines)) <= head:
            assert theirs == lines and not ours
            continue
        left_out = len(lines) - len(theirs)
        assert left_out == cap.left_out_lines
        first = next((index for index, line in enumerate(theirs) if line != lines[index]), len(theirs))
        assert theirs == lines[:first] + lines[first + left_out :]
        assert b"The log is larger than" in ours[0]
        assert (left_out > 0) == any(b"%d lines are left out here" % left_out in line for line in ours)
