"""In which languages a tree is written, by the endings of its files' names and their sizes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from repos.git import objects, program
from repos.git.store import BareRepository

# A tree of more files is not counted: it would take a second of git's time for a bar.
MAX_FILES: Final = 100_000
TIMEOUT_SECONDS: Final = 5.0
MAX_SHOWN: Final = 7
OTHERS: Final = "Other"

# In lower case. Data, prose and pictures are no languages here.
_ENDINGS: Final[dict[str, str]] = {
    ending: language
    for language, endings in {
        "Ada": "adb ads",
        "Assembly": "asm s",
        "AWK": "awk",
        "Batchfile": "bat cmd",
        "C": "c h",
        "C#": "cs",
        "C++": "cc cpp cxx hh hpp hxx",
        "Clojure": "clj cljc cljs",
        "CMake": "cmake",
        "Common Lisp": "lisp lsp",
        "Crystal": "cr",
        "CSS": "css less sass scss",
        "CUDA": "cu cuh",
        "Dart": "dart",
        "Dockerfile": "dockerfile",
        "Elixir": "ex exs",
        "Emacs Lisp": "el",
        "Erlang": "erl hrl",
        "F#": "fs fsi fsx",
        "Fortran": "f f77 f90 f95 for",
        "Go": "go",
        "Groovy": "gradle groovy",
        "Haskell": "hs lhs",
        "HCL": "hcl tf",
        "HTML": "htm html xhtml",
        "Java": "java",
        "JavaScript": "cjs js jsx mjs",
        "Jinja": "j2 jinja jinja2",
        "Julia": "jl",
        "Jupyter Notebook": "ipynb",
        "Kotlin": "kt kts",
        "Lua": "lua",
        "M4": "ac m4",
        "Makefile": "mak mk",
        "Nim": "nim",
        "Nix": "nix",
        "Objective-C": "m mm",
        "OCaml": "ml mli",
        "Pascal": "dpr pas pp",
        "Perl": "perl pl pm t",
        "PHP": "php phtml",
        "PowerShell": "ps1 psd1 psm1",
        "Prolog": "pro prolog",
        "Protocol Buffers": "proto",
        "Python": "py pyi pyw pyx",
        "R": "r",
        "Racket": "rkt",
        "Ruby": "gemspec rb",
        "Rust": "rs",
        "Scala": "sbt scala",
        "Scheme": "scm ss",
        "Shell": "bash fish ksh sh zsh",
        "Solidity": "sol",
        "SQL": "sql",
        "Starlark": "bzl",
        "Svelte": "svelte",
        "Swift": "swift",
        "Tcl": "tcl tk",
        "TeX": "cls sty tex",
        "TypeScript": "cts mts ts tsx",
        "Vala": "vala",
        "Verilog": "sv v",
        "VHDL": "vhd vhdl",
        "Vim Script": "vim",
        "Vue": "vue",
        "XSLT": "xsl xslt",
        "Zig": "zig",
    }.items()
    for ending in endings.split()
}
_NAMES: Final[dict[str, str]] = {
    "build": "Starlark",
    "cmakelists.txt": "CMake",
    "containerfile": "Dockerfile",
    "dockerfile": "Dockerfile",
    "gemfile": "Ruby",
    "gnumakefile": "Makefile",
    "jenkinsfile": "Groovy",
    "makefile": "Makefile",
    "meson.build": "Meson",
    "rakefile": "Ruby",
    "workspace": "Starlark",
}
# Code that others wrote or that a program did.
_NOT_OURS: Final = re.compile(
    rb"(^|/)(node_modules|bower_components|vendor|vendored|third[-_]?party|external|deps|dist|\.yarn|__pycache__)/"
    rb"|\.min\.(js|css)$|[-.]lock(\.json)?$|_pb2(_grpc)?\.pyi?$|\.pb\.(go|cc|h)$|\.generated\.|(^|/)(configure|ltmain\.sh)$"
    rb"|\.designer\.cs$|\.snap$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Share:
    """One language of a tree; `percent` is of all bytes counted, and `start_percent` where it begins in a bar."""

    language: str
    size_bytes: int
    percent: float
    start_percent: float


def shares(repository: BareRepository, oid: str) -> list[Share] | None:
    """The languages of a commit's tree by their bytes, the greatest first and the small ones together.

    Returns:
        None where the tree has too many files to count.

    Raises:
        GitTimeout: It takes too long.
    """
    counted: Counter[str] = Counter()
    for number, (path, size_bytes) in enumerate(_files(repository, objects.tree_oid(repository, oid))):
        if number >= MAX_FILES:
            return None
        language = language_of(path)
        if language:
            counted[language] += size_bytes
    total = sum(counted.values())
    rows = [(language, size_bytes) for language, size_bytes in counted.most_common() if size_bytes]
    if len(rows) > MAX_SHOWN:
        rows[MAX_SHOWN - 1 :] = [(OTHERS, sum(size_bytes for _, size_bytes in rows[MAX_SHOWN - 1 :]))]
    found: list[Share] = []
    start = 0.0
    for language, size_bytes in rows:
        percent = 100 * size_bytes / total
        found.append(Share(language, size_bytes, percent, start))
        start += percent
    return found


def language_of(path: bytes) -> str:
    """The language of a file by its name; "" for one that is none or that others wrote."""
    if _NOT_OURS.search(path):
        return ""
    name = path.rpartition(b"/")[2].decode("utf-8", "replace").lower()
    return _NAMES.get(name) or _ENDINGS.get(name.rpartition(".")[2] if "." in name[1:] else "", "")


def _files(repository: BareRepository, tree_oid: str) -> Iterator[tuple[bytes, int]]:
    args = ["ls-tree", "-r", "-z", "-l", "--full-tree", "--end-of-options", tree_oid]
    for row in program.lines(repository, args, separator=b"\0", timeout_seconds=TIMEOUT_SECONDS):
        head, _, path = row.partition(b"\t")
        mode, _, _, size = head.split()
        if mode.startswith(b"100") and size.isdigit():  # "BAD" is the size of an object that is missing
            yield path, int(size)
