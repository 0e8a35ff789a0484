"""Source text to the classes and lengths of its pieces, by Pygments; called in a child process alone (child_pool.py).

A lexer is a set of regular expressions, some of which a hostile text can keep busy for ever. Only `has_language`, which
runs none of them, is for everybody.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

from pygments.lexer import Lexer
from pygments.lexers import get_all_lexers, get_lexer_by_name, get_lexer_for_filename
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

MAX_SHEBANG: Final = 200

# The classes of Pygments that static/css/pages/code.css colours. All others are plain text, which halves the page.
CLASSES: Final = (
    *("", "k", "kc", "kd", "kn", "kp", "kr", "ow", "s", "sa", "sb", "sc", "dl", "s1", "s2", "se", "sh", "si", "sx"),
    *("sr", "ss", "m", "mb", "mf", "mh", "mi", "mo", "il", "c", "c1", "ch", "cm", "cp", "cpf", "cs", "sd", "nf", "fm"),
    *("nd", "na", "nt", "nc", "nn", "ne", "kt", "nb", "bp", "no", "nv", "vc", "vg", "vi", "ni", "ld", "gi", "gd", "gh"),
    *("gu", "gs", "gp", "ge"),
)
LINE_END: Final = len(CLASSES)
# The lexer that finds nothing to colour.
_PLAIN: Final = "text"

# Names and interpreters that Pygments has no pattern for.
_NAMES: Final = {".gitconfig": "ini", ".gitmodules": "ini", "authorized_keys": _PLAIN, "go.mod": _PLAIN}
_INTERPRETERS: Final = {
    **dict.fromkeys(("sh", "ash", "bash", "dash", "ksh", "zsh"), "bash"),
    **{name: name for name in ("python", "perl", "ruby", "php", "lua", "fish", "expect", "groovy")},
    **{"node": "javascript", "nodejs": "javascript", "deno": "typescript", "tclsh": "tcl", "wish": "tcl"},
    **{"awk": "awk", "gawk": "awk", "mawk": "awk", "Rscript": "r", "make": "make", "escript": "erlang"},
}


def has_language(filename: str, text: str) -> bool:
    """Whether there may be colours for a file, by its name or by the program that its first line names.

    Args:
        filename: Without folders.
        text: The file, or its beginning.
    """
    if filename in _NAMES:
        return _NAMES[filename] != _PLAIN
    endings, others = _patterns()
    is_named = filename.endswith(endings) or others.match(filename) is not None
    return is_named or _interpreter(text[:MAX_SHEBANG]) in _INTERPRETERS


@cache
def _patterns() -> tuple[tuple[str, ...], re.Pattern[str]]:
    """The names that lexers are for: what they end with, and those that are told otherwise."""
    every = {one for _, aliases, names, _ in get_all_lexers(plugins=False) if _PLAIN not in aliases for one in names}
    endings = {one[1:] for one in every if one[0] == "*" and not re.search(r"[*?\[]", one[1:])}
    others = [fnmatch.translate(one) for one in every if one[1:] not in endings]
    return tuple(endings), re.compile("|".join(others))


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


def answer(filename: str, text: str) -> list[int] | None:
    """The pieces of one text: an index into CLASSES and a length in characters, by turns, where LINE_END ends a line.

    None where the language is unknown, or its lexer does not give the text back as it is.
    """
    lexer = lexer_of(filename, text)
    if lexer is None:
        return None
    # Unprocessed, since get_tokens would drop blank lines, turn line ends and expand tabs.
    tokens = list(lexer.get_tokens_unprocessed(text))
    if "".join(value for _, _, value in tokens) != text:  # a lexer that reads its text more than once
        return None
    return [number for pair in pieces(tokens) for number in pair]
