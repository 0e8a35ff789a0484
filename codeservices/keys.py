"""Files under var/keys: made once with mode 0600, then read; only the master key's is ever replaced."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet


def load_or_create(path: Path, make: Callable[[], str]) -> str:
    """The text of `path`; where it is missing, `make()` is written there first (whole or not at all, mode 0600).

    Two processes that start at the same time agree: the first link wins, and both read it.
    """
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = _draft(path, make())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text(encoding="ascii").strip()


def replace(path: Path, text: str) -> None:
    """Write other text to `path`: whoever reads it, also after a crash, finds the one or the other whole."""
    _draft(path, text).rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _draft(path: Path, text: str) -> Path:
    """The text in a file of its own beside `path`, durably, mode 0600."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    return draft


def new_secret_key() -> str:
    """Text for Django's SECRET_KEY: 384 random bits."""
    return secrets.token_urlsafe(48)


def new_master_key() -> str:
    """A key for `cryptography.fernet.Fernet`, as text."""
    return Fernet.generate_key().decode("ascii")


def master_keys(text: str) -> tuple[str, ...]:
    """The keys that a text holds, with blanks, line feeds or commas between them.

    Raises:
        ValueError: It holds none, or something else.
    """
    found = tuple(dict.fromkeys(text.replace(",", " ").split()))
    if not found:
        raise ValueError("There is no key.")
    for key in found:
        Fernet(key)
    return found


def new_account_id() -> str:
    """Twelve random digits that do not begin with a zero, as AWS account ids look."""
    return str(10**11 + secrets.randbelow(9 * 10**11))
