"""Refs: what may be one, which there are, the default branch, and a digest of them all.

Git speaks bytes; here they become text once, losslessly (UTF-8 with surrogate escapes). `shown` makes such text fit to
be printed.

Refs are read from the files that git keeps them in (`ref_files`), since a process to list them costs more than a page
may. All of them together are kept in memory while no file changes; a page that needs one looks up that one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from codeservices.errors import InvalidInput, NotFound
from repos.git import program, ref_files
from repos.git.configuration import INTERNAL_REFS
from repos.git.store import BareRepository

HEADS = "refs/heads/"
TAGS = "refs/tags/"
INTERNAL = f"{INTERNAL_REFS}/"
ZERO_OID = "0" * 40
OID = re.compile(r"[0-9a-f]{40}")
MAX_BRANCH_NAME = 256
MAX_SYMBOLIC_DEPTH = 5  # as git has it
# Loose refs are files: what a path component and a path below the repository may measure on any file system.
MAX_PART_BYTES = 255 - len(".lock")
MAX_REFNAME_BYTES = 1024
# What a process keeps of all repositories together; a ref takes about half a kilobyte of memory.
MAX_KEPT_REFS = 50_000

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|\.$|/$")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
_RAW_OID = re.compile(rb"[0-9a-f]{40}")


class InvalidBranchName(InvalidInput):
    """A branch can't be called that."""

    code = "InvalidBranchNameException"


class BranchMissing(NotFound):
    """There is no such branch."""

    code = "BranchDoesNotExistException"


@dataclass(frozen=True)
class RefCommand:
    """One line of a push: make, move or delete a ref. A zero oid stands for "does not exist"."""

    refname: str
    old_oid: str
    new_oid: str

    @property
    def is_create(self) -> bool:
        return self.old_oid == ZERO_OID and not self.is_delete

    @property
    def is_delete(self) -> bool:
        return self.new_oid == ZERO_OID


def is_valid_refname(refname: str) -> bool:
    """Whether git takes this as a full refname ("refs/heads/main").

    Source: git-check-ref-format(1), rules 1 to 10; and the name must fit a file's path.
    """
    if not refname.startswith("refs/") or refname.count("/") < 2 or _FORBIDDEN.search(refname):
        return False
    raw = encode(refname)
    if len(raw) <= MAX_PART_BYTES:
        return True
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


def all_refs(repository: BareRepository) -> Mapping[str, str]:
    """Every ref but HEAD: refname to oid, in the order of the names' bytes; hidden ones included.

    A symbolic ref has the oid of what it points at. Names and contents that git itself would call broken are left out.
    """
    return _kept.refs_of(repository.path)


def branches(repository: BareRepository) -> list[tuple[str, str]]:
    """(short name, oid of the tip) of every branch, by name."""
    return _under(HEADS, all_refs(repository))


def tags(repository: BareRepository) -> list[tuple[str, str]]:
    """(short name, oid) of every tag, by name; the oid is the tag object's where the tag is annotated."""
    return _under(TAGS, all_refs(repository))


def tip(repository: BareRepository, refname: str) -> str | None:
    """The oid that a full refname has, or None where there is no such ref."""
    with ref_files.Lookup(repository.path) as lookup:
        return _tip(lookup, refname)


def first_tip(repository: BareRepository, refnames: Iterable[str]) -> tuple[str, str] | None:
    """The first of these full refnames that there is, with its oid."""
    with ref_files.Lookup(repository.path) as lookup:
        return next(((name, oid) for name in refnames if (oid := _tip(lookup, name)) is not None), None)


def longest_tip(repository: BareRepository, prefixes: Iterable[str], spec: str) -> tuple[str, str, int] | None:
    """The ref that the longest part of "NAME/and/a/path" names: its refname, its oid, and where in `spec` it ends.

    Args:
        prefixes: What may stand before the name, "refs/heads/" or ""; of equally long names the first one's is meant.
    """
    best: tuple[str, str, int] | None = None
    with ref_files.Lookup(repository.path) as lookup:
        for prefix in prefixes:
            for end in _ends(spec):
                refname = prefix + spec[:end]
                oid = _tip(lookup, refname) if best is None or end > best[2] else None
                if oid is not None:
                    best = (refname, oid, end)
                # No part that is longer can name a ref, then: a path has as many parts as it likes.
                if not lookup.has_below(encode(refname) + b"/"):
                    break
    return best


def _ends(spec: str) -> list[int]:
    """Where a ref's name may end in a text: before each slash, and at its end."""
    reach = spec[: MAX_REFNAME_BYTES + 1]
    ends = [index for index, character in enumerate(reach) if character == "/"]
    return ends if len(spec) > MAX_REFNAME_BYTES else [*ends, len(spec)]


def _tip(lookup: ref_files.Lookup, refname: str) -> str | None:
    for _ in range(MAX_SYMBOLIC_DEPTH):
        content = lookup.content(encode(refname)) if is_valid_refname(refname) else None
        if content is None or not content.startswith(b"ref:"):
            return content.decode() if content is not None and _RAW_OID.fullmatch(content) else None
        refname = decode(content.removeprefix(b"ref:").strip())
    return None


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
    """What a cached answer depends on, at the cost of reading the files: a tenth of what reading the refs costs."""
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


def _under(prefix: str, refs: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name.removeprefix(prefix), oid) for name, oid in refs.items() if name.startswith(prefix)]


class _Kept:
    """The refs of the repositories looked at last, by path, with the files that they came from. Threads share it."""

    def __init__(self, max_refs: int) -> None:
        self._max_refs = max_refs
        self._kept: OrderedDict[Path, tuple[ref_files.Snapshot, Mapping[str, str]]] = OrderedDict()
        self._lock = threading.Lock()

    def refs_of(self, path: Path) -> Mapping[str, str]:
        """As they are now: the files are looked at each time, and read where they changed."""
        with self._lock:
            before = self._kept.get(path)
        snapshot = ref_files.read(path, before[0] if before else None)
        if before is not None and snapshot is before[0]:
            found = before[1]
        else:
            found = MappingProxyType(_resolved(snapshot.contents(), before[1] if before else {}))
        with self._lock:
            self._kept[path] = (snapshot, found)
            self._kept.move_to_end(path)
            while len(self._kept) > 1 and sum(len(refs) for _, refs in self._kept.values()) > self._max_refs:
                self._kept.popitem(last=False)
        return found


_kept = _Kept(MAX_KEPT_REFS)


def _resolved(contents: dict[bytes, bytes], checked: Collection[str]) -> dict[str, str]:
    """Refs by what their files say; names that were checked before need not be again."""
    found: dict[str, str] = {}
    for name in sorted(contents):
        oid = _follow(name, contents)
        if oid is not None and ((refname := decode(name)) in checked or is_valid_refname(refname)):
            found[refname] = oid.decode()
    return found


def _follow(name: bytes, refs: dict[bytes, bytes]) -> bytes | None:
    for _ in range(MAX_SYMBOLIC_DEPTH):
        content = refs.get(name, b"")
        if not content.startswith(b"ref:"):
            return content if _RAW_OID.fullmatch(content) else None
        name = content.removeprefix(b"ref:").strip()
    return None
