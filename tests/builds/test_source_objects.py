"""Archives and folders of the object storage as sources, and buildspecs that lie there."""

from __future__ import annotations

import io
import zipfile

import pytest

from builds.models import Build, Project
from builds.runner.executor import PhaseError
from builds.sources import objects, opening, specification
from codeservices.audit import drain
from codeservices.audit.models import Event
from codeservices.objects import services
from tests import factories
from tests.builds import logged, sourced
from tests.builds.sourced import Folder, refusal

pytestmark = pytest.mark.django_db
SPEC = "version: 0.2\nphases:\n  build:\n    commands: [make]\n"
ROOT = "/codebuild/output/src"


@pytest.fixture(autouse=True)
def scratch(settings, tmp_path):
    settings.CACHE_ROOT = tmp_path / "cache"


@pytest.fixture
def bucket(alice):
    return services.ensure_bucket("sources")


@pytest.fixture
def project(bucket) -> Project:
    made = factories.project(repository_name=None)
    made.source = {"type": "S3", "location": "sources/app.zip"}
    made.save()
    return made


def stored(alice, key: str, content: bytes):
    return services.put_object(alice.principal, "sources", key, io.BytesIO(content))


def packed(files: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in files.items():
            made.writestr(name, text)
    return file.getvalue()


def build_of(project: Project, version: str = "", **source) -> Build:
    project.source |= source
    return logged.running_build(project, Build.objects.count() + 1, source_version=version, source=dict(project.source))


def test_an_archive_is_unpacked_in_the_container_and_has_no_commit(alice, project, tmp_path):
    stored(alice, "app.zip", packed({"buildspec.yml": SPEC, "src/main.c": "int main;"}))
    folder = Folder(tmp_path / "container")
    build = build_of(project)
    found = sourced.opened(build, alice.principal, folder).primary
    assert (found.directory, found.url, found.oid) == (ROOT, "s3://sources/app.zip", "")
    assert folder.path(f"{ROOT}/src/main.c").read_text() == "int main;"
    drain.drain()
    event = Event.objects.get(event_name="GetObject")
    assert (event.resource_arn, event.principal_name) == ("arn:aws:s3:::sources/app.zip", "alice")
    assert event.additional_event_data["build"] == build.api_id


def test_a_version_is_the_objects_etag(alice, project):
    etag = stored(alice, "app.zip", packed({"a": "1"})).etag
    for version in (etag, f'"{etag}"', objects.NO_VERSION):
        assert sourced.opened(build_of(project, version), alice.principal).primary.url
    told = refusal(build_of(project, "older"), alice.principal)
    assert told == (
        "CLIENT_ERROR: NoSuchVersion: The specified version does not exist. status code: 404 for primary source and "
        f"source version older: The object's ETag is {etag}; its bucket keeps no older versions."
    )


def test_a_folder_is_all_objects_below_it(alice, project, tmp_path):
    for key, content in {
        "app/a.txt": b"1",
        "app/b/c.txt": b"22",
        "app/empty/": b"",
        "apple": b"no",
        "APP/d.txt": b"no",
        "app0": b"no",
    }.items():
        stored(alice, key, content)
    folder = Folder(tmp_path / "container")
    found = sourced.opened(build_of(project, location="sources/app/"), alice.principal, folder).primary
    root = folder.path(ROOT)
    assert {str(one.relative_to(root)): one.read_bytes() for one in root.rglob("*") if one.is_file()} == {
        "a.txt": b"1",
        "b/c.txt": b"22",
    }
    assert found.url == "s3://sources/app/"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["app/../../x"], "can't become files: “../../x” leads out of the source"),
        (["app/a", "app/a/b"], "can't become files: “a/b” lies below “a”, which is no folder"),
        (["app/a", "app/./a"], "can't become files: “a” is there twice"),
        (["other"], "NoSuchKey: There is no object below sources/app/. status code: 404"),
    ],
    ids=["up", "below-file", "twice", "none"],
)
def test_keys_that_are_no_paths_refuse_the_folder(alice, project, keys: list[str], words: str):
    for key in keys:
        stored(alice, key, b"1")
    assert words in refusal(build_of(project, location="sources/app/"), alice.principal)


