"""A tree or a folder to download as one file."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from codeservices.audit.models import Event
from repos.git import archive as git_archive
from repos.views import making
from tests.repos.doors import over_asgi

URL = "/repositories/demo/archive"


@pytest.fixture
def code(stored, monkeypatch):
    monkeypatch.setattr(making, "places", making.Places())  # a server closes every answer, a test does not
    stored.oid = stored.commit({"README.md": "# Hello\n", "src/app.py": "one\n", "my docs/x.zip/a": "a\n"})
    return stored


def names(answer):
    with zipfile.ZipFile(io.BytesIO(b"".join(answer))) as opened:
        return [name for name in opened.namelist() if not name.endswith("/")]


def leave(answer):
    """What Django does with an answer whose reader has gone, but for the connection to the database of the tests."""
    for close in answer._resource_closers:
        close()


def test_a_branch_comes_as_a_zip_that_is_saved_and_never_shown(alice_client, code):
    answer = alice_client.get(f"{URL}/main.zip")
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == 'attachment; filename="demo-main.zip"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert names(answer) == ["demo-main/README.md", "demo-main/my docs/x.zip/a", "demo-main/src/app.py"]


def test_a_commit_comes_as_tar_gz(alice_client, code):
    answer = alice_client.get(f"{URL}/{code.oid}.tar.gz")
    assert answer["Content-Disposition"] == f'attachment; filename="demo-{code.oid}.tar.gz"'
    with tarfile.open(fileobj=io.BytesIO(b"".join(answer))) as opened:
        assert f"demo-{code.oid}/src/app.py" in opened.getnames()


@pytest.mark.parametrize(
    ("address", "filename", "files"),
    [
        ("main/src.zip", "demo-main-src.zip", ["demo-main/src/app.py"]),
        ("main/my%20docs/x.zip.zip", "demo-main-my-docs-x.zip.zip", ["demo-main/my docs/x.zip/a"]),
        ("feature/x/src.zip", "demo-feature-x-src.zip", ["demo-feature-x/src/app.py"]),
    ],
)
def test_a_folder_comes_alone_and_every_name_is_a_safe_one(alice_client, code, address, filename, files):
    code.git("update-ref", "refs/heads/feature/x", code.oid)
    answer = alice_client.get(f"{URL}/{address}")
    assert answer["Content-Disposition"] == f'attachment; filename="{filename}"'
    assert names(answer) == files


def test_a_ref_with_odd_characters_makes_no_odd_name(alice_client, code):
    code.git("update-ref", b"refs/heads/-x;$(id)'\xff", code.oid)
    status, _ = over_asgi(alice_client, b"/repositories/demo/archive/-x;$(id)'%FF.zip")
    assert status == 200


@pytest.mark.parametrize(
    ("address", "status", "sentence"),
    [
        ("main", 404, "is no archive"),
        ("main.rar", 404, "is no archive"),
        ("gone.zip", 404, "No branch, tag or commit is called"),
        ("main/gone.zip", 404, "No file or folder"),
        ("main/README.md.zip", 404, "is no folder"),
        ("--output=x.zip", 404, "No branch, tag or commit is called"),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(alice_client, code, address, status, sentence):
    answer = alice_client.get(f"{URL}/{address}")
    assert (answer.status_code, sentence in answer.content.decode()) == (status, True)


def test_one_that_is_known_already_is_not_made_again(alice_client, code):
    etag = alice_client.head(f"{URL}/main.zip")["ETag"]
    assert alice_client.get(f"{URL}/main.zip", headers={"If-None-Match": etag}).status_code == 304
    assert alice_client.get(f"{URL}/main.tar.gz", headers={"If-None-Match": etag}).status_code == 200


def test_a_head_request_makes_nothing(alice_client, code, monkeypatch):
    monkeypatch.setattr(git_archive, "stream", None)
    answer = alice_client.head(f"{URL}/main.zip")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    assert "Content-Length" not in answer


def test_a_person_has_a_few_at_a_time_and_others_have_theirs(alice_client, bob_client, code):
    running = [alice_client.get(f"{URL}/main.zip") for _ in range(making.MAX_RUNNING_EACH)]
    refused = alice_client.get(f"{URL}/main.zip")
    assert (refused.status_code, "Wait until one is complete" in refused.content.decode()) == (429, True)
    others = bob_client.get(f"{URL}/main.zip")
    assert others.status_code == 200
    leave(running.pop())  # as when the browser leaves
    running.append(alice_client.get(f"{URL}/main.zip"))
    assert names(running[-1])  # read to its end, it gives its place back too
    running.append(alice_client.get(f"{URL}/main.zip"))
    assert running[-1].status_code == 200
    for answer in (*running, others):
        leave(answer)
    assert making.places._held.total() == 0


def test_patches_take_places_too(alice_client, code):
    oid = (code.path / "refs/heads/main").read_text().strip()
    running = [alice_client.get(f"/repositories/demo/commit/{oid}.{form}") for form in ("patch", "diff")]
    assert alice_client.get(f"{URL}/main.zip").status_code == 429
    assert alice_client.get(f"/repositories/demo/commit/{oid}.patch").status_code == 429
    for answer in running:
        leave(answer)
    assert making.places._held.total() == 0


def test_all_together_have_a_few_more(alice_client, bob_client, code, monkeypatch):
    monkeypatch.setattr(making, "MAX_RUNNING", 1)
    first = alice_client.get(f"{URL}/main.zip")
    assert "busy making other archives and patches" in bob_client.get(f"{URL}/main.zip").content.decode()
    leave(first)
    second = bob_client.get(f"{URL}/main.zip")
    assert second.status_code == 200
    leave(second)


def test_git_ends_when_the_browser_leaves(alice_client, code, monkeypatch):
    closed = []

    def endless(*args, **options):
        try:
            while True:
                yield b"PK"
        finally:
            closed.append(True)

    monkeypatch.setattr(git_archive, "stream", endless)
    answer = alice_client.get(f"{URL}/main.zip")
    assert next(iter(answer)) == b"PK"
    assert not closed
    leave(answer)
    assert closed == [True]


def test_an_archive_that_git_refuses_is_an_error_before_it_begins(alice_client, code, monkeypatch):
    monkeypatch.setitem(git_archive.CONTENT_TYPES, "7z", "application/x-7z-compressed")
    answer = alice_client.get(f"{URL}/main.7z")
    assert answer.status_code == 500
    assert making.places._held.total() == 0


def test_it_takes_the_rights_to_read_folders_and_files_and_is_told_in_the_trail(
    bob_client, carol_client, client, alice_client, code
):
    assert bob_client.get(f"{URL}/main.zip").status_code == 200
    event = Event.objects.latest("pk")
    assert (event.event_name, event.principal_name) == ("GetFile", "bob")
    assert event.request_parameters == {
        "repositoryName": "demo",
        "commitSpecifier": "main",
        "folderPath": "/",
        "archive": "zip",
    }
    assert carol_client.get(f"{URL}/main.zip").status_code == 403
    assert client.get(f"{URL}/main.zip").status_code == 302
    assert alice_client.post(f"{URL}/main.zip").status_code == 405
