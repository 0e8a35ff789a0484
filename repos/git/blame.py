"""Which commit each line of a file is from.

Source: git-blame(1), "The porcelain format", "Incremental output", and --ignore-revs-file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from codeservices.errors import NotFound
from repos.git import objects, program, refs, tree
from repos.git.store import BareRepository

# A line that has had its place since the beginning of a long history is the last that is found.
TIMEOUT_SECONDS: Final = 8.0
IGNORE_FILE: Final = ".git-blame-ignore-revs"
MAX_IGNORE_BYTES: Final = 256 * 1024
MAX_IGNORED: Final = 1000
MAX_SUBJECT: Final = 300
MAX_NAME: Final = 300
_ESCAPE: Final = re.compile(rb'\\([abfnrtv"\\]|[0-3][0-7]{2})')
_ESCAPES: Final = {b"a": 7, b"b": 8, b"f": 12, b"n": 10, b"r": 13, b"t": 9, b"v": 11, b'"': 34, b"\\": 92}


@dataclass(frozen=True)
class Origin:
    """The commit that lines are from.

    Attributes:
        when_at: The author's moment, in UTC; None where no calendar reaches it.
        previous: Commit and path where the file can be looked at without this change; None where it began here.
    """

    oid: str
    author: str
    email: str
    when_at: datetime | None
    subject: str
    previous: tuple[str, str] | None


class Group(NamedTuple):
    """Neighbouring lines of one commit.

    Attributes:
        first: The number of the first, from 1.
        origin: None where the time was over before it was found.
    """

    first: int
    line_count: int
    origin: Origin | None


def groups(
    repository: BareRepository,
    oid: str,
    path: str,
    *,
    first: int,
    last: int,
    ignored: Iterable[str] = (),
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> list[Group]:
    """The lines `first` to `last` of a file at a commit, all of them, in their order.

    Args:
        oid: A commit.
        last: No more than the file has.
        ignored: Oids of commits that are looked through, as far as their lines can be told from earlier ones.
        timeout_seconds: What is not found by then is told as a group without origin.

    Raises:
        NotFound: The path can't be asked for, or git finds no file there.
        program.GitError: The file has fewer lines.
    """
    if not {".", ".."}.isdisjoint(path.split("/")):  # a damaged tree can hold such names
        raise NotFound(
            f"Who wrote “{refs.shown(path)}” can't be told: git takes “.” and “..” for folders.",
            code="PathDoesNotExistException",
        )
    args = ["blame", "--incremental", f"-L{first},{last}"]
    skipped = "".join(f"{one}\n" for one in ignored if refs.OID.fullmatch(one)).encode("ascii")
    if skipped:
        args.append("--ignore-revs-file=/dev/stdin")
    found: list[Group] = []
    known: dict[str, Origin] = {}
    # This command knows no --end-of-options (git 2.39); an oid is never an option.
    lines = program.lines(repository, [*args, oid, "--", path], input=skipped, timeout_seconds=timeout_seconds)
    with closing(lines):
        try:
            for head in lines:
                # <40-byte hex sha1> <sourceline> <resultline> <num_lines>
                name, _, line, count = head.decode("ascii").split(" ")
                fields: dict[bytes, bytes] = {}
                for row in lines:
                    key, _, value = row.partition(b" ")
                    fields[key] = value
                    if key == b"filename":  # ends each entry
                        break
                if name not in known or b"previous" in fields:
                    known[name] = _origin(name, fields, known.get(name))
                found.append(Group(int(line), int(count), known[name]))
        except program.GitTimeout:
            pass
        except program.GitError as error:
            if not error.complaint.startswith("fatal: no such path"):
                raise
            # Git finds entries by the order that they have to be in; a damaged tree has another.
            raise NotFound(
                f"Who wrote “{refs.shown(path)}” can't be told: git finds no file of that name at this commit.",
                code="PathDoesNotExistException",
            ) from error
    return _whole(found, first, last)


def ignored(repository: BareRepository, oid: str) -> tuple[str, ...]:
    """The commits that a commit's file .git-blame-ignore-revs names by full oids; all else in it does not count."""
    try:
        entry = tree.entry(repository, oid, IGNORE_FILE)
    except NotFound:
        return ()
    if entry.kind != "blob" or (objects.sizes(repository, [entry.oid]).get(entry.oid) or 0) > MAX_IGNORE_BYTES:
        return ()
    lines = objects.read(repository, entry.oid)[1].decode("ascii", "replace").splitlines()
    found = (line.partition("#")[0].strip() for line in lines)
    return tuple([one for one in found if refs.OID.fullmatch(one)][:MAX_IGNORED])


def _origin(oid: str, fields: dict[bytes, bytes], known: Origin | None) -> Origin:
    """What the fields tell; those of a commit that was told before tell only of the file's name in it."""
    previous: tuple[str, str] | None = None
    if fields.get(b"previous"):
        previous_oid, _, path = fields[b"previous"].partition(b" ")
        previous = previous_oid.decode("ascii"), refs.decode(_unquoted(path))
    if known is not None:
        return Origin(oid, known.author, known.email, known.when_at, known.subject, previous)
    try:
        when_at = datetime.fromtimestamp(int(fields.get(b"author-time", b"")), UTC)
    except (ValueError, OverflowError, OSError):
        when_at = None
    return Origin(
        oid=oid,
        author=_text(fields.get(b"author", b""))[:MAX_NAME],
        email=_text(fields.get(b"author-mail", b"")).strip("<>")[:MAX_NAME],
        when_at=when_at,
        subject=_text(fields.get(b"summary", b""))[:MAX_SUBJECT],
        previous=previous,
    )


def _whole(found: list[Group], first: int, last: int) -> list[Group]:
    """In the order of the lines, neighbours of one commit as one, and groups without origin where there is nothing."""
    result: list[Group] = []

    def add(group: Group) -> None:
        if result and result[-1].origin == group.origin:
            result[-1] = result[-1]._replace(line_count=result[-1].line_count + group.line_count)
        else:
            result.append(group)

    following = first
    for group in sorted(found, key=lambda one: one.first):
        if group.first > following:
            add(Group(following, group.first - following, None))
        add(group)
        following = group.first + group.line_count
    if following <= last:
        add(Group(following, last + 1 - following, None))
    return result


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").strip()


def _unquoted(raw: bytes) -> bytes:
    """A path as it is; git writes one with a quotation mark, a backslash or a control character as a C string."""
    if not (raw.startswith(b'"') and raw.endswith(b'"') and len(raw) > 1):
        return raw
    return _ESCAPE.sub(lambda match: bytes([_ESCAPES.get(match[1]) or int(match[1], 8)]), raw[1:-1])
