"""This server's repositories as sources: what a version means, what is refused and how, what is left on the host."""

from __future__ import annotations

import hashlib
import itertools
import re
import subprocess

import pytest
from django.utils import timezone

from builds import projects
from builds.models import Build, Project
from builds.runner.executor import Interrupted, PhaseError
from builds.sources import opening, specification, versions
from codeservices.audit import drain
from codeservices.audit.models import Event, Outcome
from codeservices.errors import AccessDenied
from repos import deletion
from tests import factories, gitrepo
from tests.builds import logged, sourced
from tests.builds.sourced import Folder, refusal

pytestmark = pytest.mark.django_db
LOCATION = "https://127.0.0.1:8443/v1/repos/"


@pytest.fixture
def repository(alice):
    made = factories.repository("demo")
    made.first = gitrepo.commit(made.git, {"buildspec.yml": "version: 0.2\n", "a": "1"}, "first")
    made.second = gitrepo.commit(made.git, {"a": "2"}, "second")
    made.side = gitrepo.commit(made.git, {"b": "1"}, "side", branch="feature/x")
    gitrepo.git(made.git, "tag", "-a", "-m", "release", "v1", made.first)
    return made


@pytest.fixture
def project(repository) -> Project:
    return factories.project()


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path / "container")


@pytest.fixture(autouse=True)
def scratch(settings, tmp_path):
    """Nothing of a build's sources stays on the host, whatever a test did."""
    settings.CACHE_ROOT = tmp_path / "cache"
    yield tmp_path / "cache/workspaces"
    assert not any((tmp_path / "cache/workspaces").glob("*"))


def build_of(project: Project, version: str = "", **members) -> Build:
    return logged.running_build(project, source_version=version, **members)


def git(path, *args: str) -> str:
    command = ["git", "-c", f"safe.directory={path}", *args]
    return subprocess.run(
        command, cwd=path, check=True, capture_output=True, text=True, env=gitrepo.ENVIRONMENT
    ).stdout.strip()


@pytest.mark.parametrize(
    ("version", "commit", "refname"),
    [
        ("", "second", "refs/heads/main"),
        ("HEAD", "second", "refs/heads/main"),
        ("main", "second", "refs/heads/main"),
        ("refs/heads/main", "second", "refs/heads/main"),
        ("feature/x", "side", "refs/heads/feature/x"),
        ("v1", "first", "refs/tags/v1"),
        ("refs/tags/v1", "first", "refs/tags/v1"),
        ("{first}", "first", ""),
        ("{first:.7}", "first", ""),
        ("{FIRST}", "first", ""),
        ("refs/heads/main^{{{first}}}", "first", "refs/heads/main"),
        ("main^{{{first}}}", "first", "refs/heads/main"),
        ("refs/heads/gone^{{{first}}}", "first", "refs/heads/gone"),
    ],
)
def test_a_version_is_a_branch_a_tag_or_a_commit(alice, repository, project, version: str, commit: str, refname: str):
    named = version.format(first=repository.first, FIRST=repository.first.upper())
    found = sourced.opened(build_of(project, named), alice.principal).primary
    assert (found.oid, found.refname) == (getattr(repository, commit), refname)
    assert (found.directory, found.url) == ("/codebuild/output/src/demo", f"{LOCATION}demo")


@pytest.mark.parametrize("version", ["refs/heads/main", "refs/heads/main^{{{second}}}", "refs/tags/v1"])
def test_no_branch_takes_the_place_of_a_full_refname(alice, repository, project, version: str):
    for name in ("refs/heads/main", "refs/tags/v1"):
        gitrepo.git(repository.git, "update-ref", f"refs/heads/{name}", repository.side)
    found = sourced.opened(build_of(project, version.format(second=repository.second)), alice.principal).primary
    assert found.refname == version.partition("^")[0] and found.oid in (repository.first, repository.second)


