"""Bare repositories of any shape, made object by object by the git program: also those that no work tree could make."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from repos.git.store import BareRepository

Content = bytes | str | tuple[str, str]  # a file; or (mode, oid) of anything
START = 1_600_000_000


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
        return self.git("hash-object", "-w", "--literally", "-t", kind, "--stdin", given=data).decode().strip()

    def blob(self, data: bytes | str) -> str:
        """Store a file's content."""
        return self.raw("blob", data.encode() if isinstance(data, str) else data)

    def tree(self, files: Mapping[str | bytes, Content]) -> str:
        """Store a tree, with folders where the paths have slashes. A file is 100644 unless given as (mode, oid)."""
        folders: dict[bytes, dict[str | bytes, Content]] = {}
        rows: list[bytes] = []
        for path, content in files.items():
            name = path.encode("utf-8", "surrogateescape") if isinstance(path, str) else path
            first, slash, rest = name.partition(b"/")
            if slash:
                folders.setdefault(first, {})[rest] = content
                continue
            mode, oid = content if isinstance(content, tuple) else ("100644", self.blob(content))
            kind = {"16": "commit", "04": "tree"}.get(mode[:2], "blob")
            rows.append(f"{mode} {kind} {oid}\t".encode() + name)
        rows += [f"040000 tree {self.tree(inner)}\t".encode() + name for name, inner in folders.items()]
        return self.git("mktree", "-z", "--missing", given=b"".join(row + b"\0" for row in rows)).decode().strip()

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
        self.git("update-ref", f"refs/heads/{branch}", oid)
        return oid
