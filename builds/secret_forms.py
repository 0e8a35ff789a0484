"""The byte strings that give a secret away: itself, and what programs usually make of it when they print it.

Recognised are the plain value; each line of one that has several; the string members of one that is a JSON object;
base64, also where it stands in the middle of a longer text and where it is wrapped; hexadecimal; URL, JSON, XML and
shell quoting, the latter as `set -x` and `printf %q` write it. What a program has transformed otherwise (compressed,
encrypted, reversed, letter by letter) is not recognised.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

# Three characters ("dev", "443", "yes") stand everywhere in a log: masking them would blank out half of it and, by the
# places that are blanked, tell what they are.
MIN_BYTES = 4
# Part of a secret must be longer than a whole one: single words ("true", "admin", "mysql") and brackets are lines and
# members too. A shorter line is taken together with the lines around it, so that printed with them it is masked.
MIN_PART_BYTES = 8
# Four letters of base64 stand by chance in every text of some length that is base64.
MIN_BASE64_BYTES = 6
# Longer forms are looked for in pieces, which together cover them: what is held back of a log stays small.
MAX_FORM_BYTES = 1024
_PIECE_BYTES = 512
# Where programs wrap: coreutils' base64 and Python's MIME encoder at 76, openssl at 64; xxd -p at 60.
_BASE64_WRAPS = (76, 64)
_HEX_WRAP = 60


def forms(secret: str) -> set[bytes]:
    """All byte strings to be masked for a secret, each of MIN_BYTES to MAX_FORM_BYTES; none for one that is too short.

    Args:
        secret: The value as a variable has it; bytes that are no UTF-8 are surrogates.
    """
    raw = secret.encode("utf-8", "surrogateescape")
    found = set(_written(raw)) | {form for one in {raw, raw.strip()} for form in _encoded(one)}
    for member in _members(secret):
        part = member.encode("utf-8", "surrogateescape")
        found |= {*_written(part), *_encoded(part)}
    return {piece for form in found for piece in _pieces(form)}


def is_too_short(secret: str) -> bool:
    """Whether a value is one that a log can't be searched for."""
    return len(secret.encode("utf-8", "surrogateescape").strip()) < MIN_BYTES


def _written(raw: bytes) -> Iterator[bytes]:
    """The value and its quoted forms, those of several lines in parts."""
    for form in {raw, *_quoted(raw)}:
        yield from _lines(form) if b"\n" in form or b"\r" in form else (form, form.strip())


def _quoted(raw: bytes) -> set[bytes]:
    """The value as URLs, JSON, XML and shells write it."""
    text = raw.decode("utf-8", "surrogateescape")
    found = {
        *(quote(raw, safe=safe).encode() for safe in ("", "/", "!'()*~", ";,/?:@&=+$-_.!~*'()#", "$&+,;=")),
        quote_plus(raw).encode(),
    }
    found |= {re.sub(rb"%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in found}
    texts = {
        html.escape(text),
        html.escape(text, quote=False),
        # Go's and Jinja's way with quotes.
        html.escape(text, quote=False).replace("'", "&#39;").replace('"', "&#34;"),
        text.replace("'", "''"),  # YAML, SQL
        *_shell(text),
    }
    for ascii_only in (True, False):
        plain = _json(text, ascii_only=ascii_only)
        texts |= {
            plain,
            plain.replace("/", "\\/"),
            # Go's encoder, which is that of most tools around containers.
            go := plain.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
            # Gson, which is that of many tools in Java.
            go.replace("=", "\\u003d").replace("'", "\\u0027"),
            _json(plain, ascii_only=ascii_only),
        }
    return found | {one.encode("utf-8", "surrogateescape") for one in texts}


def _json(text: str, *, ascii_only: bool) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def _shell(text: str) -> set[str]:
    """Between single quotes (bash's and dash's way), double quotes and $'…', and with backslashes alone."""
    escapes = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\E"}
    return {
        text.replace("'", "'\\''"),
        text.replace("'", "'\"'\"'"),
        re.sub(r'([$`"\\])', r"\\\1", text),
        re.sub(r"([^\w@%+=:,./\n-])", r"\\\1", text),
        quoted := "".join(escapes.get(one, one) for one in text),
        # In a container without a locale, which is most of them.
        re.sub(r"[^\x00-\x7f]", _octal, quoted),
    }


def _octal(match: re.Match[str]) -> str:
    return "".join(f"\\{byte:03o}" for byte in match[0].encode("utf-8", "surrogateescape"))


def _lines(raw: bytes) -> Iterator[bytes]:
    """Parts of a value with several lines that cover all of it: lines, the short ones together with their neighbours.

    Parts of several lines are given with both kinds of line ends.
    """
    groups: list[list[bytes]] = []
    for line in re.split(rb"\r\n|\r|\n", raw):
        if groups and sum(map(len, groups[-1])) < MIN_PART_BYTES:
            groups[-1].append(line)
        elif line.strip():
            groups.append([line])
    if len(groups) > 1 and sum(map(len, groups[-1])) < MIN_PART_BYTES:
        short = groups.pop()
        groups[-1] += short
    for group in groups:
        yield b"\n".join(group).strip()
        yield b"\r\n".join(group).strip()


def _members(secret: str) -> Iterator[str]:
    """The strings in a secret that is a JSON object or list, which programs take out of it (`jq -r .password`)."""
    if not secret.lstrip().startswith(("{", "[")):
        return
    try:
        waiting = [json.loads(secret)]
    except (ValueError, RecursionError):
        return
    while waiting:
        one = waiting.pop()
        if isinstance(one, str) and len(one.strip()) >= MIN_PART_BYTES:
            yield one
        elif isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _encoded(raw: bytes) -> Iterator[bytes]:
    """Base64 and hexadecimal, whole and as lines of what programs wrap."""
    if len(raw) < MIN_BYTES:
        return
    for form in _base64_forms(raw):
        yield form
        yield form.replace(b"+", b"-").replace(b"/", b"_")
    text = base64.b64encode(raw).rstrip(b"=")
    for width in _BASE64_WRAPS:
        yield from _wrapped(text, width)
    for text in (raw.hex().encode(), raw.hex().upper().encode()):
        yield text
        yield from _wrapped(text, _HEX_WRAP)


def _base64_forms(raw: bytes) -> Iterator[bytes]:
    """The characters of a base64 text that depend on `raw` alone, whatever stands before and behind it.

    Where nothing or a line's end follows, the last character is known as well, of which `raw` decides some bits.
    """
    for before in range(3):
        start = (before * 8 + 5) // 6
        encoded = base64.b64encode(b"\0" * before + raw).rstrip(b"=")
        form = encoded[start : (before + len(raw)) * 8 // 6]
        if len(form) >= MIN_BASE64_BYTES:
            yield form
            yield encoded[start:]
            yield base64.b64encode(b"\0" * before + raw + b"\n")[start : len(encoded)]


def _wrapped(text: bytes, width: int) -> Iterable[bytes]:
    lines = [text[start : start + width] for start in range(0, len(text), width)]
    return [line for line in lines if len(line) >= MIN_PART_BYTES] if len(lines) > 1 else []


def _pieces(form: bytes) -> Iterator[bytes]:
    """The form, or where it is too long, pieces that cover it."""
    if len(form) <= MAX_FORM_BYTES:
        if len(form) >= MIN_BYTES:
            yield form
        return
    for start in range(0, len(form) - _PIECE_BYTES, _PIECE_BYTES):
        yield form[start : start + _PIECE_BYTES]
    yield form[-_PIECE_BYTES:]
