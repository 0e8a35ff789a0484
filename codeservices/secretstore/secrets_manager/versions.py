"""The versions of a secret and their stages: which value is AWSCURRENT, which AWSPREVIOUS, which is on its way.

Every function here is called with the secret's row locked. Source: AWS Secrets Manager User Guide, "Secret versions";
API Reference, PutSecretValue and UpdateSecretVersionStage.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils import timezone

from codeservices.errors import Conflict, LimitExceeded, NotFound
from codeservices.secretstore import sealing
from codeservices.secretstore.models import Secret, SecretVersion
from codeservices.secretstore.secrets_manager.access import invalid_parameter, invalid_request

CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
MAX_BYTES = 65_536
MAX_STAGES = 20
# AWS Secrets Manager User Guide, "Quotas": about 100 versions are kept, and all of the last 24 hours.
KEPT_VERSIONS = 100
KEPT_FOR = timedelta(hours=24)
MAX_VERSIONS = 1000


@dataclass(frozen=True)
class Content:
    """A value as a request gives it: text or bytes."""

    data: bytes = field(repr=False)
    is_binary: bool = False

    @classmethod
    def of(cls, text: str | None, binary: bytes | None) -> Content | None:
        """The one of the two that is given, or None.

        Raises:
            InvalidInput: Both are given, or it is empty or too large.
        """
        if text is not None and binary is not None:
            raise invalid_parameter(
                "You can't specify both a binary secret value and a string secret value in the same secret."
            )
        if text is None and binary is None:
            return None
        data = text.encode() if text is not None else (binary or b"")
        if not 1 <= len(data) <= MAX_BYTES:
            raise invalid_parameter(f"A secret's value has 1 to {MAX_BYTES:,} bytes, not {len(data):,}.")
        return cls(data, is_binary=text is None)


def content_of(version: SecretVersion) -> Content:
    """What a version holds; raises ServiceError DecryptionFailure."""
    return Content(sealing.unseal(version.sealed_value, _owner(version.secret, version.version_id)), version.is_binary)


def resealed(version: SecretVersion) -> str | None:
    """The value encrypted with the key that encrypts now; None where it is already. Raises ServiceError."""
    return sealing.reseal(version.sealed_value, _owner(version.secret, version.version_id))


def _owner(secret: Secret, version_id: str) -> str:
    return f"secretsmanager:{secret.name}:{version_id}"


def put(
    secret: Secret, version_id: str, content: Content, stages: Iterable[str] = (CURRENT,), *, may_repeat: bool = True
) -> SecretVersion:
    """A new version with these stages, which others lose. A secret's first version is AWSCURRENT whatever was asked.

    Args:
        version_id: The request's token: asked a second time with the same value, nothing happens.
        may_repeat: False where a second time is refused.

    Raises:
        Conflict: ResourceExistsException, there is a version of that id with another value.
    """
    there = secret.versions.filter(version_id=version_id).first()
    if there is not None:
        _check_same(there, content, may_repeat=may_repeat)
        return there
    _prune(secret)
    is_first = not secret.versions.exists()
    made = SecretVersion(secret=secret, version_id=version_id, is_binary=content.is_binary, stages=[])
    made.sealed_value = sealing.seal(content.data, _owner(secret, version_id))
    made.save(force_insert=True)
    for stage in dict.fromkeys([*([CURRENT] if is_first else []), *stages]):
        move_stage(secret, stage, made)
    touch(secret)
    made.refresh_from_db(fields=["stages"])
    return made


def _check_same(there: SecretVersion, content: Content, *, may_repeat: bool) -> None:
    old = content_of(there)
    is_same = old.is_binary == content.is_binary and hmac.compare_digest(old.data, content.data)
    if may_repeat and is_same:
        return
    raise Conflict(
        "You can't modify an existing version, you can only create a new version.",
        code="ResourceExistsException",
        hint=f"There is a version {there.version_id}: give another ClientRequestToken, or none.",
    )


def move_stage(secret: Secret, stage: str, target: SecretVersion | None) -> None:
    """Give a stage to a version, or to none; with AWSCURRENT, AWSPREVIOUS goes to the version that had it before."""
    rows = list(secret.versions.defer("sealed_value"))
    before = next((row for row in rows if stage in row.stages), None)
    if before == target:
        return
    owners = {stage: target}
    if stage == CURRENT and before is not None:
        owners[PREVIOUS] = before
    for row in rows:
        kept = [one for one in row.stages if one not in owners or owners[one] == row]
        _set(row, kept + [one for one, owner in owners.items() if owner == row and one not in kept])


def touch(secret: Secret) -> None:
    """The secret has just changed."""
    secret.changed_at = timezone.now()
    secret.save(update_fields=["changed_at"])


def choose(secret: Secret, version_id: str = "", stage: str = "") -> SecretVersion:
    """The version with that id, that stage or, with neither, AWSCURRENT.

    Raises:
        NotFound: There is none.
        InvalidInput: InvalidRequestException, the version doesn't have the stage.
    """
    versions = secret.versions.select_related("secret")
    if version_id:
        found = versions.filter(version_id=version_id).first()
        if found is None:
            raise _no_value(f"VersionId: {version_id}")
        if stage and stage not in found.stages:
            raise invalid_request("You provided a VersionStage that is not associated to the provided VersionId.")
        return found
    stage = stage or CURRENT
    staged = next((one for one in versions if stage in one.stages), None)
    if staged is None:
        raise _no_value(f"staging label: {stage}")
    return staged


def by_id(secret: Secret, version_id: str) -> SecretVersion:
    """The version with that id, which a request says there is."""
    found = secret.versions.filter(version_id=version_id).first()
    if found is None:
        raise invalid_parameter(f"The secret {secret.name} has no version {version_id[:64]}.")
    return found


def _no_value(what: str) -> NotFound:
    return NotFound(
        f"Secrets Manager can't find the specified secret value for {what}", code="ResourceNotFoundException"
    )


def _set(version: SecretVersion, stages: list[str]) -> None:
    if stages == version.stages:
        return
    if len(stages) > MAX_STAGES:
        raise LimitExceeded(f"A version has at most {MAX_STAGES} staging labels.", code="LimitExceededException")
    version.stages = stages
    version.save(update_fields=["stages"])


def _prune(secret: Secret) -> None:
    """Remove deprecated versions that are old and more than are kept; refuse where even so there are too many."""
    rows = list(secret.versions.order_by("pk"))
    surplus = len(rows) - KEPT_VERSIONS + 1
    before = timezone.now() - KEPT_FOR
    for row in [one for one in rows if not one.stages and one.created_at < before][: max(0, surplus)]:
        row.delete()
        surplus -= 1
    if surplus + KEPT_VERSIONS > MAX_VERSIONS:
        raise LimitExceeded(
            f"The secret {secret.name} has {MAX_VERSIONS} versions of the last 24 hours.",
            code="LimitExceededException",
            hint="Versions without a staging label are removed after 24 hours.",
        )
