import asyncio

import pytest

from repos.git import wire
from repos.git.refs import RefCommand

A, B, ZERO = "a" * 40, "b" * 40, "0" * 40
CAPABILITIES = " report-status-v2 side-band-64k atomic object-format=sha1 agent=git/2.39.5"


def source(body: bytes, size: int = 7) -> wire.Source:
    """A body that comes in small pieces."""
    starts = iter(range(0, len(body), size))

    async def read() -> bytes:
        start = next(starts, len(body))
        return body[start : start + size]

    return wire.Source(read)


def push(*lines: str, capabilities: str = CAPABILITIES) -> bytes:
    first, *others = lines
    return (
        wire.pkt(f"{first}\0{capabilities}".encode("utf-8", "surrogateescape"))
        + b"".join(wire.pkt(line.encode()) for line in others)
        + wire.FLUSH
    )


def read(body: bytes) -> wire.PushRequest:
    return asyncio.run(wire.read_commands(source(body)))


def test_commands_are_read_up_to_the_flush_and_not_a_byte_further():
    head = push(f"{ZERO} {A} refs/heads/new", f"{A} {B} refs/heads/main", f"{A} {ZERO} refs/tags/v1\n")

    async def both() -> tuple[wire.PushRequest, bytes]:
        stream = source(head + b"PACK rest of the pack", 16)
        return await wire.read_commands(stream), b"".join([piece async for piece in stream.pieces()])

    request, rest = asyncio.run(both())
    assert request.commands == (
        RefCommand("refs/heads/new", ZERO, A),
        RefCommand("refs/heads/main", A, B),
        RefCommand("refs/tags/v1", A, ZERO),
    )
    assert [(command.is_create, command.is_delete) for command in request.commands] == [
        (True, False),
        (False, False),
        (False, True),
    ]
    assert "atomic" in request.capabilities
    assert "agent=git/2.39.5" in request.capabilities
    assert (request.head, rest) == (head, b"PACK rest of the pack")


def test_the_probe_before_a_large_push_has_no_commands():
    request = read(wire.FLUSH)
    assert (request.commands, request.capabilities, request.head) == ((), (), b"0000")


def test_shallow_lines_and_names_that_are_no_utf8_are_kept():
    name = "refs/heads/caf\udce9 $(id)"
    head = wire.pkt(f"shallow {A}".encode()) + push(f"{ZERO} {B} {name}")
    request = read(head)
    assert request.shallow_oids == (A,)
    assert request.commands[0].refname == name
    assert request.head == head


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "ended in the middle"),
        (b"00", "ended in the middle"),
        (wire.pkt(b"x" * 100)[:50], "ended in the middle"),
        (b"-001abcd", "does not begin with its length"),
        (b"GET / HTTP/1.1", "does not begin with its length"),
        (b"0001", "can't have the length 1"),
        (b"0004", "can't have the length 4"),
        (b"fff1" + b"x" * 65521, "can't have the length 65521"),
        (push("nonsense"), "no command"),
        (push(f"{A} {B}"), "no command"),
        (push(f"{A[:39]}g {B} refs/heads/x"), "no command"),
        (push(f"{A} {B} refs/heads/x\nrefs/heads/y"), "no command"),
        (push(f"{A} {B} refs/heads/x", f"{A} {ZERO} refs/heads/x"), "names refs/heads/x more than once"),
        (push("push-cert"), "signed pushes"),
        (push(f"{A} {B} refs/heads/x", capabilities="object-format=sha256"), "SHA-1"),
    ],
)
def test_what_is_no_push_is_told(body, sentence):
    with pytest.raises(wire.ProtocolError, match=sentence):
        read(body)


def test_more_commands_than_a_push_may_have_are_refused_with_what_was_read():
    lines = [f"{ZERO} {A} refs/tags/{number}" for number in range(wire.MAX_COMMANDS + 1)]
    assert len(read(push(*lines[:-1])).commands) == wire.MAX_COMMANDS
    with pytest.raises(wire.TooManyCommands, match="Too many reference update commands") as caught:
        read(push(*lines))
    assert "side-band-64k" in caught.value.request.capabilities


OPTIONS = "report-status push-options"


