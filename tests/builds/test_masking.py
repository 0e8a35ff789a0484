"""Secrets out of a stream of bytes."""

from __future__ import annotations

import base64
import html
import json
import random
import re
import shlex
import subprocess
from urllib.parse import quote, quote_plus

import pytest

from builds.masking import MASK, Masker
from builds.secret_forms import MAX_FORM_BYTES, MIN_BYTES, forms, is_too_short
from builds.secret_search import SecretSearch

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
        SECRET.encode().hex().encode(),
        SECRET.encode().hex().upper().encode(),
        quote_plus(SECRET).encode(),
        quote(SECRET, safe="!'()*~").lower().encode(),
        json.dumps(json.dumps(SECRET)[1:-1])[1:-1].encode(),
        json.dumps(SECRET)[1:-1].replace("/", "\\/").encode(),
        json.dumps(SECRET)[1:-1].replace("&", "\\u0026").encode(),
        html.escape(SECRET).encode(),
        html.escape(SECRET, quote=False).encode(),
        html.escape(SECRET, quote=False).replace('"', "&#34;").encode(),
        json.dumps(SECRET)[1:-1].replace("&", "\\u0026").replace("=", "\\u003d").encode(),
        quote(SECRET, safe="$&+,;=").encode(),
    ],
)
def test_a_secret_is_masked_in_every_form(form: bytes):
    result = masked(b"before " + form + b" after", SECRET)
    assert b"***" in result and result.startswith(b"before ") and result.endswith(b" after")
    assert form not in result and len(result) < len(form) + 14


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_what_shells_print_of_a_secret_is_masked(shell: str):
    secret = 'it\'s $5 `or` "six" \\ more'
    commands = 'set -x; : "$SECRET"; set +x; printf \'%s\' "$SECRET" >&2'
    if shell == "bash":
        commands += "; printf '%q' \"$SECRET\" >&2; declare -p SECRET >&2"
    done = subprocess.run([shell, "-c", commands], env={"SECRET": secret}, capture_output=True, timeout=30)
    assert done.stderr.count(b"six") == (4 if shell == "bash" else 2)
    assert b"six" not in masked(done.stderr + shlex.quote(secret).encode(), secret)


def test_what_bash_prints_of_a_secret_without_a_locale_is_masked():
    done = subprocess.run(
        ["bash", "-c", "printf '%q' \"$SECRET\"; declare -p SECRET"],
        env={"SECRET": "a wörd", "LC_ALL": "C"},
        capture_output=True,
        timeout=30,
    )
    assert done.stdout.count(b"w\\303\\266rd") == 2
    assert b"rd" not in masked(done.stdout, "a wörd")


def test_a_quote_that_yaml_and_sql_double_is_masked():
    assert masked(b"password: 'it''s secret'", "it's secret") == b"password: '***'"


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


@pytest.mark.parametrize("size", range(13))
def test_of_two_secrets_that_overlap_nothing_is_left(size: int):
    assert masked(b"<wxyzabcdefgh>", "wxyzab", "abcdefgh", sizes=[size]) == b"<***>"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_short_lines_of_a_secret_are_masked_together_with_their_neighbours(line_end: bytes):
    secret = "{\n  first line of it,\n}\nab\nthe last line of it\nQQ=="
    printed = secret.encode().replace(b"\n", line_end)
    left = masked(b"<" + printed + b"> done", secret)
    assert left.replace(line_end, b"").replace(MASK, b"") == b"<> done"
    assert masked(b"ab } QQ== {", secret) == b"ab } QQ== {"


def test_a_long_text_in_a_json_secret_is_masked_and_a_word_is_not():
    secret = json.dumps({"user": "admin", "password": "correct/horse battery", "more": [{"key": "0123456789"}]})
    assert masked(b"admin: correct/horse battery 0123456789", secret) == b"admin: *** ***"
    assert masked(b"[not json", "[not json") == MASK


@pytest.mark.parametrize("command", [["base64"], ["base64", "-w", "64"], ["od", "-An", "-tx1"]])
def test_lines_of_what_programs_wrap_are_masked(command: list[str]):
    secret = base64.b85encode(random.Random(7).randbytes(150)).decode()
    printed = subprocess.run(command, input=secret.encode(), capture_output=True, timeout=30).stdout
    if command[0] == "od":
        printed = printed.replace(b" ", b"").replace(b"\n", b"")
        printed = b"\n".join(printed[start : start + 60] for start in range(0, len(printed), 60))
    assert masked(printed, secret).replace(MASK, b"").strip(b"\n=") == b""


def test_little_is_held_back_however_long_a_secret_is():
    secret = base64.b64encode(random.Random(7).randbytes(6_000)).decode()
    assert max(map(len, forms(secret))) <= MAX_FORM_BYTES and min(map(len, forms(secret))) >= MIN_BYTES
    masker = Masker([secret])
    data = b"<" + secret.encode() + b">"
    let_out = b""
    for start in range(0, len(data), 100):
        let_out += masker.feed(data[start : start + 100])
        assert len(masker._carry) < MAX_FORM_BYTES
    assert (let_out + masker.flush()).replace(MASK, b"") == b"<>"


