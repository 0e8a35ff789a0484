"""Where things lie and which addresses are used, read from the same variables as codeservices/settings.py."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from codeservices.env import SUPERVISED, env_int, env_str
from deploy.say import Refusal

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

# Linux keeps 108 bytes for a unix socket's path; ours are the longest files of var/run.
_LONGEST_SOCKET_PATH = 100
# Variables that are not ours by name but change what a process does.
_OUTSIDE = {"DATABASE_URL", "REDIS_URL", "DOCKER_HOST", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def var() -> Path:
    """The folder that holds all state."""
    return Path(env_str("CODESERVICES_VAR", str(ROOT / "var"))).absolute()


def run_root() -> Path:
    """Sockets and process ids."""
    return var() / "run"


def logs_root() -> Path:
    """The logs of our own processes."""
    return var() / "logs"


def http_address() -> tuple[str, int]:
    """Host and port of plain HTTP."""
    host = env_str("CODESERVICES_HTTP_HOST", "127.0.0.1")
    return host, env_int("CODESERVICES_HTTP_PORT", 8000, minimum=1, maximum=65535)


def https_address() -> tuple[str, int]:
    """Host and port of HTTPS."""
    host = env_str("CODESERVICES_HTTPS_HOST", "0.0.0.0")
    return host, env_int("CODESERVICES_HTTPS_PORT", 8443, minimum=1, maximum=65535)


def prepare() -> None:
    """Make var/ and the folders that the processes need before Django runs, none of them readable by others.

    Raises:
        Refusal: var/ can't be written, or its path is too long for a unix socket.
    """
    if len(os.fsencode(run_root() / "supervisor.sock")) > _LONGEST_SOCKET_PATH:
        raise Refusal(
            f"{var()} is too long a path for unix sockets."
            " Choose a shorter one: CODESERVICES_VAR=/var/lib/codeservices make up"
        )
    try:
        for folder in (var(), run_root(), logs_root(), var() / "redis"):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
    except OSError as error:
        raise Refusal(
            f"{error.filename} can't be written: {error.strerror}. Give it to yourself"
            f" (sudo chown -R $(id -un) {var()}) or set CODESERVICES_VAR to another folder."
        ) from error


def child_environment() -> dict[str, str]:
    """The environment of everything we start: ours, with .venv and the system's sbin folders on PATH."""
    environment = dict(os.environ)
    environment["PATH"] = f"{VENV / 'bin'}:{environment.get('PATH', '/usr/bin:/bin')}:{_SBIN}"
    environment.pop("DJANGO_SETTINGS_MODULE", None)  # another project's, where one is set
    environment["PYTHONUNBUFFERED"] = "1"
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of our many processes compiles what it imports
    return environment


def settings_digest() -> str:
    """A digest of every variable that changes what a process does."""
    ours = (name for name in os.environ if name.startswith("CODESERVICES_") or name.upper() in _OUTSIDE)
    text = "\0".join(f"{name}={os.environ[name]}" for name in sorted(ours) if name != SUPERVISED)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def code_digest() -> str:
    """A digest of the programs and locked dependencies that the processes have loaded."""
    digest = hashlib.sha256()
    files = [ROOT / "requirements.lock", ROOT / "manage.py"]
    for package in ("codeservices", "repos", "builds", "templates", "static"):
        files += (path for path in (ROOT / package).rglob("*") if path.is_file() and path.suffix != ".pyc")
    for path in sorted(files):
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
