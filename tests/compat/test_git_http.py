"""The wire with the real git client against the real server process."""

from __future__ import annotations

import gzip
import random
import socket
import subprocess

import pytest

from repos.git import wire
from tests import gitclient, gitrepo, gitserver
from tests.gitpush import (
    ZERO,
    moved,
    objects,
    objects_of,
    pack_of,
    post_head,
    push_body,
    remote_refs,
    send_push,
)
from tests.gitserver import wait_for


def test_a_push_and_a_clone_carry_every_file(server, name, work, tmp_path):
    copy = gitclient.clone(tmp_path / "copy", server.url(name, "bob"))
    assert (copy.folder / "src/app.py").read_text() == "print(1)\n"
    assert copy.git("rev-parse", "HEAD") == work.git("rev-parse", "HEAD")
    oid = work.commit({"more.txt": "x"})
    work.git("push", "--quiet", "origin", "main")
    copy.git("pull", "--quiet")
    assert copy.git("rev-parse", "HEAD") == oid


@pytest.mark.parametrize("protocol", ["0", "1", "2"])
def test_every_protocol_version_fetches(server, name, work, tmp_path, protocol):
    copy = gitclient.clone(tmp_path / "copy", server.url(name, "bob"), "-c", f"protocol.version={protocol}")
    for number in range(3):
        oid = work.commit({"n.txt": str(number)})
        work.git("push", "--quiet", "origin", "main")
        copy.git("fetch", "--quiet", "origin")
        assert copy.git("rev-parse", "origin/main") == oid


@pytest.mark.parametrize("ending", [".git", "/", ".git/"])
def test_dot_git_and_a_slash_at_the_end_are_tolerated(server, name, work, tmp_path, ending):
    gitclient.clone(tmp_path / "copy", server.url(name, "bob") + ending)


def test_the_first_branch_pushed_becomes_the_default(server, name, tmp_path):
    work = gitclient.new(tmp_path / "work", server.url(name, "alice"))
    work.commit({"a": "1"})
    work.git("push", "--quiet", "origin", "main:trunk", "main:a-topic")
    assert gitrepo.git(server.path(name), "symbolic-ref", "HEAD") == "refs/heads/trunk"
    work.git("push", "--quiet", "origin", "main")
    assert gitrepo.git(server.path(name), "symbolic-ref", "HEAD") == "refs/heads/trunk"


def test_tags_branches_and_forced_pushes_move_refs_and_are_recorded(server, name, work):
    first = work.git("rev-parse", "HEAD")
    work.git("tag", "v1")
    work.git("tag", "--annotate", "--message", "Two", "v2")
    work.git("push", "--quiet", "origin", "v1", "v2", "main:topic")
    annotated = work.git("rev-parse", "v2")
    assert annotated != first
    work.git("commit", "--quiet", "--amend", "--message", "Begin again")
    amended = work.git("rev-parse", "HEAD")
    assert "rejected" in work.try_git("push", "origin", "main").err
    work.git("push", "--quiet", "--force", "origin", "main")
    work.git("push", "--quiet", "--delete", "origin", "topic", "v1")
    assert remote_refs(server, name) == {"refs/heads/main": amended, "refs/tags/v2": annotated}
    states, commands = zip(*server.pushes(name), strict=True)
    assert set(states) == {"RECORDED"}
    assert [sorted(one, key=lambda command: command["refname"]) for one in commands] == [
        [moved("refs/heads/main", ZERO, first)],
        [
            moved("refs/heads/topic", ZERO, first),
            moved("refs/tags/v1", ZERO, first),
            moved("refs/tags/v2", ZERO, annotated),
        ],
        [moved("refs/heads/main", first, amended)],
        [moved("refs/heads/topic", first, ZERO), moved("refs/tags/v1", first, ZERO)],
    ]


def test_a_whole_repository_is_mirrored_with_odd_names(server, name, tmp_path):
    source = gitrepo.create(tmp_path)
    oid = gitrepo.commit(source, {"a": "1"})
    for refname in ("heads/-x", "heads/--upload-pack=id", "heads/$(id)", "pull/1/head", "tags/é"):
        gitrepo.update_ref(source, f"refs/{refname}", oid)
    gitrepo.update_ref(source, b"refs/heads/caf\xe9", oid)
    gitrepo.git(source, "push", "--quiet", "--mirror", server.url(name, "alice"))
    pushed = gitrepo.git(source, "for-each-ref", "--format=%(refname)").splitlines()
    assert remote_refs(server, name) == dict.fromkeys(pushed, oid)
    assert rb"refs/heads/caf\xe9".decode() in [one["refname"] for one in server.pushes(name)[0][1]]
    copy = gitclient.clone(tmp_path / "copy", server.url(name, "bob"), "--mirror")
    assert copy.git("for-each-ref") == gitrepo.git(source, "for-each-ref").encode(errors="surrogateescape").decode(
        errors="replace"
    )


