"""What the wire refuses a real git client, who is told why, and that nothing is left of it."""

from __future__ import annotations

import pytest

from repos.git import wire
from tests import gitclient, gitrepo
from tests.gitpush import (
    ZERO,
    commit_body,
    entry,
    objects,
    oid_of,
    pack,
    pack_of,
    push_body,
    remote_refs,
    send_push,
)


def test_without_credentials_git_is_asked_for_them(server, name, tmp_path):
    answer = gitclient.run("clone", server.url(name), "copy", folder=tmp_path)
    assert answer.code == 128
    assert "could not read Username" in answer.err
    status, _, headers = server.request(f"/v1/repos/{name}/info/refs?service=git-upload-pack", who="")
    assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="Code Services", charset="UTF-8"')


def test_wrong_credentials_are_refused_and_nothing_tells_which_half_was_wrong(server, name, tmp_path):
    told = set()
    for username in (server.people["alice"][0], "nobody-at-123456789012"):
        url = server.url(name).replace("://", f"://{username}:wrong@")
        answer = gitclient.run("clone", url, "copy", folder=tmp_path)
        assert (answer.code, answer.remote) == (128, ["Wrong user name or password."])
        told.add(answer.err.replace(username, ""))
    assert "Authentication failed" in told.pop()
    assert told == set()


def test_one_who_may_read_but_not_write_is_told_why(server, name, work, tmp_path):
    copy = gitclient.clone(tmp_path / "copy", server.url(name, "bob"))
    copy.commit({"x": "1"})
    answer = copy.try_git("push", "origin", "main")
    assert answer.code == 128
    assert "error: 403" in answer.err
    [sentence] = answer.remote
    assert "user/bob is not authorized to perform: codecommit:GitPush on resource: arn:aws:codecommit:" in sentence
    event = server.events(name)[-1]
    assert (event["name"], event["who"], event["outcome"]) == ("GitPush", "bob", "Denied")


def test_the_post_is_denied_as_the_advertisement_is(server, name, work):
    for service, who in (("git-upload-pack", "carol"), ("git-receive-pack", "bob")):
        status, body, _ = server.request(
            f"/v1/repos/{name}/{service}", b"0000", who, {"Content-Type": f"application/x-{service}-request"}
        )
        assert status == 403
        assert b"is not authorized to perform" in body


def test_to_an_outsider_a_secret_repository_and_none_look_the_same(server, name, tmp_path):
    answers = [
        gitclient.run("ls-remote", server.url(one, "carol"), folder=tmp_path).err.replace(one, "NAME")
        for one in (name, "not-there")
    ]
    assert answers[0] == answers[1]
    assert "not authorized to perform: codecommit:GitPull" in answers[0]


def test_an_unknown_repository_is_named(server, tmp_path):
    answer = gitclient.run("clone", server.url("relase", "alice"), "copy", folder=tmp_path)
    assert answer.code == 128
    assert answer.remote[0] == "Repository relase does not exist."


def test_a_ref_that_may_not_move_stops_the_push_and_each_ref_has_its_reason(server, name, work):
    before = remote_refs(server, name)
    answer = work.try_git("push", server.url(name, "dave"), "main:release", "main:topic")
    assert answer.code == 1
    assert "[remote rejected] main -> release (not authorized to perform codecommit:GitPush on this ref)" in answer.err
    assert "[remote rejected] main -> topic (push refused because of refs/heads/release)" in answer.err
    assert "user/dave is not authorized" in answer.remote[0]
    assert "(statement 2 “KeepMain” of " in answer.remote[0]
    assert answer.remote[-1] == "Nothing of this push was applied."
    assert remote_refs(server, name) == before
    assert len(server.pushes(name)) == 1
    event = server.events(name)[-1]
    assert (event["who"], event["outcome"], event["read_only"]) == ("dave", "Denied", 0)
    work.git("push", "--quiet", server.url(name, "dave"), "main:topic")
    assert "refs/heads/topic" in remote_refs(server, name)


@pytest.mark.parametrize(
    ("refspec", "reason"),
    [
        (":main", "The default branch can't be deleted."),
        ("main:refs/internal/x", "Refs under refs/internal/ belong to the server."),
        (f"main:refs/heads/{'a' * 40}", "40 hexadecimal characters always mean a commit"),
        ("main:refs/heads/HEAD", "can't name a branch"),
        (f"main:refs/heads/{'x' * 257}", "A branch name has at most 256 characters, not 257."),
    ],
)
def test_a_ref_that_nobody_may_move_is_refused_with_its_rule(server, name, work, refspec, reason):
    before = remote_refs(server, name)
    answer = work.try_git("push", "--force", "origin", refspec, "main:topic")
    assert answer.code == 1
    assert reason in answer.err
    assert remote_refs(server, name) == before


