"""Other people's git servers as sources, over TLS: what is fetched, with which credentials, and what may go wrong."""

from __future__ import annotations

import json
import random
import socket
import threading
import time

import pytest

from builds import container, projects, shapes
from builds.models import Build, Project, SourceCredential
from builds.runner.executor import Interrupted
from builds.sources import credentials
from codeservices import tls
from codeservices.errors import AccessDenied, InvalidInput
from codeservices.outbound import Rules
from codeservices.secretstore.secrets_manager import writing as secret_store
from codeservices.secretstore.secrets_manager.versions import Content
from repos.git import remote
from repos.git.store import BareRepository
from tests import factories, foreign_git, gitrepo
from tests.builds import logged, sourced
from tests.builds.sourced import Folder, refusal

pytestmark = pytest.mark.django_db
EMPTY = (
    "reference not found for primary source and source version: There is no branch and no tag: the repository is "
    "empty, or the URL is that of a page."
)
TOKEN = "ghp_0123456789abcdefTOKEN"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return tls.ensure(tmp_path_factory.mktemp("tls"), ["localhost", "127.0.0.1"])


@pytest.fixture
def foreign(tmp_path, certificate, settings):
    """Somebody else's server, which the administrator has allowed and whose authority is trusted."""
    settings.OUTBOUND_RULES, settings.OUTBOUND_CA_BUNDLE = Rules(["localhost"]), str(certificate.ca)
    settings.CACHE_ROOT = tmp_path / "cache"
    with foreign_git.serving(tmp_path / "served", certificate.server) as running:
        yield running
    assert not any((tmp_path / "cache/workspaces").glob("*"))


@pytest.fixture
def theirs(tmp_path):
    made = BareRepository(tmp_path / "served" / "demo")
    made.path.mkdir(parents=True)
    gitrepo.git(made.path, "init", "--quiet", "--bare", "--initial-branch=trunk", ".")
    made.first = gitrepo.commit(made, {"a": "1"}, "first", branch="trunk")
    made.second = gitrepo.commit(made, {"a": "2"}, "second", branch="trunk")
    made.side = gitrepo.commit(made, {"b": "1"}, "side", branch="feature/x")
    made.request = gitrepo.commit(made, {"c": "1"}, "request", branch="scratch")
    gitrepo.git(made, "update-ref", "refs/pull/7/head", made.request)
    gitrepo.git(made, "update-ref", "-d", "refs/heads/scratch")
    gitrepo.git(made, "tag", "-a", "-m", "release", "v1", made.first)
    yield made
    made.close()


@pytest.fixture
def project(foreign, theirs) -> Project:
    made = factories.project(repository_name=None)
    made.source = {"type": "GITHUB_ENTERPRISE", "location": foreign.url(host="localhost")}
    made.save()
    return made


def build_of(project: Project, version: str = "", **source) -> Build:
    project.source |= source
    number = Build.objects.count() + 1
    return logged.running_build(project, number, source_version=version)


def imported(alice, **fields) -> SourceCredential:
    given = {"token": TOKEN, "serverType": "GITHUB_ENTERPRISE", "authType": "PERSONAL_ACCESS_TOKEN", **fields}
    return credentials.import_credentials(alice.principal, given)


@pytest.mark.parametrize(
    ("version", "depth", "commit", "refname"),
    [
        ("", 0, "second", "refs/heads/trunk"),
        ("pr/7", 0, "request", "refs/pull/7/head"),
        ("refs/heads/trunk^{{{first}}}", 0, "first", "refs/heads/trunk"),
        ("feature/x", 1, "side", "refs/heads/feature/x"),
        ("v1", 1, "first", "refs/tags/v1"),
        ("pr/7", 1, "request", "refs/pull/7/head"),
        ("{first}", 1, "first", ""),
        ("{first:.8}", 1, "first", ""),
    ],
)
def test_a_version_is_fetched_as_deep_as_was_asked(alice, project, theirs, version, commit, refname, depth, tmp_path):
    named = version.format(first=theirs.first)
    folder = Folder(tmp_path / "container")
    found = sourced.opened(build_of(project, named, gitCloneDepth=depth), alice.principal, folder).primary
    assert (found.oid, found.refname) == (getattr(theirs, commit), refname)
    clone = folder.path("/codebuild/output/src/demo")
    log = gitrepo.git(clone, "-c", f"safe.directory={clone}", "log", "--format=%H").splitlines()
    assert log[0] == found.oid and (len(log) == 1 or not depth)
    assert gitrepo.git(clone, "-c", f"safe.directory={clone}", "status", "--porcelain") == ""
    origin = gitrepo.git(clone, "-c", f"safe.directory={clone}", "config", "remote.origin.url")
    assert origin == project.source["location"] == found.url


