"""What a push may ask for and what it may bring; beyond the limits it is refused in words, with nothing applied."""

from __future__ import annotations

import json
import random
import socket

import pytest

from repos.git import quarantine
from tests import gitclient, gitserver
from tests.gitpush import (
    PERSON,
    ZERO,
    commit_body,
    leftovers,
    objects,
    objects_of,
    pack_of,
    post_head,
    push_body,
    remote_refs,
    send_push,
)

NOTHING = "Nothing of this push was applied."
MAX_PUSH_BYTES = 3_000_000


def test_push_options_come_through_to_the_push_and_its_event(server, name, work):
    oid = work.commit({"x": "1"})
    work.git("push", "--quiet", "--atomic", "-o", "ci.skip", "-o", "reason=é $(id)", "origin", "main", "main:topic")
    assert remote_refs(server, name)["refs/heads/topic"] == oid
    query = "SELECT options FROM repos_push ORDER BY id DESC LIMIT 1"
    assert [json.loads(options) for (options,) in server.rows(query)] == [["ci.skip", "reason=é $(id)"]]
    assert server.events(name)[-1]["additional"]["pushOptions"] == ["ci.skip", "reason=é $(id)"]
    work.git("push", "--quiet", "-o", "x", "origin", ":topic")
    assert "refs/heads/topic" not in remote_refs(server, name)


def test_push_options_without_measure_are_refused_in_words(server, name, work):
    options = [word for number in range(65) for word in ("-o", f"option{number}")]
    before = remote_refs(server, name)
    for given, sentence in (
        (options, "A push has at most 64 options. Leave some of the -o out."),
        (["-o", "x" * 1025], "A push option has at most 1,024 bytes, not 1,025."),
    ):
        answer = work.try_git("push", *given, "origin", "main:topic")
        assert answer.code == 1
        assert " ".join(line for line in answer.remote if line) == sentence
        assert f"[remote rejected] main -> topic ({sentence.partition('. ')[0].rstrip('.')}" in answer.err
    assert remote_refs(server, name) == before


def test_a_lease_that_somebody_else_broke_stops_the_push_at_the_server_too(server, name, work, tmp_path):
    first = work.git("rev-parse", "HEAD")
    other = gitclient.clone(tmp_path / "other", server.url(name, "alice"))
    theirs = other.commit({"theirs": "1"})
    other.git("push", "--quiet", "origin", "main")
    mine = work.commit({"mine": "1"})
    assert "stale info" in work.try_git("push", f"--force-with-lease=main:{first}", "origin", "main").err
    # A client that was told the old tip and is overtaken: the server compares when it moves the ref.
    body = push_body([f"{first} {mine} refs/heads/main"], pack_of(work, *objects_of(work, mine)))
    assert b"ng refs/heads/main " in send_push(server, name, body)
    assert remote_refs(server, name)["refs/heads/main"] == theirs
    work.git("push", "--quiet", f"--force-with-lease=main:{theirs}", "origin", "main")
    assert remote_refs(server, name)["refs/heads/main"] == mine


def test_signed_tags_come_through_unchanged_with_their_commits(server, name, work, tmp_path):
    oid = work.commit({"signed": "1"})
    signature = "-----BEGIN PGP SIGNATURE-----\n\niQEzBAABCAAdFiEE\n-----END PGP SIGNATURE-----\n"
    body = f"object {oid}\ntype commit\ntag v1\ntagger {PERSON}\n\nOne\n{signature}".encode()
    tag = work.git("hash-object", "-w", "-t", "tag", "--stdin", input=body)
    work.git("update-ref", "refs/tags/v1", tag)
    work.git("push", "--quiet", "--follow-tags", "origin", "main")
    assert remote_refs(server, name)["refs/tags/v1"] == tag
    copy = gitclient.clone(tmp_path / "copy", server.url(name, "bob"))
    assert copy.git("cat-file", "tag", "v1").encode() == body.strip()


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
    with socket.create_connection(("127.0.0.1", small_server.port), timeout=60) as connection:
        connection.sendall(post_head(small_server, name, "receive-pack", None) + b"\r\n")
        connection.sendall(chunk(push_body([f"{ZERO} {'1' * 40} refs/heads/x"], b"PACK\0\0\0\2\0\0\0\1")))
        with pytest.raises(OSError, match="reset|Broken pipe"):
            for _ in range(2000):
                connection.sendall(chunk(bytes(1_000_000)))
    assert leftovers(small_server, name) == []


def chunk(data: bytes) -> bytes:
    """A part of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)
