"""Refs read from their files: the same as git says, whatever was packed, changed or removed meanwhile."""

from __future__ import annotations

import random

import pytest

from repos.git import ref_files, refs
from repos.git.store import BareRepository
from tests import gitrepo


@pytest.fixture
def repository(tmp_path) -> BareRepository:
    return gitrepo.create(tmp_path)


@pytest.fixture
def oid(repository) -> str:
    return gitrepo.commit(repository, {"a.txt": "1"})


def listed(repository: BareRepository) -> dict[str, str]:
    rows = gitrepo.git(repository, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(row.split(" ") for row in rows)


def looked_up(repository: BareRepository, refname: str) -> str | None:
    with ref_files.Lookup(repository.path) as lookup:
        content = lookup.content(refname.encode())
    return content and content.decode()


def test_a_single_ref_is_found_among_packed_and_loose_ones(repository, oid):
    chance = random.Random(3)
    annotated = gitrepo.tag(repository, "base", oid, "Message")
    names = {f"refs/{kind}/{chance.choice('abc')}{number}" for number in range(60) for kind in ("heads", "tags")}
    batch = "".join(f"create {name} {annotated if 'tags' in name else oid}\n" for name in sorted(names))
    gitrepo.git(repository, "update-ref", "--stdin", input=batch)
    for _ in range(2):  # loose, then packed with a peeled line behind each tag
        expected = listed(repository)
        assert {name: looked_up(repository, name) for name in expected} == expected
        for name in expected:
            for absent in (name[:-1] + "~", name + "0x", name[:-1]):
                assert looked_up(repository, absent) == expected.get(absent), absent
        gitrepo.git(repository, "pack-refs", "--all")
    assert looked_up(repository, "refs/a") is None and looked_up(repository, "refs/zzz") is None


def test_packed_refs_that_another_program_left_unsorted_are_read_line_by_line(repository, oid):
    (repository.path / "packed-refs").write_text(
        f"{oid} refs/heads/z\n{oid} refs/heads/b/c\n^{oid}\n{oid} refs/heads/a"
    )
    assert refs.tip(repository, "refs/heads/a") == refs.tip(repository, "refs/heads/z") == oid
    assert refs.tip(repository, "refs/heads/m") is None
    assert refs.longest_tip(repository, ("refs/heads/",), "b/c/d") == ("refs/heads/b/c", oid, 3)
    (repository.path / "packed-refs").write_bytes(b"")
    assert refs.tip(repository, "refs/heads/z") is None


def test_whether_a_name_goes_on_is_told_of_packed_refs_too(repository, oid):
    gitrepo.update_ref(repository, "refs/heads/a/b/c", oid)
    gitrepo.update_ref(repository, "refs/heads/a.b", oid)
    for _ in range(2):
        with ref_files.Lookup(repository.path) as lookup:
            found = [lookup.has_below(prefix) for prefix in (b"refs/heads/a/", b"refs/heads/a/b/", b"refs/heads/a.b/")]
        assert found == [True, True, False]
        gitrepo.git(repository, "pack-refs", "--all")


def test_a_ref_that_is_packed_while_it_is_looked_for_is_found(repository, oid, monkeypatch):
    gitrepo.update_ref(repository, "refs/heads/other", oid)
    gitrepo.git(repository, "pack-refs", "--all")
    gitrepo.update_ref(repository, "refs/heads/new", oid)
    with ref_files.Lookup(repository.path) as lookup:
        assert lookup.content(b"refs/heads/other") == oid.encode()  # packed-refs is open now
        gitrepo.git(repository, "pack-refs", "--all")
        assert lookup.content(b"refs/heads/new") == oid.encode()


@pytest.mark.parametrize("settled", [0, 10**18], ids=["times-are-trusted", "times-are-not-trusted"])
def test_all_refs_are_those_of_this_moment_after_every_change(repository, oid, monkeypatch, settled):
    # With 0 a folder's time is trusted at once, so a change is made visible by a later clock.
    monkeypatch.setattr(ref_files, "SETTLED_NANOSECONDS", settled)
    chance = random.Random(5)
    second = gitrepo.commit(repository, {"a.txt": "2"})
    for step in range(40):
        name = f"refs/{chance.choice(['heads', 'tags', 'x/y'])}/{chance.choice(['', 'deep/er/'])}n{chance.randrange(8)}"
        change = chance.choice(["update", "update", "delete", "pack"])
        if change == "pack":
            gitrepo.git(repository, "pack-refs", "--all", "--prune")
        elif change == "update":
            gitrepo.update_ref(repository, name, chance.choice([oid, second]))
        else:
            gitrepo.git(repository, "update-ref", "-d", name)
        expected = listed(repository)
        assert dict(refs.all_refs(repository)) == expected, (step, change, name)
        assert {each: refs.tip(repository, each) for each in expected} == expected


def test_what_did_not_change_is_not_read_again(repository, oid, monkeypatch):
    monkeypatch.setattr(ref_files, "SETTLED_NANOSECONDS", 0)
    gitrepo.git(repository, "pack-refs", "--all")
    gitrepo.update_ref(repository, "refs/heads/loose", oid)
    first = ref_files.read(repository.path, None)
    assert ref_files.read(repository.path, first) is first
    gitrepo.update_ref(repository, "refs/tags/v1", oid)
    second = ref_files.read(repository.path, first)
    assert second is not first
    assert second.packed is first.packed and second.folders[b"refs/heads/"] is first.folders[b"refs/heads/"]


def test_what_changed_a_moment_ago_is_read_again(repository, oid):
    first = ref_files.read(repository.path, None)
    assert ref_files.read(repository.path, first) is not first


def test_the_refs_of_many_repositories_are_kept_within_bounds(tmp_path, oid, repository, monkeypatch):
    kept = refs._Kept(max_refs=2)
    others = [gitrepo.create(tmp_path / str(number)) for number in range(3)]
    for each in others:
        gitrepo.commit(each, {"a": "1"})
        assert list(kept.refs_of(each.path)) == ["refs/heads/main"]
    assert list(kept._kept) == [each.path for each in others[1:]]


def test_the_longest_ref_is_meant_and_of_equal_ones_the_branch(repository, oid):
    second = gitrepo.commit(repository, {"a.txt": "2"})
    for name, target in {"heads/a": oid, "tags/a/b": second, "heads/c": oid}.items():
        gitrepo.update_ref(repository, f"refs/{name}", target)
    prefixes = (refs.HEADS, refs.TAGS, "")
    gitrepo.update_ref(repository, "refs/tags/c", second)
    assert refs.longest_tip(repository, prefixes, "a/b/c") == ("refs/tags/a/b", second, 3)
    assert refs.longest_tip(repository, prefixes, "a/c") == ("refs/heads/a", oid, 1)
    assert refs.longest_tip(repository, prefixes, "c/x") == ("refs/heads/c", oid, 1)
    assert refs.longest_tip(repository, prefixes, "refs/tags/c/x") == ("refs/tags/c", second, 11)
    assert refs.longest_tip(repository, prefixes, "b") is None
    assert refs.longest_tip(repository, prefixes, "a/" * 5000) == ("refs/heads/a", oid, 1)
    assert refs.longest_tip(repository, prefixes, "../config") is None
