"""Text files through a browser's form: the bytes that were not touched come back as they were."""

from __future__ import annotations

import codecs

import pytest

from repos.editing import text_file
from repos.editing.text_file import NotEditable


def sent(text: str) -> str:
    """As a browser sends a text field: every line ending is CRLF."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a",
        b"a\nb\n",
        b"\n\na\n\n",
        b"  a \t\n",
        b"a\r\nb\r\n",
        b"a\r\nb",
        b"a\r\nb\nc\r\n",
        b"a\nb\r\nc",
        "ä€😀\u202e\n".encode(),
        codecs.BOM_UTF8 + b"a\n",
        b"caf\xe9\n",
        codecs.BOM_UTF16_LE + "a\r\nä\r\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "a\nä".encode("utf-16-be"),
    ],
)
def test_a_text_that_nobody_changed_gives_the_same_bytes(data):
    file = text_file.opened(data)
    assert file.changed(sent(file.text)) == data


@pytest.mark.parametrize(
    ("data", "edited", "wanted"),
    [
        (b"a\r\nb\r\n", "a\nx\nb\nc\n", b"a\r\nx\r\nb\r\nc\r\n"),
        (b"a\nb\n", "a\nx\nb\n", b"a\nx\nb\n"),
        (b"a\r\nb\nc\nd\n", "a\nb\nX\nd\n", b"a\r\nb\nX\nd\n"),
        (b"a\nb\r\nc\r\nd\n", "a\nN\nb\nc\nd\n", b"a\nN\nb\r\nc\r\nd\n"),
        (b"a\nb\r\nc\r\nd\r\n", "a\n", b"a\n"),
        (b"a\nb\r\n", "", b""),
        (b"caf\xe9\r\n", "thé\n", b"th\xe9\r\n"),
        (codecs.BOM_UTF8 + b"a", "b", codecs.BOM_UTF8 + b"b"),
    ],
)
def test_line_endings_encoding_and_mark_are_kept(data, edited, wanted):
    assert text_file.opened(data).changed(sent(edited)) == wanted


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\0\1", "not text"),
        (b"a\rb\n", "a browser's form would change"),
        (b"a\r", "a browser's form would change"),
        (b"a" * 9000 + b"\0", "a browser's form would change"),
        (codecs.BOM_UTF16_LE + b"a", "a browser's form would change"),
        (b"x" * (text_file.MAX_EDITED_BYTES + 1), "files up to 1,048,576"),
    ],
)
def test_what_a_form_would_damage_is_not_offered(data, sentence):
    with pytest.raises(NotEditable, match=sentence):
        text_file.opened(data)


def test_a_character_that_the_encoding_lacks_is_named():
    with pytest.raises(NotEditable, match=r"in latin-1, which has no “€” \(euro sign\)"):
        text_file.opened(b"caf\xe9").changed("5 €")


def test_a_new_file_has_line_feeds():
    assert text_file.NEW.changed("a\r\nä\r\n") == "a\nä\n".encode()
