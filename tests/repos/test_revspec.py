import pytest

from repos.git import refs, revspec
from repos.git.revspec import Resolved, Revision
from tests import gitrepo


@pytest.fixture
def repository(tmp_path):
    repository = gitrepo.create(tmp_path)
    yield repository
    repository.close()


@pytest.fixture
def oid(repository):
    return gitrepo.commit(repository, {"src/app.py": "1"})


def test_the_longest_ref_wins_and_the_rest_is_the_path(repository, oid):
    gitrepo.update_ref(repository, "refs/heads/feature/x", oid)
    newer = gitrepo.commit(repository, {"src/app.py": "2"})
    assert revspec.resolve(repository, "feature/x/src/app.py") == Resolved(
        "refs/heads/feature/x", "feature/x", oid, "src/app.py"
    )
    assert revspec.resolve(repository, "main") == Resolved("refs/heads/main", "main", newer, "")
    assert revspec.resolve(repository, "main/") == Resolved("refs/heads/main", "main", newer, "")
    assert revspec.resolve(repository, f"{oid}/src/") == Resolved(None, oid, oid, "src")
    assert revspec.resolve(repository, f"{oid.upper()}/src") == Resolved(None, oid, oid, "src")
    assert revspec.resolve(repository, "refs/heads/feature/x/src").oid == oid
    assert revspec.resolve(repository, "HEAD/src") == Resolved("refs/heads/main", "main", newer, "src")
    assert revspec.resolve(repository, "") == Resolved("refs/heads/main", "main", newer, "")


def test_a_longer_tag_beats_a_branch_and_a_branch_beats_a_tag_of_its_name(repository, oid):
    newer = gitrepo.commit(repository, {"a": "2"})
    gitrepo.tag(repository, "main/beta", oid)
    gitrepo.update_ref(repository, "refs/heads/v1", newer)
    gitrepo.tag(repository, "v1", oid)
    assert revspec.resolve(repository, "main/beta/a") == Resolved("refs/tags/main/beta", "main/beta", oid, "a")
    assert revspec.resolve(repository, "v1/a").refname == "refs/heads/v1"
    assert revspec.resolve_revision(repository, "refs/tags/v1") == Revision("refs/tags/v1", "refs/tags/v1", oid)


def test_a_full_refname_is_itself_whatever_a_branch_is_called(repository, oid):
    newer = gitrepo.commit(repository, {"a": "2"})
    gitrepo.update_ref(repository, "refs/heads/refs/heads/main", oid)
    for spec in ("refs/heads/main", "refs/heads/refs/heads/main"):
        expected = newer if spec == "refs/heads/main" else oid
        assert revspec.resolve_revision(repository, spec) == Revision(spec, spec, expected)
        assert revspec.resolve(repository, spec) == Resolved(spec, spec, expected, "")


def test_tags_of_tags_lead_to_the_commit(repository, oid):
    inner = gitrepo.tag(repository, "inner", oid, "Inner")
    outer = gitrepo.tag(repository, "outer", inner, "Outer")
    assert revspec.resolve_revision(repository, "outer") == Revision("refs/tags/outer", "outer", oid)
    assert revspec.resolve_revision(repository, outer) == Revision(None, outer, oid)


@pytest.mark.parametrize("kind", ["blob", "tree"])
def test_a_tag_of_something_else_says_what_it_is(repository, oid, kind):
    target = gitrepo.git(repository, "rev-parse", f"{oid}:src" + ("/app.py" if kind == "blob" else ""))
    gitrepo.tag(repository, "odd", target)
    gitrepo.tag(repository, "odder", target, "Annotated")
    for name in ("odd", "odder", target):
        with pytest.raises(revspec.NotACommit, match=f"“{name}” names a {kind}, not a commit"):
            revspec.resolve_revision(repository, name)


def test_an_unknown_name_suggests_the_nearest(repository, oid):
    gitrepo.update_ref(repository, "refs/heads/release", oid)
    for resolve in (revspec.resolve_revision, revspec.resolve):
        with pytest.raises(revspec.RevisionNotFound, match="No branch, tag or commit is called “relase”") as caught:
            resolve(repository, "relase")
        assert caught.value.hint == "Did you mean “release”?"
        assert caught.value.status == 404
    with pytest.raises(revspec.RevisionNotFound) as caught:
        revspec.resolve(repository, "relase/src/app.py")
    assert caught.value.hint == "Did you mean “release”?"


@pytest.mark.parametrize("name", ["0" * 40, "f" * 40])
def test_an_oid_that_names_nothing_is_told(repository, oid, name):
    with pytest.raises(revspec.RevisionNotFound, match=f"“{name}” names no commit"):
        revspec.resolve(repository, f"{name}/src")


def test_an_abbreviated_oid_is_no_name(repository, oid):
    with pytest.raises(revspec.RevisionNotFound):
        revspec.resolve_revision(repository, oid[:12])


@pytest.mark.parametrize(
    "name", ["-x", "--upload-pack=id", "$(id)", "--output=x", "refs/heads/a", "@x", "caf\udce9", "HEAD"]
)
def test_odd_names_resolve_like_any_other(repository, oid, name):
    gitrepo.update_ref(repository, b"refs/heads/" + refs.encode(name), oid)
    gitrepo.commit(repository, {"b": "2"})
    assert revspec.resolve(repository, f"{name}/src").oid == oid
    assert revspec.resolve_revision(repository, name).refname == f"refs/heads/{name}"


@pytest.mark.parametrize("spec", ["..", "../../../etc/passwd", "a\0b", "x" * 100_000, "a/" * 50_000, "main^", "main~1"])
def test_what_can_be_no_name_is_not_found(repository, oid, spec):
    with pytest.raises(revspec.RevisionNotFound) as caught:
        revspec.resolve(repository, spec)
    assert len(caught.value.message) < 400


def test_an_empty_repository_and_a_lost_default_branch_are_told(repository):
    with pytest.raises(revspec.RevisionNotFound, match="no commits yet"):
        revspec.resolve(repository, "")
    gitrepo.commit(repository, {"a": "1"}, branch="trunk")
    with pytest.raises(revspec.RevisionNotFound, match="default branch “main” does not exist"):
        revspec.resolve_revision(repository, "HEAD")


def test_a_detached_head_is_a_commit_without_a_name(repository, oid):
    (repository.path / "HEAD").write_text(f"{oid}\n")
    assert revspec.resolve_revision(repository, "HEAD") == Revision(None, oid, oid)
