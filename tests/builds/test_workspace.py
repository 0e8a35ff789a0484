"""A commit as a clone in a container, without a work tree on the server."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from builds.sources.workspace import CommitTooLarge, Workspace
from repos.git.store import BareRepository
from tests import gitrepo

DIRECTORY = "/codebuild/output/src/demo"


@pytest.fixture
def repository(tmp_path: Path) -> BareRepository:
    return gitrepo.create(tmp_path / "git")


def unpacked(repository: BareRepository, oid: str, tmp_path: Path, **options) -> Path:
    root = tmp_path / "root"
    scratch = tmp_path / "scratch"
    limits = {"max_bytes": 10**8, **options}
    with Workspace(repository, oid, directory=DIRECTORY, scratch=scratch, **limits) as workspace:
        for pieces in (workspace.files(), workspace.git_folder()):
            with tarfile.open(fileobj=io.BytesIO(b"".join(pieces)), mode="r:") as archive:
                archive.extractall(root)
    assert list(scratch.iterdir()) == []
    return root / DIRECTORY.lstrip("/")


def git(folder: Path, *args: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", "-c", f"safe.directory={folder}", *args], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_files_modes_and_links_are_as_committed_and_git_finds_nothing_changed(repository, tmp_path):
    oid = gitrepo.commit(
        repository,
        {
            "README": "text\n",
            "bin/run": ("100755", "#!/bin/sh\n"),
            "link": ("120000", "README"),
            "sub": ("160000", "1" * 40),
            "ä/€ \n.bin": b"\x00\xff" * 1000,
            ".gitattributes": "README export-ignore export-subst\nwin.txt text eol=crlf\n",
            "win.txt": "one\ntwo\n",
            "id.txt": "$Format:%H$\n",
        },
    )
    folder = unpacked(repository, oid, tmp_path)
    assert (folder / "README").read_text() == "text\n"
    assert (folder / "bin/run").stat().st_mode & 0o777 == 0o755
    assert (folder / "README").stat().st_mode & 0o777 == 0o644
    assert (folder / "link").is_symlink() and (folder / "link").readlink() == Path("README")
    assert (folder / "sub").is_dir() and list((folder / "sub").iterdir()) == []
    assert (folder / "ä/€ \n.bin").read_bytes() == b"\x00\xff" * 1000
    assert (folder / "win.txt").read_bytes() == b"one\r\ntwo\r\n"
    assert (folder / "id.txt").read_text() == "$Format:%H$\n"
    assert git(folder, "status", "--porcelain") == ""
    assert git(folder, "rev-parse", "HEAD") == oid
    assert git(folder, "fsck", "--strict") == ""


def test_the_whole_history_has_all_branches_and_tags_but_nothing_unreachable(repository, tmp_path):
    first = gitrepo.commit(repository, {"a": "1"}, "first")
    lost = gitrepo.commit(repository, {"a": "secret"}, "lost")
    gitrepo.git(repository, "update-ref", "refs/heads/main", first)
    second = gitrepo.commit(repository, {"a": "2"}, "second")
    side = gitrepo.commit(repository, {"b": "1"}, "side", branch="feature/x")
    gitrepo.git(repository, "tag", "-a", "-m", "release", "v1", first)
    gitrepo.git(repository, "update-ref", "refs/internal/hidden", lost)
    folder = unpacked(repository, second, tmp_path, remote_url="https://localhost/v1/repos/demo")
    assert git(folder, "log", "--format=%s") == "second\nfirst"
    assert git(folder, "rev-parse", "origin/feature/x") == side
    assert git(folder, "describe", "--tags") == f"v1-1-g{second[:7]}"
    assert git(folder, "remote", "get-url", "origin") == "https://localhost/v1/repos/demo"
    assert git(folder, "for-each-ref", "refs/internal") == ""
    assert lost not in git(folder, "cat-file", "--batch-all-objects", "--batch-check")
    assert git(folder, "count-objects", "-v").count("in-pack: 0") == 0


@pytest.mark.parametrize(
    ("depth", "subjects"), [(1, ["3"]), (2, ["3", "2"]), (9, ["3", "2", "1"]), (2**31 - 1, ["3", "2", "1"])]
)
def test_a_depth_cuts_the_history(repository, tmp_path, depth: int, subjects: list[str]):
    for number in (1, 2, 3):
        oid = gitrepo.commit(repository, {"a": str(number)}, str(number))
    gitrepo.commit(repository, {"b": "1"}, "side", branch="side")
    folder = unpacked(repository, oid, tmp_path, depth=depth, refname="refs/heads/main")
    assert git(folder, "log", "--format=%s").splitlines() == subjects
    assert git(folder, "for-each-ref", "--format=%(refname)") == "refs/remotes/origin/main"
    assert git(folder, "status", "--porcelain") == ""
    assert git(folder, "rev-parse", "--is-shallow-repository") == ("true" if depth < 3 else "false")


def test_a_commit_that_its_branch_has_left_behind_brings_no_newer_commits(repository, tmp_path):
    old = gitrepo.commit(repository, {"a": "1"}, "old")
    new = gitrepo.commit(repository, {"a": "2"}, "new")
    folder = unpacked(repository, old, tmp_path, depth=1, refname="refs/heads/main")
    assert git(folder, "log", "--all", "--format=%s") == "old"
    assert new not in git(folder, "cat-file", "--batch-all-objects", "--batch-check")


@pytest.mark.parametrize("depth", [2, 5])
def test_a_repository_that_is_cut_itself_gives_what_it_has(repository, tmp_path, depth: int):
    oids = [gitrepo.commit(repository, {"a": str(number)}, str(number)) for number in range(4)]
    cut = BareRepository(tmp_path / "cut.git")
    gitrepo.git(tmp_path, "clone", "--quiet", "--bare", "--depth=3", f"file://{repository.path}", str(cut.path))
    folder = unpacked(cut, oids[-1], tmp_path, depth=depth)
    assert git(folder, "log", "--format=%s").split() == ["3", "2", "1"][:depth]
    cut.close()


def test_a_tree_without_end_is_refused_before_anything_is_written(repository, tmp_path):
    content = gitrepo.git(repository, "hash-object", "-w", "--stdin", input="x")
    tree = gitrepo.git(repository, "mktree", input="".join(f"100644 blob {content}\t{one}\n" for one in range(20)))
    for _ in range(8):
        tree = gitrepo.git(repository, "mktree", input="".join(f"040000 tree {tree}\t{one}\n" for one in range(20)))
    bomb = gitrepo.git(repository, "commit-tree", "-m", "bomb", tree)
    with pytest.raises(CommitTooLarge, match="more than the 1,000,000 files"):
        unpacked(repository, bomb, tmp_path)


def test_files_that_are_too_large_together_are_not_written_whole(repository, tmp_path):
    oid = gitrepo.commit(repository, {str(number): "x" * 500_000 for number in range(4)})
    with pytest.raises(CommitTooLarge, match="come to more than 1,000,000 bytes"):
        unpacked(repository, oid, tmp_path, max_bytes=1_000_000)


def test_odd_tags_and_an_empty_tree_are_no_obstacle(repository, tmp_path):
    oid = gitrepo.commit(repository, {"a": None}, "empty")
    blob = gitrepo.git(repository, "hash-object", "-w", "--stdin", input=b"a tagged blob")
    gitrepo.git(repository, "update-ref", "refs/tags/blob", blob)
    folder = unpacked(repository, oid, tmp_path)
    assert git(folder, "cat-file", "blob", "blob") == "a tagged blob"
    assert git(folder, "status", "--porcelain") == ""