def test_a_shallow_clone_deepens_and_pushes(server, name, work, tmp_path):
    for number in range(5):
        work.commit({"n": str(number)})
    work.git("push", "--quiet", "origin", "main")
    copy = gitclient.clone(tmp_path / "copy", server.url(name, "alice"), "--depth=1")
    assert copy.git("rev-list", "--count", "HEAD") == "1"
    oid = copy.commit({"shallow": "1"})
    copy.git("push", "--quiet", "origin", "main")
    assert remote_refs(server, name)["refs/heads/main"] == oid
    copy.git("fetch", "--quiet", "--unshallow")
    assert copy.git("rev-list", "--count", "HEAD") == "7"
    assert server.events(name)[-1]["additional"]["shallow"] is True


def test_a_partial_clone_fetches_blobs_when_they_are_needed(server, name, work, tmp_path):
    copy = gitclient.clone(tmp_path / "copy", server.url(name, "bob"), "--filter=blob:none", "--no-checkout")
    assert copy.git("show", "HEAD:README.md") == "hello"


def test_a_compressed_request_is_read_and_a_broken_one_refused(server, name, work, tmp_path):
    oid = work.commit({"new": "1"})
    body = push_body([f"{ZERO} {oid} refs/heads/zipped"], pack_of(work, *objects_of(work, oid)))
    assert b"ok refs/heads/zipped" in send_push(server, name, gzip.compress(body), **{"Content-Encoding": "gzip"})
    for broken in (b"not gzip at all", gzip.compress(body)[:-9], gzip.compress(body) + b"more"):
        status, told, _ = server.request(
            f"/v1/repos/{name}/git-upload-pack",
            broken,
            headers={"Content-Type": "application/x-git-upload-pack-request", "Content-Encoding": "gzip"},
        )
        assert (status, b"ompressed" in told or b"gzip" in told) == (400, True)


def test_git_itself_compresses_a_long_negotiation_and_is_understood(server, name, work, tmp_path):
    copy = gitclient.clone(tmp_path / "copy", server.url(name, "bob"))
    for number in range(40):
        later = f"{gitrepo.START + 1000 + number} +0000"  # so that the newest, which the server lacks, are named first
        copy.git("commit", "--quiet", "--allow-empty", "--message", f"Mine {number}", GIT_COMMITTER_DATE=later)
    oids = [work.commit({"theirs": str(number)}) for number in range(6)]
    work.git("push", "--quiet", "origin", "main", *(f"{oid}:refs/heads/b{oid[:6]}" for oid in oids))
    answer = copy.try_git("-c", "protocol.version=0", "fetch", "origin", GIT_TRACE_CURL="1")
    assert "content-encoding: gzip" in answer.err.lower()
    assert copy.git("rev-parse", "origin/main") == oids[-1]


def test_a_small_request_that_grows_huge_is_stopped(server, name):
    before = server.resident_bytes()
    status, told, _ = server.request(
        f"/v1/repos/{name}/git-upload-pack",
        gzip.compress(bytes(200 * 1024 * 1024)),
        headers={"Content-Type": "application/x-git-upload-pack-request", "Content-Encoding": "gzip"},
    )
    assert (status, told) == (413, b"The request is compressed more than 20-fold; send it as it is.\n")
    assert server.resident_bytes() - before < 16 * 1024 * 1024


def test_fifty_megabytes_pass_both_ways_with_flat_memory(server, name, tmp_path):
    work = gitclient.new(tmp_path / "work", server.url(name, "alice"))
    work.git("config", "core.compression", "0")
    work.commit({f"part{number}": random.Random(number).randbytes(5_000_000) for number in range(10)})
    before = highest = server.resident_bytes()

    def ends_watched(child: subprocess.Popen[bytes]) -> bool:
        nonlocal highest
        highest = max(highest, server.resident_bytes())
        return child.poll() is not None

    for command in (
        ("push", "--quiet", "origin", "main"),
        ("clone", "--quiet", "--bare", server.url(name, "bob"), str(tmp_path / "copy")),
    ):
        child = subprocess.Popen(["git", *command], cwd=work.folder, env=gitrepo.ENVIRONMENT)
        assert wait_for(lambda child=child: ends_watched(child), 300)
        assert child.returncode == 0
    assert highest - before < 16 * 1024 * 1024, f"{(highest - before) / 1e6:.1f} MB"
    assert gitrepo.git(tmp_path / "copy", "cat-file", "-s", "HEAD:part7") == "5000000"