def test_push_options_stand_behind_the_commands_and_are_passed_on():
    head = push(f"{ZERO} {A} refs/heads/x", capabilities=OPTIONS)
    head += wire.pkt(b"ci.skip\n") + wire.pkt("título=é $(id)".encode()) + wire.pkt(b"caf\xe9") + wire.FLUSH
    request = read(head)
    assert request.options == ("ci.skip", "título=é $(id)", "caf\udce9")
    assert request.head == head
    assert read(push(f"{A} {ZERO} refs/heads/x", capabilities=OPTIONS) + wire.FLUSH).options == ()


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([b"x"] * (wire.MAX_PUSH_OPTIONS + 1), "at most 64 options"),
        ([b"x" * (wire.MAX_PUSH_OPTION_BYTES + 1)], "at most 1,024 bytes, not 1,025"),
        ([b"a\0b"], "without NUL"),
        ([b"a\nb"], "one line of text"),
    ],
)
@pytest.mark.parametrize("capabilities", [OPTIONS, f"{OPTIONS}=1"])
def test_push_options_beyond_reason_are_refused(lines, sentence, capabilities):
    body = push(f"{ZERO} {A} refs/heads/x", capabilities=capabilities) + b"".join(map(wire.pkt, lines)) + wire.FLUSH
    with pytest.raises(wire.ProtocolError, match=sentence) as caught:
        read(body)
    assert [command.refname for command in caught.value.request.commands] == ["refs/heads/x"]


def test_push_options_that_are_cut_off_are_told():
    with pytest.raises(wire.ProtocolError, match="ended in the middle"):
        read(push(f"{ZERO} {A} refs/heads/x", capabilities=OPTIONS) + wire.pkt(b"ci.skip"))


def test_a_head_without_end_is_refused():
    lines = [f"{ZERO} {A} refs/tags/{number}{'x' * 60_000}" for number in range(100)]
    with pytest.raises(wire.TooManyCommands, match="at most 5,242,880 bytes"):
        read(push(*lines))


def test_the_preamble_stands_before_every_advertisement_but_that_of_protocol_2():
    assert wire.preamble("upload-pack", "") == b"001e# service=git-upload-pack\n0000"
    assert wire.preamble("receive-pack", "") == b"001f# service=git-receive-pack\n0000"
    assert wire.preamble("upload-pack", "version=1") != b""
    assert wire.preamble("upload-pack", "version=2") == b""
    assert wire.preamble("upload-pack", "version=1:version=2") == b""
    assert wire.preamble("receive-pack", "version=2") != b""


@pytest.mark.parametrize("header", ["", "version=2", "version=1:version=2:bundle"])
def test_a_plain_protocol_header_is_passed_on(header):
    assert wire.protocol_of(header) == header


@pytest.mark.parametrize("header", ["version=2;id", "version=2\n", "VERSION=2", "a b", "$(id)", "=" * 201])
def test_an_odd_protocol_header_is_left_out(header):
    assert wire.protocol_of(header) == ""


def test_only_two_services_exist():
    assert wire.service_named("git-upload-pack") == "upload-pack"
    for name in ("", "upload-pack", "git-upload-archive", "git-upload-pack\n"):
        with pytest.raises(wire.ProtocolError, match="smart HTTP only"):
            wire.service_named(name)


def test_what_a_fetch_asks_for_is_read_in_every_protocol():
    old = wire.pkt(f"want {A} thin-pack ofs-delta agent=git/2\n".encode()) + wire.pkt(f"want {B}\n".encode()) + b"0000"
    assert wire.fetch_features(old) == (["thin-pack", "ofs-delta"], False)
    lines = [b"command=fetch", b"agent=git/2"]
    new = b"".join(map(wire.pkt, lines)) + b"0001" + wire.pkt(b"thin-pack\n") + wire.pkt(b"deepen 1\n") + b"0000"
    assert wire.fetch_features(new) == (["thin-pack"], True)
    assert wire.fetch_features(new[:-8]) == (["thin-pack"], False)
    assert wire.fetch_features(b"nonsense") == ([], False)


def test_only_an_answer_with_a_pack_counts_as_one():
    assert wire.is_pack_begun(wire.pkt(b"packfile\n") + b"xxxx")
    assert wire.is_pack_begun(b"0008NAK\n2004\x01PACK\0\0\0\2")
    assert not wire.is_pack_begun(wire.pkt(b"acknowledgments\n") + wire.pkt(b"NAK\n"))