def test_a_server_that_gives_no_single_commits_gives_all(alice, project, theirs, foreign):
    gitrepo.git(theirs, "config", "uploadpack.allowAnySHA1InWant", "false")
    gitrepo.git(theirs, "config", "protocol.version", "0")
    found = sourced.opened(build_of(project, theirs.first, gitCloneDepth=1), alice.principal).primary
    assert found.oid == theirs.first


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("truck", "No branch, tag or commit is called “truck”. Did you mean “trunk”?"),
        ("0" * 40, "No object 0000000000000000000000000000000000000000 is in this repository."),
        ("pr/8", "No branch, tag or commit is called “pr/8”."),
    ],
    ids=["branch", "commit", "request"],
)
def test_an_unknown_version_is_told(alice, project, version: str, words: str):
    told = refusal(build_of(project, version), alice.principal)
    assert told.startswith(f"CLIENT_ERROR: reference not found for primary source and source version {version}: ")
    assert words in told


def test_an_empty_repository_and_a_missing_one_are_told(alice, project, theirs, foreign, tmp_path):
    empty = tmp_path / "served" / "empty"
    empty.mkdir()
    gitrepo.git(empty, "init", "--quiet", "--bare", ".")
    told = refusal(build_of(project, location=foreign.url("empty", "localhost")), alice.principal)
    assert told == f"CLIENT_ERROR: {EMPTY}"
    told = refusal(build_of(project, "main", location=foreign.url("none", "localhost")), alice.principal)
    assert told.startswith("CLIENT_ERROR: repository not found for primary source and source version main: localhost")


def test_credentials_reach_the_server_and_neither_the_container_nor_the_log(alice, project, foreign, tmp_path):
    foreign.login = ("x-access-token", TOKEN)
    told = refusal(build_of(project, "trunk"), alice.principal)
    assert told.startswith("CLIENT_ERROR: authentication required for primary source and source version trunk: ")
    imported(alice, host=credentials.host_of(project.source["location"]))
    notes: list[str] = []
    folder = Folder(tmp_path / "container")
    found = sourced.opened(build_of(project), alice.principal, folder, notes=notes)
    assert TOKEN not in repr(found) and TOKEN not in str(notes)
    assert not [one for one in folder.root.rglob("*") if one.is_file() and TOKEN.encode() in one.read_bytes()]
    foreign.login = ("x-access-token", "another")
    told = refusal(build_of(project), alice.principal)
    assert told.startswith("CLIENT_ERROR: authorization failed for primary source and source version: ")
    assert TOKEN not in told


def test_git_in_the_container_gets_the_credentials_only_where_the_buildspec_asks(alice, project, foreign):
    foreign.login = ("x-access-token", TOKEN)
    imported(alice, host=credentials.host_of(project.source["location"]))
    found = sourced.opened(build_of(project), alice.principal)
    origin = f"https://localhost:{foreign.port}"
    assert found.logins() == {origin: ("x-access-token", TOKEN)} and found.own_urls() == []

    class Session:
        access_key_id = secret = session_token = "given"

    for asks in (True, False):
        access = container.access(Session(), found.own_urls(), has_git_credential_helper=asks, logins=found.logins())
        assert TOKEN in access.secrets
        assert any(TOKEN.encode() in content for content in access.files.values()) is asks
        assert (f"credential.{origin}.helper" in access.variables.values()) is asks
        assert TOKEN not in str(access.variables)


def test_a_token_goes_to_the_host_it_is_bound_to_and_to_no_other(alice, project, foreign, theirs):
    stored = imported(alice)
    assert stored.host == ""
    foreign.login = ("x-access-token", TOKEN)
    told = refusal(build_of(project), alice.principal)
    assert "The stored GITHUB_ENTERPRISE credentials are bound to no host yet" in told
    dora = factories.user("dora", document=factories.allow("codebuild:UpdateProject")).principal
    projects.update_project(dora, "demo", {"source": project.source})
    stored.refresh_from_db()
    assert stored.host == ""
    projects.update_project(alice.principal, "demo", {"source": project.source})
    stored.refresh_from_db()
    assert stored.host == f"localhost:{foreign.port}"
    assert sourced.opened(build_of(project), alice.principal).primary.oid == theirs.second
    elsewhere = {**project.source, "location": "https://git.example.org/a/b.git"}
    projects.update_project(alice.principal, "demo", {"source": elsewhere})
    stored.refresh_from_db()
    assert stored.host == f"localhost:{foreign.port}"
    SourceCredential.objects.update(host="git.example.org")
    assert "authentication required" in refusal(build_of(project), alice.principal)
    assert imported(alice, token="new-token").host == "git.example.org"


