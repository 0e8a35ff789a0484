"""The master key: which key encrypts, which ones still decrypt, and the key of keyed hashes.

CODESERVICES_MASTER_KEY, or the file var/keys/master_key where that is not set, holds one key, and several while the key
is being changed: the first encrypts, each of them decrypts. The file is looked at at every use, so that processes that
run follow a change at once. How the key is changed is in key_rotation.py.

What is hashed can't be hashed anew, since nobody knows it any more: git passwords, tokens, the audit trail's chain. The
key of hashes is the installation's first master key and stays so, in var/keys/hash_key once that key has been changed.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from codeservices import keys
from codeservices.env import SettingError

HASH_KEY_MISSING = (
    "CODESERVICES_MASTER_KEY holds several keys: CODESERVICES_HASH_KEY must say which one was the installation's first."
)


def in_force() -> tuple[str, ...]:
    """The keys that decrypt; the first of them is the one that encrypts."""
    if settings.MASTER_KEY:
        return _parsed(settings.MASTER_KEY)
    status = path().stat()
    return _read(path(), (status.st_ino, status.st_mtime_ns, status.st_size))


def hash_key() -> str:
    """The key of keyed hashes and of the audit trail's chain, which never changes."""
    return settings.HASH_KEY or _kept_hash_key(hash_key_path(), in_force())


def path() -> Path:
    return settings.KEYS_ROOT / "master_key"


def hash_key_path() -> Path:
    return settings.KEYS_ROOT / "hash_key"


@lru_cache(maxsize=4)
def _parsed(text: str) -> tuple[str, ...]:
    return keys.master_keys(text)


@lru_cache(maxsize=4)
def _read(file: Path, stamp: tuple[int, ...]) -> tuple[str, ...]:
    return keys.master_keys(file.read_text(encoding="ascii"))


@lru_cache(maxsize=4)
def _kept_hash_key(file: Path, current: tuple[str, ...]) -> str:
    """Remembered for the keys in force: the file is written before they change for the first time."""
    if file.exists():
        return file.read_text(encoding="ascii").strip()
    if len(current) > 1:
        raise SettingError(HASH_KEY_MISSING)
    return current[0]
