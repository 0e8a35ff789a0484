"""What a push brought, judged before a ref moves: a program of its own, which git runs as its pre-receive hook.

Git has by then unpacked the objects into a quarantine, checked each (fsck) and that none is missing; a refusal here
throws the quarantine away. Nothing is imported but what Python has loaded anyway: each push pays for the start, and
`subprocess` alone would double it.

Source: githooks(5), pre-receive; git-receive-pack(1), "Quarantine environment"; CodeCommit User Guide, "Quotas".
"""

from __future__ import annotations

import _thread  # `threading` would have to be read from disk
import os
import sys
from collections.abc import Iterator, Mapping, Sequence

MAX_BLOB_BYTES = 2 * 1024**3
MAX_METADATA_BYTES = 6 * 1024**2  # one commit, tag or tree
MAX_PATH_BYTES = 4096
# Trees that contain each other's entries many times over name more paths than anybody could check.
MAX_PATHS = 50_000_000
MAX_TOLD = 5

# How a refusal begins, so that the server can tell it from git's own words.
REFUSED = "Refused: "

_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_ZERO = "0" * 40
_READ_BYTES = 1024 * 1024


class Refused(Exception):
    """The push is not taken; the message holds the sentences for the person."""


def check(moves: Sequence[tuple[str, str]]) -> None:
    """Judge the objects in quarantine and the trees of the refs that are to move.

    Args:
        moves: The old and the new oid of each ref; forty zeros stand for "does not exist".

    Raises:
        Refused: An object is too large, or a path too long.
    """
    kept = [(old, new) for old, new in moves if new != _ZERO]
    errors: list[BaseException] = []
    is_over = _thread.allocate_lock()
    is_over.acquire()

    def check_sizes() -> None:
        try:
            _check_sizes([new for _, new in kept])
        except BaseException as error:
            errors.append(error)
        finally:
            is_over.release()

    # Both wait for git, so a push takes as long as the slower one. Of two faults the size is told: an object that can't
    # be read is one, and it makes the paths fail as well.
    _thread.start_new_thread(check_sizes, ())
    try:
        _check_paths(kept)
    finally:
        is_over.acquire()
        if errors:
            raise errors[0]


def _check_sizes(new_oids: Sequence[str]) -> None:
    # Without the alternates git lists what lies in the quarantine and nothing of the repository itself.
    own = {name: value for name, value in os.environ.items() if name != "GIT_ALTERNATE_OBJECT_DIRECTORIES"}
    sizes = ["cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectsize) %(objectname)"]
    # A size of more digits makes a longer line, which spares reading the numbers of a hundred thousand small objects.
    # Long is also what git says of an object that it can't read.
    shortest = min(len(f"{most} {_ZERO}") for most in (MAX_METADATA_BYTES, MAX_BLOB_BYTES))
    shortest = min(shortest, len(f"{_ZERO} missing"))
    suspects = [line for line in _lines(sizes, environment=own) if len(line) >= shortest]
    if not suspects:
        return
    oids = b"".join(line.split(b" ")[0 if line.endswith(b" missing") else 1] + b"\n" for line in suspects)
    faults: dict[str, str] = {}
    for line in _lines(["cat-file", "--batch-check=%(objecttype) %(objectsize) %(objectname)"], given=oids):
        if line.endswith(b" missing"):
            raise Refused(f"Object {line[:40].decode()} of this push can't be read.")
        kind, size, oid = line.split(b" ")
        is_blob = kind == b"blob"
        most = MAX_BLOB_BYTES if is_blob else MAX_METADATA_BYTES
        if int(size) > most:
            noun = "a file" if is_blob else "a commit, a tag or a folder"
            name = f"{kind.decode()} {oid.decode()}"
            faults[oid.decode()] = f"The {name}{{}} has {int(size):,} bytes; {noun} has at most {most:,}."
    if not faults:
        return
    told = list(faults)[:MAX_TOLD]
    paths = _paths_of(told, new_oids)
    sentences = [faults[oid].format(f" ({paths[oid]})" if oid in paths else "") for oid in told]
    if len(faults) > MAX_TOLD:
        sentences.append(f"And {len(faults) - MAX_TOLD} more objects are too large.")
    raise Refused(
        "\n".join([*sentences, "Take them out of every commit that has them, with “git rebase -i” or git-filter-repo."])
    )


