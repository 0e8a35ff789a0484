"""Objects of a repository as git stores them: kind and bytes, read in process, each failure told as a sentence."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final, Literal

from dulwich.errors import ChecksumMismatch, ObjectFormatException
from dulwich.objects import ObjectID

from codeservices.errors import NotFound
from repos.git import object_sizes, program, refs
from repos.git.store import BareRepository

Kind = Literal["commit", "tree", "blob", "tag"]

KINDS: Final[dict[int, Kind]] = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
EMPTY_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
# A tag of a tag of a tag … is legal; nobody means more than this.
MAX_TAG_DEPTH: Final = 20


def read(repository: BareRepository, oid: str) -> tuple[Kind, bytes]:
    """An object's kind and its bytes without the header.

    Raises:
        NotFound: There is no such object here, or it can't be read.
    """
    if not refs.OID.fullmatch(oid):
        raise NotFound(f"“{oid}” is no object id. An id has 40 hexadecimal digits.", code="InvalidObjectIdException")
    try:
        loose = _read_loose(repository, oid)
        if loose is not None:
            return loose
        number, data = repository.dulwich.object_store.get_raw(ObjectID(oid.encode("ascii")))
    except KeyError:
        if oid == EMPTY_TREE:  # git knows this one whether it is stored or not
            return "tree", b""
        raise NotFound(f"No object {oid} is in this repository.", code="ObjectDoesNotExistException") from None
    except (ChecksumMismatch, ObjectFormatException, OSError, ValueError, AssertionError, zlib.error):
        return _read_by_git(repository, oid)
    return KINDS[number], data


def _read_loose(repository: BareRepository, oid: str) -> tuple[Kind, bytes] | None:
    """An object that has a file of its own; dulwich would parse it as well, and refuse what is merely odd."""
    try:
        # A page asks a hundred times, and a Path takes three times as long.
        with open(f"{repository.path}/objects/{oid[:2]}/{oid[2:]}", "rb") as file:  # noqa: PTH123
            stored = file.read()
    except FileNotFoundError:
        return None
    head, _, data = zlib.decompress(stored).partition(b"\0")
    word, _, size = head.decode("ascii").partition(" ")
    kind = next((known for known in KINDS.values() if known == word), None)
    if kind is None or int(size) != len(data):
        raise ValueError(f"the loose object {oid} is not what its header says")
    return kind, data


def _read_by_git(repository: BareRepository, oid: str) -> tuple[Kind, bytes]:
    try:
        answer = program.run(repository, ["cat-file", "--batch"], input=f"{oid}\n".encode("ascii"))
    except (program.GitTimeout, program.GitOutputTooLarge):
        raise
    except program.GitError:
        answer = b""
    head, _, rest = answer.partition(b"\n")
    for kind in KINDS.values():
        if head.startswith(f"{oid} {kind} ".encode("ascii")):
            return kind, rest[:-1]
    raise NotFound(
        f"The object {oid} can't be read: it is damaged.",
        code="ObjectDamagedException",
        hint="“git fsck” in the repository tells more; pushing the history again from a good clone repairs it.",
    )


def tag_target(data: bytes) -> tuple[Kind | None, str]:
    """The kind and oid that a tag object's bytes name; None and "" where the header is damaged."""
    kind: Kind | None = None
    oid = ""
    for line in data.split(b"\n\n", 1)[0].split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"object" and not oid:
            oid = value.decode("ascii", "replace").strip()
        elif key == b"type" and kind is None:
            kind = next((known for known in KINDS.values() if known.encode() == value.strip()), None)
    return kind, oid


def peel(repository: BareRepository, oid: str) -> tuple[Kind, str, bytes]:
    """Follow tags to what they are of: a commit, a tree or a blob, as (kind, oid, bytes; none of a tagged blob).

    Raises:
        NotFound: An object on the way is missing, or tags are nested beyond reason.
    """
    for _ in range(MAX_TAG_DEPTH):
        kind, data = read(repository, oid)
        if kind != "tag":
            return kind, oid, data
        target, oid = tag_target(data)
        if target == "blob":  # which may be huge, and nobody needs its bytes to know what it is
            return target, oid, b""
    raise NotFound("This tag is nested too deeply in other tags to be followed.", code="ObjectDoesNotExistException")


def tree_oid(repository: BareRepository, oid: str) -> str:
    """The tree of a commit, a tree itself, or either behind a tag.

    Raises:
        NotFound: The object is a blob, which has no folders; or something is missing.
    """
    kind, peeled, data = peel(repository, oid)
    if kind == "tree":
        return peeled
    if kind == "commit":
        return data[5:45].decode("ascii", "replace")
    raise NotFound(
        f"The object {peeled} is a single file without a name, so it has no folders to show.",
        code="TreeDoesNotExistException",
    )


def sizes(repository: BareRepository, oids: Iterable[str]) -> dict[str, int]:
    """The sizes in bytes of many objects without reading them; those missing are left out.

    They are looked up in process; only what is not found there, or is odd, is asked of git.
    """
    wanted = dict.fromkeys(oids)
    found = object_sizes.stored(repository, wanted)
    rest = "".join(f"{oid}\n" for oid in wanted if oid not in found)
    if not rest:
        return found
    answer = program.run(
        repository, ["cat-file", "--batch-check=%(objectname) %(objectsize)", "--buffer"], input=rest.encode("ascii")
    )
    rows = (line.split(" ") for line in answer.decode("ascii").splitlines())
    return found | {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
