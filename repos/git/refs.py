"""Refs: what may be one, which there are, the default branch, and a digest of them all.

Git speaks bytes; here they become text once, losslessly (UTF-8 with surrogate escapes). `shown` makes such text fit to
be printed.

Refs are read from the files that git keeps them in, since a process to list them costs more than a page may. Git
replaces each of those files in one step, and loose refs are read before packed ones: a ref that git packs meanwhile is
then seen in one of the two places.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codeservices.errors import InvalidInput, NotFound
from repos.git import program
from repos.git.store import BareRepository

if TYPE_CHECKING:
    from repos.git.wire import RefCommand

HEADS = "refs/heads/"
TAGS = "refs/tags/"
INTERNAL = f"{program.INTERNAL_REFS}/"
ZERO_OID = "0" * 40
OID = re.compile(r"[0-9a-f]{40}")
MAX_BRANCH_NAME = 256
MAX_SYMBOLIC_DEPTH = 5  # as git has it
# Loose refs are files: what a path component and a path below the repository may measure on any file system.
MAX_PART_BYTES = 255 - len(".lock")
MAX_REFNAME_BYTES = 1024

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|\.$|/$")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
_RAW_OID = re.compile(rb"[0-9a-f]{40}")


class InvalidBranchName(InvalidInput):
    """A branch can't be called that."""

    code = "InvalidBranchNameException"


class BranchMissing(NotFound):
    """There is no such branch."""

    code = "BranchDoesNotExistException"


def is_valid_refname(refname: str) -> bool:
    """Whether git takes this as a full refname ("refs/heads/main").

    Source: git-check-ref-format(1), rules 1 to 10; and the name must fit a file's path.
    """
    if not refname.startswith("refs/") or refname.count("/") < 2 or _FORBIDDEN.search(refname):
        return False
    raw = encode(refname)
    return len(raw) <= MAX_REFNAME_BYTES and all(len(part) <= MAX_PART_BYTES for part in raw.split(b"/"))


def check_branch_name(name: str) -> str:
    """Return a new branch's short name, or raise InvalidBranchName with the rule it breaks.

    Source: CodeCommit User Guide, "Quotas", branch names; git-check-ref-format(1).
    """
    if not name:
        raise InvalidBranchName("A branch name is required.", code="BranchNameRequiredException")
    if len(name) > MAX_BRANCH_NAME:
        raise InvalidBranchName(f"A branch name has at most {MAX_BRANCH_NAME} characters, not {len(name)}.")
    if OID.fullmatch(name.lower()):
        raise InvalidBranchName(f"“{name}” can't name a branch: 40 hexadecimal characters always mean a commit.")
    if name in ("HEAD", "@") or not is_valid_refname(HEADS + name):
        raise InvalidBranchName(
            f"“{shown(name)}” can't name a branch.",
            hint="A name has no space, .., //, @{ or any of ~ ^ : ? * [ \\, does not begin or end with / or ., "
            "and no part of it begins with . or ends with .lock.",
        )
    return name


def all_refs(repository: BareRepository) -> dict[str, str]:
    """Every ref but HEAD: refname to oid, in the order of the names' bytes; hidden ones included.

    A symbolic ref has the oid of what it points at. Names and contents that git itself would call broken are left out.
    """
    loose = _read_loose(repository)
    merged = {**_read_packed(repository), **loose}
    resolved = {decode(name): oid.decode() for name in sorted(merged) if (oid := _follow(name, merged)) is not None}
    return {name: oid for name, oid in resolved.items() if is_valid_refname(name)}


def branches(repository: BareRepository) -> list[tuple[str, str]]:
    """(short name, oid of the tip) of every branch, by name."""
    return _under(HEADS, all_refs(repository))


def tags(repository: BareRepository) -> list[tuple[str, str]]:
    """(short name, oid) of every tag, by name; the oid is the tag object's where the tag is annotated."""
    return _under(TAGS, all_refs(repository))


def tip(repository: BareRepository, refname: str) -> str | None:
    """The oid that a full refname has, or None where there is no such ref."""
    if not is_valid_refname(refname):
        return None
    loose = _read_file(repository.path / os.fsdecode(encode(refname)))
    if loose is not None and _RAW_OID.fullmatch(loose):
        return loose.decode()
    return all_refs(repository).get(refname)  # packed, symbolic or absent


def in_the_way(repository: BareRepository, refname: str) -> str | None:
    """The ref beside which a new one of this name can't exist, as a folder can't beside a file: "a" and "a/b"."""
    inner = f"{refname}/"
    for other in all_refs(repository):
        if other.startswith(inner) or refname.startswith(f"{other}/"):
            return other
    return None


def head(repository: BareRepository) -> str:
    """The refname that HEAD points at, whether or not that exists, or a bare oid where HEAD is detached."""
    text = decode((repository.path / "HEAD").read_bytes().strip())
    return text.removeprefix("ref:").strip()


def default_branch(repository: BareRepository) -> str | None:
    """The short name of the branch that HEAD points at, or None before that branch has a commit."""
    refname = head(repository)
    if refname.startswith(HEADS) and tip(repository, refname) is not None:
        return refname.removeprefix(HEADS)
    return None


def set_default_branch(repository: BareRepository, branch: str) -> None:
    """Point HEAD at an existing branch; raises BranchMissing."""
    if tip(repository, HEADS + branch) is None:
        raise BranchMissing(f"No branch is called “{shown(branch)}”.")
    program.run(repository, ["symbolic-ref", "--end-of-options", "HEAD", HEADS + branch])


