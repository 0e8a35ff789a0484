"""Characters that can't be seen."""

from __future__ import annotations

import re

import pytest

from repos.text import invisible


def marked(text):
    return re.sub(r'<span class="invisible" title="([^"]*)">([^<]*)</span>', r"[\2 \1]", invisible.html(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("if admin\u202e:", "if admin[U+202E RIGHT-TO-LEFT OVERRIDE]:"),
        ("zero\u200bwidth", "zero[U+200B ZERO WIDTH SPACE]width"),
        ("\u2066x\u2069", "[U+2066 LEFT-TO-RIGHT ISOLATE]x[U+2069 POP DIRECTIONAL ISOLATE]"),
        ("a\ufeffb", "a[U+FEFF ZERO WIDTH NO-BREAK SPACE]b"),
        ("tag\U000e0041", "tag[U+E0041 TAG LATIN CAPITAL LETTER A]"),
        ("\u3164 = 1", "[U+3164 HANGUL FILLER] = 1"),
    ],
)
def test_what_hides_or_reorders_is_marked_and_noticed(text, shown):
    assert marked(text) == shown
    assert invisible.has_odd(text)
    assert invisible.lines_with_deceiving(["harmless", text]) == [2]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x0cb", "a[U+000C FORM FEED]b"),
        ("a\rb", "a[U+000D CARRIAGE RETURN]b"),
        ("\x1b[31m", "[U+001B ESCAPE][31m"),
        ("a\u2028b", "a[U+2028 LINE SEPARATOR]b"),
        ("\x85", "[U+0085 CONTROL CHARACTER]"),
    ],
)
def test_control_characters_are_marked_without_an_alarm(text, shown):
    assert marked(text) == shown
    assert invisible.has_odd(text)
    assert invisible.lines_with_deceiving([text]) == []


@pytest.mark.parametrize("text", ["שלום, عالم", "\ttabs and spaces", "naïve 数据", "❤\ufe0f", ""])
def test_ordinary_text_stays_as_it_is(text):
    assert marked(text) == text
    assert not invisible.has_odd(f"{text}\n{text}")
    assert invisible.lines_with_deceiving([text]) == []
