"""The installation's own certificate authority and the server certificate that it signs.

Browsers and git have to trust one file, ca.pem, once; the server certificate under it is renewed as often as needed.
"""

from __future__ import annotations

import array
import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CA_LIFE = timedelta(days=3650)
# CA/Browser Forum baseline requirements: clients may refuse certificates that live longer than 398 days.
_SERVER_LIFE = timedelta(days=397)
_RENEW_BEFORE = timedelta(days=30)
# Clocks of clients may be behind ours.
_BACKDATE = timedelta(hours=1)
# A common name holds 64 characters at most (RFC 5280, ub-common-name).
_COMMON_NAME_LENGTH = 64
# Bridges and cable ends that containers come and go with; nobody outside reaches us there.
_PASSING_INTERFACES = ("br-", "veth")
_SIOCGIFADDR = 0x8915


class TlsError(Exception):
    """The certificates can't be made or read; the text says which file and what to do."""


@dataclass(frozen=True)
class TlsFiles:
    """Where the files lie.

    Attributes:
        ca: The authority's certificate, for people to trust; anyone may read it.
        ca_key: Its private key, 0600.
        server: The server's private key and certificate in one file, so that they can't come apart; 0600.
    """

    ca: Path
    ca_key: Path
    server: Path


def files(directory: Path) -> TlsFiles:
    """The names of the files under `directory`, whether they exist or not."""
    return TlsFiles(directory / "ca.pem", directory / "ca-key.pem", directory / "server.pem")


def ensure(directory: Path, names: Sequence[str], *, now: datetime | None = None) -> TlsFiles:
    """Make what is missing, renew what is near its end or lacks one of the names, and leave the rest alone.

    Args:
        directory: Usually var/tls; made with mode 0700.
        names: Host names and IP addresses under which clients reach the server.
        now: Aware UTC time; the clock's where left out.

    Raises:
        TlsError: A file is damaged, or the authority's key is gone when it is needed.
    """
    moment = now or datetime.now(UTC)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = files(directory)
    with _locked(directory):
        if not found.ca.exists():
            _make_authority(found, moment)
        if not _serves(found, names, moment):
            _make_server(found, names, moment)
    return found


def machine_names(extra: Iterable[str] = ()) -> list[str]:
    """The names and addresses of this machine, with `extra` ones; without repeats, in a fixed order."""
    host = socket.gethostname()
    names = [*extra, host, "localhost", "host.docker.internal", "127.0.0.1", "::1"]
    full = socket.getfqdn(host)
    if "." in full and not full.endswith(".arpa"):
        names.append(full)
    names += sorted({*_ipv4_addresses(), *_ipv6_addresses()})
    return list(dict.fromkeys(name.lower() for name in names if name))


def server_names(base_url: str = "") -> list[str]:
    """What the certificate has to carry: the machine's names, and the host of the URL that people are told."""
    host = urlsplit(base_url).hostname if base_url else None
    return machine_names([host] if host else [])


def reachable_name() -> str:
    """The name of this machine under which it finds itself: its host name where that resolves, else localhost."""
    host = socket.gethostname().lower()
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return "localhost"
    return host


def _ipv4_addresses() -> Iterator[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, interface in socket.if_nameindex():
            if interface.startswith(_PASSING_INTERFACES):
                continue
            request = array.array("B", struct.pack("256s", interface.encode()[:15]))
            try:
                fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:  # an interface without an IPv4 address
                continue
            yield socket.inet_ntoa(request.tobytes()[20:24])


def _ipv6_addresses() -> Iterator[str]:
    try:
        rows = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:  # a kernel without IPv6
        return
    for row in rows:
        digits, *_, interface = row.split()
        address = ipaddress.IPv6Address(int(digits, 16))
        if not address.is_link_local and not interface.startswith(_PASSING_INTERFACES):
            yield str(address)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One process at a time: every web process looks whether the certificate is still good."""
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _make_authority(found: TlsFiles, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = f"Code Services on {socket.gethostname()}"[:_COMMON_NAME_LENGTH]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + _CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    # The key first: an authority is there from the moment its certificate is.
    _write(found.ca_key, _key_pem(key), 0o600)
    _write(found.ca, certificate.public_bytes(Encoding.PEM), 0o644)


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise TlsError(f"{path} holds no certificate. Put it back from a backup.") from error


def _serves(found: TlsFiles, names: Sequence[str], now: datetime) -> bool:
    """Whether the server's certificate is from our authority, has every name and does not end soon."""
    if not found.server.exists():
        return False
    authority = _read_certificate(found.ca)
    try:
        certificate = x509.load_pem_x509_certificate(found.server.read_bytes())
        certificate.verify_directly_issued_by(authority)
    except Exception:  # cryptography names no common root for a wrong signature, issuer or encoding
        return False
    held = set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    return set(_alternative_names(names)) <= held and now < certificate.not_valid_after_utc - _RENEW_BEFORE


def _alternative_names(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name.encode("idna").decode("ascii")))
    return found


def _make_server(found: TlsFiles, names: Sequence[str], now: datetime) -> None:
    authority = _read_certificate(found.ca)
    try:
        authority_key = load_pem_private_key(found.ca_key.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise TlsError(
            f"{found.ca_key} is missing, so no new server certificate can be signed. Put it back from a backup;"
            f" or remove {found.ca} for a new authority, which every client then has to trust anew."
        ) from error
    except ValueError as error:
        raise TlsError(f"{found.ca_key} holds no private key. Put it back from a backup.") from error
    if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
        raise TlsError(f"{found.ca_key} holds a key of another kind than ours. Put ours back from a backup.")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_COMMON_NAME_LENGTH])])
    authority_identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(min(now + _SERVER_LIFE, authority.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName(_alternative_names(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_identifier), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    _write(found.server, _key_pem(key) + certificate.public_bytes(Encoding.PEM), 0o600)