def test_the_container_gets_a_clone(alice, repository, project, folder):
    sourced.opened(build_of(project), alice.principal, folder)
    clone = folder.path("/codebuild/output/src/demo")
    assert git(clone, "log", "--format=%s").splitlines() == ["second", "first"]
    assert git(clone, "status", "--porcelain") == ""
    project.source["gitCloneDepth"] = 1
    project.save()
    sourced.opened(build_of(project, number=2), alice.principal, shallow := Folder(folder.root / "shallow"))
    clone = shallow.path("/codebuild/output/src/demo")
    assert git(clone, "log", "--all", "--format=%s") == "second"


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("relase", "No branch, tag or commit is called “relase”."),
        ("featur/x", "No branch, tag or commit is called “featur/x”. Did you mean “feature/x”?"),
        ("0" * 40, "No object 0000000000000000000000000000000000000000 is in this repository."),
        ("0000000", "No branch, tag or commit is called “0000000”."),
        ("refs/heads/main^{" + "0" * 40 + "}", "No object 0000000000000000000000000000000000000000"),
        ("../../etc", "No branch, tag or commit is called “../../etc”."),
    ],
    ids=["name", "near", "oid", "short", "pinned", "path"],
)
def test_an_unknown_version_is_told_with_what_comes_near(alice, project, version: str, sentence: str):
    told = refusal(build_of(project, version), alice.principal)
    assert told.startswith(f"CLIENT_ERROR: reference not found for primary source and source version {version}: ")
    assert sentence in told


def test_the_beginning_of_several_commit_ids_is_no_version(alice, repository, project, monkeypatch):
    monkeypatch.setattr(versions, "_SHORT", re.compile("[0-9a-f]{4,39}"))
    by_beginning: dict[str, bytes] = {}
    tree = gitrepo.git(repository.git, "rev-parse", f"{repository.first}^{{tree}}")
    for number in itertools.count():
        raw = f"tree {tree}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\n{number}\n".encode()
        beginning = hashlib.sha1(b"commit %d\0%s" % (len(raw), raw), usedforsecurity=False).hexdigest()[:4]
        if beginning in by_beginning:
            break
        by_beginning[beginning] = raw
    for one in (raw, by_beginning[beginning]):
        gitrepo.git(repository.git, "hash-object", "-t", "commit", "-w", "--stdin", input=one)
    told = refusal(build_of(project, beginning), alice.principal)
    assert f"“{beginning}” is the beginning of 2 commit ids. Give more of its digits." in told


def test_an_empty_repository_says_so(alice, project):
    factories.repository("empty")
    project.source["location"] = f"{LOCATION}empty"
    project.save()
    told = refusal(build_of(project), alice.principal)
    assert told == (
        "CLIENT_ERROR: reference not found for primary source and source version: "
        "The repository has no commits yet. Push a first commit to it."
    )


def test_what_the_role_may_not_pull_the_build_does_not_see_and_the_trail_tells(alice, repository, project):
    build = build_of(project)
    nobody = factories.user("nobody").principal
    told = refusal(build, nobody)
    assert told.startswith("CLIENT_ERROR: authorization failed for primary source and source version: ")
    assert "is not authorized to perform: codecommit:GitPull" in told
    drain.drain()
    event = Event.objects.get(event_name="GitPull")
    assert (event.principal_name, event.outcome) == ("nobody", Outcome.DENIED)
    assert event.additional_event_data["build"] == build.api_id


def test_a_repository_that_is_deleted_after_the_start_is_told_with_what_to_do(alice, repository, project):
    build = build_of(project)
    deletion.delete_repository(alice.principal, "demo")
    assert refusal(build, alice.principal) == (
        "CLIENT_ERROR: repository not found for primary source and source version: demo. It was deleted or renamed: "
        "give the project the clone URL of a repository that exists."
    )


