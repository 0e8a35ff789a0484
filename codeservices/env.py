"""Settings from environment variables. An odd value stops the start with a sentence, never a silent default."""

from __future__ import annotations

import os
from pathlib import Path

# Set for what a supervisor of ours starts, so that what outlives it can be found and ended.
SUPERVISED = "CODESERVICES_SUPERVISED"


class SettingError(ValueError):
    """An environment variable holds something that can't be meant."""


def env_str(name: str, default: str = "") -> str:
    """The variable's text without surrounding blanks, or `default` where it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def env_int(name: str, default: int, *, minimum: int | None = None, maximum: int | None = None) -> int:
    """A whole number within the bounds; raises SettingError otherwise."""
    text = env_str(name)
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        raise SettingError(f"{name} must be a whole number, not “{text}”.") from None
    if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
        raise SettingError(f"{name} must lie between {minimum} and {maximum}, not {value}.")
    return value


def env_bool(name: str, default: bool) -> bool:
    """yes/no, true/false, on/off or 1/0; raises SettingError for anything else."""
    text = env_str(name).lower()
    if not text:
        return default
    if text in {"1", "yes", "true", "on"}:
        return True
    if text in {"0", "no", "false", "off"}:
        return False
    raise SettingError(f"{name} must be yes or no, not “{text}”.")


def env_list(name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A list separated by commas; blanks around an item do not count."""
    text = env_str(name)
    return tuple(item.strip() for item in text.split(",") if item.strip()) if text else default


def env_secret(name: str, default: str = "") -> str:
    """The variable's text, or the contents of the file that NAME_FILE names; both set is an error."""
    value, file = env_str(name), env_str(f"{name}_FILE")
    if value and file:
        raise SettingError(f"Set {name} or {name}_FILE, not both.")
    if not file:
        return value or default
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingError(f"{name}_FILE names {file}, which can't be read: {error.strerror}.") from error