def test_expect_100_continue_is_answered(server, name, work):
    work.commit({"big": random.Random(1).randbytes(3_000_000)})
    answer = work.try_git("-c", "http.postBuffer=65536", "push", "origin", "main", GIT_TRACE_CURL="1")
    assert answer.code == 0, answer.err[-2000:]
    assert "transfer-encoding: chunked" in answer.err.lower()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(post_head(server, name, "receive-pack", 4) + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"0000")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("path", "body", "content_type", "status"),
    [
        ("/v1/repos/{name}", None, "", 404),
        ("/v1/repos/", None, "", 404),
        ("/v1/repos/{name}/HEAD", None, "", 404),
        ("/v1/repos/{name}/objects/info/packs", None, "", 404),
        ("/v1/repos/../info/refs?service=git-upload-pack", None, "", 404),
        ("/v1/repos/%2e%2e/info/refs?service=git-upload-pack", None, "", 404),
        ("/v1/repos/a%00b/info/refs?service=git-upload-pack", None, "", 404),
        ("/v1/repos/a%0d%0ab/info/refs?service=git-upload-pack", None, "", 404),
        ("/v1/repos/{name}/info/refs", None, "", 403),
        ("/v1/repos/{name}/info/refs?service=git-upload-archive", None, "", 403),
        ("/v1/repos/{name}/info/refs?service=git-upload-pack", b"x", "", 405),
        ("/v1/repos/{name}/git-upload-pack", None, "", 405),
        ("/v1/repos/{name}/git-upload-pack", b"0000", "text/plain", 415),
        ("/v1/repos/{name}/git-upload-pack", b"0000", "application/x-git-receive-pack-request", 415),
        ("/v1/repos/{name}/git-receive-pack", b"nonsense", "application/x-git-receive-pack-request", 400),
    ],
)
def test_what_git_would_not_ask_is_refused(server, name, path, body, content_type, status):
    headers = {"Content-Type": content_type} if content_type else {}
    assert server.request(path.format(name=name), body, headers=headers)[0] == status


def test_an_answer_is_never_cached(server, name, work):
    status, body, headers = server.request(f"/v1/repos/{name}/info/refs?service=git-upload-pack")
    assert (status, headers["Content-Type"]) == (200, "application/x-git-upload-pack-advertisement")
    assert headers["Cache-Control"] == "no-cache, max-age=0, must-revalidate"
    assert body.startswith(b"001e# service=git-upload-pack\n0000")
    assert len(headers["X-Request-Id"]) == 36


def test_an_odd_protocol_header_does_not_reach_git(server, name, work):
    _, body, _ = server.request(
        f"/v1/repos/{name}/info/refs?service=git-upload-pack", headers={"Git-Protocol": "version=2 --x"}
    )
    assert b"refs/heads/main" in body


def test_pulls_and_pushes_are_audited_as_cloudtrail_has_them(server, name, work, tmp_path):
    gitclient.clone(tmp_path / "copy", server.url(name, "bob"))
    told = [
        (event["name"], event["who"], event["read_only"], event["additional"]["dataTransferred"], event["parameters"])
        for event in server.events(name)
    ]
    references = {"references": [{"commit": work.git("rev-parse", "HEAD"), "ref": "refs/heads/main"}]}
    assert told == [
        ("GitPush", "alice", 1, False, None),
        ("GitPush", "alice", 0, True, references),
        ("GitPull", "bob", 1, False, None),
        ("GitPull", "bob", 1, True, None),
    ]
    pull = server.events(name)[-1]["additional"]
    assert (pull["protocol"], pull["repositoryName"], pull["shallow"]) == ("HTTP", name, False)
    assert "thin-pack" in pull["capabilities"]


