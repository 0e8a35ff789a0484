"""Git's smart HTTP, on streams of bytes: pkt-lines, the ref advertisement's preamble, what a push or a fetch asks for.

Nothing here knows HTTP servers or users. Packs are never parsed: the git program reads and writes them.

Source: gitprotocol-common(5), gitprotocol-pack(5), gitprotocol-http(5), gitprotocol-v2(5).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from codeservices.errors import InvalidInput
from repos.git import refs
from repos.git.refs import RefCommand

FLUSH = b"0000"
MAX_PKT_BYTES = 65520
MAX_SIDEBAND_BYTES = 65515  # the pkt-line's length and the band's byte take five
SMALL_SIDEBAND_BYTES = 995  # what side-band without -64k allows
MAX_COMMANDS = 4000  # CodeCommit User Guide, "Quotas": references in one push
MAX_HEAD_BYTES = 5 * 1024 * 1024  # MAX_COMMANDS with the longest names, and all options
MAX_PUSH_OPTIONS = 64
MAX_PUSH_OPTION_BYTES = 1024

Service = Literal["upload-pack", "receive-pack"]
SERVICES: Mapping[str, Service] = {"git-upload-pack": "upload-pack", "git-receive-pack": "receive-pack"}
PROTOCOL = re.compile(r"[a-z0-9=:]{1,200}")

# Git's own words for what a fetch may choose; agent and object format say nothing about the fetch.
_FETCH_FEATURES = frozenset(
    {"multi_ack", "multi_ack_detailed", "no-done", "thin-pack", "side-band", "side-band-64k", "ofs-delta"}
    | {"no-progress", "include-tag", "sideband-all", "wait-for-done", "deepen-relative", "filter"}
)
_COMMAND = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) ([^\0\n]+)")
_SHALLOW = re.compile(rb"shallow ([0-9a-f]{40})")
_LENGTH = re.compile(rb"[0-9a-fA-F]{4}")


class ProtocolError(InvalidInput):
    """The client does not speak git's protocol as we do.

    Attributes:
        request: As much of a push as was read, for `refusal`; None before its capabilities were known.
    """

    request: PushRequest | None = None


class TooManyCommands(ProtocolError):
    """A push names more refs than one may."""

    code = "MaximumReferencesExceededException"


@dataclass(frozen=True)
class PushRequest:
    """What a push asks for, up to the last flush packet before its pack.

    Attributes:
        commands: In the client's order; empty for the probe that git sends before a large push.
        capabilities: What the client chose of those advertised, "atomic", "agent=git/2.39.5".
        shallow_oids: The client's shallow boundary.
        options: What `git push -o` gave, "ci.skip".
        head: The exact bytes read, to be passed on.
    """

    commands: tuple[RefCommand, ...]
    capabilities: tuple[str, ...]
    shallow_oids: tuple[str, ...]
    options: tuple[str, ...]
    head: bytes


class Source:
    """A body of bytes that comes in pieces of any size.

    Args:
        read: Gives the next piece, or b"" at the end and ever after.
    """

    def __init__(self, read: Callable[[], Awaitable[bytes]]) -> None:
        self._read = read
        self._buffer = bytearray()

    async def exactly(self, count: int) -> bytes:
        """The next `count` bytes; raises ProtocolError where the body ends before."""
        while len(self._buffer) < count:
            piece = await self._read()
            if not piece:
                raise ProtocolError("The request ended in the middle of a packet.")
            self._buffer += piece
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def pieces(self) -> AsyncIterator[bytes]:
        """What is left, as it comes."""
        if self._buffer:
            kept, self._buffer = bytes(self._buffer), bytearray()
            yield kept
        while piece := await self._read():
            yield piece


def service_named(name: str) -> Service:
    """ "git-upload-pack" to "upload-pack"; raises ProtocolError for any other service."""
    try:
        return SERVICES[name]
    except KeyError:
        raise ProtocolError("This server offers git-upload-pack and git-receive-pack over smart HTTP only.") from None


def protocol_of(header: str) -> str:
    """A Git-Protocol header fit for the program's environment, or "" where it is odd."""
    return header if PROTOCOL.fullmatch(header) else ""


def is_version_2(protocol: str) -> bool:
    """Whether the client asks for protocol 2; git takes the highest version named."""
    versions = [part.removeprefix("version=") for part in protocol.split(":") if part.startswith("version=")]
    return "2" in versions


def pkt(line: bytes) -> bytes:
    """A pkt-line: four hexadecimal digits of its own length, then the bytes."""
    length = len(line) + 4
    if length > MAX_PKT_BYTES:
        raise ValueError(f"a pkt-line holds at most {MAX_PKT_BYTES - 4} bytes, not {len(line)}")
    return b"%04x" % length + line


def preamble(service: Service, protocol: str) -> bytes:
    """What stands before the program's own advertisement at info/refs; protocol 2 has nothing there."""
    if service == "upload-pack" and is_version_2(protocol):
        return b""
    return pkt(b"# service=git-%s\n" % service.encode()) + FLUSH


async def read_commands(source: Source) -> PushRequest:
    """Read a push's commands, and its options if it has any, up to their flush packet and no further.

    Whether the refnames are valid is not judged.

    Raises:
        ProtocolError: no valid pkt-lines, commands or options; a ref named twice; a signed push, which is not
            advertised.
        TooManyCommands: more than MAX_COMMANDS. The rest of the body was not read.
    """
    reading = _Reading()
    try:
        while line := await _read_line(source, reading):
            reading.take(line)
        # Git takes a capability with a value for the same one: what it reads as options has to be read so here.
        if any(one.partition("=")[0] == "push-options" for one in reading.capabilities):
            while line := await _read_line(source, reading):
                reading.take_option(line)
    except ProtocolError as error:
        if reading.capabilities:
            error.request = reading.request()
        raise
    return reading.request()


