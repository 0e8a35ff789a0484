"""The installation's own authority and server certificate, checked with the programs that will trust them."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import stat
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from codeservices import tls

NAMES = ["builds.example.org", "localhost", "127.0.0.1", "::1"]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_client_that_trusts_the_authority_reaches_the_server_under_every_name(tmp_path):
    found = tls.ensure(tmp_path / "tls", NAMES)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(found.server)
    client_context = ssl.create_default_context(cafile=str(found.ca))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in NAMES:
        near, far = socket.socketpair()
        answer = threading.Thread(target=lambda end=far: server_context.wrap_socket(end, server_side=True).close())
        answer.start()
        with client_context.wrap_socket(near, server_hostname=name) as secured:
            assert secured.version() == "TLSv1.3"
        answer.join()


def test_another_name_is_refused(tmp_path):
    found = tls.ensure(tmp_path, NAMES)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(found.server)
    near, far = socket.socketpair()
    errors: list[Exception] = []

    def serve() -> None:
        try:
            server_context.wrap_socket(far, server_side=True).close()
        except (ssl.SSLError, OSError) as error:
            errors.append(error)

    answer = threading.Thread(target=serve)
    answer.start()
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        ssl.create_default_context(cafile=str(found.ca)).wrap_socket(near, server_hostname="elsewhere.example.org")
    near.close()
    answer.join()


def test_openssl_verifies_the_chain_strictly(tmp_path):
    found = tls.ensure(tmp_path, NAMES)
    argv = ["openssl", "verify", "-x509_strict", "-CAfile", found.ca, "-verify_hostname", NAMES[0], found.server]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_private_keys_are_readable_by_their_owner_alone_and_the_authority_by_everybody(tmp_path):
    found = tls.ensure(tmp_path / "tls", NAMES)
    assert (mode(tmp_path / "tls"), mode(found.ca_key), mode(found.server)) == (0o700, 0o600, 0o600)
    assert mode(found.ca) == 0o644
    assert b"PRIVATE" not in found.ca.read_bytes()


def test_a_second_call_changes_nothing(tmp_path):
    before = tls.ensure(tmp_path, NAMES, now=NOW).server.read_bytes()
    assert tls.ensure(tmp_path, list(reversed(NAMES)), now=NOW + timedelta(days=200)).server.read_bytes() == before


def test_a_new_name_renews_the_server_certificate_under_the_same_authority(tmp_path):
    found = tls.ensure(tmp_path, NAMES)
    authority = found.ca.read_bytes()
    tls.ensure(tmp_path, [*NAMES, "192.0.2.7"])
    names = certificate(found.server).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ipaddress.ip_address("192.0.2.7") in names.get_values_for_type(x509.IPAddress)
    assert found.ca.read_bytes() == authority


def test_a_name_that_is_no_longer_asked_for_renews_nothing(tmp_path):
    before = tls.ensure(tmp_path, NAMES, now=NOW).server.read_bytes()
    assert tls.ensure(tmp_path, NAMES[:1], now=NOW).server.read_bytes() == before


@pytest.mark.parametrize(("days", "is_renewed"), [(366, False), (368, True)])
def test_the_server_certificate_is_renewed_thirty_days_before_its_end(tmp_path, days, is_renewed):
    before = tls.ensure(tmp_path, NAMES, now=NOW).server.read_bytes()
    after = tls.ensure(tmp_path, NAMES, now=NOW + timedelta(days=days)).server.read_bytes()
    assert (after != before) is is_renewed


def test_the_server_certificate_never_outlives_its_authority(tmp_path):
    tls.ensure(tmp_path, NAMES, now=NOW)
    found = tls.ensure(tmp_path, NAMES, now=NOW + timedelta(days=3600))
    assert certificate(found.server).not_valid_after_utc == certificate(found.ca).not_valid_after_utc


def test_a_new_authority_gets_a_new_server_certificate(tmp_path):
    found = tls.ensure(tmp_path, NAMES)
    found.ca.unlink()
    tls.ensure(tmp_path, NAMES)
    certificate(found.server).verify_directly_issued_by(certificate(found.ca))


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_server_certificate_is_made_anew(tmp_path, damage):
    found = tls.ensure(tmp_path, NAMES)
    found.server.write_bytes(damage)
    tls.ensure(tmp_path, NAMES)
    certificate(found.server).verify_directly_issued_by(certificate(found.ca))


def test_a_missing_authority_key_is_told_with_both_ways_out(tmp_path):
    found = tls.ensure(tmp_path, NAMES)
    found.ca_key.unlink()
    tls.ensure(tmp_path, NAMES)  # nothing to sign yet
    with pytest.raises(tls.TlsError, match=r"ca-key\.pem is missing.*backup.*new authority"):
        tls.ensure(tmp_path, [*NAMES, "new.example.org"])


def test_a_damaged_authority_is_told_by_its_file(tmp_path):
    found = tls.ensure(tmp_path, NAMES)
    found.ca.write_bytes(b"nothing")
    with pytest.raises(tls.TlsError, match=r"ca\.pem holds no certificate"):
        tls.ensure(tmp_path, NAMES)


def test_an_interrupted_write_leaves_nothing_in_the_way(tmp_path):
    (tmp_path / ".ca.pem.new").write_bytes(b"half")
    (tmp_path / ".server.pem.new").write_bytes(b"half")
    found = tls.ensure(tmp_path, NAMES)
    certificate(found.server).verify_directly_issued_by(certificate(found.ca))


def test_processes_that_start_together_agree_on_one_authority(tmp_path):
    threads = [threading.Thread(target=tls.ensure, args=(tmp_path, NAMES)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = tls.files(tmp_path)
    certificate(found.server).verify_directly_issued_by(certificate(found.ca))


def test_the_machines_names_hold_loopback_its_own_name_and_what_is_added():
    names = tls.machine_names(["Git.Example.Org"])
    assert names[0] == "git.example.org"
    assert {"localhost", "127.0.0.1", "::1", socket.gethostname().lower()} <= set(names)
    assert len(names) == len(set(names))


def test_a_name_beyond_ascii_is_carried_in_its_wire_form(tmp_path):
    found = tls.ensure(tmp_path, ["bücher.example.org"])
    names = certificate(found.server).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["xn--bcher-kva.example.org"]
