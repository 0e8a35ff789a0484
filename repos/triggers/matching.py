"""Does this ref update match this trigger?

Source: AWS CodeCommit User Guide, "Manage triggers for a repository" (events, branch filters).
"""

from __future__ import annotations

from collections.abc import Collection

ALL, CREATE, UPDATE, DELETE = "all", "createReference", "updateReference", "deleteReference"
EVENTS = (ALL, CREATE, UPDATE, DELETE)
MAX_TRIGGERS = 10
MAX_BRANCHES = 10

_BRANCH_PREFIX = "refs/heads/"


def event_of(old_oid: str, new_oid: str) -> str:
    """createReference, updateReference or deleteReference; an oid of zeros stands for "no ref"."""
    if not old_oid.strip("0"):
        return CREATE
    return UPDATE if new_oid.strip("0") else DELETE


def matches(events: Collection[str], branches: Collection[str], refname: str, old_oid: str, new_oid: str) -> bool:
    """Whether a trigger with these events and branches is to be told of this update.

    Args:
        events: Names of EVENTS; "all" stands for each.
        branches: Short branch names; empty means every branch and tag. A list of branches leaves tags out.
        refname: Full name of the ref that moved.
        old_oid, new_oid: Its tips before and after.
    """
    if ALL not in events and event_of(old_oid, new_oid) not in events:
        return False
    if not branches:
        return refname.startswith((_BRANCH_PREFIX, "refs/tags/"))
    return refname.startswith(_BRANCH_PREFIX) and refname.removeprefix(_BRANCH_PREFIX) in branches
