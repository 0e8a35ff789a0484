"""Indexes of graphs, kept in files: one for each repository and choice of branches, made anew when the tips move.

    ROOT/REPOSITORY ID/CHOICE.TIPS.graph, and with .PID behind it while it is written

One is used by whoever finds it and made, by a child process, for whoever asks first; all of them together are bounded,
the one used longest ago leaves first. Nothing here is needed: the folder may be removed at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

from django.conf import settings

from codeservices.errors import ServiceError
from repos.git.processes import background
from repos.git.ref_answers import key_of
from repos.graph.build import TIMEOUT_SECONDS
from repos.graph.choice import Choice
from repos.graph.index import Damaged, Index
from repos.models import Repository

logger = logging.getLogger(__name__)

# Somebody reads a page while the index is made; after so long it is not the page's reader who should wait.
PATIENCE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05
# More of them at the same time would leave no processor for those who ask for pages.
AT_ONCE: Final = 2
WORKER_NAME: Final = "graph-index"
_MODE: Final = 0o700

# What is made meanwhile by this process.
_under_way: set[Path] = set()
_lock_of_under_way = threading.Lock()


class GraphNotReady(ServiceError):
    """The index of a graph could not be made in time; the next who asks may have it."""

    code = "ServiceUnavailableException"
    status = 503


def find(repository: Repository, choice: Choice) -> Index | None:
    """The index of a choice's present tips, where there is one; to be closed by the caller."""
    path = _path(repository, choice)
    try:
        found = Index(path)
    except FileNotFoundError:
        return None
    except Damaged:
        path.unlink(missing_ok=True)
        return None
    with contextlib.suppress(FileNotFoundError):
        os.utime(path)
    return found


def make(repository: Repository, choice: Choice, *, is_background: bool = False) -> Index:
    """The index of a choice's present tips, made where it is missing; to be closed by the caller.

    Args:
        is_background: Nobody waits for it, so that everything else comes first.

    Raises:
        GraphNotReady: It takes too long, too many are being made, or the history can't be walked.
    """
    folder = _path(repository, choice).parent
    folder.mkdir(parents=True, exist_ok=True, mode=_MODE)
    with _turn(folder):
        found = find(repository, choice)
        if found is None:
            _build(repository, choice, is_background)
            found = find(repository, choice)
    if found is None:
        raise GraphNotReady("The graph of this repository was removed while it was made.", hint="Try it again.")
    make_room()
    return found


def make_meanwhile(repository: Repository, choice: Choice) -> None:
    """The same for nobody in particular: nobody waits, and where it fails, the next who needs it is told why."""
    path = _path(repository, choice)

    def work() -> None:
        try:
            make(repository, choice, is_background=True).close()
        except GraphNotReady as error:
            logger.info("the graph of repository %s is not laid out yet: %s", repository.repository_id, error)
        finally:
            _under_way.discard(path)

    with _lock_of_under_way:
        if path in _under_way or len(_under_way) >= AT_ONCE:
            return
        _under_way.add(path)
    # It may be left behind where the process ends: the child writes the index whole or not at all.
    threading.Thread(target=work, name=WORKER_NAME, daemon=True).start()


def make_room() -> None:
    """Remove what was used longest ago until the rest fits; the one used last stays whatever its size."""
    found = []
    for path in settings.GRAPH_CACHE_ROOT.glob("*/*.graph"):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    total = 0
    for at, (_, size, path) in enumerate(sorted(found, reverse=True)):
        total += size
        if at and total > settings.GRAPH_CACHE_BYTES:
            path.unlink(missing_ok=True)


def _path(repository: Repository, choice: Choice) -> Path:
    folder: Path = settings.GRAPH_CACHE_ROOT / str(repository.repository_id)
    return folder / f"{choice.key}.{key_of(*sorted(choice.tips)).hex()}.graph"


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """One index of a repository is made at a time, and few on this machine, since each takes a processor."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    places = [settings.GRAPH_CACHE_ROOT / f"place-{number}.lock" for number in range(AT_ONCE)]
    with _locked([folder / "lock"], deadline), _locked(places, deadline):
        for draft in folder.glob("*.graph.*"):  # of a child that was killed: only one makes an index here
            draft.unlink(missing_ok=True)
        yield


@contextlib.contextmanager
def _locked(paths: Sequence[Path], deadline: float) -> Iterator[None]:
    """Hold whichever of the lock files is free first."""
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(path.open("w")) for path in paths]
        while not any(map(_lock, files)):
            if time.monotonic() > deadline:
                raise GraphNotReady(
                    "Other graphs are being laid out, and this one has to wait.", hint="Try it again in a minute."
                )
            time.sleep(POLL_SECONDS)
        yield


def _lock(file: IO[str]) -> bool:
    """Lock a file, if nobody else has; it is unlocked when it is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _build(repository: Repository, choice: Choice, is_background: bool) -> None:
    path = _path(repository, choice)
    older = sorted(path.parent.glob(f"{choice.key}.*.graph"), key=lambda one: one.stat().st_mtime)
    base = str(older[-1]) if older else ""
    priority: list[bytes | str] = [*background()] if is_background else []
    argv = [*priority, sys.executable, "-m", "repos.graph.build", str(repository.git.path), str(path), base]
    try:
        done = subprocess.run(
            argv,
            input="\n".join(choice.tips),
            text=True,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(settings.BASE_DIR)},
            cwd=settings.BASE_DIR,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise GraphNotReady(
            "This history is too long to be laid out in time.", hint="Choose fewer branches, or a single one."
        ) from None
    if done.returncode:
        # A traceback, which is not for whoever reads the page.
        logger.error("the graph of repository %s was not laid out: %s", repository.repository_id, done.stderr.strip())
        raise GraphNotReady(
            "The history of these branches can't be laid out: a commit in it is missing or damaged.",
            hint="The server's log tells more.",
        )
    for one in older:
        one.unlink(missing_ok=True)
