"""The program of a highlighting child: source text in, the classes and lengths of its pieces out.

It is run by its path in an isolated interpreter and imports nothing of ours. A lexer is a set of regular expressions,
some of which a hostile text can keep busy for ever: a text that takes more processor time than it was given ends the
process, by a signal that Python does not handle, and so does one that needs too much memory.

A request is a head (REQUEST: the lengths of a name and of a text, the processor time in milliseconds) and both in
UTF-8. An answer is a head (ANSWER: a state, and how many bytes follow) and 32-bit pairs (index into CLASSES, length in
characters), where the class LINE_END ends a line.
"""

from __future__ import annotations

import os
import resource
import signal
import struct
import sys
from array import array
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

REQUEST: Final = struct.Struct("!III")
ANSWER: Final = struct.Struct("!cI")
READY: Final = b"R"
DONE: Final = b"D"
UNKNOWN: Final = b"U"
FAILED: Final = b"F"

# Pages and git come before the colours, which nobody waits for.
NICENESS: Final = 10
# Pygments and its largest lexers need some 100 MB of address space, and a text of half a megabyte as much again.
MEMORY_BYTES: Final = 768 * 1024 * 1024
MAX_SHEBANG: Final = 200

# The classes of Pygments that static/css/pages/code.css colours. All others are plain text, which halves the page.
CLASSES: Final = (
    *("", "k", "kc", "kd", "kn", "kp", "kr", "ow", "s", "sa", "sb", "sc", "dl", "s1", "s2", "se", "sh", "si", "sx"),
    *("sr", "ss", "m", "mb", "mf", "mh", "mi", "mo", "il", "c", "c1", "ch", "cm", "cp", "cpf", "cs", "sd", "nf", "fm"),
    *("nd", "na", "nt", "nc", "nn", "ne", "kt", "nb", "bp", "no", "nv", "vc", "vg", "vi", "ni", "ld", "gi", "gd", "gh"),
    *("gu", "gs", "gp", "ge"),
)
LINE_END: Final = len(CLASSES)

# Names and interpreters that Pygments has no pattern for.
_NAMES: Final = {".gitconfig": "ini", ".gitmodules": "ini", "authorized_keys": "text", "go.mod": "text"}
_INTERPRETERS: Final = {
    **dict.fromkeys(("sh", "ash", "bash", "dash", "ksh", "zsh"), "bash"),
    **{name: name for name in ("python", "perl", "ruby", "php", "lua", "fish", "expect", "groovy")},
    **{"node": "javascript", "nodejs": "javascript", "deno": "typescript", "tclsh": "tcl", "wish": "tcl"},
    **{"awk": "awk", "gawk": "awk", "mawk": "awk", "Rscript": "r", "make": "make", "escript": "erlang"},
}


def lexer_of(filename: str, text: str) -> Lexer | None:
    """The lexer for a file by its name, or by the program that its first line names; never by a guess."""
    try:
        return get_lexer_by_name(_NAMES[filename]) if filename in _NAMES else get_lexer_for_filename(filename)
    except ClassNotFound:
        alias = _INTERPRETERS.get(_interpreter(text[:MAX_SHEBANG]))
        return get_lexer_by_name(alias) if alias else None


def _interpreter(text: str) -> str:
    """The program of a "#!" line without folder and version: "python" of "#!/usr/bin/env python3"."""
    line = text.partition("\n")[0]
    words = line[2:].split() if line.startswith("#!") else []
    if words and words[0].endswith("/env"):
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    return words[0].rpartition("/")[2].rstrip("0123456789.") if words else ""


def pieces(tokens: Iterable[tuple[int, Any, str]]) -> Iterator[tuple[int, int]]:
    """(class, length) of the pieces of each line, those of one class that touch each other as one."""
    known = {name: index for index, name in enumerate(CLASSES)}
    indexes: dict[Any, int] = {}
    current, length = 0, 0
    for _, kind, value in tokens:
        index = indexes.get(kind)
        if index is None:
            index = indexes[kind] = known.get(_class_of(kind), 0)
        if index != current and value:
            if length:
                yield current, length
            current, length = index, 0
        if "\n" not in value:
            length += len(value)
            continue
        first, *others = value.split("\n")
        length += len(first)
        for part in others:
            if length:
                yield current, length
            yield LINE_END, 0
            length = len(part)
    if length:
        yield current, length


def _class_of(kind: Any) -> str:
    """The short class of a token type, or of the nearest type above it that has one."""
    while kind not in STANDARD_TYPES:
        kind = kind.parent
    return STANDARD_TYPES[kind]


def answer(filename: str, text: str) -> tuple[bytes, bytes]:
    """The state and the pairs for one text."""
    lexer = lexer_of(filename, text)
    if lexer is None:
        return UNKNOWN, b""
    # Unprocessed, since get_tokens would drop blank lines, turn line ends and expand tabs.
    tokens = list(lexer.get_tokens_unprocessed(text))
    if "".join(value for _, _, value in tokens) != text:  # a lexer that reads its text more than once
        return FAILED, b""
    return DONE, array("I", [number for pair in pieces(tokens) for number in pair]).tobytes()


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer one request after the other until there are no more."""
    lexer_of("ready.c", "")  # the first look at all languages is slow
    _send(answers, READY, b"")
    while head := requests.read(REQUEST.size):
        name_bytes, text_bytes, milliseconds = REQUEST.unpack(head)
        filename = requests.read(name_bytes).decode("utf-8", "replace")
        text = requests.read(text_bytes).decode("utf-8")
        signal.setitimer(signal.ITIMER_PROF, milliseconds / 1000)
        try:
            state, data = answer(filename, text)
        except Exception:  # MemoryError too: a lexer is not ours, and its text was made by anybody
            state, data = FAILED, b""
        signal.setitimer(signal.ITIMER_PROF, 0)
        _send(answers, state, data)


def _send(answers: BinaryIO, state: bytes, data: bytes) -> None:
    answers.write(ANSWER.pack(state, len(data)) + data)
    answers.flush()


if __name__ == "__main__":
    for kind, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        resource.setrlimit(kind, (most, most))
    os.nice(NICENESS)
    serve(sys.stdin.buffer, sys.stdout.buffer)