def move(
    repository: BareRepository,
    commands: Iterable[RefCommand],
    *,
    timeout_seconds: float = program.TIMEOUT_SECONDS,
    options: program.Options = program.DEFAULT_OPTIONS,
) -> None:
    """Move refs in one transaction, each from the oid that it must have now.

    Args:
        timeout_seconds: For thousands of refs, each synced to disk.
        options: How git is run, with the locks that it has to hold.

    Raises:
        GitError: Nothing is moved, as a ref stands elsewhere or is locked.
    """
    program.run(
        repository,
        ["update-ref", "--no-deref", "-z", "--stdin"],
        input=b"".join(_instruction(command) for command in commands),
        timeout_seconds=timeout_seconds,
        options=options,
    )


def _instruction(command: RefCommand) -> bytes:
    """A line of git-update-ref(1), "-z" format."""
    name = encode(command.refname)
    if command.new_oid == ZERO_OID:
        return b"delete %s\0%s\0" % (name, command.old_oid.encode())
    return b"update %s\0%s\0%s\0" % (name, command.new_oid.encode(), command.old_oid.encode())


def state_digest(repository: BareRepository) -> str:
    """A digest of HEAD and of every ref: equal exactly when they are, however git stores them."""
    digest = hashlib.sha256(encode(head(repository)))
    for refname, oid in all_refs(repository).items():
        digest.update(b"\n" + oid.encode() + encode(refname))
    return digest.hexdigest()


@dataclass(frozen=True)
class StoredState:
    """A repository's refs as they lie on disk at one moment.

    Attributes:
        digest: Of the files' contents and times. Two equal ones mean that no ref moved in between, not even there and
            back again; two different ones may come of the same refs, packed meanwhile.
        contents: The files, for `names_all`.
    """

    digest: str
    contents: bytes

    def names_all(self, oids: Collection[bytes]) -> bool:
        """Whether refs name all of these; what a tag peels to is not named by it."""
        return frozenset(line[:40] for line in self.contents.split(b"\n")).issuperset(oids)


def stored_state(repository: BareRepository) -> StoredState:
    """What a cached answer depends on, at the cost of reading the files: a tenth of `state_digest`'s."""
    digest = hashlib.blake2b(digest_size=16)
    raw: list[bytes] = []
    waiting = [repository.path / "refs"]
    while waiting:
        folder = waiting.pop()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
            digest.update(b"\0%d" % folder.stat().st_mtime_ns)
            for entry in sorted(entries, key=lambda one: one.name):
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                else:
                    raw.append(_stamped(path, digest))
    raw += [_stamped(repository.path / name, digest) for name in ("HEAD", "config", "shallow", "packed-refs")]
    return StoredState(digest.hexdigest(), b"\n".join(raw))


def _stamped(path: Path, digest: hashlib.blake2b) -> bytes:
    try:
        with path.open("rb") as file:
            content, mtime = file.read(), os.fstat(file.fileno()).st_mtime_ns
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        content, mtime = b"", 0
    digest.update(b"\0%s\0%d\0%d\0" % (os.fsencode(path.name), mtime, len(content)) + content)
    return content


def decode(raw: bytes) -> str:
    """Git's bytes as text; `encode` gives the same bytes back."""
    return raw.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Text from `decode` as git's bytes."""
    return text.encode("utf-8", "surrogateescape")


def escaped(text: str) -> str:
    r"""Text from `decode` as plain text for a database: bytes that are no UTF-8 become `\xff`.

    No refname has a backslash, so `unescaped` gives the same name back.
    """
    return encode(text).decode("utf-8", "backslashreplace")


def unescaped(text: str) -> str:
    """Text from `escaped` as `decode` gave it."""
    return decode(_ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), encode(text)))


def shown(text: str) -> str:
    r"""Text from `decode` as people may safely see it: odd bytes and characters that hide text as `\xff`, `\u202e`."""
    if text.isprintable():
        return text
    readable = encode(text).decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in readable)


def _under(prefix: str, refs: dict[str, str]) -> list[tuple[str, str]]:
    return [(name.removeprefix(prefix), oid) for name, oid in refs.items() if name.startswith(prefix)]


def _read_loose(repository: BareRepository) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    waiting = [(repository.path / "refs", b"refs/")]
    while waiting:
        folder, prefix = waiting.pop()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + os.fsencode(entry.name)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((Path(entry.path), name + b"/"))
                elif (content := _read_file(Path(entry.path))) is not None:
                    found[name] = content
    return found


def _read_file(path: Path) -> bytes | None:
    try:
        return path.read_bytes().strip()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def _read_packed(repository: BareRepository) -> dict[bytes, bytes]:
    """packed-refs has lines of an oid, a blank and a refname; headers begin with #, the peeled line of a tag with ^."""
    raw = _read_file(repository.path / "packed-refs") or b""
    return {line[41:]: line[:40] for line in raw.split(b"\n") if line[40:41] == b" " and line[:1] not in b"#^"}


def _follow(name: bytes, refs: dict[bytes, bytes]) -> bytes | None:
    for _ in range(MAX_SYMBOLIC_DEPTH):
        content = refs.get(name, b"")
        if not content.startswith(b"ref:"):
            return content if _RAW_OID.fullmatch(content) else None
        name = content.removeprefix(b"ref:").strip()
    return None
