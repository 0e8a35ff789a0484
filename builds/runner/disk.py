"""A watch on how much disk a build's container takes: overlay2 on ext4 refuses a size limit of its own.

Every second it asks the file system for its free bytes, which costs nothing. Only when so many are gone that the
container may have passed its limit, and once in a while besides, are its files counted. Counted are its writable layer,
its volumes, and files that its processes hold open without a name. What lies in memory (/dev/shm, tmpfs) counts against
its memory instead.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import docker

from builds.runner import engine
from builds.runner.executor import PhaseError

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# Counting may take this share of the time at most: a tree of a million files is counted seldom.
COUNTING_SHARE = 0.05
# And this is how long files may go uncounted that others' deletions hide in the free bytes.
LONGEST_SECONDS = 60.0
# The engine counts by itself where this process may not, at this pace: it walks the whole layer each time.
ENGINE_LOOK_SECONDS = 20.0
# How much of what is left of the limit may go before files are counted again.
COUNT_AGAIN_SHARE = 0.25
# Of files that processes hold open so many are looked at: a process may open a million.
MAX_HELD_FILES = 100_000
# With less than this free on the file system, a build that takes more than this is ended whatever its limit.
RESERVE_BYTES = 2**30
BLOCK_BYTES = 512  # of st_blocks. Source: stat(2)


class Watch:
    """A thread that counts and calls `exceeded` once, with the bytes that were found; `stop` ends it.

    Args:
        container: That runs already.
        limit_bytes: The most that it may take.
        is_local: Whether its engine runs on this machine.
        connect: Makes a client for the thread, which closes it.
    """

    def __init__(
        self,
        container: Any,
        limit_bytes: int,
        exceeded: Callable[[int], None],
        *,
        is_local: bool,
        connect: Callable[[], docker.DockerClient],
    ) -> None:
        self._container_id = container.id
        self._limit_bytes = limit_bytes
        self._exceeded = exceeded
        self._connect = connect
        self._folders = [path for path in _folders(container.attrs) if os.access(path, os.R_OK | os.X_OK)]
        self._is_local = is_local and bool(self._folders) and os.geteuid() == 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="disk-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the thread has ended."""
        self._stopped.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        try:
            found = self._watch_here() if self._is_local else self._watch_there()
        except Exception:  # the build goes on unwatched, which the log of the worker tells
            logger.exception("the disk use of %s is not watched any more", self._container_id[:12])
            return
        if found:
            self._exceeded(found)

    def _watch_here(self) -> int:
        used = counted_at = lasted = 0.0
        free_then = pid = 0
        while not self._stopped.wait(LOOK_SECONDS):
            free = _free_bytes(self._folders)
            since = time.monotonic() - counted_at
            is_scarce = free < RESERVE_BYTES
            has_shrunk = is_scarce or free_then - free >= (self._limit_bytes - used) * COUNT_AGAIN_SHARE
            if not (has_shrunk and since >= lasted / COUNTING_SHARE) and since < LONGEST_SECONDS:
                continue
            counted_at, free_then = time.monotonic(), free
            pid = pid or self._first_process()
            used = float(used_bytes(self._folders, pid))
            lasted = time.monotonic() - counted_at
            if used > (min(self._limit_bytes, RESERVE_BYTES) if is_scarce else self._limit_bytes):
                return int(used)
        return 0

    def _first_process(self) -> int:
        """The container's first process on this machine; 0 where the engine does not say."""
        with contextlib.suppress(*engine.ENGINE_ERRORS), contextlib.closing(self._connect()) as client:
            return int(client.api.inspect_container(self._container_id)["State"].get("Pid") or 0)
        return 0

    def _watch_there(self) -> int:
        with contextlib.closing(self._connect()) as client:
            while not self._stopped.wait(ENGINE_LOOK_SECONDS):
                with contextlib.suppress(*engine.ENGINE_ERRORS):
                    for row in client.api.containers(filters={"id": self._container_id}, size=True):
                        if row.get("SizeRw", 0) > self._limit_bytes:
                            return int(row["SizeRw"])
        return 0


def exceeded(used_bytes: int, limit_bytes: int) -> PhaseError:
    """What a build ends with whose files took too much, be it for its limit or for the disk they are on."""
    why = f"a build may take {limit_bytes / 10**9:.2f} GB on this server."
    if used_bytes <= limit_bytes:
        why = "this server's disk is nearly full."
    return PhaseError(
        "CLIENT_ERROR",
        f"The build was ended because its files took {used_bytes / 10**9:.2f} GB of disk: {why}",
        is_final=True,
    )


def used_bytes(folders: Iterable[str], pid: int) -> int:
    """Bytes on disk under the folders, and of files without a name that the container's processes hold.

    The folders change while they are counted, and by somebody who may want to mislead: du neither follows a link, nor
    enters another file system, nor stumbles over paths of any depth, and counts a file of many names once.

    Args:
        pid: The container's first process on this machine, or 0.
    """
    argv = ["nice", "du", "--summarize", "--one-file-system", "--block-size=1", "--", *folders]
    child = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    named = sum(int(line.split(b"\t")[0]) for line in child.stdout.splitlines())
    nameless = {(one.st_dev, one.st_ino): one.st_blocks for one in islice(_nameless(pid), MAX_HELD_FILES)}
    return named + sum(nameless.values()) * BLOCK_BYTES


def _nameless(pid: int) -> Iterator[os.stat_result]:
    """Deleted files that the processes of the container hold open or mapped. Source: proc(5)."""
    try:
        layers = Path("/proc", str(pid), "root").stat().st_dev
    except OSError:
        return
    for process in _processes(pid):
        for kind in ("fd", "map_files"):
            try:
                held = list((process / kind).iterdir())
            except OSError:
                continue
            for path in held:
                try:
                    one = path.stat()
                except OSError:
                    continue
                # Files in memory are neither on the container's layers nor on a device.
                if one.st_nlink == 0 and one.st_blocks and (one.st_dev == layers or os.major(one.st_dev)):
                    yield one


def _processes(pid: int) -> list[Path]:
    """The processes of the container, which share its first one's control group or one below that."""
    ours = _control_group(Path("/proc", str(pid))) if pid else ""
    if ours in ("", "/"):
        return []
    return [one for one in Path("/proc").glob("[0-9]*") if f"{_control_group(one)}/".startswith(f"{ours}/")]


def _control_group(process: Path) -> str:
    """The path of a process's control group where processes are counted. Source: cgroups(7), /proc/[pid]/cgroup."""
    try:
        rows = [line.split(":", 2) for line in (process / "cgroup").read_text().splitlines()]
    except OSError:
        return ""
    by_controller = {controller: path for _, controllers, path in rows for controller in controllers.split(",")}
    return by_controller.get("pids", by_controller.get("", ""))


def _folders(attrs: dict[str, Any]) -> list[str]:
    """Where the container's writable layer and its volumes lie on the engine's machine."""
    upper = ((attrs.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir", "")
    volumes = [mount.get("Source", "") for mount in attrs.get("Mounts") or () if mount.get("Type") == "volume"]
    return [path for path in (upper, *volumes) if path]


def _free_bytes(folders: Iterable[str]) -> int:
    """Free bytes of the file systems that the folders are on, each once."""
    free = {}
    for folder in folders:
        with contextlib.suppress(OSError):
            one = os.statvfs(folder)
            free[one.f_fsid] = one.f_bavail * one.f_frsize
    return sum(free.values())
