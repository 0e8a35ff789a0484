"""Bare repositories of any shape, also those that no work tree could make, written object by object.

The files are written here, since a history of a hundred commits would cost a start of git for each object and ref.
Source: gitrepository-layout(5); the git book, "Git Internals - Git Objects".
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from repos.git.store import BareRepository

Content = bytes | str | tuple[str, str]  # a file; or (mode, oid) of anything
START = 1_600_000_000
FOLDER = "40000"  # the mode of a tree in a tree


class Plumbing:
    """One bare repository; each commit is a minute younger than the one before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = START
        if not path.exists():
            subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)], check=True)
        self.repository = BareRepository(path)

    def git(self, *args: str | bytes, given: bytes = b"", **environment: str) -> bytes:
        """Run git here and return what it wrote."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        ran = subprocess.run(
            ["git", "-C", str(self.path), *args],
            input=given,
            capture_output=True,
            check=False,
            env={**clean, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", **environment},
        )
        assert ran.returncode == 0, ran.stderr.decode("utf-8", "replace")
        return ran.stdout

    def raw(self, kind: str, data: bytes) -> str:
        """Store an object exactly as given, right or wrong."""
        whole = b"%s %d\0%s" % (kind.encode(), len(data), data)
        oid = hashlib.sha1(whole).hexdigest()
        file = self.path / "objects" / oid[:2] / oid[2:]
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(zlib.compress(whole, 1))
        return oid

    def blob(self, data: bytes | str) -> str:
        """Store a file's content."""
        return self.raw("blob", data.encode() if isinstance(data, str) else data)

    def tree(self, files: Mapping[str | bytes, Content]) -> str:
        """Store a tree, with folders where the paths have slashes. A file is 100644 unless given as (mode, oid)."""
        folders: dict[bytes, dict[str | bytes, Content]] = {}
        rows: list[tuple[bytes, str, str]] = []
        for path, content in files.items():
            name = path.encode("utf-8", "surrogateescape") if isinstance(path, str) else path
            first, slash, rest = name.partition(b"/")
            if slash:
                folders.setdefault(first, {})[rest] = content
                continue
            mode, oid = content if isinstance(content, tuple) else ("100644", self.blob(content))
            rows.append((name, mode.lstrip("0"), oid))
        rows += [(name, FOLDER, self.tree(inner)) for name, inner in folders.items()]
        rows.sort(key=lambda row: row[0] + b"/" if row[1] == FOLDER else row[0])
        return self.raw("tree", b"".join(b"%s %s\0%s" % (m.encode(), n, bytes.fromhex(oid)) for n, m, oid in rows))

    def commit(
        self,
        files: Mapping[str | bytes, Content] | str,
        message: str = "A change",
        parents: Sequence[str] = (),
        *,
        branch: str = "main",
        author: str = "Ada Lovelace <ada@example.org>",
    ) -> str:
        """Store a commit of a whole tree (or a tree's oid) and move a branch to it."""
        self.clock += 60
        tree = files if isinstance(files, str) else self.tree(files)
        head = "".join([f"tree {tree}\n", *(f"parent {oid}\n" for oid in parents)])
        people = f"author {author} {self.clock} +0200\ncommitter {author} {self.clock} +0200\n"
        oid = self.raw("commit", f"{head}{people}\n{message}\n".encode())
        ref = self.path / "refs" / "heads" / branch
        ref.parent.mkdir(parents=True, exist_ok=True)
        lock = ref.with_name(f"{ref.name}.lock")  # as git does, by which readers see that the folder changed
        lock.write_text(f"{oid}\n")
        lock.replace(ref)
        return oid
