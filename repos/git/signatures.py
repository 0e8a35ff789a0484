"""Signatures of commits: of which kind one is, and whether an SSH one was made by the key that it names.

Whose key that is, is not for here to say. GPG's and X.509's are told from each other and not verified: this server has
no keyring.

Sources: git's gpg-interface.c, for the kinds and for what is signed; OpenSSH's PROTOCOL.sshsig; RFC 8332, section 3.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

Kind = Literal["GPG", "SSH", "X.509", "unknown"]

_KINDS: Final[dict[bytes, Kind]] = {
    b"-----BEGIN PGP SIGNATURE-----": "GPG",
    b"-----BEGIN PGP MESSAGE-----": "GPG",
    b"-----BEGIN SSH SIGNATURE-----": "SSH",
    b"-----BEGIN SIGNED MESSAGE-----": "X.509",
}
_HEADERS: Final = (b"gpgsig", b"gpgsig-sha256")
_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
# What `ssh-keygen -Y sign` is told by git; a signature made for another purpose is none of a commit.
_NAMESPACE: Final = b"git"
_DIGESTS: Final = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
# An RSA signature with SHA-1 is refused, as ssh-keygen refuses it.
_RSA_DIGESTS: Final = {b"rsa-sha2-256": SHA256, b"rsa-sha2-512": SHA512}
_MAX_BYTES: Final = 32 * 1024


@dataclass(frozen=True)
class SshSignature:
    """What was found out about an SSH signature.

    Attributes:
        key: The public key that it names, as the bytes that OpenSSH writes in base64; b"" where it could not be read.
        is_good: The key made it, over exactly this commit. None where the key is of a type that isn't verified here.
    """

    key: bytes
    is_good: bool | None


def kind_of(signature: bytes) -> Kind:
    """Of which kind a signature's text is."""
    return _KINDS.get(signature.lstrip().partition(b"\n")[0].strip(), "unknown")


def split_tag(tag: bytes) -> tuple[bytes, bytes]:
    """A tag's bytes to what is signed, and the signature at the end of its message; b"" where there is none."""
    places = [at + 1 for begin in _KINDS if (at := tag.rfind(b"\n" + begin)) >= 0]
    at = max(places, default=len(tag))
    return tag[:at], tag[at:]


def split(commit: bytes) -> tuple[bytes, list[bytes]]:
    """A commit's bytes to what is signed, and the signatures for this object format that are in its header.

    Everything is signed but the signatures themselves.
    """
    head, blank, message = commit.partition(b"\n\n")
    kept: list[bytes] = []
    signatures: list[list[bytes]] = []
    current = b""
    for line in head.split(b"\n"):
        if not line.startswith(b" "):
            current = line.partition(b" ")[0]
            if current == b"gpgsig":
                signatures.append([line[len(b"gpgsig ") :]])
        elif current == b"gpgsig":
            signatures[-1].append(line[1:])
        if current not in _HEADERS:
            kept.append(line)
    return b"\n".join(kept) + blank + message, [b"\n".join(lines) for lines in signatures]


def verify_ssh(commit: bytes) -> SshSignature:
    """Whether the key that a commit's SSH signature names made it; whatever is odd about it makes it bad."""
    payload, found = split(commit)
    if len(found) != 1 or len(found[0]) > _MAX_BYTES:
        return SshSignature(b"", False)
    try:
        return _verify(payload, _unarmored(found[0]))
    except (ValueError, binascii.Error):
        return SshSignature(b"", False)


def _unarmored(text: bytes) -> bytes:
    lines = [line.strip() for line in text.strip().split(b"\n")]
    if len(lines) < 3 or kind_of(lines[0]) != "SSH" or lines[-1] != b"-----END SSH SIGNATURE-----":
        raise ValueError("not an SSH signature")
    return base64.b64decode(b"".join(lines[1:-1]), validate=True)


def _verify(payload: bytes, raw: bytes) -> SshSignature:
    if raw[:6] != _MAGIC or int.from_bytes(raw[6:10], "big") != _VERSION:
        raise ValueError("not an SSH signature")
    key, namespace, reserved, digest_name, signature = _strings(raw[10:], 5)
    algorithm, made = _strings(signature, 2)
    if namespace != _NAMESPACE or digest_name not in _DIGESTS:
        return SshSignature(key, False)
    digest = _DIGESTS[digest_name](payload).digest()
    signed = _MAGIC + b"".join(map(_string, (namespace, reserved, digest_name, digest)))
    return SshSignature(key, _is_good(key, algorithm, made, signed))


def _is_good(key: bytes, algorithm: bytes, made: bytes, signed: bytes) -> bool | None:
    (key_type,) = _strings(key, 1, is_all=False)
    if key_type not in (b"ssh-ed25519", b"ssh-rsa"):
        return None
    try:
        public = load_ssh_public_key(key_type + b" " + base64.b64encode(key))
    except UnsupportedAlgorithm:
        return None
    try:
        if isinstance(public, Ed25519PublicKey) and algorithm == b"ssh-ed25519":
            public.verify(made, signed)
            return True
        if isinstance(public, RSAPublicKey) and algorithm in _RSA_DIGESTS:
            public.verify(made, signed, padding.PKCS1v15(), _RSA_DIGESTS[algorithm]())
            return True
    except InvalidSignature:
        return False
    return False


def _strings(raw: bytes, count: int, *, is_all: bool = True) -> list[bytes]:
    """Strings of RFC 4251, section 5: a length of four bytes, and as many bytes. Raises ValueError."""
    found: list[bytes] = []
    for _ in range(count):
        length = int.from_bytes(raw[:4], "big")
        if len(raw) < 4 + length:
            raise ValueError("cut off")
        found.append(raw[4 : 4 + length])
        raw = raw[4 + length :]
    if is_all and raw:
        raise ValueError("there is more than there should be")
    return found


def _string(raw: bytes) -> bytes:
    return len(raw).to_bytes(4, "big") + raw
