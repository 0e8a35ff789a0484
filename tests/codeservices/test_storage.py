"""The object store, as a folder and in somebody's S3: a real server process, which is another Code Services."""

from __future__ import annotations

import gzip
import io
import itertools
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from builds.logs import download
from builds.models import Project
from codeservices import object_storage, storage, storage_folder, storage_s3
from codeservices.audit import delivery, trails
from codeservices.env import SettingError
from codeservices.iam.models import User
from codeservices.objects import buckets, pieces, services
from codeservices.objects.models import StoredObject
from tests import factories, gitserver
from tests.builds import logged
from tests.gitserver import GitServer

KEYS = """
from codeservices.iam.credentials import issue_access_key
from codeservices.iam.models import User
from codeservices.objects.services import ensure_bucket
ensure_bucket("store")
key, secret = issue_access_key(User.objects.get(name="alice"))
print(key.access_key_id, secret)
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GitServer, dict[str, str]]]:
    """A server process with a bucket, and how it is reached."""
    with gitserver.running(tmp_path_factory.mktemp("elsewhere")) as server:
        key_id, secret = server.python(KEYS).split()
        told = {"endpoint_url": f"http://127.0.0.1:{server.port}", "access_key_id": key_id, "secret_access_key": secret}
        yield server, told


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path / "objects"}},
    }


@pytest.fixture
def remote(elsewhere: tuple[GitServer, dict[str, str]], settings: Any, tmp_path: Path) -> Iterator[None]:
    options = object_storage.options(f"s3://store/{tmp_path.name}", region="us-east-1", **elsewhere[1])
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "codeservices.storage_s3.RemoteStorage", "OPTIONS": options},
    }
    yield
    default_storage.connection.meta.client.close()


@pytest.fixture(params=["folder", "remote"])
def store(request: pytest.FixtureRequest) -> str:
    request.getfixturevalue(request.param)
    kind: str = request.param
    return kind


def test_what_is_written_is_read_and_written_again_is_replaced(store: str) -> None:
    storage.write("builds/one/log.gz", b"first")
    storage.write("builds/one/log.gz", io.BytesIO(b"second"))
    assert storage.read("builds/one/log.gz") == b"second"
    assert storage.size_bytes("builds/one/log.gz") == 6
    assert storage.exists("builds/one/log.gz") and not storage.exists("builds/two")


def test_many_are_written_at_once_and_where_one_fails_no_draft_is_left(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {f"many/{number}": b"%d" % number for number in range(20)}
    storage.write_all(contents)
    assert {key: storage.read(key) for key in contents} == contents
    kind = storage_s3.RemoteWriter if store == "remote" else storage_folder.FolderWriter
    commit, calls = kind.commit, itertools.count()

    def fail_once(writer: Any) -> None:
        if next(calls) == 1:
            raise OSError("full")
        commit(writer)

    monkeypatch.setattr(kind, "commit", fail_once)
    with pytest.raises(OSError, match="full"):
        storage.write_all(dict.fromkeys(contents, b"new"))
    # The others of its batch are written, those behind it were not begun.
    assert {storage.read(key) for key in list(contents)[8:]} == set(list(contents.values())[8:])
    assert sorted(storage.read(key) for key in list(contents)[:8]).count(b"new") == 7
    assert not list(tmp_path.rglob("*.draft"))


def test_a_deleted_object_is_gone_and_deleting_it_again_is_no_error(store: str) -> None:
    storage.write("a/b", b"x")
    storage.delete("a/b")
    storage.delete("a/b")
    assert not storage.exists("a/b")
    for ask in (storage.read, storage.size_bytes):
        with pytest.raises(FileNotFoundError):
            ask("a/b")


def test_what_is_not_committed_never_was(store: str) -> None:
    storage.write("a/b", b"first")
    with storage.writer("a/b") as writer:
        writer.write(b"second")
    with pytest.raises(OSError, match="gone"), storage.writer("a/b") as writer:
        writer.write(b"third")
        raise OSError("the client is gone")
    assert storage.read("a/b") == b"first"


def test_a_large_object_goes_in_parts_and_is_read_from_anywhere(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_s3, "PART_BYTES", 5 * 1024 * 1024)
    monkeypatch.setattr(storage_s3, "WINDOW_BYTES", 1024 * 1024)
    content = bytes(range(256)) * (11 * 1024 * 4)
    storage.write("large", io.BytesIO(content))
    with storage.open_object("large") as file:
        assert file.read() == content
        file.seek(-3, io.SEEK_END)
        assert file.read(10) == content[-3:] and file.read(1) == b""
        file.seek(7_000_001)
        assert file.read(2_000_000) == content[7_000_001:9_000_001]


def test_drafts_of_dead_processes_are_removed_when_they_are_old(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_s3, "PART_BYTES", 4)
    writer = storage.writer("a/b")
    writer.write(b"never committed")
    now = timezone.now()
    assert storage.remove_drafts(now - timedelta(hours=1)) == 0
    assert storage.remove_drafts(now + timedelta(hours=1)) == 1
    assert not storage.exists("a/b")
    if store == "folder":
        writer.__exit__(None, None, None)


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".hidden", "a/b\n", "a b"])
def test_a_key_that_could_leave_the_store_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is no object key"):
        storage.write(key, b"x")


@pytest.mark.django_db(transaction=True)
def test_objects_lie_in_somebody_elses_s3(remote: None, alice: User, elsewhere: tuple[GitServer, Any]) -> None:
    buckets.create_bucket(alice.principal, "artifacts")
    for content in (b"first", b"second"):
        services.put_object(alice.principal, "artifacts", "ü/demo.zip", io.BytesIO(content))
    found, file = services.open_object(alice.principal, "artifacts", "ü/demo.zip")
    with file:
        assert file.read() == b"second" and file.seek(3) == 3 and file.read() == b"ond"
    (piece,) = found.pieces.all()
    rows = elsewhere[0].rows("SELECT key FROM objects_storedobject WHERE key LIKE ?", f"%{piece.storage_key}")
    assert len(rows) == 1
    services.delete_object(alice.principal, "artifacts", "ü/demo.zip")
    assert not storage.exists(piece.storage_key)


@pytest.mark.django_db
def test_audit_files_lie_in_somebody_elses_s3(remote: None) -> None:
    trails.create_trail(factories.SERVICE, {"Name": "main", "S3BucketName": "audit-logs"})
    trails.start_logging(factories.SERVICE, "main")
    factories.event(event_name="First")
    assert delivery.deliver_all() == 1
    with pieces.reader(StoredObject.objects.get()) as file:
        assert [one["eventName"] for one in json.loads(gzip.decompress(file.read()))["Records"]] == ["First"]


@pytest.mark.django_db(transaction=True)
def test_the_log_of_a_build_lies_in_somebody_elses_s3(remote: None, redis_server: str, alice: User) -> None:
    project: Project = factories.project("demo")
    build = logged.logged_build(project, [f"line {number}" for number in range(5000)])
    assert build.log_chunks.exists()
    text = b"".join(download.whole(build, "raw")).decode()
    assert text.splitlines()[4999] == "line 4999"


@pytest.mark.parametrize(
    ("url", "more", "sentence"),
    [
        ("s3://", {}, "must look like s3://BUCKET/PREFIX"),
        ("https://bucket", {}, "must look like"),
        ("s3://bucket/../x", {}, "must look like"),
        ("s3://bucket", {"endpoint_url": "s3.example.com"}, "must be an origin"),
        ("s3://bucket", {"endpoint_url": "https://s3.example.com/path"}, "must be an origin"),
        ("s3://bucket", {"access_key_id": "AKIA"}, "or neither"),
    ],
)
def test_settings_that_can_not_be_meant_stop_the_start(url: str, more: dict[str, str], sentence: str) -> None:
    given = {"endpoint_url": "", "region": "us-east-1", "access_key_id": "", "secret_access_key": ""} | more
    with pytest.raises(SettingError, match=sentence):
        object_storage.options(url, **given)