def test_a_certificate_that_nobody_vouches_for_is_refused_unless_the_project_asks(alice, project, settings):
    settings.OUTBOUND_CA_BUNDLE = ""
    told = refusal(build_of(project), alice.principal)
    assert "unable to fetch https://localhost:" in told and "The certificate of localhost is not trusted here." in told
    assert sourced.opened(build_of(project, insecureSsl=True), alice.principal).primary.oid


@pytest.fixture
def library(theirs, tmp_path):
    """A repository beside theirs, of 400,000 bytes."""
    made = BareRepository(tmp_path / "served" / "lib")
    made.path.mkdir()
    gitrepo.git(made.path, "init", "--quiet", "--bare", "--initial-branch=main", ".")
    made.tip = gitrepo.commit(made, {"big": random.Random(2).randbytes(400_000)})
    yield made
    made.close()


def test_the_certificate_of_another_server_counts_for_its_submodules(
    alice, project, theirs, library, foreign, settings
):
    settings.OUTBOUND_RULES, settings.OUTBOUND_CA_BUNDLE = Rules(["localhost", "127.0.0.1"]), ""
    url = foreign.url("lib", host="127.0.0.1")
    modules = f'[submodule "lib"]\n\tpath = lib\n\turl = {url}\n'
    gitrepo.commit(theirs, {".gitmodules": modules, "lib": ("160000", library.tip)}, branch="trunk")
    told = refusal(build_of(project, insecureSsl=True, gitSubmodulesConfig={"fetchSubmodules": True}), alice.principal)
    assert f"unable to fetch {url} " in told and "The certificate of 127.0.0.1 is not trusted here." in told


def test_submodules_share_what_a_source_may_have(alice, project, theirs, library, foreign, settings):
    settings.BUILD_SOURCE_MAX_BYTES = 600_000
    url = foreign.url("lib", host="localhost")
    for names in (["x"], ["x", "y"]):
        modules = "".join(f'[submodule "{one}"]\n\tpath = {one}\n\turl = {url}\n' for one in names)
        links = dict.fromkeys(names, ("160000", library.tip))
        gitrepo.commit(theirs, {".gitmodules": modules, **links}, branch="trunk")
        build = build_of(project, gitSubmodulesConfig={"fetchSubmodules": True})
        if names == ["x"]:
            assert len(sourced.opened(build, alice.principal).clones) == 2
        else:
            assert "It is larger than what is left of the 586 KB that all sources" in refusal(build, alice.principal)


def test_private_addresses_are_reached_only_where_an_administrator_allows_them(alice, project, settings):
    settings.OUTBOUND_RULES = Rules([])
    told = refusal(build_of(project), alice.principal)
    assert "localhost leads to an address of this machine or of a private network." in told


def test_no_redirect_is_followed(alice, project, foreign):
    headers = {"Location": "https://127.0.0.1:1/elsewhere/info/refs?service=git-upload-pack"}
    foreign.misbehave = lambda handler: foreign_git.answer(handler, 302, b"", headers)
    told = refusal(build_of(project), alice.principal)
    assert told.startswith("CLIENT_ERROR: repository not found for primary source")
    assert "The repository has moved to https://127.0.0.1:1/elsewhere." in told


def test_garbage_is_told_as_such(alice, project, foreign):
    foreign.misbehave = lambda handler: foreign_git.answer(handler, 200, b"<html>", {"Content-Type": "text/html"})
    assert refusal(build_of(project), alice.principal) == f"CLIENT_ERROR: {EMPTY}"
    git_type = {"Content-Type": "application/x-git-upload-pack-advertisement"}
    foreign.misbehave = lambda handler: foreign_git.answer(handler, 200, b"00zz<html>", git_type)
    told = refusal(build_of(project), alice.principal)
    assert told.startswith(f"CLIENT_ERROR: unable to fetch {project.source['location']} for primary source")
    assert "localhost broke off, or sent something that is no git repository." in told


def test_a_server_that_is_not_there_is_told(alice, project):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"https://localhost:{unused.getsockname()[1]}/demo"
        told = refusal(build_of(project, location=url), alice.principal)
    assert "No connection to localhost could be made." in told


def test_more_than_a_source_may_have_is_not_fetched(alice, project, theirs, settings):
    settings.BUILD_SOURCE_MAX_BYTES = 100_000
    gitrepo.commit(theirs, {"big": random.Random(1).randbytes(400_000)}, branch="trunk")
    assert "larger than" in refusal(build_of(project), alice.principal)


