"""A private PostgreSQL for a test run: in a temporary folder, on a unix socket, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from deploy import say

_BINARIES = Path("/usr/lib/postgresql")
# Nothing of it outlives the run, so nothing needs to reach the disk.
_OPTIONS = "-c listen_addresses='' -c fsync=off -c full_page_writes=off -c synchronous_commit=off"


def binaries() -> Path:
    """The folder of the newest installed version's programs.

    Raises:
        Refusal: There is none.
    """
    found = sorted(_BINARIES.glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        raise say.Refusal("PostgreSQL's programs are not installed: sudo apt-get install -y postgresql")
    return found[-1]


def _as_postgres(argv: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["runuser", "-u", "postgres", "--", *argv] if say.is_root() else argv


def _call(argv: list[str], folder: Path) -> None:
    child = subprocess.run(_as_postgres(argv), capture_output=True, text=True, check=False, cwd=folder)
    if child.returncode != 0:
        raise say.Refusal(f"PostgreSQL for the tests did not start: {(child.stderr or child.stdout).strip()[-500:]}")


@contextmanager
def server() -> Iterator[str]:
    """The DATABASE_URL of a server that runs while the block does."""
    folder = Path(tempfile.mkdtemp(prefix="codeservices-pg-"))
    data = folder / "data"
    programs = binaries()
    if say.is_root():
        entry = pwd.getpwnam("postgres")
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    user = "postgres"
    try:
        _call([str(programs / "initdb"), "-D", str(data), "-U", user, "-A", "trust", "-E", "UTF8", "--no-sync"], folder)
        options = f"-k {folder} {_OPTIONS}"
        log = str(folder / "log")
        _call([str(programs / "pg_ctl"), "-D", str(data), "-l", log, "-w", "-o", options, "start"], folder)
        try:
            yield f"postgres://{user}@{quote(str(folder), safe='')}/postgres"
        finally:
            _call([str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
