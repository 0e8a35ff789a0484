"""Where a repository lies on disk, and opening it. No other module knows the path.

A repository lies under an opaque id, never under a name that a user gave. Directories fan out by the id's first two
letters, so that no directory grows past what people and tools can list: `ROOT/ab/abcd….git`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType

from dulwich.repo import Repo

from codeservices.errors import Conflict, InvalidInput, NotFound
from repos.git import kept_open

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# What is fetched from other servers is looked at here before it becomes part of a repository.
INCOMING = "incoming"
# Longer than any fetch may take.
INCOMING_SECONDS = 86400
# Half-made and half-deleted repositories wait here; it is on the same file system, so that a rename is atomic.
SCRATCH = "scratch"
# A creation or a deletion that took longer than this has died.
SCRATCH_SECONDS = 3600
INITIAL_BRANCH = "main"
CONFIGURATION = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"


class RepositoryMissing(NotFound):
    """The repository's row may exist, but its objects do not lie on this disk."""

    code = "RepositoryDoesNotExistException"


class RepositoryExists(Conflict):
    """A repository lies under this id already."""

    code = "RepositoryNameExistsException"


class BareRepository:
    """An open bare repository: a path for the git program and a dulwich object for reading in process.

    Use it as a context manager or call `close`, so that open packs are let go; in the web process they wait a moment
    for the next who opens it. One that `is_temporary` does not, since it is removed then.
    """

    def __init__(self, path: Path, *, is_temporary: bool = False) -> None:
        self.path = path
        self._is_temporary = is_temporary

    @cached_property
    def _opened(self) -> kept_open.Opened:
        return kept_open.take(self.path)

    @property
    def dulwich(self) -> Repo:
        """The repository as dulwich reads it; opened at the first use and kept until `close`."""
        return self._opened.repo

    def close(self) -> None:
        """Let go of open packs. The repository may be used again after; it then opens anew."""
        opened = self.__dict__.pop("_opened", None)
        if opened is not None and self._is_temporary:
            opened.repo.close()
        elif opened is not None:
            kept_open.give_back(opened)

    def __enter__(self) -> BareRepository:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<BareRepository {self.path.stem}>"


def open_repository(root: Path, repository_id: str) -> BareRepository:
    """The repository with this id, a uuid4 in lower case.

    Raises:
        RepositoryMissing: nothing lies there.
        InvalidInput: the id is no uuid4.
    """
    path = _path(root, repository_id)
    if not (path / "HEAD").is_file():
        raise RepositoryMissing(
            f"The objects of repository {repository_id} are missing.",
            hint="An administrator can restore them from a backup.",
        )
    return BareRepository(path.resolve())


def create_repository(root: Path, repository_id: str) -> BareRepository:
    """Make an empty bare repository (SHA-1, HEAD on refs/heads/main): afterwards it is whole or absent.

    Raises:
        RepositoryExists: one lies there already.
        InvalidInput: the id is no uuid4.
    """
    path = _path(root, repository_id)
    if path.exists():
        raise RepositoryExists(f"A repository with the id {repository_id} exists already.")
    made = _scratch_path(root, repository_id)
    for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info"):
        (made / name).mkdir(parents=True, mode=0o700)
    _write_durably(made / "config", CONFIGURATION)
    _write_durably(made / "HEAD", f"ref: refs/heads/{INITIAL_BRANCH}\n")
    for directory in (made / "refs", made / "objects", made):
        _sync_directory(directory)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        made.rename(path)
    except OSError as error:  # another process was quicker: a directory that isn't empty is never replaced
        shutil.rmtree(made, ignore_errors=True)
        if path.exists():
            raise RepositoryExists(f"A repository with the id {repository_id} exists already.") from error
        raise
    _sync_directory(path.parent)
    return BareRepository(path.resolve())


def remove_repository(root: Path, repository_id: str) -> None:
    """Take a repository away: in one step for everybody else, then byte by byte. Absent is fine."""
    shutil.rmtree(set_aside(root, repository_id), ignore_errors=True)


def set_aside(root: Path, repository_id: str) -> Path:
    """Take a repository away in one step; its files then wait, at the path returned, to be removed. Absent is fine.

    Where nobody removes them, because the process died, `sweep` does.
    """
    path = _path(root, repository_id)
    away = _scratch_path(root, repository_id)
    with contextlib.suppress(FileNotFoundError):
        path.rename(away)
        _sync_directory(path.parent)
    return away


def sweep(root: Path) -> int:
    """Remove what creations and deletions, an hour old, and fetches, a day old, left behind that died; how many."""
    leftovers = list(_abandoned(root))
    for leftover in leftovers:
        shutil.rmtree(leftover, ignore_errors=True)
    return len(leftovers)


