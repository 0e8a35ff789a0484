import pytest

from repos.git import fetch_request
from repos.git.wire import FLUSH, pkt

OID, OTHER = b"1" * 40, b"2" * 40
DELIMITER = b"0001"


def version_2(*arguments: bytes, command: bytes = b"fetch", head: tuple[bytes, ...] = ()) -> bytes:
    lines = [b"command=%s" % command, *head]
    return b"".join(map(pkt, lines)) + DELIMITER + b"".join(map(pkt, arguments)) + FLUSH


def version_0(*lines: bytes, capabilities: bytes = b"", end: bytes = b"done\n") -> bytes:
    first, *others = lines
    return b"".join(map(pkt, [first + capabilities + b"\n", *others])) + FLUSH + (pkt(end) if end else b"")


def test_a_clone_is_known_in_each_protocol():
    asked = fetch_request.read(version_2(b"want " + OID, b"want " + OTHER + b"\n", b"done\n"), "version=2")
    assert asked is not None
    assert (asked.kind, asked.wants) == ("pack", {OID, OTHER})
    for protocol in ("", "version=1"):
        body = version_0(b"want " + OID, b"want " + OTHER, capabilities=b" ofs-delta agent=git/2.39.5")
        asked = fetch_request.read(body, protocol)
        assert asked is not None
        assert (asked.kind, asked.wants) == ("pack", {OID, OTHER})


def test_who_asks_makes_no_difference_and_what_is_asked_does():
    def canonical(*arguments: bytes, head: tuple[bytes, ...] = ()) -> bytes:
        asked = fetch_request.read(version_2(*arguments, b"want " + OID, b"done\n", head=head), "version=2")
        assert asked is not None
        return asked.canonical

    assert canonical(head=(b"agent=git/2.39.5", b"session-id=a1")) == canonical(head=(b"agent=git/1.9\n",))
    different = [(), (b"ofs-delta",), (b"thin-pack",), (b"filter blob:none",), (b"deepen 1",), (b"shallow " + OTHER,)]
    assert len({canonical(*one) for one in different}) == len(different)
    plain = version_0(b"want " + OID, capabilities=b" ofs-delta agent=git/2.39.5 session-id=x")
    other = version_0(b"want " + OID, capabilities=b" ofs-delta agent=JGit/6 session-id=y")
    third = version_0(b"want " + OID, capabilities=b" agent=JGit/6 session-id=y")
    read = [fetch_request.read(body, "") for body in (plain, other, third)]
    assert read[0] == read[1] != read[2]


def test_a_value_is_not_taken_for_an_agent():
    asked = fetch_request.read(version_2(b"want " + OID, b"deepen-not agent=x", b"done\n"), "version=2")
    assert asked is not None
    assert b"deepen-not agent=x" in asked.canonical


def test_ls_refs_is_known():
    body = version_2(b"peel\n", b"ref-prefix refs/heads/\n", command=b"ls-refs")
    asked = fetch_request.read(body, "version=2")
    assert asked is not None
    assert (asked.kind, asked.wants) == ("refs", frozenset())


@pytest.mark.parametrize(
    ("body", "protocol"),
    [
        (version_2(b"want " + OID, b"have " + OTHER, b"done\n"), "version=2"),
        (version_2(b"want " + OID, b"wait-for-done"), "version=2"),
        (version_2(b"want " + OID, b"want-ref refs/heads/main", b"done\n"), "version=2"),
        (version_2(b"done\n"), "version=2"),
        (version_2(b"want " + OID, b"done\n", command=b"object-info"), "version=2"),
        (version_0(b"want " + OID, b"deepen 1", end=b""), ""),
        (version_0(b"want " + OID) + pkt(b"have " + OTHER + b"\n"), ""),
        (b"", ""),
        (b"0009want", ""),
        (b"zzzz", "version=2"),
        (b"00", "version=2"),
    ],
)
def test_what_depends_on_more_or_is_odd_is_left_to_git(body, protocol):
    assert fetch_request.read(body, protocol) is None
