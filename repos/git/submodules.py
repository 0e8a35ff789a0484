"""Which submodules a commit has, and where their repositories are by the file .gitmodules. Source: gitmodules(5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from codeservices.errors import NotFound
from repos.git import objects, program, refs, tree
from repos.git.store import BareRepository

# A thousand submodules are some 100 KB; nobody has more.
MAX_BYTES: Final = 1024 * 1024
FILE: Final = ".gitmodules"


@dataclass(frozen=True)
class Declared:
    """What .gitmodules says of one submodule, as it stands there.

    Attributes:
        name: Of its section; often, but not always, its path.
        url: The address, which may be relative to that of the repository it stands in; "" where none is given.
    """

    name: str
    url: str


def url(repository: BareRepository, oid: str, path: str) -> str:
    """The address that .gitmodules gives for the submodule at a path, as it stands there, or "" where it gives none.

    Args:
        oid: A commit.
    """
    found = declared(repository, oid).get(path)
    return found.url if found else ""


def declared(repository: BareRepository, oid: str) -> dict[str, Declared]:
    """Path to what .gitmodules of a commit says of the submodule there; {} where it is missing or damaged."""
    try:
        entry = tree.entry(repository, oid, FILE)
    except NotFound:
        return {}
    if entry.kind != "blob" or (objects.sizes(repository, [entry.oid]).get(entry.oid) or 0) > MAX_BYTES:
        return {}
    try:
        # Git's own parser, which follows no includes from a blob.
        args = ["config", "--no-includes", "--blob", entry.oid, "--null", "--list"]
        answer = program.run(repository, args, max_output_bytes=4 * MAX_BYTES)
    except (program.GitError, program.GitOutputTooLarge):  # the file is damaged
        return {}
    sections: dict[bytes, dict[bytes, bytes]] = {}
    for line in answer.split(b"\0"):
        key, _, value = line.partition(b"\n")
        section, _, variable = key.rpartition(b".")
        if section.startswith(b"submodule."):
            sections.setdefault(section, {})[variable] = value
    found: dict[str, Declared] = {}
    for section, values in sections.items():
        path = refs.decode(values.get(b"path", b"").rstrip(b"/"))
        name = refs.decode(section.removeprefix(b"submodule."))
        found.setdefault(path, Declared(name, refs.decode(values.get(b"url", b""))))
    return found


def gitlinks(repository: BareRepository, oid: str) -> dict[str, str]:
    """Path to commit of every submodule that a commit's tree has, in the order of paths."""
    found: dict[str, str] = {}
    args = ["ls-tree", "-r", "-z", "--full-tree", "--end-of-options", oid]
    for line in program.lines(repository, args, separator=b"\0"):
        head, _, path = line.partition(b"\t")
        mode, _, rest = head.partition(b" ")
        if mode == b"160000":
            found[refs.decode(path)] = rest.rpartition(b" ")[2].decode("ascii")
    return found
