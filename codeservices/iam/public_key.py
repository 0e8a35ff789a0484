"""SSH public keys: read from OpenSSH's or PEM text, checked, and written in either.

IAM takes `ssh-rsa` keys of 2048 to 4096 bits. This server takes `ssh-ed25519` keys too, which `ssh-keygen` makes by
default today and which are no weaker; ECDSA, DSA and security keys are refused, as IAM refuses them.

Sources: IAM API Reference, UploadSSHPublicKey; CodeCommit User Guide, "SSH connections"; RFC 4253, section 6.6;
RFC 8709.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
    load_ssh_public_key,
)

from codeservices.errors import InvalidInput

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 4096
_TYPES = ("ssh-rsa", "ssh-ed25519")


@dataclass(frozen=True)
class PublicKey:
    """A key that was read.

    Attributes:
        ssh: `ssh-rsa AAAA…`, without a comment.
        pem: The same key as PEM text (SubjectPublicKeyInfo).
        fingerprint: The MD5 of the key's bytes as IAM shows it: 16 pairs of hex digits joined by colons.
    """

    ssh: str
    pem: str
    fingerprint: str


def is_pem(text: str) -> bool:
    """Whether the text is a key in PEM."""
    return text.startswith("-----BEGIN ")


def parse(text: str) -> PublicKey:
    """Read a key in either encoding; OpenSSH's may have a comment.

    Raises:
        InvalidInput: UnrecognizedPublicKeyEncoding where the text is in neither encoding, InvalidPublicKey where the
            key in it is broken or of a kind or size that isn't taken.
    """
    text = text.strip()
    if is_pem(text):
        return _checked(_from_pem(text))
    kind, _, rest = text.partition(" ")
    if kind not in _TYPES:
        shown = kind if kind.startswith(("ssh-", "ecdsa-", "sk-")) else ""
        if shown:
            raise _invalid(f"Keys of type {shown[:60]} are not taken")
        raise InvalidInput(
            "The key is neither in OpenSSH's encoding (ssh-rsa AAAA…) nor in PEM (-----BEGIN PUBLIC KEY-----).",
            code="UnrecognizedPublicKeyEncoding",
        )
    if "\n" in text or "\r" in text:
        raise _invalid("There is more than one line; give one key")
    return _checked(_from_ssh(kind, rest.split(" ")[0]))


def _from_ssh(kind: str, encoded: str) -> object:
    try:
        return load_ssh_public_key(f"{kind} {encoded}".encode())
    except (ValueError, UnsupportedAlgorithm):
        raise _invalid(f"The {kind} key is damaged") from None


def _from_pem(text: str) -> object:
    try:
        return load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise _invalid("The PEM text holds no public key, or a damaged one") from None


def _checked(key: object) -> PublicKey:
    if isinstance(key, RSAPublicKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise _invalid(f"An RSA key of {key.key_size} bits is not taken")
    elif not isinstance(key, Ed25519PublicKey):
        raise _invalid("Keys of this type are not taken")
    ssh = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    digest = hashlib.md5(base64.b64decode(ssh.split(" ")[1]), usedforsecurity=False).hexdigest()
    return PublicKey(ssh, pem, ":".join(digest[at : at + 2] for at in range(0, 32, 2)))


def _invalid(sentence: str) -> InvalidInput:
    wanted = f"RSA of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits or Ed25519"
    return InvalidInput(f"{sentence}: upload the public half of a key that is {wanted}.", code="InvalidPublicKey")
