"""The pages of buckets: list, look, download, upload, delete, unfinished uploads."""

from __future__ import annotations

import io
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from codeservices.iam.models import User
from codeservices.objects import multipart, services
from codeservices.objects.models import Bucket, MultipartUpload, StoredObject
from codeservices.objects.views import buckets, uploads
from tests import factories
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db

ODD = ["../../etc/passwd", "/a//b", "a b/ü+&=?#%2F.txt", "evil\u202egnp.exe", "<script>alert(1)</script>", "d/"]


@pytest.fixture(autouse=True)
def store(settings: Any, tmp_path: Path) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path / "objects"}},
    }


@pytest.fixture
def bucket(db: Any) -> Bucket:
    return services.ensure_bucket("sources")


def put(bucket: Bucket, *keys: str, content: bytes = b"x") -> None:
    for key in keys:
        services.store(bucket, key, io.BytesIO(content), services.About("text/html"))


def page(client: Client, name: str = "bucket", status: int = 200, **query: str) -> str:
    answer = client.get(reverse(f"objects:{name}", args=["sources"], query=query))
    assert answer.status_code == status, answer.content
    return unescape(answer.content.decode())


def post(client: Client, name: str, /, **form: Any) -> Any:
    return client.post(reverse(f"objects:{name}", args=["sources"]), form, follow=True)


def reader_of(*statements: tuple[str, str]) -> Client:
    allowed = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in statements]
    return signed_in(factories.user("rita", document={"Version": "2012-10-17", "Statement": allowed}))


def test_buckets_are_listed_found_and_made(alice_client: Client, bucket: Bucket) -> None:
    put(bucket, "a")
    place = reverse("objects:bucket_list")
    shown = alice_client.get(place).content.decode()
    assert f'href="{reverse("objects:bucket", args=["sources"])}"' in shown
    assert "No bucket matches" in alice_client.get(place, {"q": "zzz"}).content.decode()
    made = alice_client.post(reverse("objects:bucket_create"), {"name": "more"}, follow=True)
    assert "The bucket more is made." in made.content.decode() and Bucket.objects.filter(name="more").exists()
    bad = alice_client.post(reverse("objects:bucket_create"), {"name": "No_Good"})
    assert bad.status_code == 400 and "InvalidBucketName" not in bad.content.decode()
    assert "3 to 63 lower-case letters" in bad.content.decode()


def test_a_bucket_that_one_may_not_look_into_is_named_alone(bucket: Bucket) -> None:
    put(bucket, "a")
    shown = reader_of(("s3:ListAllMyBuckets", "*")).get(reverse("objects:bucket_list")).content.decode()
    assert "sources" in shown and "looking into it takes" in shown and ">1<" not in shown


def test_no_buckets_say_how_to_begin(alice_client: Client) -> None:
    assert "aws s3 mb s3://build-sources" in alice_client.get(reverse("objects:bucket_list")).content.decode()


def test_a_folder_shows_what_is_in_it_and_the_way_up(alice_client: Client, bucket: Bucket) -> None:
    put(bucket, "top.txt", "a/one.txt", "a/deep/two.txt", "a/deep/three.txt")
    shown = page(alice_client)
    assert "a/</a>" in shown and "top.txt" in shown and "one.txt" not in shown
    inside = page(alice_client, prefix="a/")
    assert "deep/</a>" in inside and "one.txt</a>" in inside and "two.txt" not in inside
    assert 'href="/buckets/sources/"' in inside
    assert "one.txt" in page(alice_client, prefix="a/o") and "No key begins so" in page(alice_client, prefix="zzz")


def test_a_long_folder_comes_page_by_page(
    alice_client: Client, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "KEYS_A_PAGE", 3)
    put(bucket, *(f"d/{number:02}" for number in range(7)), *(f"d/f{number}/x" for number in range(2)))
    seen, after = [], ""
    for _ in range(3):
        answer = alice_client.get(reverse("objects:bucket", args=["sources"]), {"prefix": "d/", "after": after})
        seen += [key.name for key in answer.context["keys"]] + [name for _, name in answer.context["folders"]]
        after = answer.context["following"]
    assert (seen, after) == ([f"{number:02}" for number in range(7)] + ["f0/", "f1/"], "")
    assert "Nothing follows" in page(alice_client, prefix="d/", after="d/zzz")


@pytest.mark.parametrize("key", ODD)
def test_an_odd_key_has_its_page_its_download_and_its_end(alice_client: Client, bucket: Bucket, key: str) -> None:
    put(bucket, key, content=b"<script>alert(2)</script>")
    folder = key[: key.rstrip("/").rfind("/") + 1]
    listed = alice_client.get(reverse("objects:bucket", args=["sources"]), {"prefix": folder})
    assert [one.stored.key for one in listed.context["keys"]] + [one for one, _ in listed.context["folders"]] == [key]
    shown = alice_client.get(reverse("objects:object", args=["sources"]), {"key": key})
    for text in (listed.content.decode(), shown.content.decode()):
        assert "<script>alert" not in text
    assert "\u202e" not in unescape(shown.content.decode()).partition("<h1>")[2].partition("</h1>")[0]
    answer = alice_client.get(reverse("objects:object_download", args=["sources"]), {"key": key})
    assert b"".join(answer) == b"<script>alert(2)</script>"
    assert answer["Content-Type"] == "application/octet-stream" and answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("attachment") and "sandbox" in answer["Content-Security-Policy"]
    name = key[len(folder) :]
    assert "Nothing was deleted" in post(alice_client, "object_delete", key=key, confirm_name="?").content.decode()
    assert StoredObject.objects.count() == 1
    assert post(alice_client, "object_delete", key=key, confirm_name=name).status_code == 200
    assert not StoredObject.objects.exists()