def test_a_run_that_never_ends_is_masked_without_being_kept():
    masker = Masker(["aaaa"])
    let_out = b"".join(masker.feed(b"a" * 100) for _ in range(20))
    assert (let_out + masker.flush(), len(masker._carry)) == (MASK, 0)


def expected(data: bytes, secrets: list[str]) -> bytes:
    """What the module's first sentence says, letter by letter."""
    spans = []
    for form in {form for secret in secrets for form in forms(secret)}:
        spans += [(one.start(), one.start() + len(form)) for one in re.finditer(b"(?=%s)" % re.escape(form), data)]
    kept: list[list[int]] = []
    for start, stop in sorted(spans):
        if kept and start < kept[-1][1]:
            kept[-1][1] = max(kept[-1][1], stop)
        else:
            kept.append([start, stop])
    for start, stop in reversed(kept):
        data = data[:start] + MASK + data[stop:]
    return data


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_secrets_and_the_writes_no_form_of_any_is_left(seed: int):
    source = random.Random(seed)
    alphabet = "ab\n'$" if seed % 2 else 'abcdefghijklmnopqrstuvwxyz0123456789 /+="\\\n'
    secrets = ["".join(source.choices(alphabet, k=source.choice([4, 5, 9, 20, 60, 90]))) for _ in range(1 + seed % 6)]
    every = sorted({form for secret in secrets for form in forms(secret)})
    pieces = []
    for _ in range(30):
        pieces.append("".join(source.choices(alphabet, k=source.randint(0, 6))).encode())
        form = source.choice(every or [b"-"])
        pieces.append(form if source.random() < 0.5 else form[: source.randint(0, len(form))])
    data = b"".join(pieces)
    sizes = [source.choice([0, 1, 2, 3, 7, 30]) for _ in range(400)]
    found = masked(data, *secrets, sizes=sizes)
    assert found == expected(data, secrets)
    bare = found.split(MASK)
    assert not any(form in piece for form in every for piece in bare)


def test_of_hundreds_of_secrets_each_is_masked():
    source = random.Random(7)
    secrets = ["".join(source.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=24)) for _ in range(400)]
    text = "\n".join(f"{number} {secret}" for number, secret in enumerate(secrets))
    assert masked(text.encode(), *secrets) == b"\n".join(b"%d %b" % (number, MASK) for number in range(400))


@pytest.mark.parametrize("count", [1, 20, 60])
def test_a_log_with_no_secret_but_the_last_of_several_is_searched_to_its_end(count: int):
    secrets = [random.Random(seed).randbytes(12).hex() for seed in range(count)]
    text = b"not a secret at all\n" * 1_000
    assert masked(text + secrets[-1].encode(), *secrets) == text + MASK
    assert masked(text, *secrets) == text


def test_of_a_thousand_secrets_that_begin_alike_each_is_masked_and_few_are_compared():
    beginning = "https://deploy:token@registry.example.com/"
    secrets = [beginning + random.Random(seed).randbytes(8).hex() for seed in range(1_000)]
    text = "\n".join([f"{beginning}index.html", *secrets])
    assert masked(text.encode(), *secrets) == f"{beginning}index.html".encode() + b"\n***" * 1_000
    search = SecretSearch([secret.encode() for secret in secrets])
    assert max(map(len, search._alike)) < 20


@pytest.mark.parametrize("unit", ["a", "ab", "abc"])
def test_a_secret_that_repeats_itself_is_found_once_in_a_run_of_it(unit: str):
    form = (unit * 4).encode()
    search = SecretSearch([form])
    assert search.spans(b"<" + form * 10_000 + unit[:1].encode() + b"><" + form + b">") == [
        (1, 1 + 10_000 * len(form) + (len(unit) == 1)),
        (10_000 * len(form) + 4, 10_000 * len(form) + 4 + len(form)),
    ]


def test_a_run_that_another_begins_in_is_masked_whole():
    # "abaaba" stands at 0 and at 5, where the first one's repetition has ended.
    assert masked(b"<abaababaaba>", "abaaba") == b"<***>"


def test_secrets_that_are_told_later_are_masked_from_then_on():
    masker = Masker(["first secret"])
    assert masker.feed(b"second secret, first sec") == b"second secret, "
    masker.add(["second secret"])
    assert masker.feed(b"ret, second secret") == b"***, ***"


def test_a_value_that_is_too_short_is_said_to_be():
    assert [is_too_short(value) for value in ("", "yes", " yes\n", "yess", "ß1")] == [True, True, True, False, True]


def test_only_what_may_be_a_secret_s_start_is_held_back():
    masker = Masker(["hunter2"])
    assert masker.feed(b"password: hun") == b"password: "
    assert masker.feed(b"dred\n") == b"hundred\n"
    assert masker.feed(b"prompt> ") == b"prompt> "


def test_very_short_values_are_no_secrets_and_none_mask_nothing():
    assert masked(b"yes 1 no", "1", "no") == b"yes 1 no"
    assert masked(b"\x00\xff anything") == b"\x00\xff anything"