def _paths_of(oids: Sequence[str], new_oids: Sequence[str]) -> dict[str, str]:
    """Where the objects lie, as the first commit with them has it; those at no path are left out."""
    walk = ["rev-list", "--objects", "--stdin", "--not", "--all"]
    rows = (line.partition(b" ") for line in _lines(walk, given="".join(f"{oid}\n" for oid in new_oids).encode()))
    return {oid.decode(): _shown(path) for oid, _, path in rows if path and oid.decode() in oids}


def _check_paths(moves: Sequence[tuple[str, str]]) -> None:
    """Look at each path in which a new tip differs from the ref's old one, or from a tip that was looked at before."""
    wanted = dict.fromkeys(["HEAD", *(oid for move in moves for oid in move)])
    trees = _trees_of(list(wanted))
    before = trees.get("HEAD", _EMPTY_TREE)
    pairs: dict[str, None] = {}
    for old, new in moves:
        if new not in trees:  # a tag of something that has no paths
            continue
        pairs[f"{trees.get(old, before)} {trees[new]}\n"] = None
        before = trees[new]
    given = "".join(pairs).encode()
    walk = ["diff-tree", "--stdin", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=d"]
    for count, path in enumerate(_lines(walk, given=given, separator=b"\0")):
        if len(path) > MAX_PATH_BYTES:
            # The names of the two trees stand before the first path of a pair, on a line of their own.
            while path[40:41] == b" " and path[81:82] == b"\n":
                path = path[82:]
            if len(path) > MAX_PATH_BYTES:
                raise Refused(
                    f"The path {_shown(path[:60])}… has {len(path):,} bytes; a path has at most {MAX_PATH_BYTES:,}.\n"
                    "Give its folders shorter names and push again."
                )
        if count >= MAX_PATHS:
            raise Refused(f"The trees of this push name more than {MAX_PATHS:,} paths, too many to check.")


def _trees_of(revisions: Sequence[str]) -> dict[str, str]:
    """The tree of each commit or tag, by what it was asked as; those without one are left out."""
    given = "".join(f"{revision}^{{tree}}\n" for revision in revisions).encode()
    answers = _lines(["cat-file", "--batch-check=%(objectname)"], given=given)
    pairs = zip(revisions, answers, strict=True)
    return {revision: oid.decode() for revision, oid in pairs if not oid.endswith(b" missing")}


def _lines(
    args: Sequence[str], *, given: bytes = b"", separator: bytes = b"\n", environment: Mapping[str, str] = os.environ
) -> Iterator[bytes]:
    """The lines that a git command says, without their separator; raises Refused where it fails."""
    stdin = os.memfd_create("given")
    reading, writing = os.pipe()
    try:
        os.pwrite(stdin, given, 0)
        nothing = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        actions = [(os.POSIX_SPAWN_DUP2, stdin, 0), (os.POSIX_SPAWN_DUP2, writing, 1), nothing]
        pid = os.posix_spawnp("git", ["git", *args], environment, file_actions=actions)
    finally:
        os.close(stdin)
        os.close(writing)
    try:
        begun = b""
        while piece := os.read(reading, _READ_BYTES):
            *lines, begun = (begun + piece).split(separator)
            yield from lines
        if begun:
            yield begun
    finally:
        os.close(reading)  # one that still writes is ended by that
        _, status = os.waitpid(pid, 0)
    if status:
        raise Refused(f"The objects of this push can't be checked: git {args[0]} ended with status {status}.")


def _shown(path: bytes) -> str:
    text = path.decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def main(given: bytes) -> int:
    """Judge what git gives to the hook, a line of "OLD NEW REFNAME" for each ref; the exit code that git wants."""
    rows = [line.split(b" ", 2) for line in given.split(b"\n") if line]
    told = ""
    try:
        check([(old.decode(), new.decode()) for old, new, _ in rows])
    except Refused as error:
        told = str(error)
    except OSError as error:  # no memory, no process to be had
        told = f"The objects of this push can't be checked right now: {error.strerror}."
    for line in [*f"{REFUSED}{told}".split("\n"), "Nothing of this push was applied."] if told else []:
        os.write(2, line.encode("utf-8", "backslashreplace") + b"\n")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer.read()))
