"""Where a submodule's repository is, by the file .gitmodules. Source: gitmodules(5)."""

from __future__ import annotations

from typing import Final

from codeservices.errors import NotFound
from repos.git import objects, program, refs, tree
from repos.git.store import BareRepository

# A thousand submodules are some 100 KB; nobody has more.
MAX_BYTES: Final = 1024 * 1024
FILE: Final = ".gitmodules"


def url(repository: BareRepository, oid: str, path: str) -> str:
    """The address that .gitmodules gives for the submodule at a path, as it stands there, or "" where it gives none.

    Args:
        oid: A commit.
    """
    try:
        entry = tree.entry(repository, oid, FILE)
    except NotFound:
        return ""
    if entry.kind != "blob" or (objects.sizes(repository, [entry.oid]).get(entry.oid) or 0) > MAX_BYTES:
        return ""
    try:
        # Git's own parser, which follows no includes from a blob.
        args = ["config", "--no-includes", "--blob", entry.oid, "--null", "--list"]
        answer = program.run(repository, args, max_output_bytes=4 * MAX_BYTES)
    except (program.GitError, program.GitOutputTooLarge):  # the file is damaged
        return ""
    settings: dict[bytes, dict[bytes, bytes]] = {}
    for line in answer.split(b"\0"):
        key, _, value = line.partition(b"\n")
        section, _, name = key.rpartition(b".")
        settings.setdefault(section, {})[name] = value
    wanted = refs.encode(path)
    found = (one for one in settings.values() if one.get(b"path", b"").rstrip(b"/") == wanted)
    return refs.decode(next((one.get(b"url", b"") for one in found), b""))
