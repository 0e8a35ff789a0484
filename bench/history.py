"""Repositories to measure with: a real one that is given, or one made here."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

# As many as git's own repository had when the goals were set.
COMMITS = 82_000
FILES = 2000
KINDS = ("heads", "tags")
LINES = 40


def large(target: Path) -> str:
    """Fill an empty bare repository from BENCH_REPOSITORY, or with COMMITS commits; what it was filled with.

    Its upkeep is done: one pack with bitmaps, and a commit-graph. A given repository that has them is taken as it is,
    its packs linked; of any other the branches and tags are fetched.
    """
    source = os.environ.get("BENCH_REPOSITORY", "")
    if source:
        place = Path(source).absolute()
        [*_, name] = [part for part in place.parts if part not in ("repo", ".git")]
        if any(place.glob("objects/pack/*.bitmap")) and (place / "objects/info/commit-graph").exists():
            shutil.copytree(place / "objects", target / "objects", copy_function=os.link, dirs_exist_ok=True)
            for file in ("packed-refs", "HEAD"):
                shutil.copy2(place / file, target)
            return _described(target, name)
        every = [f"refs/{kind}/*:refs/{kind}/*" for kind in KINDS]
        subprocess.run(["git", "fetch", "--quiet", str(place), *every], cwd=target, check=True)
        named = subprocess.run(["git", "symbolic-ref", "HEAD"], cwd=place, check=True, capture_output=True, text=True)
        subprocess.run(["git", "symbolic-ref", "HEAD", named.stdout.strip()], cwd=target, check=True)
    else:
        fast_import(target, COMMITS)
        name = "generated"
    subprocess.run(["git", "repack", "-adq", "--write-bitmap-index"], cwd=target, check=True)
    subprocess.run(["git", "commit-graph", "write", "--reachable", "--changed-paths"], cwd=target, check=True)
    subprocess.run(["git", "pack-refs", "--all"], cwd=target, check=True)
    return _described(target, name)


def _described(repository: Path, name: str) -> str:
    command = ["git", "rev-list", "--all", "--count"]
    count = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True)
    return f"{name}, {int(count.stdout):,} commits"


def fast_import(target: Path, commits: int) -> None:
    """Commits that each rewrite one of FILES files, a line of it at a time."""
    with subprocess.Popen(["git", "fast-import", "--quiet"], cwd=target, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        for part in _commits(commits):
            child.stdin.write(part)
        child.stdin.close()
        if child.wait():
            raise RuntimeError("git fast-import failed")


def _commits(count: int) -> Iterator[bytes]:
    chance = random.Random(1)
    files = [[f"{number} {line} {chance.random()}" for line in range(LINES)] for number in range(FILES)]
    for number in range(count):
        index = number if number < FILES else chance.randrange(FILES)
        files[index][chance.randrange(LINES)] = f"changed by {number}: {chance.random()}"
        content = "\n".join(files[index]) + "\n"
        yield (
            f"commit refs/heads/main\ncommitter Bench <bench@example.org> {1_500_000_000 + number * 60} +0000\n"
            f"data <<END\nChange {number}\nEND\n"
            f"M 100644 inline src/{index % 50}/module_{index}.py\ndata <<END\n{content}END\n\n"
        ).encode()


def blobs(target: Path, *, size_bytes: int) -> None:
    """One commit of random bytes, which nothing compresses, in files of ten million."""
    chance = random.Random(size_bytes)
    part = 10_000_000
    with subprocess.Popen(["git", "fast-import", "--quiet"], cwd=target, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        child.stdin.write(
            b"commit refs/heads/main\ncommitter Bench <bench@example.org> 1500000000 +0000\ndata 4\nBlob\n"
        )
        for number in range(size_bytes // part):
            child.stdin.write(b"M 100644 inline part%d\ndata %d\n" % (number, part) + chance.randbytes(part) + b"\n")
        child.stdin.close()
        if child.wait():
            raise RuntimeError("git fast-import failed")
