"""Other people's servers: what is asked of them, what is taken, and where the server never connects."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import subprocess
import time
import uuid

import pytest

from codeservices.outbound import Rules
from repos.git import patterns, remote, store
from repos.git.progress import Progress
from repos.git.remote_errors import RemoteError
from tests import foreign_git, gitrepo

LOOPBACK = Rules(["127.0.0.1"])
MIB = 1024**2


@pytest.fixture
def root(tmp_path):
    return tmp_path / "ours"


@pytest.fixture
def quarantine(root):
    made = store.create_incoming(root, str(uuid.uuid4()), str(uuid.uuid4()), {})
    yield made
    made.close()


def opened(foreign, name="demo", **credentials):
    return remote.open_remote(foreign.url(name), LOOPBACK, **credentials)


def fetched(source, quarantine, max_bytes=MIB, wanted=patterns.ALL_PATTERNS, on_progress=lambda _: None, **options):
    return source.fetch(quarantine, wanted, on_progress, max_bytes=max_bytes, **options)


def test_a_server_tells_its_refs_and_its_default_branch(foreign, theirs, quarantine):
    found = opened(foreign).refs(quarantine)
    assert found.head == "refs/heads/trunk"
    assert sorted(found.refs) == [
        "refs/heads/feature/x",
        "refs/heads/trunk",
        "refs/notes/commits",
        "refs/pull/1/head",
        "refs/tags/v1",
    ]


def test_a_fetch_brings_branches_tags_and_notes_and_tells_how_far_it_is(foreign, theirs, quarantine):
    told = []
    found = fetched(opened(foreign), quarantine, on_progress=told.append)
    assert found == {
        refname: oid for refname, oid in opened(foreign).refs(quarantine).refs.items() if "pull" not in refname
    }
    phases = {one.phase: one for one in told if one}
    assert phases["Receiving objects"].percent == 100
    assert phases["Receiving objects"].received_bytes > 0
    gitrepo.git(quarantine, "fsck", "--strict")


def test_a_quarantine_asks_only_for_what_its_repository_lacks_and_is_adopted(foreign, theirs, root):
    ours = gitrepo.create(root)
    repository_id = ours.path.stem
    first = store.create_incoming(root, repository_id, str(uuid.uuid4()), {})
    found = fetched(opened(foreign), first)
    store.adopt(first, ours)
    for refname, oid in found.items():
        gitrepo.update_ref(ours, refname, oid)
    gitrepo.git(ours, "fsck", "--strict", "--connectivity-only")
    new = gitrepo.commit(theirs, {"a": "3"}, branch="trunk")
    have = {refname.encode(): oid.encode() for refname, oid in found.items()}
    second = store.create_incoming(root, repository_id, str(uuid.uuid4()), have)
    told: list[Progress | None] = []
    assert fetched(opened(foreign), second, on_progress=told.append)["refs/heads/trunk"] == new
    assert max(one.total for one in told if one and one.phase == "Receiving objects") == 3  # commit, tree and blob
    store.adopt(second, ours)
    gitrepo.git(ours, "cat-file", "-e", new)
    store.remove_incoming(root, repository_id)
    assert list((root / "incoming").iterdir()) == []


def test_patterns_choose_refs(foreign, theirs, quarantine):
    assert sorted(fetched(opened(foreign), quarantine, wanted=["refs/heads/feature/*", "refs/tags/v*"])) == [
        "refs/heads/feature/x",
        "refs/tags/v1",
    ]


def test_credentials_go_to_the_server_and_into_no_argument(foreign, theirs, quarantine, monkeypatch):
    foreign.login = ("ann", "s3cret")
    seen = []
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda argv, **options: seen.append(argv) or start(argv, **options))
    source = opened(foreign, user_name="ann", password="s3cret")
    assert source.refs(quarantine).refs
    assert fetched(source, quarantine)
    argv = b" ".join(part for one in seen if isinstance(one[0], bytes) for part in one)
    assert b"ls-remote" in argv and b"fetch" in argv
    assert b"s3cret" not in argv and base64.b64encode(b"ann:s3cret") not in argv
    assert "s3cret" not in repr(source)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "127.0.0.1 asks for a user name and a password or token."),
        (
            {"user_name": "ann", "password": "wrong"},
            "127.0.0.1 did not accept this user name and password or token.",
        ),
    ],
)
def test_wrong_credentials_are_told(foreign, theirs, quarantine, given, sentence):
    foreign.login = ("ann", "s3cret")
    with pytest.raises(RemoteError) as caught:
        opened(foreign, **given).refs(quarantine)
    assert (caught.value.message, caught.value.code) == (sentence, "AuthenticationFailed")


def test_what_a_server_says_back_is_told_without_the_secret(foreign, theirs, quarantine):
    def echo(handler):
        body = f"you sent {handler.headers['Authorization']} and s3cret\n".encode()
        foreign_git.answer(handler, 403, body, {"Content-Type": "text/plain"})

    foreign.misbehave = echo
    with pytest.raises(RemoteError) as caught:
        opened(foreign, user_name="ann", password="s3cret").refs(quarantine)
    assert caught.value.message == "127.0.0.1 refused access to this repository."
    assert "It said: you sent Basic ********" in caught.value.hint
    assert "s3cret" not in caught.value.hint
    assert base64.b64encode(b"ann:s3cret").decode() not in caught.value.hint


def test_a_missing_repository_is_told(foreign, theirs, quarantine):
    with pytest.raises(RemoteError, match="has no repository at this URL") as caught:
        opened(foreign, "nothing").refs(quarantine)
    assert "check the credentials as well" in caught.value.hint


def test_a_redirect_is_not_followed_and_its_target_is_told(foreign, theirs, quarantine):
    def move(handler):
        foreign_git.answer(
            handler, 301, b"", {"Location": foreign.url("elsewhere") + handler.path.removeprefix("/demo")}
        )

    foreign.misbehave = move
    with pytest.raises(RemoteError) as caught:
        opened(foreign).refs(quarantine)
    assert caught.value.message == f"The repository has moved to {foreign.url('elsewhere')}."
    assert not any("elsewhere" in one for one in foreign.requests)


@pytest.mark.parametrize("location", ["http://169.254.169.254/latest/meta-data/", "/login", "", "file:///etc/passwd"])
def test_a_redirect_to_anything_else_is_refused(foreign, theirs, quarantine, location):
    foreign.misbehave = lambda handler: foreign_git.answer(handler, 302, b"", {"Location": location})
    with pytest.raises(RemoteError, match="sends on to another address, which is not followed"):
        opened(foreign).refs(quarantine)


def test_a_server_that_tells_its_redirect_byte_by_byte_holds_nobody(foreign, theirs, quarantine, monkeypatch):
    monkeypatch.setattr(remote, "LIST_SECONDS", 1.0)
    dripped = []

    def drip(handler):
        if len(foreign.requests) == 1:
            foreign_git.answer(handler, 301, b"", {"Location": foreign.url("elsewhere")})
            return
        with contextlib.suppress(OSError):
            handler.wfile.write(b"HTTP/1.1 301 Moved\r\nX: ")
            while len(dripped) < 200:
                handler.wfile.write(b"x")
                dripped.append(1)
                time.sleep(0.02)

    foreign.misbehave = drip
    with pytest.raises(RemoteError, match="sends on to another address, which is not followed"):
        opened(foreign).refs(quarantine)
    assert 0 < len(dripped) < 200


@pytest.mark.parametrize(
    "body",
    [
        b"00zzgarbage",
        b"001e# service=git-upload-pack\n0000ffff",
        b"001e# service=git-upload-pack\n0000003e",
        b"\0" * 4096,
    ],
    ids=["no length", "length beyond the end", "cut short", "nulls"],
)
def test_garbage_is_told_as_such(foreign, theirs, quarantine, body):
    headers = {"Content-Type": "application/x-git-upload-pack-advertisement"}
    foreign.misbehave = lambda handler: foreign_git.answer(handler, 200, body, headers)
    with pytest.raises(RemoteError, match="broke off, or sent something that is no git repository"):
        opened(foreign).refs(quarantine)


def test_a_server_that_says_nothing_is_given_up(foreign, theirs, quarantine, monkeypatch):
    monkeypatch.setattr(remote, "LIST_SECONDS", 0.3)
    foreign.misbehave = lambda handler: time.sleep(1)
    with pytest.raises(RemoteError, match=r"did not answer within 0\.3 seconds"):
        opened(foreign).refs(quarantine)


def test_a_server_that_stalls_half_way_is_given_up(foreign, theirs, quarantine, monkeypatch):
    monkeypatch.setitem(remote._CONFIGURATION, "http.lowSpeedTime", "1")

    def stall(handler):
        if handler.command == "GET":
            foreign.misbehave = None
            handler.do_GET()
            foreign.misbehave = stall
        else:
            handler.send_response(200)
            handler.send_header("Content-Type", "application/x-git-upload-pack-result")
            handler.end_headers()
            time.sleep(5)

    foreign.misbehave = stall
    with pytest.raises(RemoteError, match="sent nothing for 180 seconds, or could not be reached"):
        fetched(opened(foreign), quarantine)


def test_an_unreachable_server_is_told(quarantine):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(RemoteError, match=r"No connection to 127\.0\.0\.1 could be made"):
        remote.open_remote(f"http://127.0.0.1:{port}/x", LOOPBACK).refs(quarantine)


def test_a_plain_web_server_is_refused_since_nothing_checks_what_it_sends(foreign, theirs, quarantine):
    gitrepo.git(theirs, "update-server-info")
    foreign.is_dumb = True
    with pytest.raises(RemoteError, match="does not speak git's smart HTTP protocol"):
        fetched(opened(foreign), quarantine)


def test_a_repository_over_the_limit_is_cut_off(foreign, theirs, quarantine):
    gitrepo.commit(theirs, {"large": os.urandom(3 * MIB)}, branch="trunk")
    with pytest.raises(RemoteError, match="larger than the 1[.0]* MB it may have here") as caught:
        fetched(opened(foreign), quarantine, max_bytes=MIB)
    assert caught.value.code == "QuotaExceeded"


def test_a_server_that_has_more_refs_all_at_once_is_cut_off(foreign, theirs, quarantine, monkeypatch):
    source = opened(foreign)
    assert len(source.refs(quarantine).refs) > 2
    monkeypatch.setattr(remote, "MAX_REFS", 2)
    with pytest.raises(RemoteError) as caught:
        fetched(source, quarantine)
    assert caught.value.code == "TooManyRefs"


def test_a_fetch_ends_when_its_caller_says_so(foreign, theirs, quarantine):
    class Cancelled(Exception):
        pass

    def cancel(_):
        raise Cancelled

    with pytest.raises(Cancelled):
        fetched(opened(foreign), quarantine, on_progress=cancel)


def test_a_defect_is_told_by_object_and_tolerated_where_one_asks_for_that(foreign, theirs, quarantine):
    tree = gitrepo.git(theirs, "rev-parse", "trunk^{tree}")
    text = f"tree {tree}\nauthor No Mail 1500000000 +0000\ncommitter C <c@x> 1500000000 +0000\n\nOld\n"
    oid = gitrepo.git(theirs, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", input=text)
    gitrepo.update_ref(theirs, "refs/heads/old", oid)
    with pytest.raises(RemoteError, match=f"Object {oid} has a defect \\(missing.*Email") as caught:
        fetched(opened(foreign), quarantine)
    assert caught.value.code == "ObjectsRefused"
    assert "with such lines tolerated" in caught.value.hint
    assert fetched(opened(foreign), quarantine, tolerates_identity_defects=True)["refs/heads/old"] == oid


def test_a_tree_that_could_harm_is_never_tolerated(foreign, theirs, quarantine):
    blob = gitrepo.blob(theirs, "[core]")
    entry = b"100644 .git\0" + bytes.fromhex(blob)
    tree = gitrepo.git(theirs, "hash-object", "-t", "tree", "-w", "--stdin", "--literally", input=entry)
    commit = gitrepo.git(theirs, "commit-tree", tree, "-m", "Harm")
    gitrepo.update_ref(theirs, "refs/heads/harm", commit)
    for tolerates in (False, True):
        with pytest.raises(RemoteError, match=r"hasDotgit") as caught:
            fetched(opened(foreign), quarantine, tolerates_identity_defects=tolerates)
        assert "repair the history" in caught.value.hint


# ---- where the server never connects --------------------------------------------------------------------------------


def resolving(monkeypatch, *answers):
    """Make Python's resolver answer these addresses, one a call; git has the system's own."""
    left = list(answers)

    def answer(host, port, *_, **__):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (left.pop(0) if len(left) > 1 else left[0], port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def test_git_connects_to_the_judged_address_and_asks_no_name_server(foreign, theirs, quarantine, monkeypatch):
    resolving(monkeypatch, "127.0.0.1")
    source = remote.open_remote(foreign.url(host="git.nowhere.invalid"), LOOPBACK)
    assert source.refs(quarantine).head == "refs/heads/trunk"


def test_a_name_that_moves_to_loopback_after_it_was_judged_leads_nowhere(foreign, theirs, quarantine, monkeypatch):
    # The judged address has no server; by the system's resolver, "localhost" would lead to one.
    resolving(monkeypatch, "127.0.0.2", "127.0.0.1")
    source = remote.open_remote(foreign.url(host="localhost"), Rules(["127.0.0.2"]))
    for ask in (lambda: source.refs(quarantine), lambda: fetched(source, quarantine)):
        with pytest.raises(RemoteError, match="No connection to localhost could be made"):
            ask()
    assert foreign.requests == []


def test_a_proxy_of_the_environment_is_not_used(foreign, theirs, quarantine, monkeypatch):
    for name in ("http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert opened(foreign).refs(quarantine).refs


def test_alternates_of_another_server_are_not_asked(foreign, theirs, quarantine, tmp_path):
    with foreign_git.serving(tmp_path / "served") as inner:
        gitrepo.git(theirs, "repack", "-adq")
        (theirs.path / "objects/info/http-alternates").write_text(f"{inner.url('demo')}/objects\n")
        gitrepo.git(theirs, "update-server-info")
        for pack in (theirs.path / "objects/pack").glob("*"):
            pack.rename(tmp_path / pack.name)
        foreign.is_dumb = True
        with pytest.raises(RemoteError):
            fetched(opened(foreign), quarantine)
        assert inner.requests == []
