"""What a page tells of a commit's signature: of which kind it is, and whose key made it.

Whether a signature is good never changes and is remembered; whose the key is, is looked up each time, so that a key
that was deactivated or deleted verifies nothing from then on.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from codeservices.errors import InvalidInput
from codeservices.iam import public_key
from codeservices.iam.models import CredentialStatus, SshPublicKey
from repos.git import objects, signatures
from repos.git.log import Commit
from repos.git.signatures import SshSignature
from repos.models import Repository
from repos.remembered import remembered

State = Literal["verified", "signed", "bad"]


@dataclass(frozen=True)
class Signature:
    """What is shown of a signature: a word, and a sentence on hover."""

    state: State
    word: str
    sentence: str


def of_commits(repository: Repository, commits: Iterable[Commit]) -> dict[str, Signature]:
    """What to show of each signed commit, by its oid. Commits without a signature are left out."""
    found: dict[str, Signature] = {}
    by_ssh: dict[str, SshSignature] = {}
    for commit in commits:
        if commit.signature_kind == "SSH":
            by_ssh[commit.oid] = _checked(repository, commit.oid)
        elif commit.signature_kind:
            found[commit.oid] = _unverified(commit.signature_kind)
    owners = _owners({one.key for one in by_ssh.values() if one.is_good})
    return found | {oid: _told(one, owners.get(one.key, [])) for oid, one in by_ssh.items()}


def _checked(repository: Repository, oid: str) -> SshSignature:
    return remembered(
        repository, "ssh signature", oid, make=lambda: signatures.verify_ssh(objects.read(repository.git, oid)[1])
    )


def _unverified(kind: str) -> Signature:
    if kind == "unknown":
        return Signature("signed", "Signed", "A signature of a kind that this server doesn't know.")
    return Signature("signed", f"Signed ({kind})", f"Signed with {kind}. This server has no keys to verify that with.")


def _told(found: SshSignature, owners: list[str]) -> Signature:
    if found.is_good is False:
        return Signature("bad", "Bad signature", "The SSH signature was not made over this commit by the key it names.")
    if found.is_good is None:
        return Signature(
            "signed", "Signed, not verified", "An SSH key of a type that can't be uploaded here signed it."
        )
    fingerprint = "SHA256:" + base64.b64encode(hashlib.sha256(found.key).digest()).decode().rstrip("=")
    if not owners:
        return Signature(
            "signed", "Signed, key unknown", f"No user has the SSH key that signed it as an active one: {fingerprint}"
        )
    if len(owners) > 1:  # whoever uploads another's public key must not pass for the signer
        return Signature("signed", "Signed, key ambiguous", f"Several users have this SSH key: {fingerprint}")
    return Signature("verified", f"Verified: {owners[0]}", f"Signed with an SSH key of {owners[0]}: {fingerprint}")


def _owners(keys: set[bytes]) -> dict[bytes, list[str]]:
    """The names of the users that have a key as an active one, by the key's bytes; inactive users have none."""
    if not keys:
        return {}
    rows = SshPublicKey.objects.filter(
        fingerprint__in=[_fingerprint(key) for key in keys], status=CredentialStatus.ACTIVE, user__is_active=True
    ).select_related("user")
    found: dict[bytes, list[str]] = {}
    for row in rows:
        try:
            key = base64.b64decode(public_key.parse(row.body).ssh.split(" ")[1])
        except InvalidInput:
            continue
        if key in keys:  # two keys can be made that share an MD5
            found.setdefault(key, []).append(row.user.name)
    return found


def _fingerprint(key: bytes) -> str:
    """As the table has it: the MD5, 16 pairs of hex digits joined by colons."""
    digest = hashlib.md5(key, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, 32, 2))
