"""Submodules of a source: of this server's repositories as the role, of others as the source itself is fetched."""

from __future__ import annotations

import pytest

from builds.sources import submodules
from codeservices.outbound import Rules
from tests import factories, gitrepo
from tests.builds import logged, sourced
from tests.builds.sourced import Folder, refusal

pytestmark = pytest.mark.django_db
LOCATION = "https://127.0.0.1:8443/v1/repos/"


@pytest.fixture(autouse=True)
def scratch(settings, tmp_path):
    settings.CACHE_ROOT = tmp_path / "cache"
    settings.OUTBOUND_RULES = Rules([])


@pytest.fixture
def library(alice):
    made = factories.repository("lib")
    made.tip = gitrepo.commit(made.git, {"lib.c": "int lib;"}, "lib")
    return made


@pytest.fixture
def project(library):
    return using("../lib", library.tip)


def using(url: str, oid: str, *, path: str = "deps/lib", name: str = "the lib"):
    """A project of a repository whose commit has a submodule."""
    repository = factories.repository("demo")
    modules = f'[submodule "{name}"]\n\tpath = {path}\n\turl = {url}\n'
    gitrepo.commit(repository.git, {"a": "1", ".gitmodules": modules, path: ("160000", oid)}, "uses lib")
    made = factories.project()
    made.source["gitSubmodulesConfig"] = {"fetchSubmodules": True}
    made.save()
    return made


def git(clone, *args: str) -> str:
    return gitrepo.git(clone, "-c", "safe.directory=*", *args)


@pytest.mark.parametrize("url", ["../lib", "./../lib.git", f"{LOCATION}lib", "../../repos/lib"])
def test_a_submodule_lies_in_its_folder_at_its_commit(alice, library, url: str, tmp_path):
    folder, notes = Folder(tmp_path / "container"), []
    build = logged.running_build(using(url, library.tip))
    sourced.opened(build, alice.principal, folder, notes=notes)
    clone = folder.path("/codebuild/output/src/demo")
    assert (clone / "deps/lib/lib.c").read_text() == "int lib;"
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "submodule", "status").split()[:2] == [library.tip, "deps/lib"]
    assert git(clone / "deps/lib", "log", "--format=%s") == "lib"
    assert notes == ["Fetching the submodule deps/lib"]


def test_a_submodule_s_name_and_folder_may_be_any_bytes(alice, library, tmp_path):
    project = using("../lib", library.tip, path="deps/\udcfe", name="b\udcfe")
    folder = Folder(tmp_path / "container")
    clone = sourced.opened(logged.running_build(project), alice.principal, folder).primary
    inside = folder.path(clone.directory)
    assert (inside / "deps/\udcfe/lib.c").read_text() == "int lib;"
    assert git(inside, "config", "submodule.b\udcfe.active") == "true"


def test_submodules_come_only_where_they_are_asked_for(alice, project, tmp_path):
    project.source["gitSubmodulesConfig"] = {"fetchSubmodules": False}
    folder = Folder(tmp_path / "container")
    sourced.opened(logged.running_build(project), alice.principal, folder)
    assert list(folder.path("/codebuild/output/src/demo/deps/lib").iterdir()) == []


def test_the_role_is_asked_for_each_of_them(alice, project):
    document = factories.allow("codecommit:GitPull", resource="arn:aws:codecommit:*:*:demo")
    dora = factories.user("dora", document=document)
    told = refusal(logged.running_build(project), dora.principal)
    assert told.startswith("CLIENT_ERROR: authorization failed for primary source")
    assert "codecommit:GitPull on resource" in told and ":lib " in told


def test_submodules_of_submodules_come_too_up_to_a_limit(alice, library, tmp_path, monkeypatch):
    modules = '[submodule "inner"]\n\tpath = inner\n\turl = ../lib\n'
    middle = factories.repository("middle")
    tip = gitrepo.commit(middle.git, {".gitmodules": modules, "inner": ("160000", library.tip)}, "middle")
    build = logged.running_build(using("../middle", tip))
    folder = Folder(tmp_path / "container")
    sourced.opened(build, alice.principal, folder)
    assert folder.path("/codebuild/output/src/demo/deps/lib/inner/lib.c").exists()
    for limit, value in (("MAX_LEVELS", 1), ("MAX_SUBMODULES", 1)):
        with monkeypatch.context() as patch:
            patch.setattr(submodules, limit, value)
            assert "unable to fetch submodules for primary source" in refusal(build, alice.principal)


def test_a_repository_that_holds_itself_ends(alice):
    repository = factories.repository("demo")
    modules = '[submodule "self"]\n\tpath = self\n\turl = ../demo\n'
    first = gitrepo.commit(repository.git, {".gitmodules": modules}, "first")
    oid = first
    for _ in range(submodules.MAX_LEVELS + 1):
        oid = gitrepo.commit(repository.git, {"self": ("160000", oid)}, "again")
    project = factories.project()
    project.source["gitSubmodulesConfig"] = {"fetchSubmodules": True}
    assert "A source may have 100 of them, 5 in one another." in refusal(logged.running_build(project), alice.principal)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("git@example.com:a/b.git", "unable to fetch the submodule deps/lib"),
        ("ssh://example.com/a", "is none of HTTPS, and no other is fetched"),
        ("file:///etc", "is none of HTTPS, and no other is fetched"),
        ("/srv/git/lib", "is none of HTTPS, and no other is fetched"),
        ("-u./evil", "is none of HTTPS, and no other is fetched"),
        ("../../../../../../lib", "is none of HTTPS, and no other is fetched"),
        ("https://127.0.0.1:1/lib", "leads to an address of this machine or of a private network"),
        ("https://ann:secret@example.com/lib", "unable to access"),
        ("../nowhere", "repository not found for primary source"),
        ("https://[lib", "is none of HTTPS, and no other is fetched"),
        ("https://example.com:99999/lib", "unable to access https://example.com:99999/lib"),
        ("https://example.com/\udcfe", "unable to access https://example.com/\\xfe"),
        ("https://example.com/\x1b[2J", "unable to access https://example.com/\\x1b[2J"),
    ],
    ids=ascii,
)
def test_a_submodule_from_elsewhere_than_https_is_refused(alice, library, url: str, words: str):
    told = refusal(logged.running_build(using(url, library.tip)), alice.principal)
    assert words in told and told.isprintable()


def test_a_commit_that_its_repository_lacks_is_told(alice, library):
    told = refusal(logged.running_build(using("../lib", "1" * 40)), alice.principal)
    assert told.startswith("CLIENT_ERROR: unable to fetch the submodule deps/lib for primary source")
    assert "It is the commit that the source names." in told


def test_a_link_that_gitmodules_does_not_name_stays_empty_and_is_noted(alice, tmp_path):
    repository = factories.repository("demo")
    modules = '[submodule "x"]\n\tpath = x\n\turl = ../x\n'
    gitrepo.commit(repository.git, {".gitmodules": modules, "y": ("160000", "1" * 40)}, "odd")
    project = factories.project()
    project.source["gitSubmodulesConfig"] = {"fetchSubmodules": True}
    notes: list[str] = []
    sourced.opened(logged.running_build(project), alice.principal, Folder(tmp_path / "c"), notes=notes)
    assert notes == ["The submodule y is left out: .gitmodules does not name it"]