@pytest.mark.parametrize("after", ["connect", "refs"])
def test_a_build_that_is_stopped_does_not_wait_for_a_server_that_stalls(alice, project, foreign, after: str):
    stalled, released = threading.Event(), threading.Event()

    def stall(handler) -> None:
        stalled.set()
        released.wait(60)

    foreign.misbehave = stall
    foreign.misbehaves_at = "GET" if after == "connect" else "POST"

    def check() -> None:
        if stalled.is_set():
            raise Interrupted("STOPPED")

    begun = time.monotonic()
    try:
        with pytest.raises(Interrupted):
            sourced.opened(build_of(project), alice.principal, check=check)
    finally:
        released.set()
    assert time.monotonic() - begun < remote.LIST_SECONDS


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"authType": "OAUTH"}, "an OAUTH connection can't be imported"),
        ({"authType": "CODECONNECTIONS"}, "this installation has no connections"),
        ({"authType": "BASIC_AUTH", "username": "ann"}, "BASIC_AUTH is for BITBUCKET, not for GITHUB_ENTERPRISE"),
        ({"authType": "BASIC_AUTH", "serverType": "BITBUCKET"}, "A username is required"),
        ({"username": "ann"}, "A username is not valid for this auth type"),
        ({"token": "two words"}, "A token has 1 to 4,096 printable characters and no blanks."),
        ({"token": "line\nfeed"}, "A token has 1 to 4,096 printable characters and no blanks."),
        ({"token": "x" * 4097}, "A token has 1 to 4,096 printable characters and no blanks."),
        ({"authType": "SECRETS_MANAGER"}, "the token is the ARN of a secret"),
        ({"serverType": "GITHUB", "host": "git.example.org"}, "Credentials of type GITHUB are for github.com"),
        ({"host": "a/b"}, "“a/b” is no host."),
        ({"serverType": "SVN"}, "Invalid server type: SVN"),
    ],
)
def test_what_can_not_be_imported_is_told(alice, fields: dict[str, str], words: str):
    with pytest.raises(InvalidInput, match=words):
        imported(alice, **fields)
    assert not SourceCredential.objects.exists()


def test_a_token_is_encrypted_and_overwritten_only_where_that_may_be(alice, carol):
    stored = imported(alice, serverType="GITHUB")
    assert (stored.host, stored.arn[-13:]) == ("github.com", ":token/github")
    assert TOKEN.encode() not in bytes(stored.encrypted_token)
    with pytest.raises(Exception, match="already exist and were not overwritten"):
        imported(alice, serverType="GITHUB", shouldOverwrite=False)
    assert imported(alice, serverType="GITHUB", token="another").pk == stored.pk
    for act in (
        lambda: imported(carol, serverType="GITHUB"),
        lambda: credentials.list_credentials(carol.principal),
        lambda: credentials.delete_credentials(carol.principal, stored.arn),
    ):
        with pytest.raises(AccessDenied):
            act()
    assert [one.arn for one in credentials.list_credentials(alice.principal)] == [stored.arn]
    assert credentials.delete_credentials(alice.principal, stored.arn) == stored.arn
    with pytest.raises(Exception, match="Could not find source credentials"):
        credentials.delete_credentials(alice.principal, stored.arn)
    with pytest.raises(InvalidInput, match="is not that of source credentials"):
        credentials.delete_credentials(alice.principal, "github")


def test_a_secret_that_a_source_or_a_credential_names_is_read_as_the_role(alice, project, foreign, theirs):
    text = json.dumps({"ServerType": "GITHUB_ENTERPRISE", "AuthType": "PERSONAL_ACCESS_TOKEN", "Token": TOKEN})
    kept, _ = secret_store.create_secret(factories.SERVICE, "git", Content(text.encode()))
    foreign.login = ("x-access-token", TOKEN)
    build = build_of(project, auth={"type": "SECRETS_MANAGER", "resource": kept.arn})
    assert sourced.opened(build, alice.principal).primary.oid == theirs.second
    told = refusal(build, factories.user("nobody").principal)
    assert told.startswith("CLIENT_ERROR: authorization failed for primary source and source version: arn:aws:secrets")
    assert "secretsmanager:GetSecretValue" in told
    host = credentials.host_of(project.source["location"])
    stored = imported(alice, authType="SECRETS_MANAGER", token=kept.arn, host=host)
    assert shapes.source_credential(stored)["resource"] == kept.arn and not stored.encrypted_token
    assert sourced.opened(build_of(project, auth={"type": "OAUTH"}), alice.principal).primary.oid == theirs.second
    empty, _ = secret_store.create_secret(factories.SERVICE, "empty", Content(b'{"Token": ""}'))
    build = build_of(project, auth={"type": "SECRETS_MANAGER", "resource": empty.arn})
    assert "holds no credentials: it must be JSON with" in refusal(build, alice.principal)
