"""A commit of a local bare repository as tar streams for a container; no work tree is ever made on the server.

Two streams make a clone: the commit's files as a checkout would write them, and a `.git` with its history in one pack,
an index that matches, HEAD detached at the commit, and `origin` as a clone has it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from dulwich.objects import Commit

from builds import tarstream
from repos.git import program, refs
from repos.git.store import BareRepository

# The largest trees that people work in have half a million files; a commit of a few kilobytes can have any number.
MAX_FILES = 1_000_000
# Packing a large repository's history once for a build.
PACK_SECONDS = 600.0
STREAM_SECONDS = 1800.0
# The container's copy is thrown away after the build: nothing of it has to outlive a power cut, and a smaller pack is
# not worth the search for deltas that the repository does not have already.
_CONFIGURATION_OF_PACKING = {"core.fsync": "none", "pack.window": "0"}
# A checkout knows neither of these two attributes; `git archive`, which writes the files, does.
_ATTRIBUTES = "* -export-ignore -export-subst\n"
# What only the making of the clone needs.
_OURS = frozenset({"info/attributes", "objects/info/alternates"})
_CONFIGURATION = """[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
"""


class CommitTooLarge(Exception):
    """The commit has more files or bytes than a source may have; the text says which, in a sentence."""


class Workspace:
    """A clone in the making: a context manager around a scratch folder that never holds a checked-out file.

    Args:
        repository: Where the commit is.
        oid: The commit, already resolved.
        depth: How many commits deep the history goes; 0 is all of it, with all branches and tags.
        refname: The full refname that was asked for, if any; a clone with a depth has this ref alone.
        remote_url: What `origin` is called inside.
        directory: Absolute path of the work tree in the container.
        scratch: Where the scratch folder is made.
        max_bytes: How much the files may come to.
        submodules: Name to URL of those whose clones are put into this one's folders.
        check: Called at least twice a second while git writes or packs; what it raises ends that.
    """

    def __init__(
        self,
        repository: BareRepository,
        oid: str,
        *,
        depth: int = 0,
        refname: str = "",
        remote_url: str = "",
        directory: str,
        scratch: Path,
        max_bytes: int,
        submodules: Mapping[str, str] | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._repository = repository
        self._oid = oid
        self._depth = depth
        self._refname = refname
        self._remote_url = remote_url
        self._prefix = directory.strip("/")
        self._parent = scratch
        self._max_bytes = max_bytes
        self._submodules = submodules or {}
        self._options = program.Options(configuration=_CONFIGURATION_OF_PACKING, check=check)

    def __enter__(self) -> Workspace:
        self._parent.mkdir(parents=True, exist_ok=True)
        self._scratch = BareRepository(Path(tempfile.mkdtemp(prefix="workspace-", dir=self._parent)))
        try:
            self._make_skeleton()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._scratch.path, ignore_errors=True)

    def files(self) -> Iterator[bytes]:
        """A tar of the commit's files: modes and links as committed, submodules as empty folders, dates of now.

        Trees that hold one another ten times each, ten levels of them, are ten thousand million files of a commit that
        is no larger than others: they are counted first, and what is written of them has an end.

        Raises:
            CommitTooLarge: Before the first byte where it has too many files, at the limit where they are too large.
        """
        count = 0
        names = ["ls-tree", "-r", "-t", "-z", "--name-only", "--full-tree", "--end-of-options", self._oid]
        with closing(program.pieces(self._scratch, names, timeout_seconds=PACK_SECONDS, options=self._options)) as some:
            for piece in some:
                count += piece.count(b"\0")
                if count > MAX_FILES:
                    raise CommitTooLarge(f"The commit has more than the {MAX_FILES:,} files that a source may have.")
        argv = ["archive", "--format=tar", f"--prefix={self._prefix}/", f"{self._oid}^{{tree}}"]
        total = 0
        files = program.pieces(self._scratch, argv, timeout_seconds=STREAM_SECONDS, options=self._options)
        with closing(files):
            for piece in files:
                total += len(piece)
                if total > self._max_bytes:
                    raise CommitTooLarge(f"The commit's files come to more than {self._max_bytes:,} bytes.")
                yield piece

    def git_folder(self) -> Iterator[bytes]:
        """A tar of `.git`. Packs the history first, which takes a moment for a long one."""
        scratch = self._scratch.path
        boundary = _boundary(self._repository, self._oid, self._depth) if self._depth else []
        if boundary:
            (scratch / "shallow").write_text("".join(f"{oid}\n" for oid in boundary))
        tips = self._write_refs()
        revisions = [f"--shallow {oid}" for oid in boundary] + sorted({self._oid, *tips})
        program.run(
            self._scratch,
            ["pack-objects", "--revs", "--delta-base-offset", "-q", "--threads=1", "objects/pack/pack"],
            input="".join(f"{revision}\n" for revision in revisions).encode(),
            timeout_seconds=PACK_SECONDS,
            options=self._options,
        )
        program.run(
            self._scratch,
            ["read-tree", self._oid],
            timeout_seconds=PACK_SECONDS,
            environment={"GIT_INDEX_FILE": str(scratch / "index")},
            options=self._options,
        )
        yield from tarstream.write(scratch, f"{self._prefix}/.git", leave_out=_OURS)

    def _make_skeleton(self) -> None:
        root = self._scratch.path
        for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info"):
            (root / name).mkdir(parents=True)
        (root / "HEAD").write_text(f"{self._oid}\n")
        (root / "info/attributes").write_text(_ATTRIBUTES)
        (root / "objects/info/alternates").write_bytes(bytes(self._repository.path / "objects") + b"\n")
        text = _CONFIGURATION + "[tar]\n\tumask = 0022\n"
        if self._remote_url:
            text += f'[remote "origin"]\n\turl = {_quoted(self._remote_url)}\n'
            text += "\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
        for name, url in self._submodules.items():
            text += f"[submodule {_quoted(name)}]\n\tactive = true\n\turl = {_quoted(url)}\n"
        (root / "config").write_bytes(refs.encode(text))

    def _write_refs(self) -> list[str]:
        """`packed-refs` as a clone would have it; the oids they name."""
        found: dict[str, str] = {}
        for refname, oid in refs.all_refs(self._repository).items():
            if self._depth and refname != self._refname:
                continue
            if refname.startswith("refs/heads/"):
                found[f"refs/remotes/origin/{refname.removeprefix('refs/heads/')}"] = oid
            elif refname.startswith("refs/tags/"):
                found[refname] = oid
        if self._depth:
            # A branch that has moved on since the build was asked for would bring commits beyond the depth.
            found = {name: oid for name, oid in found.items() if oid == self._oid or name.startswith("refs/tags/")}
        lines = sorted(refs.encode(f"{oid} {name}\n") for name, oid in found.items())
        (self._scratch.path / "packed-refs").write_bytes(b"".join(lines))
        return list(found.values())


def _boundary(repository: BareRepository, oid: str, depth: int) -> list[str]:
    """The commits whose parents a clone of this depth leaves out, or that the repository itself leaves out."""
    there = repository.path / "shallow"
    ends = set(there.read_text("ascii").split()) if there.exists() else set()
    level, seen, found = {oid}, {oid}, set()
    # Git's own word for all of a history is the largest depth that there is: the end of the history comes first.
    while level and depth > 1:
        found |= level & ends
        level = {parent for one in level - ends for parent in _parents(repository, one)} - seen
        seen |= level
        depth -= 1
    return sorted(found | {one for one in level if _parents(repository, one)})


def _parents(repository: BareRepository, oid: str) -> list[str]:
    commit = repository.dulwich[oid.encode()]
    assert isinstance(commit, Commit)
    return [parent.decode() for parent in commit.parents]


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