def test_a_file_is_uploaded_and_replaces_another_only_on_demand(alice_client: Client, bucket: Bucket) -> None:
    def upload(content: bytes, **more: str) -> Any:
        file = SimpleUploadedFile("src.zip", content, "text/html")
        return post(alice_client, "object_upload", file=file, folder="v1", **more)

    assert "src.zip is stored: 3 B." in upload(b"one").content.decode()
    stored = StoredObject.objects.get()
    assert (stored.key, stored.content_type) == ("v1/src.zip", "application/zip")
    again = upload(b"second")
    assert again.status_code == 400 and "There is an object called v1/src.zip already." in again.content.decode()
    assert upload(b"second", replaces="on").status_code == 200
    assert StoredObject.objects.get().size_bytes == 6
    assert upload(b"", name="empty").status_code == 200
    assert upload(b"x", name="n" * 1024).status_code == 400
    assert post(alice_client, "object_upload", folder="").status_code == 400


def test_each_object_is_decided_on_for_itself(bucket: Bucket) -> None:
    put(bucket, "open/a", "shut/b")
    rita = reader_of(
        ("s3:ListBucket", "arn:aws:s3:::sources"),
        ("s3:GetObject", "arn:aws:s3:::sources/open/*"),
        ("s3:PutObject", "arn:aws:s3:::sources/inbox/mine.txt"),
    )
    assert "objects/download" not in page(rita, prefix="shut/") and "/object/download" in page(rita, prefix="open/")
    assert "/object/download" not in page(rita, prefix="shut/")
    for name in ("object", "object_download"):
        page(rita, name, 403, key="shut/b")
    assert "Delete this object" not in page(rita, "object", key="open/a")
    for key in ("open/a", "shut/b"):
        assert post(rita, "object_delete", key=key, confirm_name=key[-1]).status_code == 403
    for name, status in (("mine.txt", 200), ("theirs.txt", 403)):
        file = SimpleUploadedFile(name, b"x")
        assert rita.post(
            reverse("objects:object_upload", args=["sources"]), {"file": file, "folder": "inbox/"}
        ).status_code == (302 if status == 200 else 403)
    assert set(StoredObject.objects.values_list("key", flat=True)) == {"open/a", "shut/b", "inbox/mine.txt"}


def test_what_is_not_there_is_told(alice_client: Client, bob_client: Client, bucket: Bucket) -> None:
    page(alice_client, "object", 404, key="gone")
    page(alice_client, "object_download", 404, key="gone")
    assert alice_client.get(reverse("objects:bucket", args=["nowhere"])).status_code == 404
    assert bob_client.get(reverse("objects:bucket", args=["nowhere"])).status_code == 403
    for key in ("", "n" * 1025, "a\0b"):
        page(alice_client, "object", 400, key=key)
    assert alice_client.get(reverse("objects:object_delete", args=["sources"])).status_code == 405


def test_an_empty_bucket_is_deleted_once_its_name_is_typed(alice_client: Client, bucket: Bucket) -> None:
    put(bucket, "a")
    assert "Delete this bucket" not in page(alice_client)
    assert post(alice_client, "bucket_delete", confirm_name="sources").status_code == 409
    services.remove(bucket, "a")
    assert "Delete this bucket" in page(alice_client)
    assert post(alice_client, "bucket_delete", confirm_name="source").status_code == 400
    assert (
        "The bucket sources is deleted." in post(alice_client, "bucket_delete", confirm_name="sources").content.decode()
    )
    assert not Bucket.objects.exists()


def test_unfinished_uploads_are_listed_page_by_page_and_aborted(
    alice: User, alice_client: Client, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No unfinished uploads" in page(alice_client, "upload_list")
    monkeypatch.setattr(uploads, "UPLOADS_A_PAGE", 2)
    begun = [multipart.begin(alice.principal, "sources", key, services.About()) for key in ("a", "a", "b")]
    first = alice_client.get(reverse("objects:upload_list", args=["sources"]))
    last = first.context["following"]
    rest = alice_client.get(
        reverse("objects:upload_list", args=["sources"]), {"after": last.key, "after-id": last.upload_id.hex}
    )
    seen = [row.upload for row in (*first.context["rows"], *rest.context["rows"])]
    assert sorted(one.pk for one in seen) == [one.pk for one in begun] and rest.context["following"] is None
    told = post(alice_client, "upload_abort", key="b", upload_id=begun[2].upload_id.hex)
    assert "The upload of b is aborted." in told.content.decode() and MultipartUpload.objects.count() == 2
    assert post(alice_client, "upload_abort", key="b", upload_id=begun[0].upload_id.hex).status_code == 404
    assert post(alice_client, "upload_abort", key="a", upload_id="?").status_code == 404
