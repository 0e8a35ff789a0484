"""The files of a repository: what they take, and how old they are."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from repos.git.store import BareRepository


def size(repository: BareRepository) -> int:
    """The bytes of all files of a repository: objects, refs, and what git derives from them.

    Files that go away meanwhile, as those of a push do that is refused, are not counted.
    """
    return sum(file.stat(follow_symlinks=False).st_size for file in files(repository.path))


def files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Every file below a folder; each has been looked at, so that its `stat` costs nothing and can't fail.

    What vanishes in the meantime is left out, and so is a folder that is not there.
    """
    waiting = [os.fspath(folder)]
    while waiting:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        entry.stat(follow_symlinks=False)
                        yield entry
