"""The real git as a person runs it: a clone with a work tree, and what git printed."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.gitrepo import ENVIRONMENT


@dataclass(frozen=True)
class Answer:
    """What a git command did: exit code and everything it printed."""

    code: int
    out: str
    err: str

    @property
    def remote(self) -> list[str]:
        """The lines that the server said to the person."""
        return [line.removeprefix("remote:").strip() for line in self.err.splitlines() if line.startswith("remote:")]


class Clone:
    """A folder with a work tree."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def try_git(self, *args: str, input: bytes = b"", **variables: str) -> Answer:
        """Run git here, whatever comes of it."""
        return run(*args, folder=self.folder, input=input, **variables)

    def git(self, *args: str, input: bytes = b"", **variables: str) -> str:
        """Run git here; what it printed to stdout, stripped. It must work."""
        answer = self.try_git(*args, input=input, **variables)
        assert answer.code == 0, f"git {args} ended with {answer.code}: {answer.err}"
        return answer.out.strip()

    def commit(self, files: Mapping[str, str | bytes], message: str = "Change files") -> str:
        """Write files and commit them; the commit's oid."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


def run(*args: str, folder: Path, input: bytes = b"", **variables: str) -> Answer:
    """Run git in a folder, with no configuration but its own."""
    done = subprocess.run(
        ["git", *args], cwd=folder, env={**ENVIRONMENT, **variables}, input=input, capture_output=True
    )
    return Answer(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def new(folder: Path, url: str) -> Clone:
    """An empty repository on branch main with `url` as its origin."""
    folder.mkdir(parents=True)
    clone = Clone(folder)
    clone.git("init", "--quiet", "--initial-branch=main")
    clone.git("remote", "add", "origin", url)
    return clone


def clone(folder: Path, url: str, *options: str) -> Clone:
    """Clone `url` into a folder."""
    answer = run("clone", "--quiet", *options, url, str(folder), folder=folder.parent)
    assert answer.code == 0, answer.err
    return Clone(folder)
