"""What no git client sends: refused in words where the protocol has room for them, with nothing left behind."""

from __future__ import annotations

import gzip
import http.client
import re
import socket

import pytest

from repos.git import wire
from tests import gitrepo, gitserver
from tests.gitpush import (
    ZERO,
    commit_body,
    entry,
    leftovers,
    objects,
    objects_of,
    oid_of,
    pack,
    pack_of,
    post_head,
    push_body,
    remote_refs,
    send_push,
    tree_body,
)
from tests.gitserver import wait_for

A = "a" * 40
HALF_A_PACK = b"PACK\0\0\0\2\0\0\0\1"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that leaves a client which stalls for a second."""
    with gitserver.running(tmp_path_factory.mktemp("server"), application="tests.slow_clients:application") as server:
        yield server


def posted(server, name, service: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    """Status and body of what the server answers to a POST."""
    kind = {"Content-Type": f"application/x-git-{service}-request"}
    status, answer, _ = server.request(f"/v1/repos/{name}/git-{service}", body, headers={**kind, **headers})
    return status, answer


@pytest.fixture
def unchanged(server, name, work):
    """At the end of the test the repository must be as it was, and nothing else be left."""
    before = objects(server, name), remote_refs(server, name)
    yield
    assert wait_for(lambda: leftovers(server, name) == [])
    assert (objects(server, name), remote_refs(server, name)) == before


MALFORMED = {
    "no length": b"nonsense",
    "a length of 1": b"0001",
    "a length of 2": b"0002",
    "a length of 3": b"0003",
    "a negative length": b"-001want",
    "too long": b"fff1" + b"x" * 65521,
    "cut off in the length": b"00",
    "cut off in the line": b"0100" + b"x" * 20,
    "empty": b"",
}


@pytest.mark.usefixtures("unchanged")
def test_malformed_packets_are_refused_in_words(server, name):
    for what, body in MALFORMED.items():
        status, told = posted(server, name, "receive-pack", body)
        assert (status, told.decode().rstrip()[-1:]) == (400, "."), (what, told)
        for protocol in ("version=0", "version=2"):
            status, told = posted(server, name, "upload-pack", body, **{"Git-Protocol": protocol})
            # Git itself ends without a word where it finds nothing to do before the fault.
            assert (status, told) == (200, b"") or (
                status == 400 and told.startswith(b"Git can't make sense of this request: ")
            ), (what, protocol, told)


@pytest.mark.usefixtures("unchanged")
def test_a_fault_behind_the_first_command_is_told_for_the_refs_that_were_read(server, name):
    line = f"{ZERO} {A} refs/heads/x"
    command = wire.pkt(f"{line}\0report-status side-band-64k".encode())
    for more, sentence in (
        (b"0001", b"A packet of a push can't have the length 1."),
        (wire.pkt(b"nonsense"), b"OLD-OID NEW-OID REFNAME"),
        (wire.pkt(line.encode()), b"names refs/heads/x more than once"),
        (b"", b"ended in the middle of a packet"),
    ):
        answer = send_push(server, name, command + more)
        assert sentence in answer
        assert b"ng refs/heads/x " in answer


@pytest.mark.usefixtures("unchanged")
def test_refnames_that_git_would_take_for_something_else_are_refused(server, name, work):
    oid = work.git("rev-parse", "HEAD")
    for refname in ("-x", "--upload-pack=id", "HEAD", "refs/heads/../../config", "refs/heads/a b", "refs/heads/.lock"):
        answer = send_push(server, name, push_body([f"{ZERO} {oid} {refname}"], pack_of(work, oid)))
        assert f"ng {refname} ".encode() in answer, refname
        assert b"Nothing of this push was applied." in answer


def test_a_branch_that_begins_with_a_dash_is_a_branch_like_others(server, name, work):
    work.git("push", "--quiet", "origin", "HEAD:refs/heads/-x", "HEAD:refs/heads/--upload-pack=id")
    assert {"refs/heads/-x", "refs/heads/--upload-pack=id"} < set(remote_refs(server, name))
    work.git("fetch", "--quiet", "origin")
    assert work.git("rev-parse", "refs/remotes/origin/-x") == work.git("rev-parse", "HEAD")
    work.git("push", "--quiet", "origin", ":refs/heads/-x")


EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


@pytest.mark.usefixtures("unchanged")
def test_trees_with_entries_that_would_escape_are_refused(server, name):
    for entry_name in (b".git", b"..", b".", b".GIT", b"git~1", b".git ", b".g\xe2\x80\x8cit", b"a/b", b""):
        tree = tree_body(("100644", entry_name, EMPTY_BLOB))
        commit = commit_body(oid_of("tree", tree))
        oid = oid_of("commit", commit)
        sent = pack(entry("blob", b""), entry("tree", tree), entry("commit", commit))
        answer = send_push(server, name, push_body([f"{ZERO} {oid} refs/heads/evil"], sent))
        assert b"ng refs/heads/evil" in answer, entry_name
        assert b"fsck error in packed object" in answer, entry_name


@pytest.mark.usefixtures("unchanged")
def test_packs_that_are_none_are_refused(server, name, work):
    head = work.git("rev-parse", "HEAD")
    blob, other = b"some text\n", b"other text\n"
    copy_all = bytes([len(blob), len(blob), 0x91, 0, len(blob)])  # a delta that copies its whole base
    oids = bytes.fromhex(oid_of("blob", blob)), bytes.fromhex(oid_of("blob", other))
    whole = bytearray(pack_of(work, head))
    flipped = bytes([*whole[:-30], whole[-30] ^ 0xFF, *whole[-29:]])
    for what, sent in {
        "nothing": b"",
        "no pack": b"nonsense" * 100,
        "a head alone": HALF_A_PACK,
        "a version of tomorrow": b"PACK" + (9).to_bytes(4, "big") + bytes(24),
        "more entries than there are": pack(entry("blob", blob), count=1000),
        "four thousand million entries": pack(entry("blob", blob), count=0xFFFFFFFF),
        "a flipped bit": flipped,
        "no checksum": bytes(whole[:-20]),
        "a size that is a lie": pack(entry("blob", blob, size=len(blob) + 1)),
        "a size beyond all memory": pack(entry("blob", blob, size=1 << 60)),
        "a delta upon itself by its offset": pack(entry("ofs-delta", copy_all, b"\0")),
        "a delta upon what stands before the pack": pack(entry("ofs-delta", copy_all, b"\x7f")),
        "two deltas upon each other": pack(
            entry("ref-delta", copy_all, oids[0]), entry("ref-delta", copy_all, oids[1])
        ),
        "a delta upon what is missing": pack(entry("ref-delta", copy_all, b"\xaa" * 20)),
        "a delta that copies what is not there": pack(
            entry("blob", blob), entry("ref-delta", bytes([10, 99, 0x91, 5, 99]), oids[0])
        ),
    }.items():
        answer = send_push(server, name, push_body([f"{ZERO} {head} refs/heads/bad"], sent))
        assert b"ng refs/heads/bad " in answer, (what, answer)
        assert leftovers(server, name) == [], what
    assert {state for state, _ in server.pushes(name)[1:]} == {"DROPPED"}


def test_what_stands_behind_a_pack_is_stored_nowhere(server, name, work):
    """Git's index-pack passes it on to a pipe that receive-pack closes: whether that is an error depends on who is
    first. The report tells which it was, and holds."""
    oid = work.git("rev-parse", "HEAD")
    before = remote_refs(server, name)
    body = push_body([f"{ZERO} {oid} refs/heads/x"], pack_of(work, *objects_of(work, oid)))
    answer = send_push(server, name, body + b"garbage" * 100_000)
    is_taken = b"ok refs/heads/x" in answer
    assert is_taken or b"ng refs/heads/x unpacker error" in answer
    assert remote_refs(server, name) == before | ({"refs/heads/x": oid} if is_taken else {})
    assert wait_for(lambda: leftovers(server, name) == [])
    folder = server.path(name) / "objects"
    assert all(b"garbage" not in (folder / path).read_bytes() for path in objects(server, name))


@pytest.mark.usefixtures("unchanged")
def test_what_stands_behind_a_fetch_is_ignored(server, name, work):
    oid = work.git("rev-parse", "HEAD")
    asked = wire.pkt(f"want {oid} side-band-64k\n".encode()) + wire.FLUSH + wire.pkt(b"done\n")
    status, answer = posted(server, name, "upload-pack", asked + b"garbage" * 100_000)
    assert (status, b"PACK" in answer) == (200, True)


@pytest.mark.usefixtures("unchanged")
def test_small_bodies_that_grow_huge_are_not_held(server, name):
    bomb = gzip.compress(push_body([f"{ZERO} {A} refs/heads/x"], HALF_A_PACK) + bytes(100_000_000))
    before = server.resident_bytes()
    for service in ("receive-pack", "upload-pack"):
        try:
            status, told = posted(server, name, service, bomb, **{"Content-Encoding": "gzip"})
            assert (status, b"compressed more than 20-fold" in told) == (413, True)
        except http.client.IncompleteRead as error:  # git had begun to tell that this is no pack
            assert b"unpack" in error.partial or not error.partial
    assert server.resident_bytes() - before < 16 * 1024 * 1024


@pytest.mark.parametrize(
    "path",
    [
        "/v1/repos/a%2Fb/info/refs?service=git-upload-pack",
        "/v1/repos/..%2f..%2fetc/info/refs?service=git-upload-pack",
        "/v1/repos/%2e%2e%2fx/info/refs?service=git-upload-pack",
        "/v1/repos/a%00/info/refs?service=git-upload-pack",
        "/v1/repos/a%0a/info/refs?service=git-upload-pack",
        "/v1/repos/a%5cb/info/refs?service=git-upload-pack",
        "/v1/repos/%FF/info/refs?service=git-upload-pack",
        "/v1/repos/.../info/refs?service=git-upload-pack",
        "/v1/repos/-x/info/refs?service=git-upload-pack",
        "/v1/repos/" + "x" * 200 + "/info/refs?service=git-upload-pack",
    ],
)
def test_names_that_are_none_lead_nowhere(server, path):
    status, told, _ = server.request(path)
    assert status == 404, told
    assert told.decode().rstrip().endswith(".")


def test_one_service_name_of_several_does_not_change_what_is_asked(server, name, work):
    path = f"/v1/repos/{name}/info/refs?service=git-upload-pack&service=git-receive-pack"
    status, told, _ = server.request(path, who="bob")
    assert (status, b"# service=git-upload-pack" in told) == (200, True)


REQUEST_ID = re.compile(r"request=[0-9a-f]{8}-[0-9a-f-]{27} ")


def left(server) -> int:
    """How many clients the log says have left; each line has the id of its request."""
    lines = server.log("git client left")
    assert all(REQUEST_ID.search(line) for line in lines)
    return len(lines)


@pytest.mark.parametrize("end", ["closes", "stalls"])
def test_a_pusher_that_goes_away_in_any_phase_leaves_nothing(server, name, work, unchanged, end):
    commands = push_body([f"{ZERO} {A} refs/heads/half"], b"")
    with_options = push_body([f"{ZERO} {A} refs/heads/half"], b"", capabilities="report-status push-options")
    for what, sent in {
        "before the body": b"",
        "in the middle of a command": commands[:30],
        "behind the commands": commands,
        "in the middle of the options": with_options + wire.pkt(b"ci.skip"),
        "at the beginning of the pack": commands + HALF_A_PACK,
        "in the middle of the pack": commands + pack_of(work, work.git("rev-parse", "HEAD"))[:-25],
        "while it is refused": push_body([f"{ZERO} {A} refs/heads/a..b"], b"PACK"),
    }.items():
        before = left(server)
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(post_head(server, name, "receive-pack", 1_000_000) + b"\r\n" + sent)
            if end == "stalls":
                assert wait_for(lambda before=before: left(server) > before), what
            elif commands[:-4] in sent:
                assert wait_for(lambda: server.pushes(name)[-1][0] == "BEGUN"), what
        assert wait_for(lambda before=before: left(server) > before), what
        assert wait_for(lambda: leftovers(server, name) == []), what
    assert {state for state, _ in server.pushes(name)[1:]} == {"DROPPED"}
    assert len(server.pushes(name)) == 4  # with the first; one begins when its commands are read and may be done


@pytest.mark.parametrize("end", ["closes", "stalls"])
def test_a_reader_that_goes_away_while_it_asks_leaves_nothing(server, name, work, unchanged, end):
    oid = work.git("rev-parse", "HEAD")
    for sent in (b"", b"0032want", wire.pkt(f"want {oid} side-band-64k\n".encode()) + wire.FLUSH):
        before = left(server)
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(post_head(server, name, "upload-pack", 1000) + b"\r\n" + sent)
            if end == "stalls":
                assert wait_for(lambda before=before: left(server) > before), sent
        assert wait_for(lambda before=before: left(server) > before), sent
        assert wait_for(lambda: leftovers(server, name) == []), sent


def test_a_pusher_that_goes_away_after_the_last_byte_has_pushed(server, name, work):
    oid = work.commit({"whole": "1"})
    before = objects(server, name)
    body = push_body([f"{ZERO} {oid} refs/heads/whole"], pack_of(work, *objects_of(work, oid)))
    gitrepo.git(server.path(name), "config", "core.filesRefLockTimeout", "20000")
    lock = server.path(name) / "refs/heads/whole.lock"
    lock.touch()  # git waits for it when all objects are in place
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(post_head(server, name, "receive-pack", len(body)) + b"\r\n" + body)
        assert wait_for(lambda: any(path.startswith("pack/") for path in objects(server, name) - before))
    lock.unlink()
    assert wait_for(lambda: server.pushes(name)[-1][0] == "RECORDED")
    assert remote_refs(server, name)["refs/heads/whole"] == oid
    assert wait_for(lambda: leftovers(server, name) == [])
