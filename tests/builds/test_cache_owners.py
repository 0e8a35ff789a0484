"""Who can put what into whose build by way of a cache."""

from __future__ import annotations

import pytest

from builds import lifecycle, tasks
from builds.caches import entries
from builds.models import CacheEntry, Project
from codeservices.iam.models import User
from tests import factories, gitrepo
from tests.builds.played import LOCAL_CACHE, S3_CACHE, ZIP, build, change, log_of, spec

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("redis_server", "install", "no_broker", "places"),
]

CACHED = {"cache": {"paths": ["d/*"], "key": "k"}}


@pytest.fixture
def project(alice) -> Project:
    return factories.project("demo", repository_name=None)


@pytest.fixture
def starter(db) -> User:
    """May start builds, and neither change the project nor push."""
    return factories.user("dave", document=factories.allow("codebuild:StartBuild", "codebuild:RetryBuild"))


@pytest.mark.parametrize("cache", [S3_CACHE, LOCAL_CACHE], ids=["s3", "local"])
def test_what_somebody_runs_instead_of_the_project_s_own_gets_into_nobody_else_s_builds(alice, starter, project, cache):
    change(project, cache=cache, source={"type": "NO_SOURCE", "buildspec": spec("show d/x", "exit 1", **CACHED)})
    evil = build(starter, project, "write d/x evil", **CACHED)
    assert evil.status == "SUCCEEDED" and evil.cache_owner == starter.arn
    plain = lifecycle.start_build(starter.principal, project.name)
    tasks.run_build(plain.pk)
    plain.refresh_from_db()
    assert plain.cache_owner == "" and "\n(none)\n" in log_of(plain)
    assert "\n(none)\n" in log_of(build(alice, project, "show d/x", "exit 1", **CACHED))
    assert "\nevil\n" in log_of(build(starter, project, "show d/x", "exit 2", **CACHED))
    again = lifecycle.retry_build(alice.principal, evil)
    assert again.cache_owner == starter.arn  # it runs what she wanted, whoever asks for it
    tasks.run_build(again.pk)
    good = build(alice, project, "write d/x good", **CACHED)  # who may change the project could have it run this
    assert good.cache_owner == "" and "\nevil\n" in log_of(build(starter, project, "show d/x", "exit 2", **CACHED))
    entries.invalidate(alice.principal, project.name)
    assert not CacheEntry.objects.exists()
    build(alice, project, "write d/x good", **CACHED)
    assert "\ngood\n" in log_of(build(starter, project, "show d/x", "exit 2", **CACHED))


@pytest.mark.parametrize(
    ("override", "is_apart"),
    [
        ({"sourceVersion": "v1"}, False),
        ({"timeoutInMinutesOverride": 7}, False),
        ({"artifactsOverride": ZIP}, False),
        ({"environmentVariablesOverride": [{"name": "A", "value": "2"}]}, True),
        ({"imageOverride": "codeservices/python"}, True),
        ({"cacheOverride": {**S3_CACHE, "cacheNamespace": "shared"}}, True),
        ({"sourceTypeOverride": "GITHUB", "sourceLocationOverride": "https://example.com/evil.git"}, True),
        ({"secondarySourcesVersionOverride": [{"sourceIdentifier": "lib", "sourceVersion": "mine"}]}, True),
    ],
    ids=["version", "timeout", "artifacts", "variables", "image", "cache", "source", "secondary version"],
)
def test_every_override_that_changes_what_runs_keeps_the_cache_apart(starter, project, override, is_apart):
    library = {"type": "GITHUB", "location": "https://example.com/lib.git", "sourceIdentifier": "lib"}
    change(project, secondary_sources=[library], cache=S3_CACHE)
    made = lifecycle.start_build(starter.principal, project.name, override)
    assert made.cache_owner == (starter.arn if is_apart else "")


def test_a_commit_that_is_only_named_beside_a_branch_is_no_build_of_it(alice):
    repository = factories.repository("demo")
    first = gitrepo.commit(repository.git, {"a": "1"})
    gitrepo.commit(repository.git, {"a": "2"})
    evil = gitrepo.commit(repository.git, {"a": "evil"}, branch="side")
    project = factories.project("branches")
    change(project, cache=S3_CACHE)

    def run(version: str, *commands: str) -> str:
        return log_of(build(alice, project, *commands, overrides={"sourceVersion": version}, **CACHED))

    for name in ("main", "refs/heads/main", "refs/heads/gone"):
        run(f"{name}^{{{evil}}}", "write d/x evil")
    assert set(CacheEntry.objects.values_list("refname", flat=True)) == {""}
    assert "\n(none)\n" in run("main", "show d/x", "exit 1")
    run(f"refs/heads/main^{{{first}}}", "write d/x good")
    assert "\ngood\n" in run("main", "show d/x")


def test_no_branch_takes_the_place_of_a_commit_that_a_project_is_about(alice):
    repository = factories.repository("demo")
    oid = gitrepo.commit(repository.git, {"a": "1"})
    project = factories.project("branches")
    change(project, cache=S3_CACHE, source_version=oid)
    gitrepo.git(repository.git, "update-ref", f"refs/heads/{oid}", oid)
    build(alice, project, "write d/x evil", overrides={"sourceVersion": f"refs/heads/{oid}"}, **CACHED)
    assert "\n(none)\n" in log_of(build(alice, project, "show d/x", "exit 1", **CACHED))
