"""Fetching in every way that git knows: protocols, shallow, partial, sparse, single branches, tags, many refs."""

from __future__ import annotations

import pytest

from tests import gitclient, gitrepo
from tests.gitpush import remote_refs

PROTOCOLS = ["0", "1", "2"]


@pytest.fixture(scope="module")
def shared(server, tmp_path_factory):
    """A repository for reading: ten commits a day apart on main, a branch, two tags, files of 10 B to 100 KB."""
    name = server.create()
    source = gitrepo.create(tmp_path_factory.mktemp("shared"))
    oids = [
        gitrepo.commit(
            source,
            {f"dir{number % 3}/file{number}": f"{number}\n" * 10, "large": f"{number}" * 100_000},
            at=gitrepo.START + 86400 * number,
        )
        for number in range(10)
    ]
    gitrepo.update_ref(source, "refs/heads/side", oids[6])
    gitrepo.tag(source, "light", oids[4])
    gitrepo.tag(source, "annotated", oids[7], "Seven")
    gitrepo.git(source, "push", "--quiet", "--mirror", server.url(name, "alice"))
    return name


def count(clone: gitclient.Clone, revision: str = "HEAD") -> int:
    return int(clone.git("rev-list", "--count", revision))


@pytest.fixture
def cloned(server, shared, tmp_path):
    """cloned("--depth=1") is a clone of the shared repository."""

    def make(*options: str) -> gitclient.Clone:
        return gitclient.clone(tmp_path / "copy", server.url(shared, "bob"), *options)

    return make


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_shallow_clone_may_be_cut_by_depth_and_made_whole(cloned, protocol):
    copy = cloned("--depth=2", "-c", f"protocol.version={protocol}")
    assert count(copy) == 2
    copy.git("fetch", "--quiet", "--deepen=3")
    assert count(copy) == 5
    copy.git("fetch", "--quiet", "--unshallow")
    assert count(copy) == 10
    copy.git("fsck", "--strict")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_shallow_clone_may_be_cut_by_date_and_by_a_ref(cloned, protocol):
    copy = cloned(f"--shallow-since={gitrepo.START + 86400 * 6}", "-c", f"protocol.version={protocol}")
    assert count(copy) == 4
    copy.git("fetch", "--quiet", "--shallow-exclude=light", "origin", "main")
    assert count(copy) == 5


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("chosen", "has_blobs"), [("blob:none", 0), ("blob:limit=1k", 10), ("tree:0", 0)])
def test_a_partial_clone_asks_for_what_it_lacks_when_it_needs_it(cloned, protocol, chosen, has_blobs):
    copy = cloned(f"--filter={chosen}", "--no-checkout", "-c", f"protocol.version={protocol}")
    kinds = [
        line.split(" ")[0]
        for line in copy.git("cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").splitlines()
    ]
    assert (kinds.count("commit"), kinds.count("blob")) == (10, has_blobs)
    assert (kinds.count("tree") > 0) is (chosen != "tree:0")
    assert copy.git("show", "HEAD~4:large") == "5" * 100_000
    copy.git("checkout", "--quiet", "main")
    assert (copy.folder / "large").read_text() == "9" * 100_000


def test_a_sparse_clone_has_the_folders_that_were_asked_for(cloned):
    copy = cloned("--sparse", "--filter=blob:none")
    copy.git("sparse-checkout", "set", "dir1")
    assert {path.name for path in copy.folder.iterdir() if path.is_dir()} == {".git", "dir1"}
    assert (copy.folder / "dir1/file7").read_text() == "7\n" * 10


def test_a_single_branch_brings_its_own_tags_and_no_other_branch(cloned):
    copy = cloned("--single-branch", "--branch=side")
    assert copy.git("branch", "--remotes").split() == ["origin/side"]
    assert copy.git("tag").split() == ["light"]
    copy.git("fetch", "--quiet", "origin", "main:refs/remotes/origin/main")
    assert copy.git("tag").split() == ["annotated", "light"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_commit_may_be_fetched_by_its_oid(cloned, shared, server, tmp_path, protocol):
    copy = gitclient.new(tmp_path / "empty", server.url(shared, "bob"))
    oid = gitrepo.git(server.path(shared), "rev-parse", "main~6")
    copy.git("-c", f"protocol.version={protocol}", "fetch", "--quiet", "--depth=1", "origin", oid)
    assert copy.git("rev-parse", "FETCH_HEAD") == oid


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_not_there_is_told(cloned, server, shared, tmp_path, protocol):
    copy = gitclient.new(tmp_path / "empty", server.url(shared, "bob"))
    answer = copy.try_git("-c", f"protocol.version={protocol}", "fetch", "origin", "1" * 40)
    assert answer.code != 0
    assert "not our ref " + "1" * 40 in answer.err
    assert "couldn't find remote ref nope" in copy.try_git("fetch", "origin", "nope").err


def test_five_thousand_refs_are_listed_and_cloned(server, name, work, tmp_path):
    oid = work.git("rev-parse", "HEAD")
    updates = "".join(f"create refs/tags/v{number} {oid}\n" for number in range(5000))
    gitrepo.git(server.path(name), "update-ref", "--stdin", input=updates)
    gitrepo.git(server.path(name), "pack-refs", "--all")
    expected = remote_refs(server, name)
    assert len(expected) == 5001
    for protocol in PROTOCOLS:
        listed = work.git("-c", f"protocol.version={protocol}", "ls-remote", "--refs", "origin").splitlines()
        assert dict(reversed(line.split("\t")) for line in listed) == expected
    copy = gitclient.clone(tmp_path / "copy", server.url(name, "bob"), "--mirror")
    assert copy.git("for-each-ref").count("\n") == 5000


def test_internal_refs_can_be_neither_listed_nor_fetched_nor_pushed(server, name, work):
    hidden = work.commit({"hidden": "1"})
    work.git("push", "--quiet", "origin", "main:gone")
    gitrepo.update_ref(server.path(name), "refs/internal/keep", hidden)
    work.git("push", "--quiet", "origin", ":gone")
    for protocol in PROTOCOLS:
        version = ("-c", f"protocol.version={protocol}")
        assert "internal" not in work.git(*version, "ls-remote", "origin")
        answer = work.try_git(*version, "fetch", "origin", "refs/internal/keep")
        assert "couldn't find remote ref refs/internal/keep" in answer.err
    answer = work.try_git("push", "--force", "origin", "main~1:refs/internal/keep")
    assert "Refs under refs/internal/ belong to the server." in answer.err
    assert remote_refs(server, name)["refs/internal/keep"] == hidden