def repository_ids(root: Path) -> Iterator[str]:
    """The ids of all repositories that lie there and are an hour old or older."""
    horizon = time.time() - SCRATCH_SECONDS
    for path in root.glob("[0-9a-f][0-9a-f]/*.git"):
        if UUID.fullmatch(path.stem):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_ctime < horizon:
                    yield path.stem


def is_empty(root: Path, repository_id: str) -> bool:
    """Whether nothing was ever stored in a repository: it has no object and no ref."""
    path = _path(root, repository_id)
    files = (one for folder in ("objects", "refs") for one in (path / folder).rglob("*") if not one.is_dir())
    return not (path / "packed-refs").exists() and next(files, None) is None


def create_incoming(root: Path, repository_id: str, run_id: str, refs: Mapping[bytes, bytes]) -> BareRepository:
    """An empty repository that borrows the objects of another: a quarantine for what is fetched from elsewhere.

    Args:
        repository_id: Whose objects it sees and whose it may become part of; one that does not exist lends none.
        run_id: A uuid4, so that a fetch whose worker died never writes where the next one does.
        refs: Refname to oid: what to tell the other server that is here already.
    """
    lender = _path(root, repository_id)
    if not UUID.fullmatch(run_id):
        raise InvalidInput(f"“{run_id[:64]}” is no id of a run: it must be a uuid4 in lower case.")
    return _quarantine(root / INCOMING / f"{repository_id}.{run_id}.git", lender, refs)


def create_apart(path: Path) -> BareRepository:
    """An empty repository in a new folder of the caller's, who removes it: none of this server's, and lent nothing."""
    return _quarantine(path, path / "nobody", {})


@contextlib.contextmanager
def draft(repository: BareRepository) -> Iterator[BareRepository]:
    """An empty repository that borrows the objects of another, for the block: a quarantine for what is written here.

    Where the process dies in the block, `sweep` removes it.
    """
    made = _quarantine(_scratch_path(repository.path.parent.parent, repository.path.stem), repository.path, {})
    try:
        with made:
            yield made
    finally:
        shutil.rmtree(made.path, ignore_errors=True)


@contextlib.contextmanager
def scratch(repository: BareRepository) -> Iterator[Path]:
    """An empty folder for the block, beside the drafts of a repository or of a draft: where the process dies in it,
    `sweep` removes it."""
    made = _scratch_path(repository.path.parent.parent, repository.path.stem)
    made.mkdir(mode=0o700)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def adopt(incoming: BareRepository, repository: BareRepository) -> None:
    """Move the packs of a quarantine into the repository it was made for; no ref points at them yet.

    An index makes its pack visible, so it comes last. A pack that is there already has the same name.
    """
    source, target = incoming.path / "objects/pack", repository.path / "objects/pack"
    found = sorted(source.glob("pack-*"), key=lambda one: (one.suffix == ".idx", one.name))
    for file in found:
        if file.suffix in (".pack", ".rev", ".idx"):
            file.replace(target / file.name)
    _sync_directory(target)


def remove_incoming(root: Path, repository_id: str) -> None:
    """Take away every quarantine that was made for a repository, also those of workers that died."""
    _path(root, repository_id)  # checks the id
    for leftover in (root / INCOMING).glob(f"{repository_id}.*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _path(root: Path, repository_id: str) -> Path:
    if not UUID.fullmatch(repository_id):
        raise InvalidInput(f"“{repository_id[:64]}” is no repository id: it must be a uuid4 in lower case.")
    return root / repository_id[:2] / f"{repository_id}.git"


def _quarantine(made: Path, lender: Path, refs: Mapping[bytes, bytes]) -> BareRepository:
    """A repository with these refs and no object of its own; a lender that does not exist lends none."""
    for name in ("objects/info", "objects/pack", "refs"):
        (made / name).mkdir(parents=True, mode=0o700)
    (made / "config").write_text(CONFIGURATION)
    (made / "HEAD").write_text("ref: refs/heads/none\n")
    if lender.is_dir():
        (made / "objects/info/alternates").write_text(f"{lender.resolve() / 'objects'}\n")
    (made / "packed-refs").write_bytes(b"".join(b"%s %s\n" % (oid, name) for name, oid in refs.items()))
    return BareRepository(made.resolve(), is_temporary=True)


def _scratch_path(root: Path, repository_id: str) -> Path:
    folder = root / SCRATCH
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / f"{repository_id}.{uuid.uuid4().hex}"


def _abandoned(root: Path) -> Iterator[Path]:
    for folder, seconds in ((root / SCRATCH, SCRATCH_SECONDS), (root / INCOMING, INCOMING_SECONDS)):
        horizon = time.time() - seconds
        for leftover in folder.iterdir() if folder.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):
                # The change time, since a rename leaves the modification time of a directory as it was.
                if leftover.stat().st_ctime < horizon:
                    yield leftover


def _write_durably(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
