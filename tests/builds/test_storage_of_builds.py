"""Whole builds and what they leave in the object store: artifacts and caches. Only the container is played."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from builds import lifecycle, retention, shapes, tarstream, tasks
from builds.artifacts import manifest
from builds.caches import archive, entries, local
from builds.models import CacheEntry, Leftover, Project
from codeservices import storage, work
from codeservices.audit.models import Event
from codeservices.errors import AccessDenied, NotFound
from codeservices.iam.models import Role
from codeservices.objects import services
from codeservices.objects.models import Bucket, Piece, StoredObject
from repos.models import Repository
from tests import factories, gitrepo
from tests.builds.played import (
    BUCKET,
    FILES,
    LOCAL_CACHE,
    S3_CACHE,
    ZIP,
    build,
    change,
    content,
    context_of,
    keys,
    log_of,
    spec,
)

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("redis_server", "install", "no_broker", "places"),
]


@pytest.fixture
def project(alice) -> Project:
    return factories.project("demo", repository_name=None)


# ---- artifacts -------------------------------------------------------------------------------------------------------


def test_primary_and_secondary_artifacts_lie_where_the_project_says(alice, project):
    change(project, artifacts=ZIP, secondary_artifacts=[FILES])
    made = build(
        alice,
        project,
        "write a.txt A",
        "write d/b.html B",
        artifacts={
            "files": ["**/*"],
            "secondary-artifacts": {"docs": {"files": ["*"], "base-directory": "d"}},
        },
    )
    assert made.status == "SUCCEEDED", log_of(made)
    key = f"out/{made.uuid}/app"
    assert keys() == {key, "out/docs/b.html"}
    with zipfile.ZipFile(io.BytesIO(content(key))) as archive:
        assert archive.namelist() == ["a.txt", "d/b.html"]
    assert content("out/docs/b.html") == b"B"
    stored = StoredObject.objects.get(key=key)
    assert stored.metadata == {"codebuild-buildarn": made.arn}
    shown = shapes.build(made, "https://x")
    assert shown["artifacts"]["location"] == f"arn:aws:s3:::{BUCKET}/{key}"
    assert (shown["artifacts"]["sha256sum"], shown["artifacts"]["md5sum"]) == (
        hashlib.sha256(content(key)).hexdigest(),
        stored.etag,
    )
    (docs,) = shown["secondaryArtifacts"]
    assert (docs["artifactIdentifier"], docs["location"]) == ("docs", f"arn:aws:s3:::{BUCKET}/out/docs")
    assert "sha256sum" not in docs
    puts = Event.objects.filter(event_name="PutObject")
    assert {one.request_parameters["key"] for one in puts} == {key, "out/docs"}
    assert all(one.principal_arn.endswith(f"/AWSCodeBuild-{made.uuid}") for one in puts)


def test_a_name_from_the_buildspec_is_the_shell_s_and_counts_where_the_project_allows_it(alice, project):
    block = {"files": ["a.txt"], "name": "../v$WHAT/x.zip"}
    for config, key in ({**ZIP, "overrideArtifactName": True}, "v1/x.zip"), (ZIP, "app"):
        change(project, artifacts=config)
        made = build(alice, project, "export WHAT=1", "write a.txt A", artifacts=block)
        assert f"out/{made.uuid}/{key}" in keys(), log_of(made)


def test_a_failed_build_leaves_none_and_a_failed_post_build_still_does(alice, project):
    change(project, artifacts=ZIP, cache=S3_CACHE)
    blocks = {"artifacts": {"files": ["a.txt"]}, "cache": {"paths": ["a.txt"]}}
    failed = build(alice, project, "write a.txt A", "exit 1", **blocks)
    assert (failed.status, context_of(failed)["statusCode"]) == ("FAILED", "") and keys() == set()
    assert "Artifacts are not stored, since the BUILD phase failed" in log_of(failed)
    late = build(alice, project, "write a.txt A", "exit 1", phase="post_build", **blocks)
    assert late.status == "FAILED" and keys() == {f"out/{late.uuid}/app"}
    assert "The cache is not saved, since a phase failed" in log_of(late)


def test_nothing_to_store_and_a_missing_base_directory_fail_in_codebuilds_words(alice, project):
    change(project, artifacts=ZIP)
    none = build(alice, project, "write a.txt A", artifacts={"files": ["gone/*", "../a", "/etc/passwd"]})
    assert none.status == "FAILED"
    assert context_of(none) == {"statusCode": "CLIENT_ERROR", "message": "no matching artifact paths found"}
    for pattern in ("gone/*", "../a", "/etc/passwd"):
        assert f"Skipping invalid file path {pattern}\n" in log_of(none)
    base = build(alice, project, "write a.txt A", artifacts={"files": ["*"], "base-directory": "dist"})
    assert context_of(base)["message"] == "no matching base directory path found for dist"


def test_what_the_role_may_not_put_is_the_build_s_context(alice, project):
    change(project, artifacts=ZIP)
    role = Role.objects.get(name="codebuild-service-role")
    role.policies.clear()
    role.inline_policies.create(name="logs", document=json.dumps(factories.allow("logs:*")))
    made = build(alice, project, "write a.txt A", artifacts={"files": ["*"]})
    context = context_of(made)
    assert context["statusCode"] == "CLIENT_ERROR" and context["message"].startswith("AccessDenied: ")
    assert "s3:PutObject" in context["message"] and f"arn:aws:s3:::{BUCKET}/out/{made.uuid}/app" in context["message"]
    assert "status code: 403" in context["message"] and keys() == set()


def test_a_bucket_that_is_not_there_is_told_and_the_console_s_own_is_made(alice, project):
    change(project, artifacts={**ZIP, "location": "nowhere"})
    made = build(alice, project, "write a.txt A", artifacts={"files": ["*"]})
    assert context_of(made)["message"].startswith("NoSuchBucket: The specified bucket does not exist")
    change(project, artifacts={**ZIP, "location": "codebuild-artifacts"})
    assert build(alice, project, "write a.txt A", artifacts={"files": ["*"]}).status == "SUCCEEDED"
    assert Bucket.objects.get(name="codebuild-artifacts").object_count == 1


def test_an_unknown_secondary_artifact_fails_before_a_command_runs(alice, project, places):
    change(project, artifacts=ZIP, secondary_artifacts=[FILES])
    block = {"files": ["*"], "secondary-artifacts": {"dosc": {"files": ["*"]}}}
    made = build(alice, project, "write a.txt A", artifacts=block)
    context = context_of(made, "DOWNLOAD_SOURCE")
    assert context["statusCode"] == "YAML_FILE_ERROR" and "dosc; it has docs" in context["message"]
    assert places[-1].commands == []


def test_overrides_of_a_start_take_the_place_of_the_project_s(alice, project):
    change(project, artifacts=ZIP)
    overrides = {
        "artifactsOverride": {"type": "NO_ARTIFACTS"},
        "secondaryArtifactsOverride": [FILES],
        "cacheOverride": LOCAL_CACHE,
    }
    block = {"files": ["*"], "secondary-artifacts": {"docs": {"files": ["*"]}}}
    made = build(alice, project, "write a.txt A", overrides=overrides, artifacts=block, cache={"paths": ["a.txt"]})
    assert made.status == "SUCCEEDED" and keys() == {"out/docs/a.txt"}
    assert CacheEntry.objects.get().host == work.host()
    again = lifecycle.retry_build(alice.principal, made)
    assert again.secondary_artifacts_config == [FILES]


# ---- caches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cache", [S3_CACHE, LOCAL_CACHE], ids=["s3", "local"])
def test_a_cache_without_key_is_there_for_the_next_build_and_follows_what_is_in_it(alice, project, cache):
    change(project, cache=cache)
    blocks = {"cache": {"paths": ["/root/.m2/**/*"]}}
    first = build(alice, project, "show /root/.m2/x", "write /root/.m2/x one", **blocks)
    assert "\n(none)\n" in log_of(first) and "No cache was found" in log_of(first)
    assert "Saved 1 file(s) to the cache" in log_of(first)
    second = build(alice, project, "show /root/.m2/x", **blocks)
    assert "\none\n" in log_of(second) and "Restored 1 file(s) from the cache of this project" in log_of(second)
    assert "The cache is as it was and is not saved again" in log_of(second)
    build(alice, project, "write /root/.m2/x two", **blocks)
    assert "\ntwo\n" in log_of(build(alice, project, "show /root/.m2/x", **blocks))
    retention.sweep()
    assert CacheEntry.objects.count() == 1 and len(keys()) == (1 if cache is S3_CACHE else 0)
    assert len(list(local.folder().iterdir())) == (0 if cache is S3_CACHE else 1)


def test_a_key_is_exact_and_its_cache_never_changes_and_fallbacks_are_beginnings(alice, project):
    change(project, cache=S3_CACHE)

    def run(key: str, *commands: str, fallback: tuple[str, ...] = ()) -> str:
        block = {"paths": ["d/**/*"], "key": key, "fallback-keys": list(fallback)}
        return log_of(build(alice, project, *commands, cache=block))

    run("npm-1-a", "write d/x one")
    assert "The cache of key npm-1-a is there already and is not saved again" in run("npm-1-a", "write d/x other")
    assert "\none\n" in run("npm-1-a", "show d/x")
    assert "\n(none)\n" in run("npm-2", "show d/x", fallback=("NPM-", "npm-9"))
    assert "from the cache of key npm-1-a" in run("npm-3", "show d/x", fallback=("npm-9", "npm-1"))
    assert set(CacheEntry.objects.values_list("cache_key", flat=True)) == {"npm-1-a", "npm-3"}


def test_other_paths_are_another_cache_under_the_same_key(alice, project):
    change(project, cache=S3_CACHE)
    build(alice, project, "write d/x one", cache={"paths": ["d/**/*"], "key": "k"})
    assert "No cache was found for key k" in log_of(
        build(alice, project, "show d/x", cache={"paths": ["d/**/*", "e"], "key": "k"})
    )


def test_what_is_not_to_be_restored_or_saved_is_not(alice, project):
    change(project, cache=S3_CACHE)
    build(alice, project, "write d/x one", cache={"paths": ["d/*"], "action": "restore"})
    assert not CacheEntry.objects.exists()
    build(alice, project, "write d/x one", cache={"paths": ["d/*"], "action": "save"})
    assert "\n(none)\n" in log_of(build(alice, project, "show d/x", cache={"paths": ["d/*"], "action": "save"}))
    assert "Skip cache due to: no paths specified to be cached" in log_of(build(alice, project, "true"))
    change(project, cache={"type": "NO_CACHE"})
    assert "Skip cache due to: the project keeps none" in log_of(
        build(alice, project, "true", cache={"paths": ["d/*"]})
    )


@pytest.mark.parametrize("cache", [S3_CACHE, LOCAL_CACHE], ids=["s3", "local"])
def test_a_cache_that_was_changed_by_others_is_ignored_and_made_anew(alice, project, cache):
    change(project, cache=cache)
    blocks = {"cache": {"paths": ["d/*"], "key": "k"}}
    build(alice, project, "write d/x good", **blocks)
    entry = CacheEntry.objects.get()
    if entry.bucket:
        services.put_object(alice.principal, entry.bucket, entry.key, io.BytesIO(b"poison"))
    else:
        (local.folder() / entry.key).write_bytes(b"damaged")
    second = build(alice, project, "show d/x", "write d/x good", **blocks)
    assert second.status == "SUCCEEDED" and "\n(none)\n" in log_of(second)
    assert "what is stored for key k is damaged or was changed by others" in log_of(second)
    assert "\ngood\n" in log_of(build(alice, project, "show d/x", **blocks))
    retention.sweep()
    assert (entry.key in keys()) is bool(entry.bucket)  # what somebody else put there is theirs


def test_what_took_the_place_of_a_cache_does_not_fill_the_disk(alice, project, monkeypatch):
    change(project, cache=S3_CACHE)
    blocks = {"cache": {"paths": ["d/*"], "key": "k"}}
    build(alice, project, "write d/x good", **blocks)
    services.put_object(alice.principal, BUCKET, CacheEntry.objects.get().key, io.BytesIO(bytes(4 * 1024**2)))
    copied, digest = [], archive.digest
    monkeypatch.setattr(archive, "digest", lambda file: copied.append(file.seek(0, 2)) or digest(file))
    assert "is damaged or was changed by others" in log_of(build(alice, project, "show d/x", "exit 1", **blocks))
    assert copied == [tarstream.PIECE_BYTES]


def test_a_draft_that_gets_its_name_meanwhile_is_no_orphan(monkeypatch):
    with local.draft() as file:
        path = Path(file.name)
        os.utime(path, (0, 0))
        monkeypatch.setattr(Path, "iterdir", lambda folder: iter([folder / "gone", path]))
        assert local.remove_orphans(set()) == 1 and not path.exists()


def test_no_cache_comes_from_another_project_but_by_a_namespace_that_both_name(alice, project):
    other = factories.project("other", repository_name=None)
    blocks = {"cache": {"paths": ["d/*"], "key": "k"}}
    for cache in (S3_CACHE, LOCAL_CACHE):
        Project.objects.update(cache=cache)
        build(alice, project, "write d/x one", **blocks)
        assert "\n(none)\n" in log_of(build(alice, other, "show d/x", "exit 1", **blocks))
    Project.objects.update(cache={**S3_CACHE, "cacheNamespace": "shared"})
    build(alice, project, "write d/x shared", **blocks)
    assert "\nshared\n" in log_of(build(alice, other, "show d/x", **blocks))
    change(other, cache={**S3_CACHE, "location": f"{BUCKET}/elsewhere", "cacheNamespace": "shared"})
    assert "\n(none)\n" in log_of(build(alice, other, "show d/x", "exit 1", **blocks))


@pytest.mark.parametrize("has_default", [True, False])
def test_a_branch_begins_with_its_own_cache_or_the_default_branch_s_and_no_other(alice, has_default: bool, monkeypatch):
    repository = factories.repository("demo")
    oid = gitrepo.commit(repository.git, {"a": "1"})
    gitrepo.commit(repository.git, {"a": "2"}, branch="side")
    project = factories.project("branches")
    change(project, cache=S3_CACHE)
    if not has_default:
        monkeypatch.setattr(Repository, "default_branch", None)
    blocks = {"cache": {"paths": ["d/*"], "key": "k"}}

    def shown(version: str) -> str:
        return log_of(build(alice, project, "show d/x", "exit 1", overrides={"sourceVersion": version}, **blocks))

    for version, what in ((oid, "of a commit"), ("side", "of a side")):
        build(alice, project, f"write d/x {what}", overrides={"sourceVersion": version}, **blocks)
        assert "\n(none)\n" in shown("main")
    build(alice, project, "write d/x main", overrides={"sourceVersion": "main"}, **blocks)
    assert "\nmain\n" in shown("main") and "\nof a side\n" in shown("side") and "\nof a commit\n" in shown(oid)
    gitrepo.commit(repository.git, {"a": "3"}, branch="new")
    assert ("\nmain\n" if has_default else "\n(none)\n") in shown("new")


def test_a_role_that_may_not_read_or_write_the_cache_builds_without(alice, project):
    change(project, cache=S3_CACHE)
    blocks = {"cache": {"paths": ["d/*"]}}
    build(alice, project, "write d/x one", **blocks)
    role = Role.objects.get(name="codebuild-service-role")
    role.policies.clear()
    role.inline_policies.create(name="logs", document=json.dumps(factories.allow("logs:*")))
    denied = build(alice, project, "show d/x", "write d/x two", **blocks)
    assert denied.status == "SUCCEEDED" and "\n(none)\n" in log_of(denied)
    assert "Skip cache due to: it can't be downloaded: AccessDenied" in log_of(denied)
    assert "The cache is not saved: AccessDenied" in log_of(denied)


def test_a_cache_that_is_too_large_is_not_saved_and_the_build_succeeds(alice, project, settings):
    change(project, cache=LOCAL_CACHE)
    settings.CACHE_MAX_BYTES = 10
    made = build(alice, project, "write d/x 12345678901", cache={"paths": ["d/*"]})
    assert made.status == "SUCCEEDED" and "The cache is not saved: the cache is larger than 10 bytes" in log_of(made)
    assert list(local.folder().iterdir()) == []


def test_an_invalidated_cache_is_gone_and_builds_that_ran_meanwhile_leave_none(alice, bob, project):
    change(project, cache=S3_CACHE)
    blocks = {"cache": {"paths": ["d/*"]}}
    build(alice, project, "write d/x one", **blocks)
    with pytest.raises(AccessDenied, match="codebuild:InvalidateProjectCache"):
        entries.invalidate(bob.principal, "demo")
    with pytest.raises(NotFound):
        entries.invalidate(alice.principal, "gone")
    running_now = lifecycle.start_build(
        alice.principal, "demo", {"buildspecOverride": spec("write d/x late", **blocks)}
    )
    assert entries.invalidate(alice.principal, "demo") == 1
    tasks.run_build(running_now.pk)
    assert "The cache is not saved: it was invalidated while this build ran" in log_of(running_now)
    assert not CacheEntry.objects.exists()
    retention.sweep()
    assert keys() == set()
    build(alice, project, "write d/x new", **blocks)
    assert CacheEntry.objects.count() == 1


def test_a_namespace_under_another_prefix_is_not_shared_and_not_forgotten(alice, project):
    change(project, cache={**S3_CACHE, "cacheNamespace": "shared"})
    build(alice, project, "write d/x one", cache={"paths": ["d/*"]})
    other = factories.project("other", repository_name=None)
    for location, count in ((f"{BUCKET}/elsewhere", 0), (BUCKET, 0), (f"{BUCKET}/caches", 1)):
        change(other, cache={"type": "S3", "location": location, "cacheNamespace": "shared"})
        assert entries.invalidate(alice.principal, "other") == count


def test_the_caches_of_a_worker_stay_within_their_bound_and_the_unused_go_first(alice, project, settings):
    change(project, cache=LOCAL_CACHE)
    for number in (1, 2):
        build(alice, project, f"write d/x {number}", cache={"paths": ["d/*"], "key": f"k{number}"})
    one = CacheEntry.objects.get(cache_key="k1")
    entries.touch(one)
    settings.LOCAL_CACHE_BYTES = one.size_bytes * 2 + 20
    build(alice, project, "write d/x 3", cache={"paths": ["d/*"], "key": "k3"})
    assert set(CacheEntry.objects.values_list("cache_key", flat=True)) == {"k1", "k3"}
    assert {path.name for path in local.folder().iterdir()} == set(CacheEntry.objects.values_list("key", flat=True))


# ---- what is left over -----------------------------------------------------------------------------------------------


def test_the_artifacts_of_a_deleted_build_go_and_what_others_put_in_their_place_stays(alice, project):
    change(project, artifacts={**ZIP, "namespaceType": "NONE"}, secondary_artifacts=[FILES], cache=S3_CACHE)
    block = {"files": ["*"], "secondary-artifacts": {"docs": {"files": ["*"]}}}
    old = build(alice, project, "write a A", "write b B", artifacts=block, cache={"paths": ["a"]})
    new = build(alice, project, "write a A2", artifacts=block)
    services.put_object(alice.principal, BUCKET, "out/docs/mine", io.BytesIO(b"mine"))
    listed = old.artifacts.get(identifier="docs").manifest_key
    assert [one.path for one in manifest.read(listed)] == ["a", "b"]
    old.delete()
    assert Leftover.objects.count() == 2
    retention.sweep()
    assert keys() - {CacheEntry.objects.get().key} == {"out/app", "out/docs/a", "out/docs/mine"}
    assert not storage.exists(listed) and not Leftover.objects.exists()
    project.delete()
    new.delete()
    retention.sweep()
    assert keys() == {"out/docs/mine"} and not CacheEntry.objects.exists()
    assert Piece.objects.count() == 1


def test_a_deletion_that_is_taken_back_loses_nothing(alice, project):
    change(project, artifacts=ZIP)
    made = build(alice, project, "write a A", artifacts={"files": ["*"]})
    with pytest.raises(RuntimeError), transaction.atomic():
        made.delete()
        raise RuntimeError
    retention.sweep()
    assert keys() == {f"out/{made.uuid}/app"}


def test_old_caches_and_those_beyond_a_project_s_room_go(alice, project, settings):
    change(project, cache=S3_CACHE)
    for number in (1, 2, 3):
        build(alice, project, f"write d/x {number}", cache={"paths": ["d/*"], "key": f"k{number}"})
    CacheEntry.objects.filter(cache_key="k2").update(used_at=timezone.now() - timezone.timedelta(days=15))
    settings.CACHE_PROJECT_BYTES = CacheEntry.objects.get(cache_key="k3").size_bytes + 5
    assert retention.sweep() >= 2
    assert list(CacheEntry.objects.values_list("cache_key", flat=True)) == ["k3"]
