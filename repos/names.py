"""The rule of repository names, shared by console, API and git.

Source: AWS CodeCommit User Guide, "Quotas" (repository names), and the API model's pattern for RepositoryName.
"""

from __future__ import annotations

import re

from codeservices.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
# "new" is a page of the console; "." and ".." are no path segments.
RESERVED_NAMES = frozenset({".", "..", "new"})
MAX_DESCRIPTION_CHARACTERS = 1000


class RepositoryNameRequired(InvalidInput):
    """No name was given."""

    code = "RepositoryNameRequiredException"


class InvalidRepositoryName(InvalidInput):
    """The name breaks CodeCommit's rules."""

    code = "InvalidRepositoryNameException"


class InvalidRepositoryDescription(InvalidInput):
    """The description breaks CodeCommit's rules."""

    code = "InvalidRepositoryDescriptionException"


def check_name(name: str) -> str:
    """The name itself; raises where it breaks a rule, saying which."""
    if not name:
        raise RepositoryNameRequired("A repository name is required.")
    if len(name) > 100:
        raise InvalidRepositoryName(f"A repository name has at most 100 characters, not {len(name)}.")
    if not _NAME.fullmatch(name):
        wrong = next(character for character in name if not _NAME.fullmatch(character))
        raise InvalidRepositoryName(
            f"A repository name has letters, digits, dots, dashes and underscores only; “{wrong}” is none of them."
        )
    if name.lower().endswith(".git"):
        raise InvalidRepositoryName("A repository name does not end in .git.")
    if name in RESERVED_NAMES:
        raise InvalidRepositoryName(f"“{name}” can't be a repository's name.")
    return name


def check_description(description: str) -> str:
    """The description itself; raises where it is too long."""
    if len(description) > MAX_DESCRIPTION_CHARACTERS:
        raise InvalidRepositoryDescription(
            f"A description has at most {MAX_DESCRIPTION_CHARACTERS} characters, not {len(description)}."
        )
    return description
