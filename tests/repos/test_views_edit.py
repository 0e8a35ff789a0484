"""Files edited, added, moved, deleted and uploaded in the console."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from codeservices.audit.models import Event, Outcome
from repos import provision
from repos.git import log, refs
from repos.models import Push, Repository
from tests import factories, gitrepo
from tests.fixtures.people import signed_in

MAIN = "refs/heads/main"
HERE = "/repositories/demo"


@pytest.fixture
def oid(demo) -> str:
    return gitrepo.commit(
        demo.git,
        {
            "README.md": "# Hi\n", "src/app.py": "print()\n", "crlf.txt": "a\r\nb\r\n", "run.sh": ("100755", "r\n"),
            "bin": b"\0\1", "link": ("120000", "README.md"), "vendor": ("160000", "1" * 40),
            "lfs": "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 5\n",
            "huge": "x" * (1024 * 1024 + 1),
        },
    )  # fmt: skip


def show(repository: Repository, path: str, branch: str = "main") -> bytes:
    raw = gitrepo.git(repository.git, "rev-parse", f"{branch}:{path}")
    return repository.git.dulwich[raw.encode()].data


def tip(repository: Repository, branch: str = "main") -> str:
    repository.git.close()
    found = refs.tip(repository.git, refs.HEADS + branch)
    assert found
    return found


def test_a_file_is_edited_and_the_commit_is_by_who_is_signed_in(alice, alice_client, demo, oid):
    alice.email = "alice@example.com"
    alice.save()
    page = alice_client.get(f"{HERE}/edit/main/README.md").content.decode()
    assert f'name="base" value="{oid}"' in page
    assert re.search(r"<textarea[^>]+data-code-editor[^>]*>\n# Hi\n</textarea>", page)
    form = {"base": oid, "path": "README.md", "content": "# Ho\r\n", "message": "Say ho"}
    answer = alice_client.post(f"{HERE}/edit/main/README.md", form, follow=True)
    assert answer.redirect_chain[-1][0] == f"{HERE}/browse/main/README.md"
    found = log.commit(demo.git, tip(demo))
    assert f"Commit {found.oid[:8]} is on main." in answer.content.decode()
    assert (found.message, found.parent_oids) == ("Say ho\n", (oid,))
    assert (found.author.name, found.author.email) == ("alice", "alice@example.com")
    assert show(demo, "README.md") == b"# Ho\n"
    event = Event.objects.filter(event_name="PutFile").get()
    assert (event.outcome, event.event_id) == (Outcome.SUCCESS, Push.objects.get().push_id)
    assert event.request_parameters == {"repositoryName": "demo", "branchName": "main", "parentCommitId": oid}


def test_line_endings_and_modes_are_kept(alice_client, demo, oid):
    alice_client.post(f"{HERE}/edit/main/crlf.txt", {"base": oid, "path": "crlf.txt", "content": "a\r\nx\r\n"})
    assert show(demo, "crlf.txt") == b"a\r\nx\r\n"
    form = {"base": oid, "path": "bin/run.sh", "content": "changed\n"}
    refused = alice_client.post(f"{HERE}/edit/main/run.sh", form)
    assert "“bin” is a file, not a folder" in refused.content.decode()
    form["path"] = "tools/run.sh"
    assert alice_client.post(f"{HERE}/edit/main/run.sh", form).status_code == 302
    assert gitrepo.git(demo.git, "ls-tree", "main:tools").startswith("100755")
    assert log.commit(demo.git, tip(demo)).subject == "Changed 2 files"


def test_a_file_is_moved_without_a_change_of_its_content(alice_client, demo, oid):
    for name in ("bin", "link", "huge"):
        page = alice_client.get(f"{HERE}/edit/main/{name}").content.decode()
        assert "Its path can be changed." in page and "<textarea" in page and "data-code-editor" not in page
        assert alice_client.post(
            f"{HERE}/edit/main/{name}", {"base": oid, "path": f"moved/{name}", "message": ""}
        ).status_code == 302  # fmt: skip
    assert show(demo, "moved/bin") == b"\0\1"
    assert log.commit(demo.git, tip(demo)).subject == "Moved huge to moved/"


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("bin", 200, "This file is not text"),
        ("link", 200, "This is a symbolic link"),
        ("lfs", 200, "This is a git LFS pointer"),
        ("huge", 200, "files up to 1,048,576 are edited here"),
        ("vendor", 404, "is a submodule"),
        ("src", 404, "is a folder, not a file"),
        ("missing", 404, "No file or folder “missing”"),
    ],
)
def test_what_can_not_be_edited_is_told_why(alice_client, oid, path, status, sentence):
    answer = alice_client.get(f"{HERE}/edit/main/{path}")
    assert answer.status_code == status
    assert sentence in answer.content.decode()


def test_the_changes_are_shown_before_they_are_committed(alice_client, demo, oid):
    form = {"base": oid, "path": "README.md", "content": "# Hi\n<b>new</b>\n", "message": "m", "preview": "1"}
    page = alice_client.post(f"{HERE}/edit/main/README.md", form).content.decode()
    assert "Not committed yet" in page
    assert '<tr data-kind="added">' in page and "&lt;b&gt;new&lt;/b&gt;" in page
    assert ">m</textarea>" in page.replace("\n", "")
    assert tip(demo) == oid and not Push.objects.exists()


@pytest.mark.parametrize(
    ("form", "status", "sentence"),
    [
        ({"content": "# Hi\n"}, 400, "Nothing is changed yet."),
        ({"path": ""}, 400, "A path is required."),
        ({"path": "../x"}, 400, "no part of it may be “..”"),
        ({"path": "/etc/passwd"}, 400, "no part of it may be “”"),
        ({"path": ".git/hooks/x"}, 400, "take it for git&#x27;s own"),
        ({"path": "src"}, 400, "it is a folder that holds others"),
        ({"path": "vendor/x"}, 400, "is a submodule or lies in one"),
        ({"path": "a\u202eb"}, 400, "that can&#x27;t be seen or that reorder others: “a\\u202eb”"),
        ({"where": "new", "new_branch": ""}, 400, "A branch name is required."),
        ({"where": "new", "new_branch": "main"}, 409, "demo has “main” already."),
        ({"where": "new", "new_branch": "a..b"}, 400, "can&#x27;t name a branch"),
        ({"where": "elsewhere"}, 400, "elsewhere is not one of the available choices"),
        ({"content": "x" * (6 * 1024**2 + 1)}, 400, "a file has at most 6,291,456 here"),
        ({"message": "x" * (256 * 1024 + 1)}, 400, "A commit message has at most"),
        ({"base": ""}, 400, "does not say which commit was looked at"),
        ({"base": "--upload-pack=x"}, 400, "does not say which commit was looked at"),
        ({"base": "1" * 40}, 404, "demo has no commit"),
    ],
)
def test_a_refusal_stands_beside_what_was_typed(alice_client, demo, oid, form, status, sentence):
    typed = {"base": oid, "path": "README.md", "content": "my text\n", "message": "", **form}
    answer = alice_client.post(f"{HERE}/edit/main/README.md", typed)
    assert answer.status_code == status
    page = answer.content.decode()
    assert sentence in page
    assert "my text" in page or "base" in form or "content" in form
    assert tip(demo) == oid


def test_a_name_that_misleads_is_taken_when_it_is_ticked(alice_client, demo, oid):
    form = {"base": oid, "path": "a\u202eb", "content": "1"}
    assert 'name="odd_name"' in alice_client.post(f"{HERE}/new/main", form).content.decode()
    assert alice_client.post(f"{HERE}/new/main", {**form, "odd_name": "on"}).status_code == 302
    assert show(demo, "a\u202eb") == b"1"
    page = alice_client.get(f"{HERE}/edit/main/a%E2%80%AEb").content.decode()
    assert 'value="a\\u202eb"' in page
    form = {"base": tip(demo), "path": "a\\u202eb", "content": "2"}
    assert alice_client.post(f"{HERE}/edit/main/a%E2%80%AEb", form).status_code == 302
    assert show(demo, "a\u202eb") == b"2"


def test_a_change_of_the_same_file_is_shown_and_nothing_is_overwritten(alice_client, demo, oid):
    theirs = gitrepo.commit(demo.git, {"README.md": "# Theirs\n"})
    form = {"base": oid, "path": "README.md", "content": "# Mine <x>\n", "message": "Mine"}
    answer = alice_client.post(f"{HERE}/edit/main/README.md", form)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "“README.md” was changed on main since you began" in page
    assert "What changed on main since you began" in page and "Theirs" in page
    assert "Your version against it" in page
    assert "# Mine &lt;x&gt;\n</textarea>" in page and f'name="base" value="{theirs}"' in page
    assert tip(demo) == theirs
    assert Event.objects.filter(event_name="PutFile", error_code="ParentCommitIdOutdatedException").exists()
    assert alice_client.post(f"{HERE}/edit/main/README.md", {**form, "base": theirs}).status_code == 302
    assert show(demo, "README.md") == b"# Mine <x>\n"


def test_a_file_that_was_deleted_meanwhile_can_be_written_anew(alice_client, demo, oid):
    theirs = gitrepo.commit(demo.git, {"README.md": None})
    form = {"base": oid, "path": "README.md", "content": "# Mine\n"}
    answer = alice_client.post(f"{HERE}/edit/main/README.md", form)
    assert answer.status_code == 409 and "# Mine" in answer.content.decode()
    moved = alice_client.post(f"{HERE}/edit/main/README.md", {**form, "path": "b", "content": "# Hi\n"})
    assert moved.status_code == 409 and "No file “README.md” is at this commit." in moved.content.decode()
    assert alice_client.post(f"{HERE}/edit/main/README.md", {**form, "base": theirs}).status_code == 302
    assert show(demo, "README.md") == b"# Mine\n"


def test_a_tip_that_moved_elsewhere_takes_the_commit(alice_client, demo, oid):
    theirs = gitrepo.commit(demo.git, {"src/app.py": "2\n"})
    assert alice_client.post(
        f"{HERE}/edit/main/README.md", {"base": oid, "path": "README.md", "content": "mine"}
    ).status_code == 302  # fmt: skip
    assert log.commit(demo.git, tip(demo)).parent_oids == (theirs,)
    assert show(demo, "src/app.py") == b"2\n"


def test_a_commit_may_begin_a_branch(alice_client, demo, oid):
    form = {"base": oid, "path": "README.md", "content": "mine", "where": "new", "new_branch": "fix/one"}
    answer = alice_client.post(f"{HERE}/edit/main/README.md", form)
    assert answer["Location"] == f"{HERE}/browse/fix/one/README.md"
    assert (tip(demo), log.commit(demo.git, tip(demo, "fix/one")).parent_oids) == (oid, (oid,))
    page = alice_client.get(f"{HERE}/edit/fix/one/README.md").content.decode()
    assert "Edit README.md on fix/one" in page


def test_a_file_is_added_with_its_folders_and_takes_no_others_place(alice_client, demo, oid):
    assert 'value="src/"' in alice_client.get(f"{HERE}/new/main/src").content.decode()
    form = {"base": oid, "path": "src/deep/new.py", "content": "a\r\nb\r\n"}
    assert alice_client.post(f"{HERE}/new/main/src", form).status_code == 302
    assert show(demo, "src/deep/new.py") == b"a\nb\n"
    assert log.commit(demo.git, tip(demo)).subject == "Added new.py"
    there = alice_client.post(f"{HERE}/new/main", {**form, "path": "README.md"})
    assert "There is a file “README.md” already." in there.content.decode()
    again = alice_client.post(f"{HERE}/new/main", {**form, "content": "other"})
    assert again.status_code == 409 and 'name="theirs_seen"' in again.content.decode()
    assert show(demo, "src/deep/new.py") == b"a\nb\n"
    seen = {**form, "content": "other", "base": tip(demo), "theirs_seen": "1"}
    assert alice_client.post(f"{HERE}/new/main", seen).status_code == 302
    assert show(demo, "src/deep/new.py") == b"other"


def test_a_first_file_can_be_added_without_git(alice_client, demo):
    page = alice_client.get(f"{HERE}/").content.decode()
    assert f"{HERE}/new/main" in page and f"{HERE}/upload/main" in page
    assert alice_client.get(f"{HERE}/new/main").status_code == 200
    form = {"base": "", "path": "README.md", "content": "# Hi\n"}
    shown = alice_client.post(f"{HERE}/new/main", {**form, "preview": "1"})
    assert "Not committed yet" in shown.content.decode()
    assert alice_client.post(f"{HERE}/new/main", form)["Location"] == f"{HERE}/browse/main/README.md"
    assert log.commit(demo.git, tip(demo)).parent_oids == ()


def test_a_file_is_deleted_after_a_page_that_asks(alice_client, demo, oid):
    page = alice_client.get(f"{HERE}/delete-file/main/src/app.py").content.decode()
    assert "Delete src/app.py from main" in page
    answer = alice_client.post(f"{HERE}/delete-file/main/src/app.py", {"base": oid})
    assert answer["Location"] == f"{HERE}/browse/main"
    assert log.commit(demo.git, tip(demo)).subject == "Deleted app.py"
    gitrepo.commit(demo.git, {"README.md": "theirs"})
    conflict = alice_client.post(f"{HERE}/delete-file/main/README.md", {"base": oid})
    assert conflict.status_code == 409 and "theirs" in conflict.content.decode()
    assert alice_client.get(f"{HERE}/delete-file/main/missing").status_code == 404


def upload(name: str, content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def test_several_files_are_uploaded_and_folders_keep_their_names(alice_client, demo, oid):
    assert "Upload files to main" in alice_client.get(f"{HERE}/upload/main/src").content.decode()
    form = {
        "base": oid, "folder": "src", "uploads": [upload("a.bin", b"\0\r\n\xff"), upload("app.py", b"2\n")],
        "paths": ["assets/deep/a.bin", "app.py"], "message": "Two",
    }  # fmt: skip
    assert alice_client.post(f"{HERE}/upload/main/src", form)["Location"] == f"{HERE}/browse/main/src"
    assert (show(demo, "src/assets/deep/a.bin"), show(demo, "src/app.py")) == (b"\0\r\n\xff", b"2\n")
    plain = {"base": tip(demo), "folder": "", "uploads": [upload("one", b"1"), upload("two", b"")]}
    assert alice_client.post(f"{HERE}/upload/main", plain).status_code == 302
    assert (show(demo, "one"), show(demo, "two")) == (b"1", b"")


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"uploads": []}, "Choose at least one file."),
        ({"uploads": [upload("a", b"1"), upload("a", b"2")]}, "is named twice"),
        ({"uploads": [upload("a", b"1")], "paths": ["../../a"]}, "no part of it may be “..”"),
        ({"uploads": [upload("a", b"1")], "paths": [".git/config"]}, "take it for git&#x27;s own"),
        ({"uploads": [upload("big", b"x" * (6 * 1024**2 + 1))]}, "a file has at most 6,291,456 here"),
        ({"uploads": [upload(f"f{n}", b"x" * (6 * 1024**2)) for n in range(4)]}, "a commit brings at most 20,971,520"),
        ({"uploads": [upload("a", b"1")], "folder": "README.md"}, "is a file, not a folder"),
        ({"uploads": [upload("README.md", b"# Hi\n")]}, "there is nothing to commit"),
    ],
)
def test_an_upload_that_can_not_be_is_told(alice_client, demo, oid, form, sentence):
    answer = alice_client.post(f"{HERE}/upload/main", {"base": oid, "folder": "", **form})
    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert tip(demo) == oid


def test_more_than_a_form_may_carry_is_refused_in_words(alice_client, demo, oid):
    many = {"base": oid, "folder": "", "uploads": [upload(f"f{n}", b"1") for n in range(101)]}
    answer = alice_client.post(f"{HERE}/upload/main", many)
    assert answer.status_code == 400 and "A form carries at most 100 files." in answer.content.decode()
    huge = {"base": oid, "path": "README.md", "content": "x" * (17 * 1024**2)}
    answer = alice_client.post(f"{HERE}/edit/main/README.md", huge)
    assert answer.status_code == 400 and "A form carries at most 16 MiB besides files." in answer.content.decode()
    assert tip(demo) == oid


def test_pages_climb_down_for_those_who_may_less(alice_client, bob_client, carol_client, demo, oid):
    pages = ("edit/main/README.md", "new/main", "upload/main", "delete-file/main/README.md")
    gitrepo.tag(demo.git, "v1", oid)
    for page in pages:
        path = f"{HERE}/{page}"
        assert bob_client.get(path).status_code == carol_client.get(path).status_code == 403
        assert bob_client.post(path, {"base": oid, "path": "x", "content": "1"}).status_code == 403
        assert Client().get(path).status_code == 302
        assert alice_client.put(path).status_code == 405
        assert "is no branch" in alice_client.get(path.replace("main", "v1")).content.decode()
        assert alice_client.get(path.replace("main", oid)).status_code == 400
        assert alice_client.get(path.replace("main", "nowhere")).status_code == 404
        assert Client(enforce_csrf_checks=True).post(path).status_code in (302, 403)
    for page in ("browse/main", "browse/main/README.md"):
        assert f"{HERE}/edit" not in bob_client.get(f"{HERE}/{page}").content.decode()
    assert f"{HERE}/edit/main/README.md" in alice_client.get(f"{HERE}/browse/main/README.md").content.decode()
    assert f"{HERE}/upload/main" in alice_client.get(f"{HERE}/browse/main").content.decode()
    assert f"{HERE}/edit" not in alice_client.get(f"{HERE}/browse/v1/README.md").content.decode()
    assert tip(demo) == oid
    alice = alice_client.session and factories.SERVICE
    provision.archive_repository(alice, "demo")
    for page in pages:
        assert "is archived since" in alice_client.get(f"{HERE}/{page}").content.decode()
        assert alice_client.post(f"{HERE}/{page}", {"base": oid, "path": "x", "content": "1"}).status_code == 409
    assert f"{HERE}/edit" not in alice_client.get(f"{HERE}/browse/main/README.md").content.decode()


def test_a_policy_on_the_branch_decides_about_the_buttons(demo, oid):
    document = factories.allow("codecommit:*", resource=demo.arn)
    deny = {
        "Effect": "Deny", "Action": ["codecommit:PutFile", "codecommit:CreateCommit"], "Resource": "*",
        "Condition": {"StringEquals": {"codecommit:References": MAIN}},
    }  # fmt: skip
    document["Statement"].append(deny)
    client = signed_in(factories.user("dora", document=document))
    gitrepo.update_ref(demo.git, "refs/heads/side", oid)
    assert f"{HERE}/edit" not in client.get(f"{HERE}/browse/main/README.md").content.decode()
    assert client.get(f"{HERE}/edit/main/README.md").status_code == 403
    assert f"{HERE}/edit/side" in client.get(f"{HERE}/browse/side/README.md").content.decode()
    form = {"base": oid, "path": "README.md", "content": "1"}
    assert client.post(f"{HERE}/edit/side/README.md", form).status_code == 302
    assert client.post(f"{HERE}/edit/main/README.md", form).status_code == 403


def test_a_commit_is_reverted_and_applied_from_its_page(alice_client, bob_client, demo, oid):
    changed = gitrepo.commit(demo.git, {"README.md": "# Ho\n"}, "Say ho")
    page = alice_client.get(f"{HERE}/commit/{changed}").content.decode()
    assert f"{HERE}/commit/{changed}/revert" in page and f"{HERE}/commit/{changed}/cherry-pick" in page
    assert "/revert" not in bob_client.get(f"{HERE}/commit/{changed}").content.decode()
    form = alice_client.get(f"{HERE}/commit/{changed}/revert").content.decode()
    assert "Revert &quot;Say ho&quot;" in form and 'name="onto" value="main"' in form
    answer = alice_client.post(f"{HERE}/commit/{changed}/revert", {"onto": "main", "message": "Back"}, follow=True)
    assert answer.redirect_chain[-1][0] == f"{HERE}/commit/{tip(demo)}"
    assert (show(demo, "README.md"), log.commit(demo.git, tip(demo)).subject) == (b"# Hi\n", "Back")
    pick = {"onto": "main", "where": "new", "new_branch": "again"}
    assert alice_client.post(f"{HERE}/commit/{changed}/cherry-pick", pick).status_code == 302
    assert show(demo, "README.md", "again") == b"# Ho\n"
    gitrepo.commit(demo.git, {"README.md": "# Else\n"})
    conflict = alice_client.post(f"{HERE}/commit/{changed}/cherry-pick", {"onto": "main"})
    assert conflict.status_code == 409
    assert "1 conflict" in conflict.content.decode() and f"git cherry-pick {changed[:8]}" in conflict.content.decode()
    for what in ("revert", "cherry-pick"):
        path = f"{HERE}/commit/{changed}/{what}"
        assert bob_client.get(path).status_code == bob_client.post(path, {"onto": "main"}).status_code == 403
        assert alice_client.post(path, {"onto": "nowhere"}).status_code == 404
        assert alice_client.post(path, {"onto": "a..b"}).status_code == 400
        assert alice_client.get(f"{HERE}/commit/{'1' * 40}/{what}").status_code == 404
        assert alice_client.get(f"{HERE}/commit/main/{what}").status_code == 400
