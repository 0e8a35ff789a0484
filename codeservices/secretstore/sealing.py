"""Values encrypted with the master key, each bound to what it belongs to.

AES-256-GCM with what the value belongs to as associated data: a sealed value that somebody moves to another row of the
database can't be read there. The key is derived from the master key (HKDF, RFC 5869), which lies outside the database,
so that the same bytes never serve two ciphers.
"""

from __future__ import annotations

import base64
import secrets
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from codeservices import master_key
from codeservices.errors import ServiceError

_FORMAT = b"\x01"
_NONCE_BYTES = 12  # NIST SP 800-38D, 8.2


def seal(value: bytes, owner: str) -> str:
    """The value encrypted, as base64 text; `owner` is what it belongs to, "ssm:NAME:VERSION"."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = _cipher(master_key.in_force()[0]).encrypt(nonce, value, owner.encode())
    return base64.b64encode(_FORMAT + nonce + sealed).decode("ascii")


def unseal(sealed: str, owner: str) -> bytes:
    """What `seal` was given for the same owner.

    Raises:
        ServiceError: DecryptionFailure, it was sealed for something else or with another master key, or is damaged.
    """
    for key in master_key.in_force():
        value = _unsealed(sealed, owner, key)
        if value is not None:
            return value
    raise ServiceError(
        "The stored value can't be decrypted with this installation's master key.",
        code="DecryptionFailure",
        hint="Was the database restored without the key that belongs to it (var/keys/master_key)?",
    )


def reseal(sealed: str, owner: str) -> str | None:
    """The same value encrypted with the key that encrypts now; None where it is already. Raises as `unseal`."""
    if _unsealed(sealed, owner, master_key.in_force()[0]) is not None:
        return None
    return seal(unseal(sealed, owner), owner)


def _unsealed(sealed: str, owner: str, key: str) -> bytes | None:
    try:
        raw = base64.b64decode(sealed, validate=True)
        if not raw.startswith(_FORMAT):
            return None
        nonce, encrypted = raw[1 : 1 + _NONCE_BYTES], raw[1 + _NONCE_BYTES :]
        return _cipher(key).decrypt(nonce, encrypted, owner.encode())
    except (InvalidTag, ValueError):
        return None


@lru_cache(maxsize=4)
def _cipher(key: str) -> AESGCM:
    derived = HKDF(hashes.SHA256(), length=32, salt=None, info=b"codeservices secretstore 1")
    return AESGCM(derived.derive(base64.urlsafe_b64decode(key)))
