"""Objects through the services: who may, what is kept, what goes, and what a crash leaves."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone

from codeservices import storage
from codeservices.errors import AccessDenied, Conflict, InvalidInput, NotFound, ServiceError
from codeservices.iam.models import User
from codeservices.objects import buckets, multipart, pieces, services
from codeservices.objects.models import Bucket, Piece, StoredObject

pytestmark = pytest.mark.django_db
# Bytes are removed when a transaction has ended.
commits = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> Path:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path / "objects"}},
    }
    return tmp_path / "objects"


@pytest.fixture
def bucket(alice: User) -> Bucket:
    return buckets.create_bucket(alice.principal, "artifacts")


def put(person: User, key: str, content: bytes, **more: Any) -> StoredObject:
    return services.put_object(person.principal, "artifacts", key, io.BytesIO(content), **more)


def files(store: Path) -> list[Path]:
    return [path for path in store.rglob("*") if path.is_file()]


def test_an_object_comes_back_as_it_was_put(alice: User, bucket: Bucket) -> None:
    put(alice, "a b/ü/../x", b"hello", content_type="text/plain", metadata={"by": "alice"})
    found, file = services.open_object(alice.principal, "artifacts", "a b/ü/../x")
    with file:
        assert file.read() == b"hello"
        assert file.seek(2) == 2 and file.read(2) == b"ll"
    assert (found.size_bytes, found.content_type, found.metadata) == (5, "text/plain", {"by": "alice"})
    assert found.etag == hashlib.md5(b"hello").hexdigest()


def test_all_sessions_of_a_role_have_their_unfinished_uploads_together(
    alice: User, bucket: Bucket, settings: Any
) -> None:
    settings.OBJECT_UPLOADS_PER_PERSON = 2

    def begin(role: str, session: str) -> None:
        arn = f"arn:aws:sts::123456789012:assumed-role/{role}/{session}"
        caller = replace(alice.principal, arn=arn, session_name=session)
        multipart.begin(caller, "artifacts", "key", services.About())

    begin("ci", "one"), begin("ci", "two")
    with pytest.raises(ServiceError, match="You have 2 uploads in parts"):
        begin("ci", "three")
    begin("c", "one")


def test_no_key_of_a_user_becomes_a_path(alice: User, bucket: Bucket, store: Path) -> None:
    put(alice, "../../../etc/passwd", b"x")
    (file,) = files(store)
    assert file.parent.parent == store / "objects"


@commits
def test_what_is_replaced_is_gone_once_it_is(alice: User, bucket: Bucket, store: Path) -> None:
    put(alice, "one", b"first")
    put(alice, "one", b"second!")
    assert [file.read_bytes() for file in files(store)] == [b"second!"]
    bucket.refresh_from_db()
    assert (bucket.size_bytes, bucket.object_count, Piece.objects.count()) == (7, 1, 1)


@commits
def test_what_is_deleted_is_gone_and_deleting_it_again_is_no_error(alice: User, bucket: Bucket, store: Path) -> None:
    put(alice, "one", b"first")
    services.delete_object(alice.principal, "artifacts", "one")
    services.delete_object(alice.principal, "artifacts", "one")
    bucket.refresh_from_db()
    assert (files(store), Piece.objects.count(), bucket.size_bytes, bucket.object_count) == ([], 0, 0, 0)


def test_a_write_that_breaks_off_leaves_what_was_there(alice: User, bucket: Bucket, store: Path) -> None:
    put(alice, "one", b"first")

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError("the network is gone")
            return super().read(3)

    with pytest.raises(OSError, match="network"):
        services.put_object(alice.principal, "artifacts", "one", Broken(b"second"))
    assert storage.read(StoredObject.objects.get().pieces.get().storage_key) == b"first"
    assert (len(files(store)), Piece.objects.count()) == (1, 1)


def test_the_sweep_finds_what_a_dead_process_left(alice: User, bucket: Bucket, store: Path) -> None:
    put(alice, "one", b"kept")
    with pieces.PieceWriter(100) as writer:
        writer.write(b"whole, but of nothing")
        writer.finish()
    half = Piece.objects.create(storage_key="objects/ab/abcd")
    draft = store / "objects" / "ab" / "abcd.1234.draft"
    draft.parent.mkdir(exist_ok=True)
    draft.write_bytes(b"half")
    assert (pieces.sweep(), draft.exists()) == (0, True), "they may be at work still"
    old = timezone.now() - timedelta(hours=25)
    Piece.objects.update(created_at=old)
    os.utime(draft, (old.timestamp(), old.timestamp()))
    assert pieces.sweep() == 2
    assert not Piece.objects.filter(pk=half.pk).exists()
    assert [file.read_bytes() for file in files(store)] == [b"kept"]


@commits
def test_a_store_that_refuses_to_delete_is_asked_again(
    alice: User, bucket: Bucket, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(alice, "one", b"first")

    def refuse(key: str) -> None:
        raise OSError("read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(default_storage, "delete", refuse)
        services.delete_object(alice.principal, "artifacts", "one")
    assert not StoredObject.objects.exists()
    assert (pieces.sweep(), files(store)) == (1, [])


def test_whoever_may_not_is_told_so_and_nothing_changes(alice: User, carol: User, bucket: Bucket) -> None:
    put(alice, "one", b"first")
    for forbidden in (
        lambda: put(carol, "one", b"x"),
        lambda: services.open_object(carol.principal, "artifacts", "one"),
        lambda: services.delete_object(carol.principal, "artifacts", "one"),
        lambda: services.open_object(carol.principal, "no-such-bucket", "one"),
        lambda: buckets.create_bucket(carol.principal, "another"),
        lambda: buckets.delete_bucket(carol.principal, "artifacts"),
        lambda: buckets.list_buckets(carol.principal),
    ):
        with pytest.raises(AccessDenied):
            forbidden()
    assert StoredObject.objects.get().size_bytes == 5


def test_what_is_missing_is_named(alice: User, bucket: Bucket) -> None:
    for act, code in (
        (lambda: services.open_object(alice.principal, "artifacts", "none"), "NoSuchKey"),
        (lambda: services.open_object(alice.principal, "nowhere", "none"), "NoSuchBucket"),
        (lambda: services.put_object(alice.principal, "nowhere", "a", io.BytesIO()), "NoSuchBucket"),
    ):
        with pytest.raises(NotFound) as raised:
            act()
        assert raised.value.code == code


@pytest.mark.parametrize(
    ("key", "code"),
    [("", "InvalidURI"), ("a\0b", "InvalidURI"), ("\ud800", "InvalidURI"), ("ü" * 513, "KeyTooLongError")],
    ids=["empty", "nul", "surrogate", "long"],
)
def test_a_key_that_is_none_is_refused(alice: User, bucket: Bucket, key: str, code: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        put(alice, key, b"x")
    assert (raised.value.code, Piece.objects.count()) == (code, 0)


@commits
def test_limits_hold(alice: User, bucket: Bucket, settings: Any, store: Path) -> None:
    settings.BUCKET_QUOTA_BYTES = 10
    put(alice, "one", b"12345678")
    put(alice, "one", b"0123456789")
    with pytest.raises(ServiceError) as raised:
        put(alice, "two", b"x")
    assert raised.value.code == "QuotaExceeded"
    settings.OBJECT_MAX_BYTES = 4
    with pytest.raises(InvalidInput) as refused:
        put(alice, "one", b"12345")
    assert refused.value.code == "EntityTooLarge"
    assert len(files(store)) == Piece.objects.count() == 1


@pytest.mark.parametrize(
    "name",
    ["ab", "A-b-c", "a_b", "-ab", "ab-", "192.168.0.1", "a..b", "a" * 64, "xn--a", "a-s3alias", "ü-b", ""],
)
def test_a_bucket_name_that_is_none_is_refused(alice: User, name: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        buckets.create_bucket(alice.principal, name)
    assert raised.value.code == "InvalidBucketName"


def test_a_bucket_is_made_once_and_deleted_once_it_is_empty(alice: User, bucket: Bucket) -> None:
    with pytest.raises(Conflict) as raised:
        buckets.create_bucket(alice.principal, "artifacts")
    assert raised.value.code == "BucketAlreadyOwnedByYou"
    put(alice, "one", b"1")
    with pytest.raises(Conflict) as refused:
        buckets.delete_bucket(alice.principal, "artifacts")
    assert refused.value.code == "BucketNotEmpty"
    services.delete_object(alice.principal, "artifacts", "one")
    buckets.delete_bucket(alice.principal, "artifacts")
    assert not Bucket.objects.exists()


def test_our_own_work_makes_the_bucket_it_needs() -> None:
    assert services.ensure_bucket("trails") == services.ensure_bucket("trails")
    assert settings.OBJECT_MAX_BYTES
