"""Commits and paths as requests of the API name them."""

from __future__ import annotations

import pytest

from codeservices.errors import InvalidInput
from repos.git import specifier
from repos.git.revspec import RevisionNotFound
from tests import gitrepo


@pytest.fixture
def git(tmp_path):
    with gitrepo.create(tmp_path) as made:
        yield made


def test_every_way_to_name_a_commit_leads_to_it(git):
    oid = gitrepo.commit(git, {"a": "1"}, branch="feature/x")
    gitrepo.update_ref(git, "refs/heads/main", oid)
    gitrepo.tag(git, "v1", oid, "Annotated")
    for name in ("feature/x", "refs/heads/feature/x", "v1", "refs/tags/v1", "HEAD", oid, oid.upper()):
        assert specifier.resolve(git, name).oid == oid
    assert specifier.resolve_or_head(git, None).refname == "refs/heads/main"


@pytest.mark.parametrize("name", ["a b", "main^", "main~1", "a..b", ":path", "@{-1}", "x" * 5000, "--all "])
def test_what_can_name_no_commit_is_told_apart(git, name):
    gitrepo.commit(git, {"a": "1"})
    with pytest.raises(InvalidInput, match="can't name a commit") as caught:
        specifier.resolve(git, name)
    assert caught.value.code == "InvalidCommitException"


def test_a_part_of_an_oid_names_nothing(git):
    oid = gitrepo.commit(git, {"a": "1"})
    for name in (oid[:7], oid[:39], "none"):
        with pytest.raises(RevisionNotFound):
            specifier.resolve(git, name)


@pytest.mark.parametrize("path", ["a//b", "./a", "a/..", "a/./b", "/", "//", "x" * 4097])
def test_what_is_no_path_of_a_file_is_refused(path):
    with pytest.raises(InvalidInput) as caught:
        specifier.file_path(path)
    assert caught.value.code == "InvalidPathException"


def test_paths_lose_the_slashes_at_their_ends_and_the_root_is_a_folder():
    assert specifier.file_path("/a b/ü.txt") == "a b/ü.txt"
    assert [specifier.folder_path(one) for one in ("", "/", "a/", "/a/b/")] == ["", "", "a", "a/b"]
