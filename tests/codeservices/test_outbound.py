"""Where the server may connect on somebody else's word."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from codeservices.outbound import OutboundRefused, Rules, is_public, parse, resolve

NOTHING = Rules([])


def resolving(monkeypatch, *addresses):
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(0, socket.SOCK_STREAM, 6, "", (one, 443)) for one in addresses]
    )


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:7f00:1::f5ff:fffe",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_of_the_internet_are_told_apart(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_of_the_internet_are_public(address):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "0177.0.0.1", "127.1"])
def test_every_spelling_of_loopback_is_refused(host):
    with pytest.raises(OutboundRefused):
        resolve(f"http://{host}/", NOTHING)


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch):
    resolving(monkeypatch, "8.8.8.8", "10.0.0.1")
    with pytest.raises(OutboundRefused, match=r"hooks\.example\.com leads to an address of this machine") as caught:
        resolve("https://hooks.example.com/", NOTHING)
    assert "10.0.0.1" not in caught.value.message


def test_a_public_host_is_resolved_once_and_its_addresses_are_told(monkeypatch):
    resolving(monkeypatch, "8.8.8.8", "8.8.8.8", "8.8.4.4")
    found = resolve("https://hooks.example.com:8443/x?y", NOTHING)
    assert (found.scheme, found.host, found.port) == ("https", "hooks.example.com", 8443)
    assert found.addresses == ("8.8.8.8", "8.8.4.4")


@pytest.mark.parametrize(
    ("entries", "is_allowed"),
    [
        (["10.0.0.0/8"], True),
        (["10.0.0.7"], True),
        (["10.0.0.8"], False),
        (["11.0.0.0/8"], False),
        (["hooks.internal"], True),
        (["HOOKS.internal."], True),
        (["hooks.internal:443"], True),
        (["hooks.internal:80"], False),
        (["other.internal"], False),
        (["::/0"], False),
    ],
)
def test_the_rules_allow_hosts_ports_and_networks(monkeypatch, entries, is_allowed):
    resolving(monkeypatch, "10.0.0.7")
    if is_allowed:
        assert resolve("https://hooks.internal/", Rules(entries)).addresses == ("10.0.0.7",)
    else:
        with pytest.raises(OutboundRefused):
            resolve("https://hooks.internal/", Rules(entries))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://example.com/", "must begin with https:// or http://"),
        ("file:///etc/passwd", "must begin with"),
        ("https://", "names no host"),
        ("https://alice:secret@example.com/", "no user name or password"),
        ("https://example.com\\@evil.example/", "neither blanks"),
        ("https://example.com/a b", "neither blanks"),
        ("https://example.com/\r\nHost: x", "neither blanks"),
        ("https://example.com:99999/", "is no URL"),
        ("https://example.com:0/", "names no host"),
        ("https://-oProxyCommand=x/", "names no host"),
        ("https://ex%61mple.com/", "names no host"),
        ("https://example.com/" + "a" * 3000, "at most 2048 characters"),
    ],
)
def test_odd_urls_are_refused_with_a_sentence(url, sentence):
    with pytest.raises(OutboundRefused, match=sentence):
        parse(url)


def test_a_name_that_does_not_resolve_is_told(monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror("no")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(OutboundRefused, match="nowhere.example can't be resolved"):
        resolve("https://nowhere.example/", NOTHING)


@pytest.mark.parametrize("entry", ["https://example.com", "a b/c", "10.0.0.0/99", "user@host", ""])
def test_odd_rules_stop_the_start(entry):
    with pytest.raises(ValueError, match=r"."):
        Rules([entry])
