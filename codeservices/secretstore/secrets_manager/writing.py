"""Make secrets and change them: values, descriptions, stages, tags.

Source: AWS Secrets Manager API Reference, CreateSecret, PutSecretValue, UpdateSecret, UpdateSecretVersionStage,
TagResource and UntagResource.
"""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Iterable, Mapping

from django.conf import settings
from django.db import IntegrityError, transaction

from codeservices.errors import Conflict, LimitExceeded
from codeservices.iam import rules
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from codeservices.secretstore import tags as tagging
from codeservices.secretstore.models import Secret, SecretVersion
from codeservices.secretstore.secrets_manager import versions
from codeservices.secretstore.secrets_manager.access import (
    arn_of,
    check_name,
    invalid_parameter,
    invalid_request,
    marked_deleted,
    missing,
    secret_for,
)
from codeservices.secretstore.secrets_manager.versions import Content

MAX_SECRETS = 500_000
KEY_ID = "alias/aws/secretsmanager"
_ALPHABET = string.ascii_letters + string.digits


def create_secret(
    principal: Principal,
    name: str,
    content: Content | None = None,
    *,
    version_id: str | None = None,
    description: str = "",
    tags: Mapping[str, str] | None = None,
) -> tuple[Secret, SecretVersion | None]:
    """A new secret, with its first version where it has a value. The same request a second time changes nothing.

    Raises:
        AccessDenied: Of secretsmanager:CreateSecret, or with tags secretsmanager:TagResource.
        Conflict: ResourceExistsException.
        InvalidInput: A value breaks a rule, or the name waits for its deletion.
    """
    tags = dict(tags or {})
    check_name(name)
    context = {"secretsmanager:Name": name, "secretsmanager:Description": description, **tagging.context(tags)}
    authorize(principal, "secretsmanager:CreateSecret", arn_of(name), context)
    if tags:
        authorize(principal, "secretsmanager:TagResource", arn_of(name), tagging.context(tags))
    _checked_tags(tags)
    token = version_id or str(uuid.uuid4())
    try:
        with transaction.atomic():
            there = Secret.objects.select_for_update().filter(name=name).first()
            if there is not None:
                return there, _repeated(there, content, token)
            rules.lock_account()
            if Secret.objects.count() >= MAX_SECRETS:
                raise LimitExceeded(f"This account has {MAX_SECRETS:,} secrets already.", code="LimitExceededException")
            made = Secret.objects.create(
                name=name, suffix=_suffix(), description=description, tags=tags, created_by=principal.arn
            )
            return made, versions.put(made, token, content) if content is not None else None
    except IntegrityError:  # another request made it meanwhile
        raise _exists(name) from None


def _repeated(there: Secret, content: Content | None, token: str) -> SecretVersion:
    """The version that this very request has made before; anything else is a conflict."""
    if there.is_deleted:
        raise invalid_request(
            "You can't create this secret because a secret with this name is already scheduled for deletion."
        )
    version = there.versions.filter(version_id=token).first()
    if version is None or content is None:
        raise _exists(there.name)
    return versions.put(there, token, content)


def _suffix() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(6))


def put_secret_value(
    principal: Principal,
    secret_id: str,
    content: Content | None,
    *,
    version_id: str | None = None,
    stages: Iterable[str] | None = None,
) -> SecretVersion:
    """A new version with these stages, or else as AWSCURRENT."""
    secret = secret_for(principal, "secretsmanager:PutSecretValue", secret_id)
    if content is None:
        raise invalid_request("You must provide either SecretString or SecretBinary.")
    with transaction.atomic():
        locked = _locked(secret)
        return versions.put(
            locked,
            version_id or str(uuid.uuid4()),
            content,
            (versions.CURRENT,) if stages is None else tuple(stages),
        )


def update_secret(
    principal: Principal,
    secret_id: str,
    content: Content | None = None,
    *,
    version_id: str | None = None,
    description: str | None = None,
) -> tuple[Secret, SecretVersion | None]:
    """Change the description, the value (a new AWSCURRENT), or both; what isn't given stays."""
    context = {} if description is None else {"secretsmanager:Description": description}
    secret = secret_for(principal, "secretsmanager:UpdateSecret", secret_id, context)
    with transaction.atomic():
        locked = _locked(secret)
        if description is not None:
            locked.description = description
            locked.save(update_fields=["description"])
        made = None
        if content is not None:
            made = versions.put(locked, version_id or str(uuid.uuid4()), content, may_repeat=False)
        versions.touch(locked)
    return locked, made


def update_version_stage(
    principal: Principal, secret_id: str, stage: str, *, remove_from: str | None = None, move_to: str | None = None
) -> Secret:
    """Move a stage from one version to another, give it to one, or take it from one.

    Raises:
        InvalidInput: It is attached to another version than the request says, or AWSCURRENT would be nobody's.
    """
    context = {"secretsmanager:VersionStage": stage}
    secret = secret_for(principal, "secretsmanager:UpdateSecretVersionStage", secret_id, context)
    with transaction.atomic():
        locked = _locked(secret)
        owner = next((one for one in locked.versions.all() if stage in one.stages), None)
        if remove_from is not None:
            versions.by_id(locked, remove_from)
        if owner is not None and owner.version_id not in (remove_from, move_to):
            raise invalid_parameter(
                f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to "
                f"version {owner.version_id}, so you must explicitly reference that version in RemoveFromVersionId."
            )
        if remove_from is not None and (owner is None or owner.version_id != remove_from):
            raise invalid_parameter(f"The version {remove_from} doesn't have the staging label {stage}.")
        if stage == versions.CURRENT and move_to is None:
            raise invalid_parameter(
                f"You can't remove the staging label {stage} from a version without giving it to another one.",
                "Name that one as MoveToVersionId.",
            )
        versions.move_stage(locked, stage, versions.by_id(locked, move_to) if move_to is not None else None)
        versions.touch(locked)
    return locked


def tag(principal: Principal, secret_id: str, tags: Mapping[str, str]) -> None:
    """Add tags, or give those that are there new values."""
    secret = secret_for(principal, "secretsmanager:TagResource", secret_id, tagging.context(tags))
    tagging.change(secret, missing(secret_id), lambda there: _checked_tags({**there, **tags}))


def untag(principal: Principal, secret_id: str, keys: Iterable[str]) -> None:
    """Remove tags by their keys; one that isn't there is no error."""
    unwanted = sorted(set(keys))
    secret = secret_for(principal, "secretsmanager:UntagResource", secret_id, {"aws:TagKeys": unwanted})
    tagging.check_not_system(unwanted, "InvalidParameterException")
    tagging.change(secret, missing(secret_id), lambda there: tagging.without(there, unwanted))


def check_key(key_id: str | None) -> None:
    """Raises where a request names an encryption key that isn't the only one there is."""
    own = ("", KEY_ID, f"arn:aws:kms:{settings.REGION}:{settings.ACCOUNT_ID}:{KEY_ID}")
    if key_id is not None and key_id not in own:
        raise invalid_parameter(
            f"There is no encryption key “{key_id[:100]}”, as this server has no key service.",
            f"Leave KmsKeyId out, or say {KEY_ID}.",
        )


def _locked(secret: Secret) -> Secret:
    locked = Secret.objects.select_for_update().filter(pk=secret.pk).first()
    if locked is None:
        raise missing(secret.name)
    if locked.is_deleted:
        raise marked_deleted()
    return locked


def _checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    return tagging.check(tags, "InvalidParameterException", "InvalidParameterException")


def _exists(name: str) -> Conflict:
    return Conflict(f"The operation failed because the secret {name} already exists.", code="ResourceExistsException")