def fetch_features(head: bytes) -> tuple[list[str], bool]:
    """What a fetch asks for, from the first bytes of its request: (capabilities or features, whether it is shallow)."""
    lines = [line.rstrip(b"\n").decode("utf-8", "replace") for line in split(bytearray(head))[0]]
    is_shallow = any(line.startswith(("deepen", "shallow ")) for line in lines)
    if lines and lines[0].startswith("want "):  # protocols 0 and 1: on the first line
        chosen = lines[0].split(" ")[2:]
    else:
        chosen = lines
    return [one for one in chosen if one in _FETCH_FEATURES], is_shallow


def is_pack_begun(answer: bytes) -> bool:
    """Whether a pack begins in these bytes of upload-pack's answer; negotiation rounds have none."""
    return b"packfile\n" in answer or b"PACK\x00\x00\x00" in answer


def sideband(band: int, payload: bytes, size_bytes: int = MAX_SIDEBAND_BYTES) -> bytes:
    """A payload as packets of one band: 1 data, 2 progress, 3 a fatal error."""
    starts = range(0, len(payload), size_bytes)
    return b"".join(pkt(bytes([band]) + payload[start : start + size_bytes]) for start in starts)


def split(data: bytearray) -> tuple[list[bytes], int]:
    """The whole pkt-lines at the beginning of some bytes, special packets left out, and how many bytes they take."""
    lines: list[bytes] = []
    position = 0
    while _LENGTH.fullmatch(data, position, position + 4):
        length = int(data[position : position + 4], 16)
        if length >= 4 and position + length > len(data):
            break
        if length > 4:
            lines.append(bytes(data[position + 4 : position + length]))
        position += max(length, 4)
    return lines, position


class _Reading:
    """A push's head while it is read."""

    def __init__(self) -> None:
        self.head = bytearray()
        self.commands: dict[str, RefCommand] = {}
        self.capabilities: tuple[str, ...] = ()
        self.shallow_oids: list[str] = []
        self.options: list[str] = []

    def take(self, line: bytes) -> None:
        """Add one line; raises ProtocolError."""
        if match := _SHALLOW.fullmatch(line.rstrip(b"\n")):
            self.shallow_oids.append(match[1].decode())
            return
        if not self.commands:
            line, _, chosen = line.partition(b"\0")
            self.capabilities = _check_capabilities(line, chosen)
        match = _COMMAND.fullmatch(line.rstrip(b"\n"))
        if match is None:
            raise ProtocolError("The push has a line that is no command: it must be OLD-OID NEW-OID REFNAME.")
        command = RefCommand(refs.decode(match[3]), match[1].decode(), match[2].decode())
        if command.refname in self.commands:
            raise ProtocolError(f"The push names {refs.shown(command.refname)} more than once.")
        if len(self.commands) == MAX_COMMANDS:
            raise TooManyCommands(
                f"Too many reference update commands: a push has at most {MAX_COMMANDS:,}.",
                hint=(
                    "Push in parts: 'refs/heads/*:refs/heads/*', then 'refs/tags/*:refs/tags/*' and whatever else you"
                    " have; too many of a kind by how they begin, 'refs/pull/1*:refs/pull/1*' and so on."
                ),
            )
        self.commands[command.refname] = command

    def take_option(self, line: bytes) -> None:
        """Add one push option; raises ProtocolError."""
        option = line.removesuffix(b"\n")
        if len(option) > MAX_PUSH_OPTION_BYTES:
            raise ProtocolError(f"A push option has at most {MAX_PUSH_OPTION_BYTES:,} bytes, not {len(option):,}.")
        if b"\0" in option or b"\n" in option:
            raise ProtocolError("A push option is one line of text, without NUL.")
        if len(self.options) == MAX_PUSH_OPTIONS:
            raise ProtocolError(f"A push has at most {MAX_PUSH_OPTIONS} options.", hint="Leave some of the -o out.")
        self.options.append(refs.decode(option))

    def request(self) -> PushRequest:
        return PushRequest(
            tuple(self.commands.values()),
            self.capabilities,
            tuple(self.shallow_oids),
            tuple(self.options),
            bytes(self.head),
        )


async def _read_line(source: Source, reading: _Reading) -> bytes:
    """A pkt-line's contents, or b"" for a flush packet."""
    prefix = await source.exactly(4)
    if not _LENGTH.fullmatch(prefix):
        raise ProtocolError("The request is no git push: a packet does not begin with its length.")
    length = int(prefix, 16)
    if length != 0 and not 4 < length <= MAX_PKT_BYTES:
        raise ProtocolError(f"A packet of a push can't have the length {length}.")
    line = await source.exactly(length - 4) if length else b""
    reading.head += prefix + line
    if len(reading.head) > MAX_HEAD_BYTES:
        raise TooManyCommands(f"A push names its refs in at most {MAX_HEAD_BYTES:,} bytes.")
    return line


def _check_capabilities(line: bytes, chosen: bytes) -> tuple[str, ...]:
    capabilities = tuple(chosen.decode("utf-8", "replace").split())
    if line.startswith(b"push-cert"):
        raise ProtocolError("This server does not take signed pushes.", hint="Push with --no-signed.")
    formats = [one for one in capabilities if one.startswith("object-format=") and one != "object-format=sha1"]
    if formats:
        raise ProtocolError("This server keeps SHA-1 repositories; yours names its objects otherwise.")
    return capabilities
