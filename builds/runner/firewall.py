"""Firewall rules for the networks of builds: the internet is open, this machine and private networks are not.

The rules match the names of an installation's bridges (`bridge_prefix`), so they are the same for every build
and stand before the first one. They live in two chains of the installation's own; one jump leads to each, from INPUT
for what goes to this machine and from DOCKER-USER, or FORWARD where there is none, for what goes through it. A jump's
comment has a digest of all rules, by which it is seen whether the right ones are there.

Rules return instead of accepting: what the operator's own rules refuse stays refused.

Source: iptables(8), iptables-extensions(8); Docker's guide "Docker and iptables" on DOCKER-USER.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import ipaddress
import json
import logging
import os
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

# Not the internet's. Source: IANA's IPv4 Special-Purpose Address Registry, without the networks of documentation.
CLOSED = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
DNS_PORT = 53
RESOLVER_FILES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
ENGINE_SETTINGS = Path("/etc/docker/daemon.json")
# Where processes that change rules wait for each other: half of the rules would be there twice.
LOCK = Path("/run/codeservices-firewall.lock")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[0-9]{1,2})?")
_SEARCH_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
_REJECT = "-j REJECT --reject-with icmp-admin-prohibited"


class FirewallError(Exception):
    """The rules can't be read or made; the text says why and what to do."""


@dataclass(frozen=True)
class Opening:
    """A destination that builds may reach though it is closed otherwise.

    Attributes:
        hosts: Networks as "10.1.0.0/16", addresses, and names of hosts.
        port: None for all ports and protocols.
    """

    hosts: tuple[str, ...]
    port: int | None = None
    protocols: tuple[str, ...] = ("tcp",)


def opening(entry: str) -> Opening:
    """An entry of CODESERVICES_BUILD_NETWORK_ALLOW: a host or an IPv4 network, with a port or without.

    Raises:
        ValueError: It is neither; the text says so.
    """
    where, colon, port = entry.rpartition(":")
    if not colon:
        where, port = entry, ""
    is_port = not colon or (port.isascii() and port.isdigit() and 0 < int(port) < 65536)
    if not is_port or not _HOST.fullmatch(where):
        raise ValueError(f"“{entry}” is no host and no IPv4 network (CIDR), with :PORT or without")
    number = int(port) if port else None
    if "/" in where or where.replace(".", "").isdigit():
        try:
            return Opening((str(ipaddress.IPv4Network(where, strict=False)),), number)
        except ValueError:
            raise ValueError(f"“{entry}” is no IPv4 network (CIDR)") from None
    return Opening((where,), number)


def bridge_prefix(install: str) -> str:
    """With what the names of all bridges of an installation's builds begin; nine characters.

    A name of an interface has 15 characters at most (IFNAMSIZ), so an account id does not fit in whole.
    """
    return f"cs{hashlib.sha256(install.encode()).hexdigest()[:6]}-"


class Firewall:
    """The rules of one installation.

    Args:
        install: Its account id.
        https_port: Where this machine's own HTTPS listens, which a build may reach; None where builds find the server
            on another machine, which an opening names then.
        openings: What else they may reach. Names of hosts are resolved each time the rules are made.
    """

    def __init__(self, install: str, *, https_port: int | None, openings: Sequence[Opening] = ()) -> None:
        self._bridges = f"{bridge_prefix(install)}+"
        self._forward, self._input = f"CODESERVICES-F-{install}", f"CODESERVICES-I-{install}"
        self._https_port = https_port
        self._openings = tuple(openings)

    def problem(self) -> str | None:
        """None where all rules are there as they should be; else one sentence.

        Raises:
            FirewallError: It can't be known.
        """
        missing = [family for family in _families() if not self._is_made(family)]
        if not missing:
            return None
        return f"The firewall rules of builds are missing ({', '.join(missing)})."

    def ensure(self) -> bool:
        """Make the rules where they are missing or others; whether anything was changed.

        Raises:
            FirewallError: They can't be made.
        """
        if self.problem() is None:
            return False
        with _alone():
            for family in _families():
                refusal = "" if self._is_made(family) else _restore(family, self._changes(family))
                if refusal or not self._is_made(family):
                    raise FirewallError(f"{family} does not take the firewall rules of builds. {refusal}".strip())
        logger.info("made the firewall rules of builds for %s", self._bridges)
        return True

    def remove(self) -> None:
        """Take every rule and chain of this installation away; nothing happens where there is none."""
        for family in _families():
            with _alone():
                lines = _save(family)
                gone = [f"-D {line[3:]}" for line in lines if line.startswith("-A ") and self._leads_here(line)]
                there = [one for one in (self._forward, self._input) if f":{one} " in "\n".join(lines)]
                gone += [f"-F {one}" for one in there] + [f"-X {one}" for one in there]
                refusal = _restore(family, gone) if gone else ""
            if refusal:
                raise FirewallError(f"{family} does not remove the firewall rules of builds. {refusal}")

    def script(self) -> str:
        """All of it as a shell script, for a machine that this process can't reach or may not change."""
        parts = ["#!/bin/sh", "# Firewall rules of builds: run as root on the machine of Docker Engine.", "set -e"]
        for family in ("iptables", "ip6tables"):
            first = "DOCKER-USER" if family == "iptables" else "FORWARD"
            rules = self._rules(family)
            body = [f":{self._forward} -", f":{self._input} -", *rules, *self._jumps(first, rules)]
            parts += [f"{family}-restore --wait --noflush <<'RULES'", "*filter", *body, "COMMIT", "RULES"]
        return "\n".join(parts) + "\n"

    def _is_made(self, family: str) -> bool:
        lines, rules = _save(family), self._rules(family)
        jumps = {shlex.join(shlex.split(line.replace("-I ", "-A ", 1))) for line in self._jumps(_first(lines), rules)}
        found = [shlex.join(shlex.split(line)) for line in lines if line.startswith("-A ") and self._leads_here(line)]
        if sorted(found) != sorted(jumps):
            return False
        return all(_count(lines, chain) == _count(rules, chain) for chain in (self._forward, self._input))

    def _leads_here(self, line: str) -> bool:
        return line.rstrip().endswith((f" -j {self._forward}", f" -j {self._input}"))

    def _changes(self, family: str) -> list[str]:
        lines, rules = _save(family), self._rules(family)
        old = [f"-D {line[3:]}" for line in lines if line.startswith("-A ") and self._leads_here(line)]
        # To name a chain makes it, or empties it.
        chains = [f":{self._forward} - [0:0]", f":{self._input} - [0:0]"]
        return [*chains, *old, *rules, *self._jumps(_first(lines), rules)]

    def _jumps(self, first: str, rules: Sequence[str]) -> list[str]:
        digest = hashlib.sha256("\n".join(rules).encode()).hexdigest()[:16]
        comment = f'-m comment --comment "codeservices builds {digest}"'
        return [
            f"-I {first} -i {self._bridges} {comment} -j {self._forward}",
            f"-I INPUT -i {self._bridges} {comment} -j {self._input}",
        ]

    def _rules(self, family: str) -> list[str]:
        if family == "ip6tables":
            # The networks of builds have IPv4 alone; a privileged build could give itself an address.
            reject = "-j REJECT --reject-with icmp6-adm-prohibited"
            return [f"-A {self._forward} {reject}", f"-A {self._input} {reject}"]
        answers = "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"
        resolvers = Opening(tuple(resolvers_of_host()), DNS_PORT, ("udp", "tcp"))
        opened = [match for one in (resolvers, *self._openings) for match in _matches(one)]
        own = [] if self._https_port is None else [f"-p tcp -m tcp --dport {self._https_port}"]
        return [
            f"-A {self._forward} {answers}",
            *(f"-A {self._forward} {match} -j RETURN" for match in opened),
            *(f"-A {self._forward} -d {one} {_REJECT}" for one in CLOSED),
            f"-A {self._input} {answers}",
            *(f"-A {self._input} {match} -j RETURN" for match in (*own, *opened)),
            f"-A {self._input} {_REJECT}",
        ]