def test_secondary_sources_have_folders_versions_and_refusals_of_their_own(alice, repository, project, folder):
    other = factories.repository("lib")
    old = gitrepo.commit(other.git, {"lib.c": "old"}, "old")
    gitrepo.commit(other.git, {"lib.c": "new"}, "new")
    source = {"type": "CODECOMMIT", "location": f"{LOCATION}lib", "sourceIdentifier": "the_lib"}
    wanted = [{"sourceIdentifier": "the_lib", "sourceVersion": old}]
    build = build_of(project, secondary_sources=[source], secondary_source_versions=wanted)
    notes: list[str] = []
    found = sourced.opened(build, alice.principal, folder, notes=notes)
    [second] = found.secondary
    assert (second.identifier, second.version, second.source.oid) == ("the_lib", old, old)
    assert second.source.directory == "/codebuild/output/src_the_lib/lib"
    assert folder.path("/codebuild/output/src_the_lib/lib/lib.c").read_text() == "old"
    assert folder.path("/codebuild/output/src/demo/a").read_text() == "2"
    assert notes == ["Downloading source the_lib"]
    wanted[0]["sourceVersion"] = "nowhere"
    told = refusal(
        build_of(project, number=2, secondary_sources=[source], secondary_source_versions=wanted), alice.principal
    )
    assert told.startswith("CLIENT_ERROR: reference not found for source the_lib and source version nowhere: ")


def test_a_build_that_is_stopped_meanwhile_stops_and_leaves_nothing(alice, repository, project, folder):
    asked: list[bool] = []

    def check() -> None:
        asked.append(True)
        if len(asked) > 2:
            raise Interrupted("STOPPED")

    with pytest.raises(Interrupted):
        sourced.opened(build_of(project), alice.principal, folder, check=check)


def test_what_dead_workers_left_goes_with_the_next_build_unless_theirs_still_runs(alice, project, scratch):
    running, over = build_of(project), build_of(project, number=2, status="FAILED", ended_at=timezone.now())
    for name in (str(running.uuid), str(over.uuid), "no-uuid"):
        (scratch / name / "objects").mkdir(parents=True)
    assert opening.sweep() == 2
    assert [one.name for one in scratch.iterdir()] == [str(running.uuid)]
    Build.objects.update(status="FAILED")
    assert opening.sweep() == 1


def test_a_buildspec_is_read_from_the_path_that_the_project_names(alice, repository, project):
    text = "version: 0.2\nphases:\n  build:\n    commands: [make]\n"
    gitrepo.commit(
        repository.git, {"ci/build.yml": text, "odd.yml": b"a: \xff", "big.yml": "#" * (4 * 1024**2 + 1)}, "ci"
    )

    def read(path: str) -> tuple[object, str]:
        project.source["buildspec"] = path
        project.save()
        build = Build(source=project.source, project_name="demo")
        with opening.opened(build_of(project, number=Build.objects.count() + 1), alice.principal, **PLAIN) as found:
            return specification.read(build, found.primary, alice.principal)

    spec, location = read("./ci/build.yml")
    assert spec.phases["build"].commands == ("make",)
    assert location == "/codebuild/output/src/demo/ci/build.yml"
    for path, words in {
        "ci/none.yml": "stat /codebuild/output/src/demo/ci/none.yml: no such file or directory",
        "odd.yml": "odd.yml: line 1: a byte there is no UTF-8",
        "big.yml": "big.yml is larger than 4 MiB",
    }.items():
        with pytest.raises(PhaseError) as caught:
            read(path)
        assert (caught.value.status_code, caught.value.message) == ("YAML_FILE_ERROR", words)


def test_whoever_makes_a_project_must_be_allowed_to_pull_its_secondary_sources_too(alice, project, repository):
    document = factories.allow("codebuild:*", "iam:PassRole")
    dora = factories.user("dora", document=document).principal
    source = {"type": "CODECOMMIT", "location": f"{LOCATION}demo", "sourceIdentifier": "one"}
    with pytest.raises(AccessDenied, match="codecommit:GitPull"):
        projects.update_project(dora, "demo", {"secondarySources": [source]})


PLAIN = {"check": lambda: None, "note": lambda sentence: None}
