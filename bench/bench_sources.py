"""A build's source as it goes into its container: files and `.git` of git/git, with a depth of 1 and with all history.

Reference: the same clone made by git itself over `file://`, which has a server's end and a client's. Ours is a tar that
`tar` unpacks here, as the engine does; reading it alone is told as well.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import history, timing
from builds.sources.workspace import Workspace
from repos.git import refs
from repos.git.store import BareRepository

ROUNDS = 3
MAX_BYTES = 8 * 1024**3
DIRECTORY = "/src"


def ours(repository: BareRepository, oid: str, refname: str, depth: int, scratch: Path) -> Iterator[bytes]:
    """What the container is given."""
    with Workspace(
        repository,
        oid,
        depth=depth,
        refname=refname,
        remote_url="https://localhost/v1/repos/git",
        directory=DIRECTORY,
        scratch=scratch,
        max_bytes=MAX_BYTES,
    ) as workspace:
        yield from workspace.files()
        yield from workspace.git_folder()


def read(tar: Iterator[bytes]) -> None:
    for _ in tar:
        pass


def unpack(tar: Iterator[bytes], parent: Path) -> None:
    """The two archives, one behind the other, as files; they go again at once."""
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        argv = ["tar", "--ignore-zeros", "-xf", "-", "-C", folder]
        with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            for piece in tar:
                process.stdin.write(piece)
            process.stdin.close()
            if process.wait():
                raise AssertionError("tar did not understand what the container is given")


def clone(path: Path, depth: int, parent: Path) -> None:
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        limit = [f"--depth={depth}"] if depth else []
        subprocess.run(["git", "clone", "-q", *limit, f"file://{path}", f"{folder}/src"], check=True)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="codeservices-bench-") as name:
        parent = Path(name)
        path = parent / "git.git"
        subprocess.run(["git", "init", "-q", "--bare", str(path)], check=True)
        print(f"({history.large(path)})", flush=True)
        repository = BareRepository(path)
        refname = refs.head(repository)
        oid = refs.tip(repository, refname)
        assert oid is not None
        for depth, what in ((1, "depth 1"), (0, "all history")):

            def tar(depth: int = depth) -> Iterator[bytes]:
                return ours(repository, oid, refname, depth, parent / "scratch")

            compare(f"{what}, unpacked", lambda: unpack(tar(), parent), lambda: clone(path, depth, parent))  # noqa: B023
            compare(f"{what}, read alone", lambda: read(tar()), lambda: clone(path, depth, parent))  # noqa: B023


def compare(what: str, ours: Callable[[], None], reference: Callable[[], None]) -> None:
    told = timing.figures_by_turns(lambda: timing.seconds(ours), lambda: timing.seconds(reference), ROUNDS)
    timing.row_of(what, told, "git clone")


if __name__ == "__main__":
    main()
