"""Where this server may connect on somebody else's word: webhooks, imports, mirrors, subscriptions.

A URL is resolved once, every address is judged, and the caller connects to an address that was judged: a name that
resolves to something else a moment later gains nothing. Callers follow no redirects.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from codeservices.errors import InvalidInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL_CHARACTERS = 2048
# Two ways of writing an IPv4 address inside an IPv6 one that a router would follow: NAT64 and 6to4.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?|[0-9A-Fa-f:.]+")


class OutboundRefused(InvalidInput):
    """The server does not connect there; the message says why without telling what a name resolves to."""

    code = "OutboundRefused"


class HostUnresolved(OutboundRefused):
    """No name server knows the host now, which may pass."""


@dataclass(frozen=True)
class Destination:
    """Where to connect for a URL.

    Attributes:
        url: As it was given.
        scheme: "https", or "http".
        host: The name, or the address in text, without brackets; for the Host header and for TLS.
        port: From 1 to 65535.
        addresses: What the host resolved to, all of them judged; connect to one of these and nothing else.
    """

    url: str
    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]


class Rules:
    """What CODESERVICES_OUTBOUND_ALLOW names: hosts, "host:port" and CIDR networks; raises ValueError for others."""

    def __init__(self, entries: Sequence[str]) -> None:
        self._networks: list[Network] = []
        self._hosts: set[tuple[str, int | None]] = set()
        for entry in entries:
            if "/" in entry or _is_address(entry):
                self._networks.append(ipaddress.ip_network(entry, strict=False))
                continue
            host, port = _host_and_port(entry)
            self._hosts.add((host, port))

    def allows(self, host: str, port: int, address: Address) -> bool:
        """Whether an address that is not public may be reached all the same."""
        names = {(_plain(host), port), (_plain(host), None), (str(address), port), (str(address), None)}
        return bool(names & self._hosts) or any(
            address in network for network in self._networks if network.version == address.version
        )


def resolve(url: str, rules: Rules, *, schemes: Sequence[str] = ("https", "http")) -> Destination:
    """Look at a URL and at what its host resolves to.

    Raises:
        OutboundRefused: It is no URL of these schemes, carries a user name or password, or leads to an address that is
            not public and that the rules do not allow.
        HostUnresolved: Its host has no address.
    """
    destination = parse(url, schemes=schemes)
    try:
        found = socket.getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise HostUnresolved(f"The host {destination.host} can't be resolved.") from None
    addresses = tuple(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
    for text in addresses:
        address = ipaddress.ip_address(text)
        if not is_public(address) and not rules.allows(destination.host, destination.port, address):
            raise OutboundRefused(
                f"{destination.host} leads to an address of this machine or of a private network.",
                hint="An administrator can allow it with CODESERVICES_OUTBOUND_ALLOW.",
            )
    return Destination(destination.url, destination.scheme, destination.host, destination.port, addresses)


def parse(url: str, *, schemes: Sequence[str] = ("https", "http")) -> Destination:
    """A URL taken apart, with no addresses yet: what can be said of it without asking a name server.

    Raises:
        OutboundRefused: As `resolve`, but for the addresses.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise OutboundRefused(f"A URL has at most {MAX_URL_CHARACTERS} characters, not {len(url)}.")
    if any(not "!" <= character <= "~" for character in url) or "\\" in url:
        raise OutboundRefused("A URL has neither blanks, line feeds, backslashes nor letters beyond ASCII.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise OutboundRefused(f"“{url[:200]}” is no URL.") from None
    if parts.scheme not in schemes:
        raise OutboundRefused(f"The URL must begin with {' or '.join(f'{one}://' for one in schemes)}.")
    if parts.username is not None or parts.password is not None:
        raise OutboundRefused("A URL carries no user name or password here: give them apart.")
    if not host or not _HOST.fullmatch(host) or port == 0:
        raise OutboundRefused(f"“{url[:200]}” names no host.")
    return Destination(url, parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], ())


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's: no loopback, private, link-local, shared, multicast or reserved one,
    however it is wrapped into IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(wrapped)
        if address in _LOCAL_NAT64 or address.is_site_local:
            return False
        if int(address) >> 32 == 0:  # IPv4-compatible, long out of use
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _host_and_port(entry: str) -> tuple[str, int | None]:
    parts = urlsplit(f"//{entry}")
    if not parts.hostname or parts.path or parts.query or parts.username is not None:
        raise ValueError(f"“{entry}” is no host, host:port or network (CIDR)")
    return _plain(parts.hostname), parts.port


def _plain(host: str) -> str:
    return host.lower().rstrip(".")