def test_internal_refs_are_not_seen(server, name, work, tmp_path):
    gitrepo.update_ref(server.path(name), "refs/internal/keep", work.git("rev-parse", "HEAD"))
    assert "refs/internal" not in gitclient.run("ls-remote", server.url(name, "alice"), folder=tmp_path).out


def test_an_atomic_push_moves_all_or_nothing(server, name, work, tmp_path):
    other = gitclient.clone(tmp_path / "other", server.url(name, "alice"))
    other.commit({"theirs": "1"})
    other.git("push", "--quiet", "origin", "main")
    mine = work.commit({"mine": "1"})
    raced = work.git("rev-parse", "origin/main")
    answer = work.try_git("push", "--atomic", f"--force-with-lease=main:{raced}", "origin", "main", "main:topic")
    assert answer.code == 1
    assert "refs/heads/topic" not in remote_refs(server, name)
    work.git("push", "--quiet", "--atomic", "origin", "main:topic", "main:topic2")
    assert remote_refs(server, name)["refs/heads/topic2"] == mine


def test_a_ref_that_git_itself_refuses_is_told_and_the_others_move(server, name, work):
    work.git("push", "--quiet", "origin", "main:dir/file")
    answer = work.try_git("push", "origin", "main:dir", "main:fine")
    assert "[remote rejected] main -> dir" in answer.err
    assert "refs/heads/fine" in remote_refs(server, name)
    assert [one["refname"] for one in server.pushes(name)[-1][1]] == ["refs/heads/fine"]
    assert list(server.events(name)[-1]["additional"]["rejectedReferences"]) == ["refs/heads/dir"]


def test_signed_pushes_are_not_offered(server, name, work):
    work.commit({"x": "1"})
    assert "does not support --signed" in work.try_git("push", "--signed", "origin", "main").err


def test_more_refs_than_a_push_may_have_are_refused_in_words(server, name, work):
    oid = work.git("rev-parse", "HEAD")
    commands = [f"{ZERO} {oid} refs/tags/t{number}" for number in range(wire.MAX_COMMANDS + 1)]
    answer = send_push(server, name, push_body(commands, pack_of(work, oid)))
    assert b"\x02Too many reference update commands: a push has at most 4,000.\nPush in parts: 'refs/heads/*:" in answer
    assert b"\x01" in answer
    assert b"unpack Too many reference update commands" in answer
    assert list(remote_refs(server, name)) == ["refs/heads/main"]


def test_a_commit_without_its_tree_leaves_nothing_behind(server, name, work):
    oid = work.commit({"new": "1"})
    before = objects(server, name), remote_refs(server, name)
    answer = send_push(server, name, push_body([f"{ZERO} {oid} refs/heads/broken"], pack_of(work, oid)))
    assert b"ng refs/heads/broken" in answer
    assert (objects(server, name), remote_refs(server, name)) == before
    assert server.pushes(name)[-1][0] == "DROPPED"
    assert server.events(name)[-1]["code"] == "PushRejectedException"


def test_a_damaged_pack_leaves_nothing_behind(server, name, work):
    oid = work.commit({"new": "1"})
    pack = bytearray(pack_of(work, *work.git("rev-list", "--objects", "--no-object-names", oid).split()))
    pack[40] ^= 0xFF
    before = objects(server, name)
    answer = send_push(server, name, push_body([f"{ZERO} {oid} refs/heads/broken"], bytes(pack)))
    assert b"unpack" in answer
    assert b"ng refs/heads/broken" in answer
    assert objects(server, name) == before


def test_a_commit_that_fsck_refuses_is_refused_and_the_three_old_defects_are_not(server, name, work):
    tree = work.git("rev-parse", "HEAD^{tree}")
    for defect, is_taken in (
        ("Ada <ada@example.com> 1500000000 +51800", True),
        ("Ada <ada@example.com>1500000000 +0000", True),
        ("Ada ada@example.com 1500000000 +0000", False),
    ):
        body = commit_body(tree, author=defect)
        oid = oid_of("commit", body)
        refname = f"refs/heads/odd-{oid[:8]}"
        answer = send_push(server, name, push_body([f"{ZERO} {oid} {refname}"], pack(entry("commit", body))))
        assert (b"ok " + refname.encode() in answer) is is_taken, (defect, answer)
        assert (refname in remote_refs(server, name)) is is_taken
