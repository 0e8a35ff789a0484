"""A disk that fills up during a push: it is refused in words, nothing of it is left, and the next one goes through."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import gitclient, gitrepo, gitserver
from tests.gitserver import GitServer

pytestmark = pytest.mark.faults

DISK_BYTES = 24_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    """A server whose repositories lie on a file system of DISK_BYTES, which only root can make."""
    with gitserver.running(tmp_path) as found:
        place = found.var / "git"
        made = shutil.copytree(place, tmp_path / "made", symlinks=True)  # those that the installation came with
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", place], check=True)
        try:
            shutil.copytree(made, place, symlinks=True, dirs_exist_ok=True)
            yield found
        finally:
            subprocess.run(["umount", "--lazy", place], check=True)


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".flock"}


def test_a_push_that_fills_the_disk_is_refused_and_leaves_nothing(server: GitServer, tmp_path: Path):
    name = server.create()
    clone = gitclient.new(tmp_path / "clone", server.url(name, "alice"))
    clone.commit({"a": "1"})
    clone.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    before = files(server.path(name))
    clone.commit({"large": os.urandom(2 * DISK_BYTES)})

    answer = clone.try_git("push", "origin", "HEAD:refs/heads/main", "HEAD:refs/heads/other")

    assert answer.code != 0
    assert "remote: fatal: write error: No space left on device" in answer.err
    assert "[remote rejected] HEAD -> main (unpacker error)" in answer.err
    assert files(server.path(name)) == before
    assert [state for state, _ in server.pushes(name)] == ["RECORDED", "DROPPED"]
    gitrepo.git(server.path(name), "fsck", "--strict")
    clone.git("reset", "--hard", "--quiet", "HEAD~1")
    clone.commit({"b": "2"})
    clone.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
