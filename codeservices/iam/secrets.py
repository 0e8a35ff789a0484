"""Generated secrets: making, sealing (recoverable, encrypted) and hashing (not recoverable).

Secrets that people choose are hashed with Argon2 by Django instead; these here are random, so a keyed hash is enough
and costs microseconds.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.db.models import Model

from codeservices import master_key, registry


def new_secret_access_key() -> str:
    """40 characters of the base64 alphabet: 240 random bits."""
    return base64.b64encode(secrets.token_bytes(30)).decode("ascii")


def new_git_password() -> str:
    """44 characters, base64 of 32 random bytes, as IAM makes them."""
    return base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def new_session_token() -> str:
    """Goes with a temporary key: 256 random bits in letters that need no encoding in a header, URL or file."""
    return secrets.token_urlsafe(32)


def new_sign_in_password(minimum_length: int = 0) -> str:
    """Letters, digits and dashes in groups of five: over 100 random bits that can be read aloud.

    Every kind of character is in it that a password policy can ask for.
    """
    alphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    groups = max(4, -(-(minimum_length + 1) // 6))
    while True:
        made = "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(groups))
        if any(map(str.isdigit, made)) and any(map(str.islower, made)) and any(map(str.isupper, made)):
            return made


def new_recovery_code() -> str:
    """Two groups of five characters: 50 random bits, which the counting of tries keeps from being guessed."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(2))


def seal(text: str) -> str:
    """Encrypt with the master key, which lies outside the database."""
    return _fernet(master_key.in_force()).encrypt(text.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    """The text that `seal` was given; raises cryptography.fernet.InvalidToken for another master key's."""
    return _fernet(master_key.in_force()).decrypt(sealed.encode("ascii")).decode()


def reseal(sealed: str) -> str | None:
    """The same text encrypted with the key that encrypts now; None where it is already, or where there is none.

    Raises:
        cryptography.fernet.InvalidToken: No key that is known decrypts it.
    """
    current = master_key.in_force()
    try:
        Fernet(current[0]).decrypt(sealed.encode("ascii"))
        return None
    except InvalidToken:
        return _fernet(current).rotate(sealed.encode("ascii")).decode("ascii") if sealed else None


def follow_the_master_key(model: type[Model], field: str) -> None:
    """Have a column that holds what `seal` gives, as text or bytes, encrypted anew when the master key is changed."""

    def resealed(row: Any) -> str | bytes | None:
        before = getattr(row, field)
        if isinstance(before, str):
            return reseal(before)
        after = reseal(bytes(before).decode("ascii"))
        return None if after is None else after.encode("ascii")

    registry.register_sealed(model, field, resealed)


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def keyed_hash(secret: str) -> str:
    """HMAC-SHA256 of a random secret under the key of hashes, as 64 hex digits."""
    return hmac.new(master_key.hash_key().encode("ascii"), secret.encode(), hashlib.sha256).hexdigest()


def matches(secret: str, stored_hash: str) -> bool:
    """Whether `secret` has that keyed hash; takes the same time whatever the answer."""
    return hmac.compare_digest(keyed_hash(secret), stored_hash)
