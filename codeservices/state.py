"""The layout of var/ and its version: code that is older than a var/ refuses to touch it."""

from __future__ import annotations

from pathlib import Path

# Raised when older code could no longer read what newer code has written, whatever the database's migrations say.
VERSION = 1
# Everything under var/ belongs to the user that runs the processes, and to nobody else.
FOLDERS = ("git", "objects", "redis", "keys", "tls", "run", "logs", "cache", "audit")
_MODE = 0o700


class NewerState(Exception):
    """var/ was written by newer code; the text says which versions and what to do."""


def prepare(var: Path) -> None:
    """Make the folders, with their modes, and write VERSION where it is missing or older.

    Raises:
        NewerState: var/ was written by newer code; nothing has been touched.
    """
    require(var)
    var.mkdir(parents=True, exist_ok=True)
    for folder in (var, *(var / name for name in FOLDERS)):
        folder.mkdir(exist_ok=True)
        folder.chmod(_MODE)
    draft = var / ".VERSION.new"
    draft.write_text(f"{VERSION}\n")
    draft.replace(var / "VERSION")


def require(var: Path) -> None:
    """Raises NewerState where this code is too old for var/."""
    path = var / "VERSION"
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        return
    if not text.isdigit():
        raise NewerState(f"{path} holds “{text[:20]}”, not a number. Put it back from a backup of {var}.")
    if int(text) > VERSION:
        raise NewerState(
            f"{var} was written by newer code (version {text}; this code knows {VERSION})."
            " Run that newer code, or set CODESERVICES_VAR to another folder."
        )
