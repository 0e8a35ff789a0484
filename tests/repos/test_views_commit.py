"""The page of a commit and its text: from what works down to the wrong method."""

from __future__ import annotations

import email

import pytest

from tests import factories
from tests.repos.commit_pages import HOSTILE, HX, commit_url, text


def test_a_commit_shows_message_people_parents_and_changes(alice_client, stored):
    first = stored.commit({"a": "old name\nsame\n", "gone": "x\n"}, "First")
    second = stored.commit({"a": f"new name\nsame\n{HOSTILE}\n"}, f"Second {HOSTILE}\n\nWhy & how", [first])
    page = text(alice_client.get(commit_url(second)))
    assert "Why &amp; how" in page
    assert f'href="{commit_url(first)}"' in page
    assert "2 files changed" in page
    assert "<del>old</del> name" in page
    assert "<ins>new</ins> name" in page
    assert HOSTILE not in page
    assert "this is a first commit" in text(alice_client.get(commit_url(first)))


def test_split_or_unified_is_remembered(alice_client, stored):
    first = stored.commit({"a": "1\n"})
    second = stored.commit({"a": "2\n"}, parents=[first])
    assert 'data-view="unified"' in text(alice_client.get(commit_url(second)))
    answer = alice_client.get(commit_url(second), {"view": "split"})
    assert 'data-view="split"' in text(answer)
    assert (answer.cookies["diff_view"]["httponly"], answer.cookies["diff_view"]["samesite"]) == (True, "Lax")
    assert 'data-view="split"' in text(alice_client.get(commit_url(first)))
    assert 'data-view="split"' in text(alice_client.get(commit_url(first), {"view": "<bad>"}))


def test_a_merge_is_compared_with_its_first_parent_or_the_one_that_is_chosen(alice_client, stored):
    base = stored.commit({"a": "1"})
    sides = [stored.commit({"a": "1", f"s{n}": "1"}, parents=[base], branch=f"s{n}") for n in range(3)]
    merge = stored.commit({"a": "1", "s0": "1", "s1": "1", "s2": "1"}, "Octopus", sides)
    page = text(alice_client.get(commit_url(merge)))
    assert "against its first parent" in page
    assert "2 files changed" in page
    assert all(f'href="{commit_url(oid)}"' in page for oid in sides)
    page = text(alice_client.get(commit_url(merge), {"parent": "3"}))
    assert "against its parent 3" in page
    assert f'href="{commit_url(merge)}?parent=3&amp;view=split"' in page
    assert [f"<span>{path}</span></a>" in page for path in ("s0", "s1", "s2")] == [True, True, False]
    for wrong in ("0", "4", "x", "-1", "9" * 40, "²"):
        answer = alice_client.get(commit_url(merge), {"parent": wrong})
        assert answer.status_code == 404
        assert "This commit has no parent" in text(answer)


@pytest.mark.parametrize(
    ("oid", "sentence"),
    [
        ("main", "“main” is no commit id."),
        ("abc", "“abc” is no commit id."),
        ("1" * 40, "No object 1111"),
        ("--output=x", "is no commit id."),
    ],
)
def test_what_is_no_commit_is_told_in_a_sentence(alice_client, stored, oid, sentence):
    answer = alice_client.get(commit_url(oid))
    assert answer.status_code == 404
    assert sentence in text(answer)


def test_a_blob_is_no_commit(alice_client, stored):
    answer = alice_client.get(commit_url(stored.blob("x")))
    assert answer.status_code == 404
    assert "is a blob, not a commit." in text(answer)


def test_a_commit_as_a_patch_is_a_mail_that_git_am_takes(alice_client, stored):
    first = stored.commit({"a": "1\n"}, "First")
    second = stored.commit({"a": "2\n", "b": b"\0bin"}, "Second\n\nWhy.", [first])
    answer = alice_client.get(f"{commit_url(second)}.patch")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    mail = email.message_from_string(text(answer))
    assert (mail["Subject"], mail["From"]) == ("[PATCH] Second", "Ada Lovelace <ada@example.org>")
    assert "GIT binary patch" in mail.get_payload()
    again = alice_client.get(f"{commit_url(second)}.patch", headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304
    assert "+++ b/a" in text(alice_client.get(f"{commit_url(first)}.patch"))


def test_a_commit_as_a_diff_is_what_git_apply_takes(alice_client, stored):
    first = stored.commit({"a": "1\n"}, "First")
    second = stored.commit({"a": "2\n"}, "Second", [first])
    side = stored.commit({"a": "1\n", "s": "1\n"}, "Side", [first], branch="side")
    merge = stored.commit({"a": "2\n", "s": "1\n"}, "Merge", [second, side])
    assert text(alice_client.get(f"{commit_url(second)}.diff")).startswith("diff --git a/a b/a\n")
    assert "+++ b/a" in text(alice_client.get(f"{commit_url(first)}.diff"))
    assert "+++ b/s" in text(alice_client.get(f"{commit_url(merge)}.diff"))
    merge_patch = text(alice_client.get(f"{commit_url(merge)}.patch"))
    assert "Subject: [PATCH] Merge" in merge_patch
    assert "+++ b/s" in merge_patch
    assert alice_client.get(f"{commit_url('1' * 40)}.patch").status_code == 404


@pytest.mark.parametrize("page", ["", ".patch", ".diff"])
def test_a_reader_reads_an_outsider_does_not_and_the_anonymous_sign_in(
    bob_client, carol_client, client, alice_client, stored, page
):
    path = commit_url(stored.commit({"a": "the content\n"}, "Visible subject")) + page
    assert bob_client.get(path).status_code == 200
    answer = carol_client.get(path)
    assert answer.status_code == 403
    assert "Visible subject" not in text(answer)
    answer = client.get(path)
    assert (answer.status_code, answer.url) == (302, f"/sign-in/?next={path}")
    assert alice_client.post(path).status_code == 405
    assert alice_client.get(path.replace("/demo/", "/absent/")).status_code == 404


def test_a_commit_shows_no_content_to_who_may_only_see_the_commit(client, stored):
    oid = stored.commit({"a": "the content\n"}, "Visible subject")
    erin = factories.user("erin", document=factories.allow("codecommit:GetCommit"))
    client.force_login(erin, backend="codeservices.iam.backends.SessionBackend")
    page = text(client.get(commit_url(oid)))
    assert "Visible subject" in page
    assert "the content" not in page
    assert "codecommit:GetDifferences" in page
    assert client.get(commit_url(oid), {"file": "0"}, headers=HX).status_code == 403
    assert client.get(f"{commit_url(oid)}.patch").status_code == 403
