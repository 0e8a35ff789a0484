"""A build's artifacts: list and download."""

from __future__ import annotations

import hashlib
import html
import io
import re
import zipfile

import pytest
from django.test import AsyncClient, Client

from builds.artifacts import manifest
from builds.artifacts.manifest import StoredFile
from builds.models import Artifact
from codeservices.objects import services
from codeservices.objects.models import Bucket
from tests import factories
from tests.builds import logged
from tests.fixtures.people import signed_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]

CONFIG = {"type": "S3", "location": "codebuild-artifacts", "packaging": "ZIP"}


@pytest.fixture
def project(alice):
    factories.repository("demo")
    return factories.project("demo")


@pytest.fixture
def build(project):
    return logged.end(logged.running_build(project, artifacts_config=CONFIG))


def signed_in_async(user) -> AsyncClient:
    client = AsyncClient()
    client.force_login(user, backend="codeservices.iam.backends.SessionBackend")
    return client


async def fetch(client: AsyncClient, path: str) -> tuple[int, dict[str, str], bytes]:
    response = await client.get(path)
    if not response.streaming:
        return response.status_code, dict(response.headers), response.content
    pieces = [piece async for piece in response.streaming_content]
    return response.status_code, dict(response.headers), b"".join(pieces)


def download(user, path: str) -> tuple[int, dict[str, str], bytes]:
    """Through Django's asynchronous handler, which streams as the server does."""
    from asgiref.sync import async_to_sync

    return async_to_sync(fetch)(signed_in_async(user), path)


def test_the_list_shows_files_sizes_and_checksums(alice_client, build):
    artifact = logged.artifact_of(build)
    page = alice_client.get("/projects/demo/builds/1/artifacts").content.decode()
    assert "dist/" in page and artifact.sha256 in page and "2.0 KB" in page
    assert f'href="/projects/demo/builds/1/artifacts/{artifact.pk}"' in page
    assert "demo.zip" in alice_client.get("/projects/demo/builds/1/").content.decode()


def test_a_download_is_what_was_stored_and_is_never_run_by_the_browser(alice, build):
    content = bytes(range(256)) * 5000
    artifact = logged.artifact_of(build, content)
    status, headers, body = download(alice, f"/projects/demo/builds/1/artifacts/{artifact.pk}")
    assert (status, hashlib.sha256(body).digest()) == (200, hashlib.sha256(content).digest())
    assert headers["Content-Disposition"] == 'attachment; filename="demo.zip"'
    assert (headers["Content-Length"], headers["X-Content-Type-Options"]) == (str(len(content)), "nosniff")
    assert "sandbox" in headers["Content-Security-Policy"]


def test_a_hostile_name_can_not_leave_the_header(alice, build):
    artifact = logged.artifact_of(build, name='../a"\r\nSet-Cookie: x=1.zip')
    status, headers, _ = download(alice, f"/projects/demo/builds/1/artifacts/{artifact.pk}")
    assert status == 200 and "Set-Cookie" not in headers
    assert "\n" not in headers["Content-Disposition"] and ".." not in headers["Content-Disposition"]


def test_no_artifacts_says_how_to_get_some(alice_client, project, build):
    assert "its buildspec names no files" in alice_client.get("/projects/demo/builds/1/artifacts").content.decode()
    logged.end(logged.running_build(project, 2))
    assert "The project keeps none." in alice_client.get("/projects/demo/builds/2/artifacts").content.decode()


def test_a_reader_sees_the_list_and_downloading_takes_the_right_to_read_the_object(bob_client, bob, build):
    artifact = logged.artifact_of(build)
    page = bob_client.get("/projects/demo/builds/1/artifacts").content.decode()
    assert "dist/" in page and "Downloading takes <code>s3:GetObject</code>" in page
    denied = bob_client.get(f"/projects/demo/builds/1/artifacts/{artifact.pk}")
    assert denied.status_code == 403
    assert f"arn:aws:s3:::codebuild-artifacts/{artifact.key}" in denied.content.decode()


def test_a_policy_on_the_bucket_is_enough_to_download(build):
    artifact = logged.artifact_of(build)
    document = factories.allow("s3:GetObject", resource="arn:aws:s3:::codebuild-artifacts/*")
    document["Statement"].append({"Effect": "Allow", "Action": "codebuild:BatchGetBuilds", "Resource": "*"})
    dave = factories.user("dave", document=document)
    assert download(dave, f"/projects/demo/builds/1/artifacts/{artifact.pk}")[0] == 200


def test_an_outsider_learns_nothing(carol_client, build):
    artifact = logged.artifact_of(build)
    for path in ("artifacts", f"artifacts/{artifact.pk}", "artifacts/999999"):
        assert carol_client.get(f"/projects/demo/builds/1/{path}").status_code == 403


def test_the_anonymous_are_sent_to_sign_in(build):
    assert Client().get("/projects/demo/builds/1/artifacts")["Location"].startswith("/sign-in/")


