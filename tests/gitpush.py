"""Requests and packs made by hand, of any shape, and what a repository of a running server holds after them."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path

from repos.git import wire
from tests import gitrepo
from tests.gitclient import Clone
from tests.gitserver import GitServer

ZERO = "0" * 40
KINDS = {"commit": 1, "tree": 2, "blob": 3, "tag": 4, "ofs-delta": 6, "ref-delta": 7}
PERSON = "Ada <ada@example.com> 1500000000 +0000"


def remote_refs(server: GitServer, name: str) -> dict[str, str]:
    """Every ref of a repository on the server."""
    lines = gitrepo.git(server.path(name), "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)


def objects(server: GitServer, name: str) -> set[str]:
    """The files that hold objects, or what a push left of some."""
    folder = server.path(name) / "objects"
    # A folder may go while it is walked: a push's quarantine does.
    return {str(Path(parent, one).relative_to(folder)) for parent, _, names in os.walk(folder) for one in names}


def leftovers(server: GitServer, name: str) -> list[str]:
    """What a push that ended must not leave: git processes, quarantines, half-written packs, locks."""
    kept = [path.name for path in server.path(name).rglob("*") if path.name.startswith("tmp_")]
    locks = [*server.path(name).rglob("*.lock"), *(server.var / "run/pushes").glob("*.lock")]
    return server.children() + kept + [path.name for path in locks]


def moved(refname: str, old_oid: str, new_oid: str) -> dict[str, str]:
    """One command of a push as its row has it."""
    return {"refname": refname, "old_oid": old_oid, "new_oid": new_oid}


def push_body(commands: Sequence[str], pack: bytes, *, capabilities: str = "report-status side-band-64k") -> bytes:
    """The body of a push: "OLD NEW REFNAME" for each command, and a pack."""
    first, *others = commands
    lines = [wire.pkt(f"{first}\0{capabilities} agent=test".encode()), *(wire.pkt(one.encode()) for one in others)]
    return b"".join(lines) + wire.FLUSH + pack


def send_push(server: GitServer, name: str, body: bytes, **headers: str) -> bytes:
    """Send a push's body as alice; the answer's body."""
    status, answer, _ = server.request(
        f"/v1/repos/{name}/git-receive-pack",
        body,
        headers={"Content-Type": "application/x-git-receive-pack-request", **headers},
    )
    assert status == 200, answer
    return answer


def post_head(server: GitServer, name: str, service: str, length: int | None) -> bytes:
    """The head of a POST that alice sends by hand; one without a length is chunked."""
    account = base64.b64encode(":".join(server.people["alice"]).encode()).decode()
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        f"POST /v1/repos/{name}/git-{service} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {account}\r\n"
        f"Content-Type: application/x-git-{service}-request\r\n{framing}\r\n"
    ).encode()


def pack_of(work: Clone, *oids: str) -> bytes:
    """A pack with just these objects, as git makes it."""
    return subprocess.run(
        ["git", "pack-objects", "--stdout", "--quiet"],
        input="".join(f"{oid}\n" for oid in oids).encode(),
        cwd=work.folder,
        env=gitrepo.ENVIRONMENT,
        capture_output=True,
        check=True,
    ).stdout


def objects_of(work: Clone, oid: str) -> list[str]:
    """Every object that a commit reaches."""
    return work.git("rev-list", "--objects", "--no-object-names", oid).split()


def oid_of(kind: str, body: bytes) -> str:
    """The name that git gives to an object."""
    return hashlib.sha1(b"%s %d\0%s" % (kind.encode(), len(body), body)).hexdigest()


def entry(kind: str, body: bytes, base: bytes = b"", size: int | None = None) -> bytes:
    """An object as a pack has it, right or wrong.

    Args:
        kind: Of KINDS.
        body: What is compressed.
        base: What a delta is based on: an encoded offset, or the 20 bytes of an oid.
        size: What the entry says of the body's size, where that is to be a lie.
    """
    left = len(body) if size is None else size
    head = bytearray([(KINDS[kind] << 4) | (left & 15) | (0x80 if left > 15 else 0)])
    left >>= 4
    while left:
        head.append((left & 127) | (0x80 if left > 127 else 0))
        left >>= 7
    return bytes(head) + base + zlib.compress(body)


def pack(*entries: bytes, count: int | None = None) -> bytes:
    """A pack of entries, with a true checksum; `count` is what its head says."""
    body = b"PACK" + (2).to_bytes(4, "big") + (len(entries) if count is None else count).to_bytes(4, "big")
    body += b"".join(entries)
    return body + hashlib.sha1(body).digest()


def commit_body(tree: str, *, parent: str = "", message: str = "Odd", author: str = PERSON) -> bytes:
    """A commit object's contents."""
    parents = f"parent {parent}\n" if parent else ""
    return f"tree {tree}\n{parents}author {author}\ncommitter {PERSON}\n\n{message}\n".encode()


def tree_body(*rows: tuple[str, bytes, str]) -> bytes:
    """A tree object's contents: mode, name and oid of each entry, in the order given."""
    return b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in rows)