def test_what_the_role_may_not_read_is_refused_as_sdks_word_it(alice, project):
    stored(alice, "app.zip", packed({}))
    stored(alice, "app/a", b"1")
    nobody = factories.user("nobody").principal
    for location in ("sources/app.zip", "sources/app/"):
        told = refusal(build_of(project, location=location), nobody)
        assert told.startswith("CLIENT_ERROR: AccessDenied: ") and "status code: 403" in told
        assert told.endswith(f" for primary source and source version arn:aws:s3:::{location}")
    told = refusal(build_of(project, location="sources/gone.zip"), alice.principal)
    assert told.startswith("CLIENT_ERROR: NoSuchKey: The specified key does not exist.")
    told = refusal(build_of(project, location="nothing/gone.zip"), alice.principal)
    assert told.startswith("CLIENT_ERROR: NoSuchBucket: ")


@pytest.mark.parametrize("content", [b"no archive", packed({"../evil": "1"})], ids=["text", "climbs"])
def test_what_can_not_be_unpacked_is_told(alice, project, content: bytes):
    stored(alice, "app.zip", content)
    told = refusal(build_of(project), alice.principal)
    assert told.startswith("CLIENT_ERROR: sources/app.zip can't be unpacked for primary source and source version: ")


def test_more_than_a_source_may_have_is_refused(alice, project, settings, monkeypatch):
    stored(alice, "app.zip", packed({"zeros": "0" * 3000}))
    stored(alice, "app/a", b"0" * 3000)
    settings.BUILD_SOURCE_MAX_BYTES = 2000
    assert "its files come to 3,000 bytes, and a source may have 2,000" in refusal(build_of(project), alice.principal)
    told = refusal(build_of(project, location="sources/app/"), alice.principal)
    assert "the objects below sources/app/ come to 3,000 bytes, and a source may have 2,000" in told
    monkeypatch.setattr(objects, "MAX_FILES", 0)
    assert "sources/app/ has more than 0 objects" in refusal(build_of(project), alice.principal)


@pytest.mark.parametrize("location", ["sources/app.zip", "sources/app/"])
def test_the_buildspec_of_an_archive_or_a_folder_is_read(alice, project, location: str):
    stored(alice, "app.zip", packed({"ci/build.yml": SPEC}))
    stored(alice, "app/ci/build.yml", SPEC.encode())
    spec, place = read(build_of(project, location=location, buildspec="ci/build.yml"), alice)
    assert (spec.phases["build"].commands, place) == (("make",), f"{ROOT}/ci/build.yml")
    with pytest.raises(PhaseError, match="YAML_FILE_ERROR: YAML file does not exist"):
        read(build_of(project, location=location, buildspec=""), alice)


def test_a_buildspec_is_read_from_an_object_as_the_role(alice, project):
    stored(alice, "ci/build.yml", SPEC.encode())
    build = build_of(project, type="NO_SOURCE", location="", buildspec="arn:aws:s3:::sources/ci/build.yml")
    spec, place = read(build, alice)
    assert (spec.phases["build"].commands, place) == (("make",), specification.INLINE_LOCATION)
    with pytest.raises(PhaseError, match="CLIENT_ERROR: AccessDenied: .* for the buildspec arn:aws:s3:::sources/ci"):
        read(build, factories.user("nobody"))
    with pytest.raises(PhaseError, match="CLIENT_ERROR: NoSuchKey: "):
        read(build_of(project, buildspec="arn:aws:s3:::sources/ci/none.yml"), alice)
    stored(alice, "ci/build.yml", b"\xff")
    with pytest.raises(PhaseError, match="YAML_FILE_ERROR: .*: line 1: a byte there is no UTF-8"):
        read(build, alice)


def read(build: Build, user):
    with opening.opened(build, user.principal, check=lambda: None, note=lambda sentence: None) as found:
        return specification.read(build, found.primary, user.principal)
