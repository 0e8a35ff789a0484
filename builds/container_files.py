"""Files of a build's container as they are: what lies where, without following a link that leads out.

The container is at rest while it is read (`Executor.read` ends its processes first), so what was looked at is still
there when it is fetched.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from builds import tarstream
from builds.runner.executor import Executor

# As many as Linux follows. Source: path_resolution(7).
MAX_LINKS = 40


class ContainerFiles:
    """Reads through an executor; remembers which paths are links."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._targets: dict[str, str | None] = {}

    def scan(self, root: str) -> Iterator[tuple[str, tarstream.Member, Iterator[bytes]]]:
        """A file, or a folder with all below it: absolute path, entry and content of each; nothing where none is.

        The target of a hard link is an absolute path too.

        Raises:
            TarError: What the container gave can't be read; also while a content is read.
        """
        with self._read(root) as pieces:
            if pieces is None:
                return
            parent = posixpath.dirname(root.rstrip("/"))
            for member, content in tarstream.read(pieces):
                if member.kind == tarstream.HARDLINK:
                    member = replace(member, target=posixpath.normpath(posixpath.join(parent, member.target)))
                yield posixpath.normpath(posixpath.join(parent, member.name)), member, content

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder at the path."""
        with self._read(path) as pieces:
            return pieces is not None

    @contextmanager
    def _read(self, path: str) -> Iterator[Iterator[bytes] | None]:
        """What the executor gives; None also of a name that is no UTF-8, which no engine can be asked for."""
        if not is_text(path):
            yield None
            return
        with self._executor.read(path) as pieces:
            yield pieces

    def real_path(self, path: str, boundary: str) -> str | None:
        """Where a path below `boundary` leads; None where a link on the way leads out, or where a name is missing.

        Args:
            path: Absolute and normal. Its last name may be a link too, which is followed.
            boundary: A folder whose own path is taken as it is; "/" for all of the container.
        """
        current = boundary
        names = _names(path[len(boundary) :])
        links = 0
        while names:
            name = names.pop(0)
            if name == "..":
                current = posixpath.dirname(current)
                continue
            candidate = posixpath.join(current, name)
            if not is_below(candidate, boundary) and not is_below(boundary, candidate):
                return None  # what is there is nobody's business
            target = self._target(candidate)
            if target is None:
                return None
            if not target:
                current = candidate
                continue
            links += 1
            if links > MAX_LINKS:
                return None
            names = [*_names(target), *names]
            if target.startswith("/"):
                current = "/"
        return current if is_below(current, boundary) else None

    def _target(self, path: str) -> str | None:
        """Where a link leads; "" of anything that is no link, None where nothing has that path."""
        if path not in self._targets:
            with self._read(path) as pieces:
                if pieces is None:
                    self._targets[path] = None
                else:
                    first = next(tarstream.read(pieces), None)
                    is_link = first is not None and first[0].kind == tarstream.SYMLINK
                    self._targets[path] = first[0].target if first is not None and is_link else ""
        return self._targets[path]


def is_below(path: str, folder: str) -> bool:
    """Whether a path is the folder itself or in it."""
    return path == folder or path.startswith(folder if folder.endswith("/") else f"{folder}/")


def is_text(path: str) -> bool:
    """Whether a name's bytes are UTF-8; in Linux they need not be."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]
