"""Secrets out of a stream of bytes."""

from __future__ import annotations

import base64
import json
import random
from urllib.parse import quote

import pytest

from builds.masking import Masker

SECRET = 'pa$$ wörd/+&="quoted"'
KEY = "-----BEGIN KEY-----\nfirstlineofkey\nsecondlineofkey\n-----END KEY-----\n"


def masked(data: bytes, *secrets: str, sizes: list[int] | None = None) -> bytes:
    masker = Masker(secrets)
    pieces: list[bytes] = []
    for size in sizes or []:
        piece, data = data[:size], data[size:]
        pieces.append(masker.feed(piece))
    return b"".join([*pieces, masker.feed(data), masker.flush()])


@pytest.mark.parametrize(
    "form",
    [
        SECRET.encode(),
        quote(SECRET, safe="").encode(),
        json.dumps(SECRET)[1:-1].encode(),
        json.dumps(SECRET, ensure_ascii=False)[1:-1].encode(),
        base64.b64encode(SECRET.encode()).rstrip(b"="),
    ],
)
def test_a_secret_is_masked_in_every_form(form: bytes):
    result = masked(b"before " + form + b" after", SECRET)
    assert b"***" in result and result.startswith(b"before ") and result.endswith(b" after")
    assert form not in result and len(result) < len(form) + 14


@pytest.mark.parametrize("before", [b"", b"u", b"us", b"user"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_masked_at_every_alignment(before: bytes, encode):
    encoded = encode(before + b":" + SECRET.encode() + b"\n")
    result = masked(encoded, SECRET)
    assert b"***" in result
    # Whatever is left holds no whole group of the secret's characters.
    assert len(result) <= 3 + 4 * ((len(before) + 1) // 3 + 3)


def test_each_line_of_a_secret_with_several_is_masked():
    assert masked(b"  firstlineofkey\r\nother\nsecondlineofkey", KEY) == b"  ***\r\nother\n***"


@pytest.mark.parametrize("seed", range(20))
def test_a_secret_split_anywhere_is_masked(seed: int):
    source = random.Random(seed)
    data = b"start hunter2hunter2 hunter2 hunt " + SECRET.encode() + b" hunter2end"
    sizes = [source.randint(0, 4) for _ in range(40)]
    assert masked(data, "hunter2", SECRET, sizes=sizes) == b"start ****** *** hunt *** ***end"


def test_of_two_secrets_that_begin_alike_the_longer_disappears_whole():
    assert masked(b"token-abc token-abcdef", "token-abc", "token-abcdef", sizes=[19]) == b"*** ***"


def test_a_secret_that_ends_where_another_might_begin_is_masked():
    assert masked(b"wxyzabcd!", "wxyzab", "abcdefgh", sizes=[6]) == b"***cd!"


def test_only_what_may_be_a_secret_s_start_is_held_back():
    masker = Masker(["hunter2"])
    assert masker.feed(b"password: hun") == b"password: "
    assert masker.feed(b"dred\n") == b"hundred\n"
    assert masker.feed(b"prompt> ") == b"prompt> "


def test_very_short_values_are_no_secrets_and_none_mask_nothing():
    assert masked(b"yes 1 no", "1", "no") == b"yes 1 no"
    assert masked(b"\x00\xff anything") == b"\x00\xff anything"
