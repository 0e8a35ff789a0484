import pytest

from repos.git import refs
from tests import gitrepo

ODD_NAMES = ["-x", "--upload-pack=id", "$(id)", "`id`", ";rm", "é", "a&b|c", "refs/heads/a"]
BROKEN_NAMES = [
    *("/a", "a/", ".a", "a.", "@", "a..b", "a//b", "a@{b", "a?", "a^", "a*", "a[", "a\\b", "a~", "a:b", "a/.b", "HEAD"),
    *("a.lock", "a.lock/b"),
    *("", "a b", "a\nb", "a\0b", "a\x7fb", "a" * 40, "A" * 40, "x" * 257, "x" * 252, "é" * 200),
]


@pytest.fixture
def repository(tmp_path):
    return gitrepo.create(tmp_path)


@pytest.fixture
def oid(repository):
    return gitrepo.commit(repository, {"a.txt": "1"})


@pytest.mark.parametrize("name", ["main", "feature/x", "é", "-x", "a.b", "a@b", "@x", "x" * 250, "a" * 39, *ODD_NAMES])
def test_a_name_that_git_takes_can_name_a_branch(repository, oid, name):
    assert refs.check_branch_name(name) == name
    gitrepo.update_ref(repository, f"refs/heads/{name}", oid)
    assert refs.tip(repository, f"refs/heads/{name}") == oid


@pytest.mark.parametrize("name", BROKEN_NAMES)
def test_a_name_that_breaks_a_rule_is_refused(name):
    with pytest.raises(refs.InvalidBranchName):
        refs.check_branch_name(name)


def test_the_rules_are_those_of_git(repository):
    samples = ["a", "a/b", "a..b", "a.lock", "a/.b", "@", "a@{", "a\x01", "a ", "-a", "a/", "a//b", "a~1", "a[", "x\\"]
    for sample in samples:
        try:
            gitrepo.git(repository, "check-ref-format", f"refs/heads/{sample}")
            expected = True
        except AssertionError:
            expected = False
        assert refs.is_valid_refname(f"refs/heads/{sample}") is expected, sample


@pytest.mark.parametrize(
    "refname", ["HEAD", "refs", "refs/", "refs/x", "heads/main", "refs/../config", "refs/a/b/" * 300]
)
def test_what_is_no_full_refname_is_none(repository, refname):
    assert not refs.is_valid_refname(refname)
    assert refs.tip(repository, refname) is None


def test_branches_and_tags_are_listed_by_name_loose_and_packed(repository, oid):
    gitrepo.tag(repository, "v1", oid)
    annotated = gitrepo.tag(repository, "v2", oid, "Second")
    gitrepo.git(repository, "pack-refs", "--all")
    gitrepo.update_ref(repository, "refs/heads/feature/x", oid)
    newer = gitrepo.commit(repository, {"a.txt": "2"})
    assert refs.branches(repository) == [("feature/x", oid), ("main", newer)]
    assert refs.tags(repository) == [("v1", oid), ("v2", annotated)]
    assert refs.tip(repository, "refs/tags/v2") == annotated
    gitrepo.git(repository, "update-ref", "-d", "refs/tags/v1")
    assert refs.tags(repository) == [("v2", annotated)]


def test_all_refs_are_those_that_git_lists_in_its_order(repository, oid):
    for name in ODD_NAMES:
        gitrepo.update_ref(repository, f"refs/heads/{name}", oid)
    gitrepo.update_ref(repository, b"refs/heads/caf\xe9", oid)
    gitrepo.update_ref(repository, "refs/pull/1/head", oid)
    listed = gitrepo.git(repository, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    assert [f"{name} {value}" for name, value in refs.all_refs(repository).items()] == listed
    gitrepo.git(repository, "pack-refs", "--all")
    assert [f"{name} {value}" for name, value in refs.all_refs(repository).items()] == listed


def test_a_name_that_is_no_utf8_survives_and_can_be_shown(repository, oid):
    gitrepo.update_ref(repository, b"refs/heads/caf\xe9", oid)
    name = refs.branches(repository)[0][0]
    assert refs.encode(name) == b"caf\xe9"
    assert refs.tip(repository, f"refs/heads/{name}") == oid
    assert refs.shown(name) == r"caf\xe9"
    assert refs.unescaped(refs.escaped(name)) == name
    assert refs.escaped(name).encode() == rb"caf\xe9"


def test_text_that_hides_or_reorders_is_shown_as_what_it_is():
    assert refs.shown("a\u202eb") == r"a\u202eb"
    assert refs.shown("naïve") == "naïve"


def test_broken_files_among_the_refs_are_left_out(repository, oid):
    (repository.path / "refs/heads/empty").write_bytes(b"")
    (repository.path / "refs/heads/half").write_bytes(oid[:20].encode())
    (repository.path / "refs/heads/main.lock").write_bytes(b"")
    (repository.path / "refs/heads/dangling").write_bytes(b"ref: refs/heads/nowhere\n")
    (repository.path / "refs/heads/loop").write_bytes(b"ref: refs/heads/loop\n")
    (repository.path / "refs/heads/alias").write_bytes(b"ref: refs/heads/main\n")
    assert refs.branches(repository) == [("alias", oid), ("main", oid)]
    assert refs.tip(repository, "refs/heads/alias") == oid
    assert refs.tip(repository, "refs/heads/half") is None


def test_a_very_deep_refname_is_read(repository, oid):
    name = "/".join("a" * 500)
    gitrepo.update_ref(repository, f"refs/heads/{name}", oid)
    assert refs.branches(repository) == [(name, oid), ("main", oid)]


def test_the_default_branch_is_heads_once_it_exists(repository):
    assert refs.default_branch(repository) is None
    oid = gitrepo.commit(repository, {"a": "1"}, branch="trunk")
    assert refs.default_branch(repository) is None
    refs.set_default_branch(repository, "trunk")
    assert refs.default_branch(repository) == "trunk"
    gitrepo.update_ref(repository, "refs/heads/-x", oid)
    refs.set_default_branch(repository, "-x")
    assert (refs.default_branch(repository), refs.head(repository)) == ("-x", "refs/heads/-x")


def test_a_branch_that_does_not_exist_cannot_be_the_default(repository, oid):
    with pytest.raises(refs.BranchMissing, match="No branch is called “relase”"):
        refs.set_default_branch(repository, "relase")
    assert refs.default_branch(repository) == "main"


def test_a_ref_is_never_missed_while_git_packs_them(repository, oid):
    for round_number in range(20):
        gitrepo.update_ref(repository, f"refs/heads/b{round_number}", oid)
        gitrepo.git(repository, "pack-refs", "--all", "--prune")
        assert len(refs.branches(repository)) == round_number + 2
