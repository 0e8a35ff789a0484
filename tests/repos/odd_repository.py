"""Repositories as no client makes them on purpose, and as old, foreign and damaged ones are.

Each function fills an empty repository; SHAPES has them by name. What they return is where to look: revisions with
paths ("main/folder"), and oids of commits. Everything else is found by following links.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.repos.plumbing import FOLDER, Plumbing

SIZE_BYTES = 50_000_000
ENTRIES = 100_000
MESSAGE_BYTES = 10_000_000
FOLDERS = 1000
PARENTS = 66
ADA = "Ada Lovelace <ada@example.org>"
ABSENT = "ab" * 20

# Names that are no UTF-8, that mean something to a shell, an address, a pattern or a page, or that turn text around.
NAMES: tuple[bytes, ...] = (
    b"caf\xe9.txt",
    b"\xff\xfe",
    b"two\nlines",
    b"tab\there",
    b"\"quoted\" 'twice'",
    b"<b>bold</b>&amp;.html",
    b"a%2Fb",
    b"100%",
    b"why?x=1&y=2",
    b"#hash",
    b"back\\slash",
    b"-rf",
    b"--output=x",
    b":(glob)**",
    b"*",
    b" leading and trailing ",
    b"+plus;semi:colon",
    "😀 smile".encode(),
    "right\u202eto left".encode(),
    "nul-like \u2400\u200b".encode(),
    b"n" * 255,
    b"{{ braces }}{% tag %}",
    b"...",
)


@dataclass(frozen=True)
class Odd:
    """Where to look.

    Attributes:
        specs: Revisions and paths, as addresses have them before they are percent-encoded.
        oids: Commits.
    """

    specs: list[bytes] = field(default_factory=list)
    oids: list[str] = field(default_factory=list)


def empty(made: Plumbing) -> Odd:
    """Nothing was ever pushed."""
    return Odd([b"main", b"HEAD"], [ABSENT])


def no_default_branch(made: Plumbing) -> Odd:
    """HEAD points at a branch that does not exist."""
    oid = made.commit({"a.txt": "a\n"}, branch="other")
    return Odd([b"main", b"HEAD", b"other", b"other/a.txt"], [oid])


def head_detached(made: Plumbing) -> Odd:
    """HEAD is an oid."""
    oid = made.commit({"a.txt": "a\n"})
    (made.path / "HEAD").write_text(f"{oid}\n")
    return Odd([b"HEAD", b"HEAD/a.txt", b"main"], [oid])


def head_broken(made: Plumbing) -> Odd:
    """HEAD is no ref and no oid."""
    oid = made.commit({"a.txt": "a\n"})
    (made.path / "HEAD").write_bytes(b"ref: refs/heads/\xff\xfe \n")
    return Odd([b"HEAD", b"main"], [oid])


def odd_tags(made: Plumbing) -> Odd:
    """Tags of blobs and trees, without a tagger, without a date, of tags, of what is missing."""
    oid = made.commit({"a.txt": "a\n", "d/b.txt": "b\n"})
    blob, tree = made.blob("tagged\n"), made.tree({"t.txt": "t\n"})
    _tag(made, "of-blob", blob)
    _tag(made, "of-tree", tree)
    _tag(made, "of-missing", ABSENT)
    _tag(made, "of-commit", oid)
    _tag(made, "annotated-blob", _annotation(made, blob, "blob", f"tagger {ADA} 1600000000 +0000\n"))
    _tag(made, "annotated-tree", _annotation(made, tree, "tree", f"tagger {ADA} 1600000000 +0000\n"))
    _tag(made, "no-tagger", _annotation(made, oid, "commit", ""))
    _tag(made, "no-date", _annotation(made, oid, "commit", f"tagger {ADA}\n"))
    _tag(made, "far-date", _annotation(made, oid, "commit", f"tagger {ADA} 99999999999999999 +9999\n"))
    _tag(made, "liar", _annotation(made, blob, "commit", f"tagger {ADA} 1600000000 +0000\n"))
    _tag(made, "annotated-missing", _annotation(made, ABSENT, "commit", f"tagger {ADA} 1600000000 +0000\n"))
    _tag(made, "nothing", made.raw("tag", b""))
    nested = oid
    for depth in range(30):
        nested = _annotation(made, nested, "tag" if depth else "commit", f"tagger {ADA} 1600000000 +0000\n")
    _tag(made, "nested", nested)
    names = [path.name.encode() for path in (made.path / "refs/tags").iterdir()]
    return Odd([*names, b"refs/tags/of-blob", b"refs/tags/nested"], [oid, blob, tree, nested])


def odd_commits(made: Plumbing) -> Odd:
    """Commits without an author, with broken dates and messages, and with 66 parents; one history of them all."""
    tree = made.tree({"a.txt": "a\n"})
    oids: list[str] = []

    def add(people: bytes, message: bytes, more: bytes = b"", parents: list[str] | None = None) -> None:
        given = parents if parents is not None else oids[-1:]
        lines = b"".join(b"parent %s\n" % one.encode() for one in given)
        number = len(oids).to_bytes(1, "big").hex().encode()
        rest = more + b"\n" + number + b" " + message
        oids.append(made.raw("commit", b"tree %s\n" % tree.encode() + lines + people + rest))

    def by(date: str, who: str = ADA) -> bytes:
        return f"author {who} {date}\ncommitter {who} {date}\n".encode()

    usual = by("1600000000 +0000")
    add(usual, b"usual\n")
    add(b"", b"no author and no committer\n")
    add(b"author\ncommitter \n", b"empty people\n")
    add(b"author Ada <ada@example.org\ncommitter > 5 < +\n", b"broken people\n")
    add(b"author \xff\xfe <\xe9@x> 1600000000 +0000\ncommitter A <<>> 1600000000 +0000\n", b"odd people\n")
    dates = ("0 +0000", "4294967295 +1400", "253402300799 -1200", "253402300800 +0000", "-62135596801 +0000")
    for date in (*dates, "99999999999999999999 +0000", "1600000000 +9999", "1600000000", "12.5 +0000", "x +0000"):
        add(by(date), f"dated {date}\n".encode())
    add(usual, b"")
    add(usual, b"latin-1 \xe9\xe8 bytes\n", b"encoding ISO-8859-1\n")
    add(usual, b"what it claims is not so \xe9\n", b"encoding UTF-8\n")
    add(usual, b"an encoding nobody knows \xe9\n", b"encoding x-nobody-knows\n")
    add(usual, b"NUL \x00 and \x1b[31mescapes\x1b[0m and \x7f\n")
    add(usual, "turned \u202e\u2066 around \u2069 and hidden \u200b\u2060\n".encode())
    add(usual, b"<script>alert(1)</script> &amp; {{ x }}\n")
    add(usual, b"\n\n\n   \n")
    add(usual, b"one line of words, " * 1000)
    add(usual, b"a subject\n\n" + b"line of a long message\n" * (MESSAGE_BYTES // 23))
    add(usual, b"signed\n", b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n not really\n -----END PGP SIGNATURE-----\n")
    add(usual, b"sure\n", b"mergetag object " + oids[0].encode() + b"\n type commit\n tag x\n tagger y\n \n z\nodd\n")
    sides: list[str] = []
    for number in range(PARENTS - 1):
        sides.append(made.commit(tree, f"side {number}", [oids[0]], branch="side"))
    add(usual, b"an octopus\n", parents=[oids[-1], *sides])
    add(usual, b"the same parent twice\n", parents=[oids[-1], oids[-1]])
    _branch(made, "main", oids[-1])
    return Odd([b"main", b"main/a.txt", *(oid.encode() for oid in oids[1:4])], oids)


def odd_names(made: Plumbing) -> Odd:
    """Files and folders whose names are bytes of every kind."""
    files = dict.fromkeys(NAMES, b"text\n")
    # All of them one below the other, so that a page of any kind meets them at once.
    nested = b"/".join((b"in", *NAMES))
    first = made.commit(files | {nested + b"/file": b"text\n"})
    oid = made.commit(dict.fromkeys(files, b"other\n") | {nested + b"/file": b"other\n"}, "All of them", [first])
    return Odd([b"main", *(b"main/" + path for path in (*NAMES, nested, nested + b"/file"))], [oid, first])


def huge_tree(made: Plumbing) -> Odd:
    """A folder of 100,000 entries."""
    raw = bytes.fromhex(made.blob("one of many\n"))
    rows = [b"100644 file-%06d.txt\0%s" % (number, raw) for number in range(ENTRIES)]
    first = made.commit(made.raw("tree", b"".join(rows)))
    rows[5] = b"100644 file-000005.txt\0" + bytes.fromhex(made.blob("another\n"))
    oid = made.commit(made.raw("tree", b"".join(rows)), "Change one", [first])
    return Odd([b"main", b"main/file-099999.txt"], [oid])


def malformed_trees(made: Plumbing) -> Odd:
    """Trees that git's own check refuses: an import without that check, or an old push, may have brought them."""
    blob, tree = made.blob("text\n"), made.tree({"x.txt": "x\n"})
    rows: dict[str, list[tuple[bytes, bytes, str]]] = {
        "duplicate": [(b"100644", b"a", blob), (b"100644", b"a", blob), (b"40000", b"a", tree)],
        "unsorted": [(b"100644", b"z", blob), (b"100644", b"a", blob), (b"40000", b"m", tree)],
        "modes": [(b"100664", b"a", blob), (b"100600", b"b", blob), (b"777", b"c", blob), (b"140000", b"d", blob)],
        "padded": [(b"040000", b"d", tree), (b"0100644", b"f", blob)],
        "names": [(b"100644", b"", blob), (b"100644", b"..", blob), (b"40000", b".git", tree), (b"100644", b".", blob)],
        "slash": [(b"100644", b"a/b", blob)],
        "liars": [(b"40000", b"folder", blob), (b"100644", b"file", tree), (b"120000", b"link", tree)],
        "gone": [(b"100644", b"file", ABSENT), (b"40000", b"folder", ABSENT), (b"160000", b"sub", "0" * 40)],
    }
    trees = {name: made.raw("tree", b"".join(_row(*row) for row in entries)) for name, entries in rows.items()}
    trees["cut"] = made.raw("tree", b"100644 whole\0" + bytes.fromhex(blob) + b"100644 cut\0" + b"\x01" * 7)
    trees["garbage"] = made.raw("tree", b"\xff" * 100)
    trees["mode"] = made.raw("tree", b"1006x4 odd\0" + bytes.fromhex(blob))
    oids = []
    for name, one in trees.items():
        oids.append(made.commit(one, name, oids[-1:], branch=name))
    specs = [f"{name}/{entry[1].decode()}" for name, entries in rows.items() for entry in entries]
    return Odd([name.encode() for name in [*trees, *specs]], oids)


