"""The files that differ between two trees, with renames; cheap, since no content is compared but for those."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Final, Literal, NamedTuple

from repos.git import objects, program, refs
from repos.git.store import BareRepository

Status = Literal["A", "M", "D", "R", "C", "T"]

# Rename detection compares every deleted file with every added one; git falls back to exact renames beyond this.
RENAME_LIMIT: Final = 1000
TIMEOUT_SECONDS: Final = 20.0

REGULAR: Final = "100644"
EXECUTABLE: Final = "100755"
SYMLINK: Final = "120000"
SUBMODULE: Final = "160000"
ABSENT: Final = "000000"

# Paths are names and no patterns. What two blobs differ in may depend on nothing but them, so no attributes are read:
# newer gits would take those of the default branch.
ENVIRONMENT: Final[Mapping[str, str]] = {"GIT_LITERAL_PATHSPECS": "1", "GIT_ATTR_SOURCE": objects.EMPTY_TREE}


_COMMAND: Final = ("diff-tree", "-r", "-M", f"-l{RENAME_LIMIT}", "--raw", "-z", "--no-abbrev")
# What is told of lines depends on nobody's settings and programs.
PLAIN: Final = ("--no-color", "--no-ext-diff", "--no-textconv")
# No name in the list is empty, so that two of what ends each come at the end of all.
_END_OF_LIST: Final = b"\0\0"


class FileChange(NamedTuple):
    """One changed file. The absent side of an added or deleted one has the mode "000000", oid "" and the same path.

    A tuple, since a commit may have a hundred thousand of them.

    Attributes:
        status: Added, Modified, Deleted, Renamed, Copied, or Type changed (a file became a link, say).
        old_mode, new_mode: Six octal digits as git has them: "100644", "100755", "120000", "160000".
        similarity: Percent, for a rename or a copy.
    """

    status: Status
    old_path: str
    new_path: str
    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str
    similarity: int | None = None

    @property
    def path(self) -> str:
        """The path to call the file by: the new one, or of a deleted file the old one."""
        return self.old_path if self.status == "D" else self.new_path

    @property
    def is_mode_changed(self) -> bool:
        """Both sides exist and their modes differ."""
        return ABSENT not in (self.old_mode, self.new_mode) and self.old_mode != self.new_mode

    @property
    def is_submodule(self) -> bool:
        """Either side is a commit of another repository."""
        return SUBMODULE in (self.old_mode, self.new_mode)

    @property
    def is_symlink(self) -> bool:
        """Either side is a symbolic link."""
        return SYMLINK in (self.old_mode, self.new_mode)

    @property
    def is_content_changed(self) -> bool:
        """The bytes differ; a pure rename or mode change has no hunks."""
        return self.old_oid != self.new_oid

    @property
    def has_lines_between_hunks(self) -> bool:
        """There may be unchanged lines of a file beyond those of the hunks."""
        return self.status in "MRC" and not self.is_submodule and not self.is_symlink

    @property
    def mode_words(self) -> str:
        """What the change of the mode means; empty where it did not change."""
        if not self.is_mode_changed:
            return ""
        if (self.old_mode, self.new_mode) == (REGULAR, EXECUTABLE):
            return "became executable"
        if (self.old_mode, self.new_mode) == (EXECUTABLE, REGULAR):
            return "no longer executable"
        return f"{_WORDS.get(self.old_mode, self.old_mode)} became {_WORDS.get(self.new_mode, self.new_mode)}"


_WORDS: Final = {
    REGULAR: "a file",
    EXECUTABLE: "an executable file",
    SYMLINK: "a symbolic link",
    SUBMODULE: "a submodule",
}


class Changes(NamedTuple):
    """The changed files in git's order, and how many there are where the list is cut."""

    files: tuple[FileChange, ...]
    total: int

    @property
    def is_cut(self) -> bool:
        """There are more files than are listed."""
        return self.total > len(self.files)


def of_commit(
    repository: BareRepository, tree_oid: str, parent_tree_oid: str | None, *, max_files: int | None = None
) -> Changes:
    """What a commit changed against its first parent; a root commit, without one, added everything."""
    return changes(repository, parent_tree_oid or objects.EMPTY_TREE, tree_oid, max_files=max_files)


def changes(
    repository: BareRepository,
    old_oid: str,
    new_oid: str,
    *,
    paths: Sequence[str] = (),
    max_files: int | None = None,
) -> Changes:
    """The files that differ between two trees or commits, renames found.

    Args:
        old_oid, new_oid: Full oids of trees or commits.
        paths: Only these files or folders, taken literally; all where empty. Both names of a rename must be given to
            see it as one.
        max_files: The most to give; the total counts the others.

    Raises:
        NotFound: An oid is no tree or commit here.
    """
    trees = [objects.tree_oid(repository, oid) for oid in (old_oid, new_oid)]
    output = program.run(
        repository,
        [*_COMMAND, "--end-of-options", *trees, "--", *paths],
        timeout_seconds=TIMEOUT_SECONDS,
        environment=ENVIRONMENT,
    )
    return _parse(refs.decode(output).split("\0"), max_files)


def begin_with_patch(
    repository: BareRepository, old_tree_oid: str, new_tree_oid: str, args: Sequence[str]
) -> Generator[bytes, None, None]:
    """Have git list all files that differ between two trees, renames found, and then what their lines differ in.

    Args:
        args: For git, how lines are compared.

    Returns:
        What `with_patch` reads; close it where nobody does.
    """
    return program.begun(
        repository,
        [*_COMMAND, *PLAIN, *args, "--end-of-options", old_tree_oid, new_tree_oid],
        timeout_seconds=TIMEOUT_SECONDS,
        environment=ENVIRONMENT,
    )


def with_patch(output: Generator[bytes, None, None]) -> tuple[tuple[FileChange, ...], Generator[bytes, None, None]]:
    """The files, and git's patch of them in pieces, as it comes; close it wherever enough was read."""
    listed, patch = bytearray(), b""
    for piece in output:
        begin = max(0, len(listed) - 1)
        listed += piece
        if (end := listed.find(_END_OF_LIST, begin)) >= 0:
            patch = bytes(listed[end + len(_END_OF_LIST) :])
            del listed[end:]
            break
        if len(listed) > program.MAX_OUTPUT_BYTES:
            output.close()
            raise program.GitOutputTooLarge("diff-tree", program.MAX_OUTPUT_BYTES)
    return _parse(refs.decode(bytes(listed)).split("\0"), None).files, _followed(patch, output)


def _followed(first: bytes, others: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    with closing(others):
        yield first
        yield from others


def _parse(fields: Sequence[str], max_files: int | None) -> Changes:
    """Records of `--raw -z`: modes, oids and status, then one name, or two of a rename."""
    files: list[FileChange] = []
    total = at = 0
    while at < len(fields) and fields[at].startswith(":"):
        old_mode, new_mode, old_oid, new_oid, status = fields[at][1:].split(" ")
        count = 2 if status[0] in "RC" else 1
        if max_files is None or total < max_files:
            files.append(
                FileChange(
                    status=status[0],  # type: ignore[arg-type]  # git's letters are the literal's
                    old_path=fields[at + 1],
                    new_path=fields[at + count],
                    old_mode=old_mode,
                    new_mode=new_mode,
                    old_oid="" if old_mode == ABSENT else old_oid,
                    new_oid="" if new_mode == ABSENT else new_oid,
                    similarity=int(status[1:]) if count == 2 else None,
                )
            )
        at += 1 + count
        total += 1
    return Changes(tuple(files), total)
