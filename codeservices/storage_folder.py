"""The object store as a folder of this machine."""

from __future__ import annotations

import contextlib
import os
import tempfile
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from django.core.files.storage import FileSystemStorage

_DRAFT = ".draft"


class FolderStorage(FileSystemStorage):
    """Django's storage in a folder, with files that are there whole or not at all."""

    def writer(self, key: str) -> FolderWriter:
        return FolderWriter(Path(self.path(key)), self.directory_permissions_mode or 0o700)

    def remove_drafts(self, before: datetime) -> int:
        """Remove the drafts of processes that died, last written to before that time; how many."""
        count = 0
        for folder, _, names in os.walk(self.base_location):
            for name in names:
                draft = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):  # its writer is done with it
                    if name.endswith(_DRAFT) and draft.stat().st_mtime < before.timestamp():
                        draft.unlink()
                        count += 1
        return count


class FolderWriter:
    """A draft beside its target, renamed over it once it is on the disk."""

    def __init__(self, target: Path, folder_mode: int) -> None:
        self._target = target
        _make_folder(target.parent, folder_mode)
        descriptor, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=_DRAFT, dir=target.parent)
        self._draft: Path | None = Path(name)
        self._file = os.fdopen(descriptor, "wb", buffering=0)

    def write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def commit(self) -> None:
        """A process or machine that dies later leaves the whole file."""
        assert self._draft is not None
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.replace(self._target)
        self._draft = None
        _sync_folder(self._target.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
        if self._draft is not None:
            self._draft.unlink(missing_ok=True)


def _make_folder(folder: Path, mode: int) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent, mode)
        folder.mkdir(mode=mode, exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