def links_and_submodules(made: Plumbing) -> Odd:
    """Submodules without .gitmodules, links in circles and out of the repository, a README that is a link."""
    files = {
        "module": ("160000", "12" * 20),
        "self": ("120000", made.blob("self")),
        "there": ("120000", made.blob("back")),
        "back": ("120000", made.blob("there")),
        "outside": ("120000", made.blob("../../../../etc/passwd")),
        "absolute": ("120000", made.blob("/etc/passwd")),
        "odd": ("120000", made.blob(b"\xff\n\0")),
        "long": ("120000", made.blob("x/" * 100_000)),
        "nothing": ("120000", made.blob("")),
        "README.md": ("120000", made.blob("README.md")),
        "docs/README": ("160000", "34" * 20),
    }
    first = made.commit(files)
    changed = files | {"module": ("160000", "56" * 20), "self": "a file now\n", "docs/README/x": "a folder now\n"}
    del changed["docs/README"]
    oid = made.commit(changed, "Turn them into other kinds", [first])
    return Odd([b"main", *(f"{first}/{name}".encode() for name in files)], [oid, first])


def large_files(made: Plumbing) -> Odd:
    """50 MB of text, and of bytes; a line of megabytes; a text in UTF-16; a text that ends in half a character."""
    line = b"a line of a file that goes on and on\n"
    files = {
        "large.txt": line * (SIZE_BYTES // len(line)),
        "large.bin": random.Random(1).randbytes(1_000_000) * (SIZE_BYTES // 10_000_000),
        "line.js": b"x = 1; " * 400_000,
        "utf16.txt": "\ufeffzwei\nLinien\n".encode("utf-16-le"),
        "half.txt": "é".encode()[:1],
        "nul.txt": b"text\n" * 5000 + b"\0",
        "README.md": b"# " * 500_000,
    }
    first = made.commit(files)
    changed = {name: content + b"\nmore\n" for name, content in files.items() if name != "large.txt"}
    oid = made.commit({**changed, "large.txt": b"small now\n"}, "Change them", [first])
    return Odd([b"main", *(f"{first}/{name}".encode() for name in files)], [oid, first])


def missing_objects(made: Plumbing) -> Odd:
    """Branches behind which a commit, a tree, a blob or a parent is missing."""
    good = made.commit({"a.txt": "a\n", "d/b.txt": "b\n"})
    _branch(made, "no-commit", ABSENT)
    no_tree = made.commit(ABSENT, "no tree", [good], branch="no-tree")
    no_blob = made.commit({"a.txt": ("100644", ABSENT), "README": ("100644", ABSENT)}, "no blob", [good], branch="blob")
    no_parent = made.commit({"a.txt": "c\n"}, "no parent", [ABSENT], branch="no-parent")
    no_folder = made.commit({"d": (FOLDER, ABSENT)}, "no folder", [good], branch="no-folder")
    names = ("no-commit", "no-tree", "blob", "blob/a.txt", "no-parent", "no-parent/a.txt", "no-folder", "no-folder/d")
    return Odd([b"main", *(name.encode() for name in names)], [good, no_tree, no_blob, no_parent, no_folder, ABSENT])


def corrupt_objects(made: Plumbing) -> Odd:
    """Loose objects whose files are cut, are empty, are no zlib, or hold another object."""
    good = made.commit({"a.txt": "a\n"})
    oids, names = [good], []
    for how in ("cut", "empty", "garbage", "another"):
        for what in ("blob", "tree", "commit"):
            blob = made.blob(f"{how} {what}\n" * 50)
            tree = made.tree({"f.txt": ("100644", blob), "g.txt": f"{how} {what}\n"})
            name = f"{how}-{what}"
            commit = made.commit(tree, name, [good], branch=name)
            _damage(made, {"blob": blob, "tree": tree, "commit": commit}[what], how, good)
            oids.append(commit)
            names += [name, f"{name}/f.txt"]
    return Odd([b"main", *(name.encode() for name in names)], oids)


def deep_path(made: Plumbing) -> Odd:
    """A file below a thousand folders."""
    tree = made.tree({"file.txt": "deep\n"})
    for _ in range(FOLDERS):
        tree = made.raw("tree", _row(b"40000", b"d", tree))
    oid = made.commit(tree)
    halfway = b"/d" * (FOLDERS // 2)
    return Odd([b"main", b"main" + halfway, b"main" + b"/d" * FOLDERS + b"/file.txt", b"main" + halfway * 3], [oid])


def odd_refs(made: Plumbing) -> Odd:
    """Refs with long and odd names, refs that lie, refs that are damaged; a branch and a tag of one name."""
    oid = made.commit({"a.txt": "a\n"})
    longest = "/".join("r" * 240 for _ in range(4))
    names = [
        b"caf\xe9",
        b'"q"\'<b>&amp;',
        "😀".encode(),
        "\u202eturned".encode(),
        b"a/b/c/d/e",
        b"100%2F",
        b"#x",
        b"-dash",
    ]
    names += [longest.encode(), b"HEAD", b"refs/heads/main", ABSENT.encode(), b"both", b"a.txt", b"x;y,z"]
    packed = [b"%s refs/heads/%s\n" % (oid.encode(), name) for name in sorted(names)]
    packed += [b"%s refs/tags/both\n" % oid.encode(), b"garbage\n", b"%s\n" % oid.encode(), b"^%s\n" % oid.encode()]
    (made.path / "packed-refs").write_bytes(b"# pack-refs with: peeled fully-peeled sorted \n" + b"".join(packed))
    _branch(made, "of-blob", made.blob("a branch of a file\n"))
    _branch(made, "of-tree", made.tree({"t.txt": "t\n"}))
    for name, content in (
        ("garbage", "garbage"),
        ("empty", ""),
        ("one", "ref: refs/heads/two"),
        ("two", "ref: refs/heads/one"),
    ):
        (made.path / "refs/heads" / name).write_text(content)
    (made.path / "refs/heads/main.lock").write_text("")
    (made.path / "refs/stash").write_text(f"{oid}\n")
    specs = [
        *names,
        *(name + b"/a.txt" for name in names[:4]),
        b"refs/heads/both",
        b"refs/tags/both",
        b"of-blob",
        b"of-tree",
    ]
    return Odd([*specs, b"garbage", b"one", b"refs/stash", b"x" * 5000], [oid])


def sha256(made: Plumbing) -> Odd:
    """A repository in git's other object format, put where ours lie."""
    for name in ("HEAD", "config"):
        (made.path / name).unlink(missing_ok=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    subprocess.run(
        ["git", "init", "--quiet", "--bare", "--initial-branch=main", "--object-format=sha256", str(made.path)],
        check=True,
        env={**environment, "GIT_CONFIG_GLOBAL": os.devnull},
    )
    people = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    tree = made.git("mktree").decode().strip()
    oid = made.git("commit-tree", "-m", "A commit", tree, **people).decode().strip()
    made.git("update-ref", "refs/heads/main", oid)
    return Odd([b"main", b"HEAD", oid.encode()], [oid])


SHAPES: dict[str, Callable[[Plumbing], Odd]] = {
    one.__name__: one
    for one in (
        empty,
        no_default_branch,
        head_detached,
        head_broken,
        odd_tags,
        odd_commits,
        odd_names,
        huge_tree,
        malformed_trees,
        links_and_submodules,
        large_files,
        missing_objects,
        corrupt_objects,
        deep_path,
        odd_refs,
        sha256,
    )
}


def _row(mode: bytes, name: bytes, oid: str) -> bytes:
    return mode + b" " + name + b"\0" + bytes.fromhex(oid)


def _branch(made: Plumbing, name: str, oid: str) -> None:
    (made.path / "refs/heads" / name).write_text(f"{oid}\n")


def _tag(made: Plumbing, name: str, oid: str) -> None:
    (made.path / "refs/tags").mkdir(exist_ok=True)
    (made.path / "refs/tags" / name).write_text(f"{oid}\n")


def _annotation(made: Plumbing, oid: str, kind: str, tagger: str) -> str:
    return made.raw("tag", f"object {oid}\ntype {kind}\ntag name\n{tagger}\nAn annotation\n".encode())


def _damage(made: Plumbing, oid: str, how: str, other: str) -> None:
    file = made.path / "objects" / oid[:2] / oid[2:]
    whole = file.read_bytes()
    another = (made.path / "objects" / other[:2] / other[2:]).read_bytes()
    file.write_bytes(
        {"cut": whole[: len(whole) // 2], "empty": b"", "garbage": b"\x00garbage", "another": another}[how]
    )