def test_missing_artifacts_and_artifacts_of_other_builds_are_not_found(alice_client, project, build):
    other = logged.end(logged.running_build(project, 2, artifacts_config=CONFIG))
    artifact = logged.artifact_of(other)
    assert alice_client.get(f"/projects/demo/builds/1/artifacts/{artifact.pk}").status_code == 404
    assert alice_client.get("/projects/demo/builds/3/artifacts").status_code == 404
    services.remove(Bucket.objects.get(), artifact.key)
    gone = alice_client.get(f"/projects/demo/builds/2/artifacts/{artifact.pk}")
    assert gone.status_code == 404 and "not in the object store any more" in gone.content.decode()


def test_other_methods_are_refused(alice_client, build):
    assert alice_client.post("/projects/demo/builds/1/artifacts").status_code == 405


def test_the_page_of_a_build_marks_what_one_may_not_download(build):
    logged.artifact_of(build)
    dave = factories.user("dave", document=factories.allow("codebuild:BatchGetBuilds"))
    page = signed_in(dave).get("/projects/demo/builds/1/").content.decode()
    assert "downloading takes <code>s3:GetObject</code>" in page and "/artifacts/" not in page


# ---- what is inside --------------------------------------------------------------------------------------------------

ODD = 'd/<img src=x onerror=alert(1)> "q" & 100% ?#.txt'


def test_folders_are_opened_one_at_a_time_and_a_file_is_downloaded_alone(alice, alice_client, build):
    files = {"a.txt": b"A", "d/e/f.txt": b"F" * 3000, ODD: b"odd"}
    artifact = logged.artifact_of(build, logged.zip_of(files))
    base = f"/projects/demo/builds/1/artifacts/{artifact.pk}"
    top = alice_client.get("/projects/demo/builds/1/artifacts").content.decode()
    assert "a.txt" in top and "f.txt" not in top and f'href="{base}/folder/d"' in top
    part = alice_client.get(f"{base}/folder/d", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part and f'hx-get="{base}/folder/d/e"' in part and "<img" not in part
    assert "f.txt" in alice_client.get(f"{base}/folder/d/e").content.decode()
    assert download(alice, f"{base}/file/d/e/f.txt")[2] == b"F" * 3000
    odd = html.unescape(re.search(r'href="([^"]*file/d/%3Cimg[^"]*)"', part)[1])
    status, headers, content = download(alice, odd)
    assert (status, content) == (200, b"odd") and "sandbox" in headers["Content-Security-Policy"]
    for missing in ("file/d", "file/gone", "folder/gone", "folder/a.txt", "file/../../x"):
        assert alice_client.get(f"{base}/{missing}").status_code == 404


def test_files_that_lie_by_themselves_are_listed_and_downloaded_alone_or_as_one_zip(
    alice, alice_client, project, build
):
    artifact = files_of(build, {"a.txt": b"A", "d/b.txt": b"B"})
    base = f"/projects/demo/builds/1/artifacts/{artifact.pk}"
    page = alice_client.get("/projects/demo/builds/1/artifacts").content.decode()
    assert "each file an object of its own" in page and "Download as ZIP" in page and "SHA-256" not in page
    assert download(alice, f"{base}/file/d/b.txt")[2] == b"B"
    _, headers, content = download(alice, base)
    assert headers["Content-Disposition"] == 'attachment; filename="docs.zip"'
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"a.txt": b"A", "d/b.txt": b"B"}
    document = factories.allow("s3:GetObject", resource="arn:aws:s3:::codebuild-artifacts/docs/a.txt")
    document["Statement"].append({"Effect": "Allow", "Action": "codebuild:BatchGetBuilds", "Resource": "*"})
    dave = factories.user("dave", document=document)
    assert [download(dave, f"{base}{path}")[0] for path in ("/file/a.txt", "/file/d/b.txt", "")] == [200, 403, 403]


def test_what_another_put_in_its_place_is_not_shown_as_the_build_s(alice, alice_client, build):
    artifact = logged.artifact_of(build)
    services.put_object(alice.principal, artifact.bucket, artifact.key, io.BytesIO(logged.zip_of({"evil": b"e"})))
    page = alice_client.get("/projects/demo/builds/1/artifacts")
    assert page.status_code == 200 and "evil" not in page.content.decode()
    assert "something else is in its place" in page.content.decode()
    base = f"/projects/demo/builds/1/artifacts/{artifact.pk}"
    assert [alice_client.get(f"{base}{path}").status_code for path in ("", "/file/evil", "/folder/x")] == [404] * 3


def files_of(build, files: dict[str, bytes]) -> Artifact:
    """An artifact whose files are objects of their own."""
    bucket = services.ensure_bucket("codebuild-artifacts")
    stored = []
    for path, content in files.items():
        made = services.store(bucket, f"docs/{path}", io.BytesIO(content))
        stored.append(StoredFile(path, len(content), made.modified_at.isoformat()))
    manifest_key = manifest.new_key(build)
    manifest.write(manifest_key, stored)
    return build.artifacts.create(
        name="docs",
        packaging="NONE",
        bucket=bucket.name,
        key="docs",
        manifest_key=manifest_key,
        size_bytes=2,
        file_count=len(files),
    )
