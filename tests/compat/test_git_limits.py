"""What a push may bring: limits that are checked in quarantine, told to the pusher in words, with nothing applied."""

from __future__ import annotations

import random
import socket

import pytest

from repos.git import quarantine
from tests import gitclient, gitserver
from tests.gitpush import (
    ZERO,
    commit_body,
    leftovers,
    objects,
    post_head,
    push_body,
    remote_refs,
)

NOTHING = "Nothing of this push was applied."
MAX_PUSH_BYTES = 3_000_000


def refused(server, name, work, *refspecs: str) -> list[str]:
    """What the person is told about a push that must be refused whole, and leave nothing."""
    before = objects(server, name), remote_refs(server, name)
    answer = work.try_git("push", "origin", *refspecs)
    assert answer.code == 1, answer.err
    assert "[remote rejected]" in answer.err
    assert (objects(server, name), remote_refs(server, name)) == before
    assert leftovers(server, name) == []
    assert server.pushes(name)[-1][0] == "DROPPED"
    return [line for line in answer.remote if line]


def test_a_commit_message_beyond_six_megabytes_is_refused_in_words(server, name, work):
    oid = work.commit({"a": "1"}, "x")
    body = commit_body(work.git("rev-parse", "HEAD^{tree}"), parent=oid, message="m" * quarantine.MAX_METADATA_BYTES)
    huge = work.git("hash-object", "-w", "-t", "commit", "--stdin", input=body)
    told = refused(server, name, work, f"{huge}:refs/heads/huge", "main:fine")
    assert told[0] == (
        f"Refused: The commit {huge} has {len(body):,} bytes; a commit, a tag or a folder has at most 6,291,456."
    )
    assert told[1:] == [
        "Take them out of every commit that has them, with “git rebase -i” or git-filter-repo.",
        NOTHING,
    ]
    event = server.events(name)[-1]
    assert (event["code"], event["outcome"]) == ("PushRejectedException", "Failed")
    assert event["message"].startswith(f"The commit {huge} has")
    assert set(event["additional"]["rejectedReferences"]) == {"refs/heads/fine", "refs/heads/huge"}


def test_a_path_beyond_4096_bytes_is_refused_in_words(server, name, work):
    folder = "/".join(["f" * 200] * 20)  # 4,019 bytes
    blob = work.git("hash-object", "-w", "--stdin", input=b"x")

    def commit_with(length: int) -> str:
        path = f"{folder}/{'g' * (length - len(folder) - 1)}"
        work.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
        return work.git("commit-tree", "-p", "main", "-m", "Long", work.git("write-tree"))

    work.git("push", "--quiet", "origin", f"{commit_with(4096)}:refs/heads/long")
    work.git("tag", "--annotate", "--message", "Long", "longer", commit_with(4097))
    told = refused(server, name, work, "longer", "main:other")
    assert told == [
        f"Refused: The path {'f' * 60}… has 4,097 bytes; a path has at most 4,096.",
        "Give its folders shorter names and push again.",
        NOTHING,
    ]


@pytest.fixture(scope="module")
def small_server(tmp_path_factory):
    """A server that takes packs of up to MAX_PUSH_BYTES."""
    directory = tmp_path_factory.mktemp("small")
    with gitserver.running(directory, CODESERVICES_GIT_MAX_PUSH_BYTES=str(MAX_PUSH_BYTES)) as server:
        yield server


@pytest.mark.parametrize("post_buffer", ["1000", "20000000"])  # chunked, and with a length
def test_a_pack_that_is_too_large_is_refused_in_words(small_server, tmp_path, post_buffer):
    name = small_server.create()
    work = gitclient.new(tmp_path / "work", small_server.url(name, "alice"))
    work.git("config", "http.postBuffer", post_buffer)
    work.commit({"fits": random.Random(1).randbytes(MAX_PUSH_BYTES - 10_000)})
    work.git("push", "--quiet", "origin", "main")
    work.commit({"does not": random.Random(2).randbytes(MAX_PUSH_BYTES + 1)})
    told = refused(small_server, name, work, "main", "main:other")
    assert told == [
        "The pack of this push has more than 3,000,000 bytes, the most that one push may bring. "
        "Push in parts: an older commit first (git push REMOTE COMMIT:refs/heads/BRANCH), then the rest.",
        NOTHING,
    ]
    event = small_server.events(name)[-1]
    assert (event["code"], set(event["additional"]["rejectedReferences"])) == (
        "PackTooLargeException",
        {"refs/heads/main", "refs/heads/other"},
    )


def test_a_push_that_never_ends_is_cut_off(small_server):
    name = small_server.create()
    with socket.create_connection(("127.0.0.1", small_server.port), timeout=20) as connection:
        connection.sendall(post_head(small_server, name, "receive-pack", None) + b"\r\n")
        connection.sendall(chunk(push_body([f"{ZERO} {'1' * 40} refs/heads/x"], b"PACK\0\0\0\2\0\0\0\1")))
        with pytest.raises(OSError, match="reset|Broken pipe"):
            for _ in range(2000):
                connection.sendall(chunk(bytes(1_000_000)))
    assert leftovers(small_server, name) == []


def chunk(data: bytes) -> bytes:
    """A part of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)
