"""Sizes in words, the same on pages, in messages of git and in errors."""

from __future__ import annotations


def words(size_bytes: int) -> str:
    """A size in units of 1024 bytes, with three digits: "1.2 MB", "130 KB", "17 B"."""
    amount = float(size_bytes)
    if abs(amount) < 1024:
        return f"{size_bytes} B"
    for unit in ("KB", "MB", "GB", "TB", "PB"):
        amount /= 1024
        if abs(amount) < 999.5 or unit == "PB":
            return f"{amount:.0f} {unit}" if abs(amount) >= 100 else f"{amount:.1f} {unit}"
    raise AssertionError("the last unit returns")
