"""Unique ids as IAM makes them: a four-letter prefix that tells the kind, then upper-case base 32.

Source: IAM User Guide, "IAM identifiers", unique ID prefixes.
"""

from __future__ import annotations

import secrets

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

USER, GROUP, ROLE, POLICY = "AIDA", "AGPA", "AROA", "ANPA"
ACCESS_KEY, TEMPORARY_KEY = "AKIA", "ASIA"
GIT_CREDENTIAL, SSH_KEY = "ACCA", "APKA"


def new_id(prefix: str, length: int = 21) -> str:
    """A fresh id of `length` characters in all; 17 random ones carry 85 bits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length - len(prefix)))


def new_user_id() -> str:
    return new_id(USER)


def new_group_id() -> str:
    return new_id(GROUP)


def new_role_id() -> str:
    return new_id(ROLE)


def new_policy_id() -> str:
    return new_id(POLICY)


def new_access_key_id() -> str:
    return new_id(ACCESS_KEY, 20)


def new_temporary_key_id() -> str:
    return new_id(TEMPORARY_KEY, 20)


def new_git_credential_id() -> str:
    return new_id(GIT_CREDENTIAL)


def new_ssh_key_id() -> str:
    return new_id(SSH_KEY)
