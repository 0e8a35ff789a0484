"""Whether this machine may start builds: its engine answers, and enough disk is free. Else builds wait, and say why.

A build that begins on a full disk fails in the middle, and takes the database and the repositories on the same disk
with it; one that begins without an engine fails at once. One that waits goes on by itself.
"""

from __future__ import annotations

import os
import threading
import time
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from builds.runner import engine

GIB = 1024**3
ENGINE_SECONDS = 2
# Pages of queued builds ask again and again.
KNOWN_SECONDS = 2.0
_lock = threading.Lock()
_known: tuple[float, str] | None = None


def refusal() -> str:
    """Why no build is started on this machine now, in a sentence; empty while builds may start."""
    global _known
    why = engine_refusal() or disk_refusal()
    with _lock:
        _known = (time.monotonic(), why)
    return why


def recent_refusal() -> str:
    """`refusal` as it was within the last two seconds."""
    with _lock:
        known = _known
    if known is not None and time.monotonic() - known[0] < KNOWN_SECONDS:
        return known[1]
    return refusal()


def engine_refusal() -> str:
    """Why the engine can run no container, in a sentence; empty while it answers."""
    try:
        client = engine.connect(settings.DOCKER_HOST, timeout_seconds=ENGINE_SECONDS)
        try:
            client.ping()
        finally:
            client.close()
    except engine.ENGINE_ERRORS as error:
        return f"Docker Engine does not answer: {type(error).__name__}."
    return ""


def disk_refusal() -> str:
    """Why there is too little room for a build, in a sentence; empty while there is enough."""
    floor = settings.BUILD_MIN_FREE_BYTES
    for path in _places():
        free = _free(path)
        if free < floor:
            return f"Only {free / GIB:.1f} GiB are free under {path}; builds start when there are {floor / GIB:.1f}."
    return ""


def free_bytes() -> int:
    """What is free on the fullest disk that builds write to."""
    return min(_free(path) for path in _places())


def _places() -> list[Path]:
    """This server's own state, and what the engine keeps where that is on this machine."""
    found = [Path(settings.VAR)]
    root = docker_root(settings.DOCKER_HOST)
    if root is not None and root.is_dir():
        found.append(root)
    return found


def _free(path: Path) -> int:
    figures = os.statvfs(path)
    return figures.f_bavail * figures.f_frsize


@lru_cache(maxsize=4)
def _root_of(docker_host: str) -> Path:
    client = engine.connect(docker_host, timeout_seconds=2)
    try:
        return Path(client.info()["DockerRootDir"])
    finally:
        client.close()


def docker_root(docker_host: str) -> Path | None:
    """Where an engine on this machine keeps images and containers; None of one elsewhere, or that does not answer."""
    if not engine.is_local(docker_host):
        return None
    try:
        return _root_of(docker_host)
    except engine.ENGINE_ERRORS:
        return None
