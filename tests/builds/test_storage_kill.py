"""A worker that is killed while it stores what a build leaves behind: nothing is lost, and nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from builds import lifecycle, retention, tasks
from builds.artifacts import manifest, uploading
from builds.caches import entries
from builds.lifecycle import endings
from builds.models import Artifact, Build, CacheEntry, Leftover, Project
from codeservices.objects import pieces, services
from codeservices.objects.models import Piece
from tests import factories
from tests.builds.played import FILES, S3_CACHE, ZIP, change, keys, spec
from tests.killing import dies, kill_in

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("redis_server", "install", "no_broker", "places"),
]

PRIMARY_FILES = {name: value for name, value in FILES.items() if name != "artifactIdentifier"}
SECONDARY_ZIP = {**ZIP, "artifactIdentifier": "zip"}


@pytest.fixture
def project(alice) -> Project:
    return factories.project("demo", repository_name=None)


def files() -> set[str]:
    """What lies in the store, by its storage keys."""
    root = Path(default_storage.location)
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("where", "name", "number", "is_after"),
    [
        (services, "replace", 2, True),  # in the transaction of a file
        (uploading, "put_object", 2, True),  # behind it
        (manifest, "write", 1, True),
        (Artifact.objects, "create", 1, True),
        (Artifact.objects, "create", 2, True),  # of the ZIP
        (entries, "keep", 1, False),
        (entries, "keep", 1, True),
        (endings, "finish", 1, False),
    ],
    ids=["file", "files", "list", "files row", "zip row", "before cache row", "cache row", "end"],
)
def test_a_worker_killed_while_it_stores_leaves_nothing_that_no_row_names(
    alice, project, monkeypatch, where, name, number, is_after
):
    change(project, artifacts=PRIMARY_FILES, secondary_artifacts=[SECONDARY_ZIP], cache=S3_CACHE)
    block = {"files": ["*"], "secondary-artifacts": {"zip": {"files": ["*"]}}}
    others = files()
    text = spec("write a A", "write b B", "write c C", artifacts=block, cache={"paths": ["a"]})
    made = lifecycle.start_build(alice.principal, project.name, {"buildspecOverride": text})
    with monkeypatch.context() as patched:
        kill_in(patched, where, name, number=number, is_after=is_after)
        dies(lambda: tasks.run_build(made.pk))
    before = keys()
    assert before or name == "replace"
    retention.sweep()
    assert keys() == before  # whose worker may only be slow
    for _ in range(2):  # the lease is doubted first
        Build.objects.filter(pk=made.pk).update(lease_expires_at=timezone.now() - timezone.timedelta(seconds=1))
        lifecycle.end_expired_leases()
    made.refresh_from_db()
    assert made.status == "FAULT"
    retention.sweep()
    Piece.objects.update(created_at=timezone.now() - timezone.timedelta(days=2))
    pieces.sweep()
    assert not Leftover.objects.exists()
    named = {one.key for one in CacheEntry.objects.all()}
    for one in Artifact.objects.all():
        listed = manifest.read(one.manifest_key) if one.manifest_key else []
        named |= {f"{one.key}/{file.path}" for file in listed} or {one.key}
    assert keys() == named
    lists = {one.manifest_key for one in Artifact.objects.all()} - {""}
    kept = set(Piece.objects.values_list("storage_key", flat=True)) | lists
    kept |= set(made.log_chunks.values_list("key", flat=True))
    assert files() - others == kept
    if name == "finish":
        assert Artifact.objects.count() == 2 and CacheEntry.objects.count() == 1
