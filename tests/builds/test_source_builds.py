"""Whole builds of sources of every kind, in a real container."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from builds import lifecycle, tasks
from builds.logs import download
from builds.models import Build
from builds.sources import credentials
from codeservices import tls
from codeservices.iam.managed_policies import SERVICE_ROLE_NAME
from codeservices.iam.models import Role
from codeservices.objects import services
from codeservices.outbound import Rules
from repos.git.store import BareRepository
from tests import factories, foreign_git, gitrepo

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.docker,
    pytest.mark.usefixtures("redis_server", "install", "no_broker"),
]
TOKEN = "a-token-for-the-other-server"
SPEC = """version: 0.2
env:
  git-credential-helper: yes
phases:
  build:
    commands:
      - test "$CODEBUILD_SRC_DIR" = /codebuild/output/src/app && test "$PWD" = "$CODEBUILD_SRC_DIR"
      - git log --format=%s && git status --porcelain && git config remote.origin.url
      - cat deps/inner/inner.txt
      - cat $CODEBUILD_SRC_DIR_lib/lib.txt $CODEBUILD_SRC_DIR_files/run.sh && $CODEBUILD_SRC_DIR_files/run.sh
      - echo "$CODEBUILD_SOURCE_VERSION $CODEBUILD_SOURCE_VERSION_lib $CODEBUILD_SOURCE_REPO_URL_files"
      - echo "resolved $CODEBUILD_RESOLVED_SOURCE_VERSION"
      - host=$(echo "$CODEBUILD_SOURCE_REPO_URL" | cut -d/ -f3)
      - printf 'protocol=https\\nhost=%s\\n\\n' "$host" | git credential fill
"""


@pytest.fixture
def foreign(tmp_path, settings):
    certificate = tls.ensure(tmp_path / "tls", ["localhost"])
    settings.OUTBOUND_RULES, settings.OUTBOUND_CA_BUNDLE = Rules(["localhost"]), str(certificate.ca)
    with foreign_git.serving(tmp_path / "served", certificate.server) as running:
        running.login = ("x-access-token", TOKEN)
        yield running


def bare(foreign: foreign_git.ForeignServer, name: str) -> BareRepository:
    made = BareRepository(foreign.root / name)
    made.path.mkdir(parents=True)
    gitrepo.git(made.path, "init", "--quiet", "--bare", "--initial-branch=main", ".")
    return made


def ended(user, **overrides) -> tuple[Build, str]:
    build = lifecycle.start_build(user.principal, "demo", overrides)
    tasks.run_build(build.pk)
    build.refresh_from_db()
    return build, b"".join(download.whole(build, "raw")).decode()


@pytest.fixture
def project(alice, foreign, tmp_path):
    """Another server's repository with a submodule there; beside it a repository and an archive of this server."""
    inner = bare(foreign, "inner")
    tip = gitrepo.commit(inner, {"inner.txt": "inner\n"})
    modules = '[submodule "inner"]\n\tpath = deps/inner\n\turl = ../inner\n'
    app = bare(foreign, "app")
    app.tip = gitrepo.commit(app, {"buildspec.yml": SPEC, ".gitmodules": modules, "deps/inner": ("160000", tip)}, "App")
    library = factories.repository("lib")
    gitrepo.commit(library.git, {"lib.txt": "library\n"})
    gitrepo.tag(library.git, "v1", gitrepo.git(library.git, "rev-parse", "main"))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        info = zipfile.ZipInfo("run.sh")
        info.external_attr = 0o100755 << 16
        made.writestr(info, "#!/bin/sh\necho ran as it was packed\n")
    services.ensure_bucket("sources")
    services.put_object(alice.principal, "sources", "files.zip", io.BytesIO(file.getvalue()))
    demo = factories.project(repository_name=None)
    demo.source = {
        "type": "GITHUB_ENTERPRISE",
        "location": foreign.url("app", "localhost"),
        "gitCloneDepth": 1,
        "gitSubmodulesConfig": {"fetchSubmodules": True},
    }
    location = "https://127.0.0.1:8443/v1/repos/lib"
    demo.secondary_sources = [
        {"type": "CODECOMMIT", "location": location, "sourceIdentifier": "lib"},
        {"type": "S3", "location": "sources/files.zip", "sourceIdentifier": "files"},
    ]
    demo.secondary_source_versions = [{"sourceIdentifier": "lib", "sourceVersion": "v1"}]
    demo.save()
    demo.app = app
    allowed = factories.allow("s3:GetObject", resource="arn:aws:s3:::sources/*")
    role = Role.objects.get(name=SERVICE_ROLE_NAME)
    role.inline_policies.create(name="sources", document=json.dumps(allowed))
    given = {"token": TOKEN, "serverType": "GITHUB_ENTERPRISE", "authType": "PERSONAL_ACCESS_TOKEN"}
    host = credentials.host_of(demo.source["location"])
    credentials.import_credentials(alice.principal, {**given, "host": host})
    return demo


def test_a_build_of_every_kind_of_source_finds_its_files(alice, project, foreign, base_image, leftovers):
    build, log = ended(alice)
    assert build.status == "SUCCEEDED", log
    assert build.resolved_source_oid == project.app.tip
    lines = log.splitlines()
    url = foreign.url("app", "localhost")
    for line in ("App", url, "inner", "library", "ran as it was packed", f"resolved {project.app.tip}"):
        assert line in lines, log
    assert " v1 s3://sources/files.zip" in lines
    assert "username=x-access-token" in lines and "password=***" in lines
    assert TOKEN not in log
    assert leftovers() == []


def test_a_source_that_fails_fails_the_phase_with_codebuild_s_words(alice, project, base_image, leftovers):
    build, log = ended(alice, sourceVersion="nowhere")
    phase = build.phases.get(phase_type="DOWNLOAD_SOURCE")
    assert (build.status, phase.status) == ("FAILED", "FAILED")
    words = "reference not found for primary source and source version nowhere"
    assert phase.contexts[0]["statusCode"] == "CLIENT_ERROR"
    assert phase.contexts[0]["message"].startswith(f"{words}: ")
    assert f"Phase context status code: CLIENT_ERROR Message: {words}" in log
    assert [one.phase_type for one in build.phases.all()][-2:] == ["FINALIZING", "COMPLETED"]
    assert leftovers() == []
