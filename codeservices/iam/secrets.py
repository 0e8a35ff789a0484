"""Generated secrets: making, sealing (recoverable, encrypted) and hashing (not recoverable).

Secrets that people choose are hashed with Argon2 by Django instead; these here are random, so a keyed hash is enough
and costs microseconds.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from cryptography.fernet import Fernet
from django.conf import settings


def new_secret_access_key() -> str:
    """40 characters of the base64 alphabet: 240 random bits."""
    return base64.b64encode(secrets.token_bytes(30)).decode("ascii")


def new_git_password() -> str:
    """44 characters, base64 of 32 random bytes, as IAM makes them."""
    return base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def new_session_token() -> str:
    """Goes with a temporary key: 256 random bits in letters that need no encoding in a header, URL or file."""
    return secrets.token_urlsafe(32)


def new_sign_in_password() -> str:
    """20 letters, digits and dashes in groups of five: over 100 random bits that can be read aloud."""
    alphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))


def seal(text: str) -> str:
    """Encrypt with the master key, which lies outside the database."""
    return Fernet(settings.MASTER_KEY).encrypt(text.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    """The text that `seal` was given; raises cryptography.fernet.InvalidToken for another master key's."""
    return Fernet(settings.MASTER_KEY).decrypt(sealed.encode("ascii")).decode()


def keyed_hash(secret: str) -> str:
    """HMAC-SHA256 of a random secret under the master key, as 64 hex digits."""
    return hmac.new(settings.MASTER_KEY.encode("ascii"), secret.encode(), hashlib.sha256).hexdigest()


def matches(secret: str, stored_hash: str) -> bool:
    """Whether `secret` has that keyed hash; takes the same time whatever the answer."""
    return hmac.compare_digest(keyed_hash(secret), stored_hash)
