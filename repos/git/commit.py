"""A new commit, written by this server.

Objects are written into a draft (store.draft), a quarantine that borrows what the repository has. `seal` makes them one
pack and has git and our own inspection judge it as they judge a push; only then may it be adopted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from dulwich.objects import Commit, ObjectID

from codeservices.errors import InvalidInput, ServiceError
from repos.git import inspection, program, refs
from repos.git.configuration import TOLERATED_DEFECTS
from repos.git.log import Signature
from repos.git.refs import RefCommand
from repos.git.remote_errors import RemoteError
from repos.git.store import BareRepository

# What one commit may bring here, packed; larger ones are pushed.
MAX_PACK_BYTES: Final = 512 * 1024**2
SEAL_SECONDS: Final = 120.0
_DEFECT: Final = re.compile(r"(?:error|fatal|warning): object ([0-9a-f]{40}): (\w+): (.+)")


class ObjectsRefused(InvalidInput):
    """The new objects break a rule that a push is held to."""

    code = "InvalidInputException"


def person(name: str, email: str, at: datetime) -> Signature:
    """Who makes a commit: nothing in the name or the e-mail ends the field or the line.

    Git strips the same characters from the ends of a name (ident.c, "crud").
    """
    name = _plain(name).strip(" .,:;\"\\'") or "nobody"
    return Signature(name, _plain(email).replace(" ", ""), int(at.timestamp()), 0, at)


def message(text: str) -> str:
    """A commit message as git cleans it: line feeds alone, no blanks at the ends of lines, no empty lines around it."""
    lines = [line.rstrip() for line in text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    cleaned = "\n".join(lines).strip("\n")
    return f"{cleaned}\n" if cleaned else ""


def write_commit(
    draft: BareRepository,
    tree_oid: str,
    parent_oids: Sequence[str],
    author: Signature,
    text: str,
    *,
    committer: Signature | None = None,
) -> str:
    """Write a commit; its oid.

    Args:
        author: Also the committer, where none is given.
        text: The message, as `message` cleans it.
    """
    made = Commit()
    made.tree = ObjectID(tree_oid.encode("ascii"))
    made.parents = [ObjectID(oid.encode("ascii")) for oid in parent_oids]
    by = committer or author
    made.author, made.committer = _ident(author), _ident(by)
    made.author_time, made.commit_time = author.timestamp or 0, by.timestamp or 0
    made.author_timezone, made.commit_timezone = author.offset_minutes * 60, by.offset_minutes * 60
    made.message = _encoded(text)
    draft.dulwich.object_store.add_object(made)
    return made.id.decode("ascii")


def seal(draft: BareRepository, command: RefCommand) -> int:
    """Pack what the commit brings and have it judged, as receive-pack does with a push.

    The draft borrows no more objects by itself after this; `store.adopt` is what is left to do.

    Args:
        command: The ref's move from its old tip to the new commit, as which it is judged.

    Returns:
        How many bytes the commit brings.

    Raises:
        ObjectsRefused: An object is malformed, too large, or its links lead nowhere.
    """
    revisions = [command.new_oid, *([] if command.is_create else [f"^{command.old_oid}"])]
    pack = program.run(
        draft,
        ["pack-objects", "--revs", "--local", "--stdout", "--quiet"],
        input="".join(f"{one}\n" for one in revisions).encode("ascii"),
        max_output_bytes=MAX_PACK_BYTES,
        timeout_seconds=SEAL_SECONDS,
    )
    tolerated = ",".join(f"{defect}=ignore" for defect in TOLERATED_DEFECTS)
    try:
        program.run(draft, ["index-pack", "--stdin", f"--strict={tolerated}"], input=pack, timeout_seconds=SEAL_SECONDS)
        inspection.inspect(draft, [command])
    except (program.GitError, RemoteError) as error:
        raise _refused(error) from error
    return len(pack)


def check_connected(repository: BareRepository, oid: str) -> None:
    """That all a commit needs is there, as git asks before it moves a ref; the caller holds `moving_refs`.

    A commit may build on objects that no ref reaches, which upkeep removes when their time has come.

    Raises:
        ObjectsRefused: Something is missing.
    """
    try:
        program.run(
            repository,
            ["rev-list", "--objects", "--quiet", "--not", "--all", "--not", "--end-of-options", oid],
            timeout_seconds=SEAL_SECONDS,
        )
    except program.GitTimeout:
        raise
    except program.GitError as error:
        raise ObjectsRefused(
            "Something that this commit builds on was removed a moment ago, so nothing was committed.",
            hint="It was reached by no branch and no tag; restore it from a clone.",
        ) from error


def _refused(error: ServiceError) -> ServiceError:
    if isinstance(error, RemoteError):
        return ObjectsRefused(error.message)
    defect = _DEFECT.search(error.complaint) if isinstance(error, program.GitError) else None
    if defect is None:
        return error
    return ObjectsRefused(f"Git refuses what this commit brings ({defect[2]}: {refs.shown(defect[3][:200])}).")


def _ident(who: Signature) -> bytes:
    return b"%s <%s>" % (_encoded(who.name), _encoded(who.email))


def _encoded(text: str) -> bytes:
    """As git's bytes; half a character, which JSON can carry, becomes a question mark."""
    try:
        return refs.encode(text)
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _plain(text: str) -> str:
    return "".join(one for one in text if one.isprintable() and one not in "<>").strip()
