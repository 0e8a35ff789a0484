"""The firewall of builds' networks: what its rules say, whether they are there, what a container reaches."""

from __future__ import annotations

import http.server
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from builds import isolation
from builds.runner import firewall as product
from builds.runner.executor import PhaseError
from builds.runner.firewall import CLOSED, Firewall, Opening, bridge_prefix, opening, resolvers_of_host

Make = Callable[..., Firewall]
PROBE = "curl -s -o /dev/null --max-time 5 http://{0}; echo $?"


@pytest.fixture
def host_port() -> Iterator[int]:
    """A service of this machine on all its addresses, as one that nobody meant for builds."""
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), http.server.SimpleHTTPRequestHandler)
    server.RequestHandlerClass = type("Quiet", (http.server.BaseHTTPRequestHandler,), {"do_GET": _answer})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def _answer(self: http.server.BaseHTTPRequestHandler) -> None:
    self.send_response(204)
    self.end_headers()


def address_of_this_machine() -> str:
    """Its address towards other machines, which it would send a packet from; none is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("198.51.100.1", 9))
        return str(one.getsockname()[0])


def lines_about(install: str, family: str = "iptables") -> list[str]:
    saved = subprocess.run([f"{family}-save", "-t", "filter"], capture_output=True, text=True, check=True).stdout
    return [line for line in saved.splitlines() if install in line]


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ("10.1.0.0/16", Opening(("10.1.0.0/16",))),
        ("10.1.2.3", Opening(("10.1.2.3/32",))),
        ("10.1.2.3:5000", Opening(("10.1.2.3/32",), 5000)),
        ("10.1.2.3/8:443", Opening(("10.0.0.0/8",), 443)),
        ("Mirror.example.internal:80", Opening(("Mirror.example.internal",), 80)),
        ("mirror", Opening(("mirror",))),
    ],
)
def test_an_opening_is_a_host_or_a_network_with_or_without_a_port(entry, wanted):
    assert opening(entry) == wanted


@pytest.mark.parametrize(
    "entry",
    [
        *("", ":80", "host:", "host:0", "host:65536", "host:x", "a b", "-j", "host\n-j ACCEPT", "https://host"),
        *("10.0.0.0/33", "10.0.0.256", "fd00::/8", "[::1]:80", "10.0.0.1,10.0.0.2", "host/path"),
    ],
)
def test_what_is_neither_is_refused_by_name(entry):
    with pytest.raises(ValueError, match="is no "):
        opening(entry)


def test_the_rules_open_dns_the_server_and_what_is_allowed_and_close_the_rest(monkeypatch):
    monkeypatch.setattr(product, "resolvers_of_host", lambda: ["10.0.0.2"])
    script = Firewall("123456789012", https_port=8443, openings=[opening("10.5.0.0/16:443")]).script()
    forward = [line for line in script.splitlines() if line.startswith("-A CODESERVICES-F-123456789012 -d")]
    assert forward[:3] == [
        "-A CODESERVICES-F-123456789012 -d 10.0.0.2/32 -p udp -m udp --dport 53 -j RETURN",
        "-A CODESERVICES-F-123456789012 -d 10.0.0.2/32 -p tcp -m tcp --dport 53 -j RETURN",
        "-A CODESERVICES-F-123456789012 -d 10.5.0.0/16 -p tcp -m tcp --dport 443 -j RETURN",
    ]
    assert [line.split()[3] for line in forward[3:]] == list(CLOSED)
    assert "169.254.0.0/16" in CLOSED and all("REJECT" in line for line in forward[3:])
    assert "-A CODESERVICES-I-123456789012 -p tcp -m tcp --dport 8443 -j RETURN" in script
    assert script.count(f"-i {bridge_prefix('123456789012')}+") == 4
    # IPv6 is closed whole: builds have none, and a privileged one could give itself an address.
    six = script.partition("ip6tables-restore")[2]
    assert six.count("-j REJECT --reject-with icmp6-adm-prohibited") == 2 and "RETURN" not in six


def test_a_bridge_s_name_fits_an_interface_and_tells_installations_apart():
    assert len(bridge_prefix("123456789012")) + 6 == 15
    assert bridge_prefix("123456789012") != bridge_prefix("123456789013")


def test_resolvers_are_those_of_the_machine_and_the_engine_s_own(tmp_path: Path):
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\nnameserver 10.0.0.2\nnameserver fd00::2\noptions x\n")
    (tmp_path / "daemon.json").write_text('{"dns": ["10.0.0.3", "odd"]}')
    files = [tmp_path / "resolv.conf", tmp_path / "missing"]
    assert resolvers_of_host(files, tmp_path / "daemon.json") == ["10.0.0.2", "10.0.0.3"]
    (tmp_path / "daemon.json").write_text("[]")
    assert resolvers_of_host(files, tmp_path / "daemon.json") == ["10.0.0.2"]


def test_only_root_can_know(monkeypatch, firewall: Make):
    with monkeypatch.context() as patched:
        patched.setattr(product.os, "geteuid", lambda: 1000)
        with pytest.raises(product.FirewallError, match="Only root can see and make"):
            firewall().problem()


@pytest.mark.docker
def test_rules_are_made_once_seen_missing_and_made_again(firewall: Make, install: str):
    rules = firewall(https_port=8443)
    assert "missing" in rules.problem()
    assert rules.ensure() and not rules.ensure()
    assert rules.problem() is None
    before = lines_about(install)
    assert sum("-j CODESERVICES" in line for line in before) == 2
    # What a restarted firewall of the system does.
    jump = next(line for line in before if line.startswith("-A INPUT"))
    subprocess.run(f"iptables -w -D {jump[3:]}", shell=True, check=True)
    assert "iptables" in rules.problem()
    assert rules.ensure() and lines_about(install) == before
    subprocess.run(["iptables", "-w", "-F", f"CODESERVICES-F-{install}"], check=True)
    assert "iptables" in rules.problem()
    assert rules.ensure() and lines_about(install) == before
    # Other settings take the place of the old rules.
    assert firewall(https_port=9443).ensure()
    assert sum("-j CODESERVICES" in line for line in lines_about(install)) == 2
    assert any("--dport 9443" in line for line in lines_about(install))
    rules.remove()
    rules.remove()
    assert lines_about(install) == lines_about(install, "ip6tables") == []


@pytest.mark.docker
def test_many_that_make_them_at_once_make_them_once(firewall: Make, install: str):
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: firewall(https_port=8443).ensure(), range(6)))
    assert firewall(https_port=8443).problem() is None
    assert sum("-j CODESERVICES" in line for line in lines_about(install)) == 2


@pytest.mark.docker
def test_a_build_reaches_dns_the_server_and_what_is_allowed_and_nothing_else(enter, firewall, host_port, settings):
    settings.HTTPS_PORT, settings.BUILD_NETWORK_OPENINGS = 1, ()
    inside, other = (enter(executor={"close_network": isolation.close_network}) for _ in range(2))
    assert inside.notes == []
    other.executor._container.reload()
    networks = other.executor._container.attrs["NetworkSettings"]["Networks"]
    neighbour = next(iter(networks.values()))
    for host in (
        f"host.docker.internal:{host_port}",
        f"{neighbour['Gateway']}:{host_port}",
        f"{address_of_this_machine()}:{host_port}",
        f"{neighbour['IPAddress']}:1",
        "169.254.169.254",
    ):
        # 7: refused at once, since rules reject and don't drop.
        assert inside.sh(PROBE.format(host))[1] == "7\n", host
    # The server's own port is open, and without rules all of it is: the probe tells one from the other.
    firewall(https_port=host_port).ensure()
    assert inside.sh(PROBE.format(f"host.docker.internal:{host_port}"))[1] == "0\n"
    firewall().remove()
    assert inside.sh(PROBE.format(f"{address_of_this_machine()}:{host_port}"))[1] == "0\n"


@pytest.mark.docker
def test_a_build_that_must_not_start_without_rules_does_not(firewall, settings, monkeypatch):
    settings.BUILD_FIREWALL = "require"
    monkeypatch.setattr(product, "_restore", lambda family, lines: "iptables: Permission denied.")
    with pytest.raises(PhaseError, match="No build starts without its firewall rules") as caught:
        isolation.close_network(lambda note: None)
    assert caught.value.is_fault
    settings.BUILD_FIREWALL = "make"
    notes: list[str] = []
    isolation.close_network(notes.append)
    assert notes[0].startswith("The network of this build is not closed") and "Permission denied" in notes[0]
    settings.BUILD_FIREWALL = "off"
    isolation.close_network(lambda note: pytest.fail("rules are not ours to tell of"))


def test_an_engine_on_another_machine_is_told_with_what_to_do(firewall, settings):
    settings.DOCKER_HOST = "tcp://builder.example.com:2376"
    assert "another machine" in isolation.network_problem()


def test_an_endpoint_elsewhere_is_what_builds_may_reach(settings):
    settings.BUILD_ENDPOINT_URL = "https://10.20.30.40:9443"
    script = isolation.firewall().script()
    assert "-d 10.20.30.40/32 -p tcp -m tcp --dport 9443 -j RETURN" in script
    assert f"--dport {settings.HTTPS_PORT} " not in script


@pytest.mark.docker
def test_the_command_makes_shows_checks_and_removes_the_rules(install, firewall, capsys, settings):
    with pytest.raises(CommandError, match="are missing"):
        call_command("build_firewall", "--check")
    call_command("build_firewall")
    call_command("build_firewall", "--check")
    call_command("build_firewall", "--print")
    call_command("build_firewall", "--remove")
    said = capsys.readouterr().out
    assert "are there." in said and f":CODESERVICES-F-{install} -" in said and said.endswith("are gone.\n")
    settings.BUILD_FIREWALL = "off"
    call_command("build_firewall")
    assert "not ours to make" in capsys.readouterr().out