def resolvers_of_host(files: Iterable[Path] = RESOLVER_FILES, engine_settings: Path = ENGINE_SETTINGS) -> list[str]:
    """The name servers that containers may ask: those of this machine, which the engine asks for them, and its own.

    Loopback ones are left out: the engine asks those by itself. Source: resolv.conf(5); dockerd's "dns" setting.
    """
    found: list[str] = []
    for path in files:
        try:
            rows = [line.split() for line in path.read_text().splitlines()]
        except OSError:
            continue
        found += [row[1] for row in rows if len(row) > 1 and row[0] == "nameserver"]
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found += [str(one) for one in json.loads(engine_settings.read_text()).get("dns") or ()]
    addresses = set()
    for one in found:
        try:
            address = ipaddress.IPv4Address(one)
        except ValueError:  # of IPv6, which builds do not have
            continue
        if not address.is_loopback:
            addresses.add(str(address))
    return sorted(addresses)


def _matches(one: Opening) -> list[str]:
    networks = [text for where in one.hosts for text in _resolved(where)]
    if one.port is None:
        return [f"-d {text}" for text in networks]
    ports = [f"-p {protocol} -m {protocol} --dport {one.port}" for protocol in one.protocols]
    return [f"-d {text} {port}" for text in networks for port in ports]


def _resolved(where: str) -> list[str]:
    """A network as it is; a host's name as its addresses, none where it has none now."""
    try:
        return [str(ipaddress.IPv4Network(where))]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(where, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except OSError:
        logger.warning("%s can't be resolved, so builds can't reach it", where)
        return []
    return sorted({f"{entry[4][0]}/32" for entry in found})


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _count(lines: Iterable[str], chain: str) -> int:
    start = f"-A {chain} "
    return sum(line.startswith(start) for line in lines)


def _families() -> list[str]:
    """The programs to talk to; IPv6's only where the kernel has it."""
    return ["iptables", "ip6tables"] if Path("/proc/net/if_inet6").exists() else ["iptables"]


def _first(lines: Iterable[str]) -> str:
    """The chain that what passes through this machine meets first."""
    return "DOCKER-USER" if any(line.startswith(":DOCKER-USER ") for line in lines) else "FORWARD"


def _program(name: str) -> str:
    if os.geteuid() != 0:
        raise FirewallError(
            "Only root can see and make the firewall rules of builds: sudo .venv/bin/python manage.py build_firewall"
        )
    found = shutil.which(name, path=_SEARCH_PATH)
    if found is None:
        raise FirewallError(f"{name} is missing. Install it with: apt-get install iptables")
    return found


def _save(family: str) -> list[str]:
    argv = [_program(f"{family}-save"), "-t", "filter"]
    child = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if child.returncode != 0:
        raise FirewallError(f"{family}-save failed: {child.stderr.strip()[:300]}")
    return child.stdout.splitlines()


def _restore(family: str, lines: Sequence[str]) -> str:
    """Apply all lines or none; "" or what was refused."""
    text = "\n".join(("*filter", *lines, "COMMIT", ""))
    argv = [_program(f"{family}-restore"), "--wait", "10", "--noflush"]
    child = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    return "" if child.returncode == 0 else child.stderr.strip()[:300] or f"It ended with status {child.returncode}."
