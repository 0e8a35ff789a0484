"""The virtual environment .venv/, filled from a lock file whose every line carries a hash."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy import packages, places, say

RUNTIME_LOCK = "requirements.lock"
# Holds everything of the runtime lock, with the same pins, and the tools for tests.
DEV_LOCK = "requirements-dev.lock"
_STAMP = "code-services.json"


def digest(path: Path) -> str:
    """SHA-256 of a lock file, as hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_stamp(venv: Path) -> dict[str, str]:
    """What was installed last: lock file name to its digest; empty where nothing was, or not to its end."""
    try:
        stamp = json.loads((venv / _STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def is_current(stamp: Mapping[str, str], lock: Path) -> bool:
    """Whether the environment holds what this lock file says."""
    return stamp.get(lock.name) == digest(lock)


def _works(*argv: Path | str) -> bool:
    try:
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def ensure(*, dev: bool = False) -> None:
    """Make or update .venv; does nothing where the lock's digest has not changed.

    Raises:
        Refusal: There is no pip, or pip failed.
    """
    locks = [places.ROOT / RUNTIME_LOCK, *([places.ROOT / DEV_LOCK] if dev else [])]
    works = _works(places.PYTHON, "-c", "")
    stamp = read_stamp(places.VENV) if works else {}
    if all(is_current(stamp, lock) for lock in locks):
        return
    system_python = getattr(sys, "_base_executable", "") or sys.executable  # not .venv's own, where one is activated
    if not _works(system_python, "-m", "pip", "--version"):
        raise say.Refusal(f"This python3 has no pip. Install it with: {packages.command(['python3-pip'])}")
    log = places.logs_root() / "install.log"
    with say.step(f"Python packages: .venv from {locks[-1].name}"):
        if not works:
            argv = [system_python, "-m", "venv", "--without-pip", "--clear", places.VENV]
            failure = f"The virtual environment could not be made. Remove what is there: rm -rf {places.VENV}"
            say.run(argv, log=log, failure=failure)
        (places.VENV / _STAMP).unlink(missing_ok=True)
        # The system's pip fills the environment: a Debian without python3-venv has no other.
        pip = [system_python, "-m", "pip", "--python", places.PYTHON, "--disable-pip-version-check", "--no-input"]
        say.run(
            [*pip, "install", "--progress-bar", "off", "--require-hashes", "-r", locks[-1]],
            log=log,
            failure=f"pip could not install {locks[-1].name}. Where a proxy or a package mirror is needed, set"
            " HTTPS_PROXY or PIP_INDEX_URL and run the same command again.",
        )
        places.VENV.joinpath(_STAMP).write_text(json.dumps({lock.name: digest(lock) for lock in locks}))
