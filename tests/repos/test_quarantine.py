"""What the pre-receive hook finds; that git runs it and tells the person is tested with git in tests/compat."""

from __future__ import annotations

import os

import pytest

from repos.git import quarantine
from tests import gitrepo

ZERO = "0" * 40


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository as the hook sees it, all of its own objects counting as new."""
    repository = gitrepo.create(tmp_path)
    gitrepo.commit(repository, {"README": "hello"})
    monkeypatch.chdir(repository.path)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    return repository


def told(capfd, *rows: tuple[str, str, str]) -> list[str]:
    """What the person reads of a push with these commands; nothing where it is taken."""
    code = quarantine.main("".join(f"{' '.join(row)}\n" for row in rows).encode())
    said = capfd.readouterr().err.splitlines()
    assert code == (1 if said else 0)
    return said


def test_what_is_in_order_is_taken_in_silence(repository, capfd):
    oid = gitrepo.commit(repository, {"a/b": "1"})
    blob = gitrepo.blob(repository, "x")
    tagged = gitrepo.tag(repository, "v1", oid, "One")
    rows = [
        (ZERO, oid, "refs/heads/x"),
        (oid, ZERO, "refs/heads/y"),
        (ZERO, tagged, "refs/tags/v1"),
        (ZERO, blob, "refs/tags/a-blob"),
        (oid, oid, "refs/heads/caf\u2028\xe9"),
    ]
    assert told(capfd, *rows) == []
    assert told(capfd) == []


def test_a_file_that_is_too_large_is_named_with_its_path(repository, capfd, monkeypatch):
    monkeypatch.setattr(quarantine, "MAX_BLOB_BYTES", 1000)
    kept = gitrepo.commit(repository, {"fits": "x" * 1000})
    assert told(capfd, (ZERO, kept, "refs/heads/x")) == []
    gitrepo.update_ref(repository, "refs/heads/kept", kept)
    gitrepo.commit(repository, {"media/film\u202e.mov": "x" * 1001}, branch="new", parents=[kept])
    oid = gitrepo.commit(repository, {"media/film\u202e.mov": None}, branch="new")
    blob = gitrepo.git(repository, "rev-parse", f"{oid}^:media/film\u202e.mov")
    gitrepo.git(repository, "update-ref", "-d", "refs/heads/new")
    assert told(capfd, (ZERO, oid, "refs/heads/new")) == [
        f"Refused: The blob {blob} (media/film\\u202e.mov) has 1,001 bytes; a file has at most 1,000.",
        "Take them out of every commit that has them, with “git rebase -i” or git-filter-repo.",
        "Nothing of this push was applied.",
    ]


def test_of_many_faults_a_few_are_told(repository, capfd, monkeypatch):
    monkeypatch.setattr(quarantine, "MAX_METADATA_BYTES", 40)
    oids = [gitrepo.commit(repository, {"a": str(number)}) for number in range(10)]
    said = told(capfd, (ZERO, oids[-1], "refs/heads/x"))
    assert len(said) == quarantine.MAX_TOLD + 3
    assert all("a commit, a tag or a folder has at most 40." in line for line in said[: quarantine.MAX_TOLD])
    assert said[quarantine.MAX_TOLD].startswith("And ")


def test_a_long_path_is_found_behind_the_first_the_second_and_a_tagged_tip(repository, capfd, monkeypatch):
    monkeypatch.setattr(quarantine, "MAX_PATH_BYTES", 30)
    start = gitrepo.git(repository, "rev-parse", "HEAD")
    fits = gitrepo.commit(repository, {"x/" + "y" * 28: "1"}, branch="a", parents=[start])
    long = gitrepo.commit(repository, {"x/" + "y" * 29: "1"}, branch="b", parents=[start])
    tagged = gitrepo.tag(repository, "long", long, "Long")
    for rows in (
        [(ZERO, long, "refs/heads/b")],
        [(ZERO, fits, "refs/heads/a"), (start, long, "refs/heads/b")],
        [(ZERO, fits, "refs/heads/a"), (ZERO, tagged, "refs/tags/long")],
    ):
        assert told(capfd, *rows)[0] == f"Refused: The path x/{'y' * 29}… has 31 bytes; a path has at most 30."
    assert told(capfd, (ZERO, fits, "refs/heads/a"), (start, fits, "refs/heads/b")) == []


def test_a_path_that_was_there_before_is_not_looked_at_again(repository, capfd, monkeypatch):
    old = gitrepo.commit(repository, {"y" * 40: "1"})
    new = gitrepo.commit(repository, {"a": "1"})
    monkeypatch.setattr(quarantine, "MAX_PATH_BYTES", 30)
    assert told(capfd, (old, new, "refs/heads/main")) == []


def test_trees_that_name_more_paths_than_can_be_checked_are_refused(repository, capfd, monkeypatch):
    monkeypatch.setattr(quarantine, "MAX_PATHS", 1000)
    tree = gitrepo.git(repository, "rev-parse", "HEAD^{tree}")
    for _ in range(4):  # ten folders of ten folders of …
        rows = "".join(f"040000 tree {tree}\t{number}\n" for number in range(10))
        tree = gitrepo.git(repository, "mktree", input=rows)
    oid = gitrepo.git(repository, "commit-tree", "-m", "Bomb", tree)
    assert "name more than 1,000 paths" in told(capfd, (ZERO, oid, "refs/heads/x"))[0]


def test_objects_that_git_cannot_read_are_no_silent_yes(repository, capfd):
    oid = gitrepo.git(repository, "rev-parse", "HEAD")
    tree = gitrepo.git(repository, "rev-parse", "HEAD^{tree}")
    loose = repository.path / "objects" / tree[:2] / tree[2:]
    loose.chmod(0o600)
    loose.write_bytes(b"nonsense")
    assert told(capfd, (ZERO, oid, "refs/heads/x"))[0] == f"Refused: Object {tree} of this push can't be read."