def test_a_writer_that_leaves_takes_its_git_along(server, name, work):
    oid = work.git("rev-parse", "HEAD")
    before = objects(server, name)
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        body = push_body([f"{ZERO} {oid} refs/heads/half"], b"PACK\0\0\0\2\0\0\0\1")
        connection.sendall(post_head(server, name, "receive-pack", 1_000_000) + b"\r\n" + body)
        assert wait_for(server.children)
    assert wait_for(lambda: not server.children())
    assert wait_for(lambda: server.pushes(name)[-1][0] == "DROPPED")
    assert objects(server, name) == before
    assert wait_for(lambda: server.events(name)[-1]["code"] == "ClientLeft")
    assert wait_for(lambda: not list((server.var / "run/pushes").iterdir()))


def test_a_reader_that_leaves_takes_its_git_along(server, name, tmp_path):
    work = gitclient.new(tmp_path / "work", server.url(name, "alice"))
    work.git("config", "core.compression", "0")
    oid = work.commit({f"part{number}": random.Random(number).randbytes(5_000_000) for number in range(3)})
    work.git("push", "--quiet", "origin", "main")
    body = wire.pkt(f"want {oid} side-band-64k\n".encode()) + wire.FLUSH + wire.pkt(b"done\n")
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(post_head(server, name, "upload-pack", len(body)) + b"\r\n" + body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
        # Nothing more is read: 15 MB do not fit between the two, so git waits.
        assert any("upload-pack" in line for line in server.children())
    assert wait_for(lambda: not server.children())
    assert wait_for(lambda: server.events(name)[-1]["code"] == "ClientLeft")


def test_a_push_that_a_crash_interrupts_is_dropped_and_one_that_git_completes_is_delivered(tmp_path):
    with gitserver.running(tmp_path / "server") as server:
        name = server.create()
        work = gitclient.new(tmp_path / "work", server.url(name, "alice"))
        oid = work.commit({"a": "1"})
        work.git("push", "--quiet", "origin", "main")
        # One whose pack never comes, and one that was whole: its git waits for a lock when the server dies.
        (server.path(name) / "refs/heads/topic.lock").touch()
        gitrepo.git(server.path(name), "config", "core.filesRefLockTimeout", "600000")
        half = push_body([f"{ZERO} {oid} refs/heads/half"], b"PACK\0\0\0\2\0\0\0\1")
        whole = push_body([f"{ZERO} {oid} refs/heads/topic"], pack_of(work, oid))
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=60) as one,
            socket.create_connection(("127.0.0.1", server.port), timeout=60) as two,
        ):
            one.sendall(post_head(server, name, "receive-pack", 1_000_000) + b"\r\n" + half)
            two.sendall(post_head(server, name, "receive-pack", len(whole)) + b"\r\n" + whole)
            assert wait_for(lambda: len(server.children()) == 2)
            assert [state for state, _ in server.pushes(name)] == ["RECORDED", "BEGUN", "BEGUN"]
            server.process.kill()
            server.process.wait()
        # It waits in one process: each costs seconds to start.
        recover = "from repos.pushes import receive; from tests.gitserver import wait_for; "
        recover += "print(wait_for(receive.recover, 60))"
        assert server.python(recover).strip() == "1"
        assert {commands[0]["refname"]: state for state, commands in server.pushes(name)} == {
            "refs/heads/main": "RECORDED",
            "refs/heads/half": "DROPPED",
            "refs/heads/topic": "BEGUN",  # its git still runs
        }
        (server.path(name) / "refs/heads/topic.lock").unlink()
        assert wait_for(lambda: remote_refs(server, name).get("refs/heads/topic") == oid)
        assert server.python(recover).strip() == "1"
        assert ("RECORDED", [moved("refs/heads/topic", ZERO, oid)]) in server.pushes(name)
        # Each of the two left one event, which tells what git did.
        ends = [
            (event["parameters"]["references"][0]["ref"], event["outcome"], event["code"], event["additional"])
            for event in server.events(name)
            if event["parameters"] and event["who"] == "alice"
        ]
        assert [(ref, outcome, code) for ref, outcome, code, _ in ends] == [
            ("refs/heads/main", "Success", ""),
            ("refs/heads/half", "Failed", "ProcessEnded"),
            ("refs/heads/topic", "Success", ""),
        ]
        assert ends[-1][3]["recovered"] and ends[-1][3]["movedReferences"] == ["refs/heads/topic"]
        server.restart()
        assert gitclient.clone(tmp_path / "copy", server.url(name, "bob")).git("rev-parse", "origin/topic") == oid
