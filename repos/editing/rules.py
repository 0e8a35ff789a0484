"""What one commit made here may hold and say, whichever door it comes through.

Source: AWS CodeCommit API Reference, errors of CreateCommit and PutFile; User Guide, "Quotas".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.utils import timezone

from codeservices.errors import InvalidInput, LimitExceeded
from codeservices.iam.principal import Principal
from repos.git import commit, refs
from repos.git.log import Signature
from repos.git.merge import Conflict
from repos.git.tree_change import Change, Copy, Delete, Put

MAX_FILES: Final = 100
MAX_FILE_BYTES: Final = 6 * 1024**2
# All of a commit's new content together: what the API takes, and what the console does.
MAX_API_BYTES: Final = 7 * 1024**2
MAX_CONSOLE_BYTES: Final = 20 * 1024**2
MAX_MESSAGE_BYTES: Final = 256 * 1024
MAX_TOLD_PATHS: Final = 3
MAX_NAME_CHARACTERS: Final = 1024
MAX_EMAIL_CHARACTERS: Final = 256
_ODD_EMAIL: Final = re.compile(r"[<>\s\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Wording:
    """What a commit says of itself; a name or a message left empty is filled in.

    Attributes:
        name: The author's; else the ARN of who asks.
        email: The author's; may be empty.
        message: Else a sentence about the files.
    """

    name: str = ""
    email: str = ""
    message: str = ""

    def person(self, principal: Principal) -> Signature:
        """Who makes the commit, now."""
        return commit.person(self.name or principal.arn, self.email, timezone.now())


SILENT: Final = Wording()


def check_files(changes: Sequence[Change], max_bytes: int) -> None:
    """That a commit has changes, not too many, and brings no more than it may; raises with CodeCommit's codes."""
    if not changes:
        raise InvalidInput(
            "A commit adds, changes or deletes at least one file; none is named.", code="FileEntryRequiredException"
        )
    if len(changes) > MAX_FILES:
        raise LimitExceeded(
            f"One commit made here changes at most {MAX_FILES} files, not {len(changes)}.",
            code="MaximumFileEntriesExceededException",
            hint="Push larger changes with git.",
            status=400,
        )
    total_bytes = 0
    for one in changes:
        if isinstance(one, Put):
            total_bytes += len(one.content)
            check_sizes(one.path, len(one.content), total_bytes, max_bytes)


def check_sizes(path: str, size_bytes: int, total_bytes: int, max_bytes: int) -> None:
    """That neither a file nor all so far are too large; raises FileContentSizeLimitExceededException."""
    if size_bytes > MAX_FILE_BYTES:
        raise _too_large(f"“{refs.shown(path)}” has {size_bytes:,} bytes; a file has at most {MAX_FILE_BYTES:,}")
    if total_bytes > max_bytes:
        raise _too_large(f"The files have {total_bytes:,} bytes together; a commit brings at most {max_bytes:,}")


def _too_large(sentence: str) -> InvalidInput:
    return InvalidInput(
        f"{sentence} here.", code="FileContentSizeLimitExceededException", hint="Push larger ones with git."
    )


def check_wording(wording: Wording) -> None:
    """That name, e-mail and message are none too long, and the e-mail is one; raises with CodeCommit's codes."""
    if len(wording.name) > MAX_NAME_CHARACTERS:
        raise InvalidInput(
            f"A name has at most {MAX_NAME_CHARACTERS:,} characters, not {len(wording.name):,}.",
            code="NameLengthExceededException",
        )
    if len(wording.email) > MAX_EMAIL_CHARACTERS or _ODD_EMAIL.search(wording.email):
        raise InvalidInput(
            f"An e-mail address has at most {MAX_EMAIL_CHARACTERS} characters and neither < nor > nor blanks.",
            code="InvalidEmailException",
        )
    size_bytes = len(wording.message.encode("utf-8", "replace"))
    if size_bytes > MAX_MESSAGE_BYTES:
        raise InvalidInput(
            f"A commit message has at most {MAX_MESSAGE_BYTES:,} bytes here, not {size_bytes:,}.",
            code="CommitMessageLengthExceededException",
        )


def default_message(changes: Sequence[Change]) -> str:
    """What a commit says where nobody says anything, as CodeCommit's console has it: "Edited README.md"."""
    if len(changes) != 1:
        return f"Changed {len(changes)} files"
    change = changes[0]
    name = refs.shown(change.path.rpartition("/")[2])
    match change:
        case Delete():
            return f"Deleted {name}"
        case Copy(is_move=True, source=source):
            old_name = refs.shown(source.rpartition("/")[2])
            if old_name == name:
                return f"Moved {name} to {refs.shown(change.path.rpartition('/')[0])}/"
            return f"Renamed {old_name} to {name}"
        case Copy():
            return f"Added {name}"
        case _:
            return f"Edited {name}"


def told_paths(conflicts: Sequence[Conflict]) -> str:
    """The first paths of conflicts and how many more there are, for a sentence."""
    shown = ", ".join(f"“{refs.shown(one.path)}”" for one in conflicts[:MAX_TOLD_PATHS])
    return shown + (f" and {len(conflicts) - MAX_TOLD_PATHS} more" if len(conflicts) > MAX_TOLD_PATHS else "")
