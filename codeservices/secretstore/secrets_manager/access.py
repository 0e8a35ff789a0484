"""Fetch and authorize secrets, or raise. A secret is named by its name, its ARN, or its ARN without the six characters.

Source: AWS Secrets Manager User Guide, "Finding a secret from a partial ARN" and "Permissions policy examples";
Service Authorization Reference, "Condition keys for AWS Secrets Manager".
"""

from __future__ import annotations

import re

from django.conf import settings

from codeservices.errors import AccessDenied, InvalidInput, NotFound
from codeservices.iam import arn, resource_tags
from codeservices.iam.authorize import Context, authorize
from codeservices.iam.principal import Principal
from codeservices.secretstore.models import Secret

MAX_NAME_CHARACTERS = 512
# What a policy's "secret:NAME-??????" matches, and "secret:NAME-*": the ARN of a secret that has no suffix (yet).
NO_SUFFIX = "??????"
_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]+")
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}")


def invalid_parameter(sentence: str, hint: str = "") -> InvalidInput:
    """A refusal with the code InvalidParameterException."""
    return InvalidInput(sentence, code="InvalidParameterException", hint=hint)


def invalid_request(sentence: str, hint: str = "") -> InvalidInput:
    """A refusal with the code InvalidRequestException: the secret's state does not allow it."""
    return InvalidInput(sentence, code="InvalidRequestException", hint=hint)


def arn_of(name: str) -> str:
    """The ARN that decides about a secret which doesn't exist."""
    return arn.secret_arn(settings.REGION, settings.ACCOUNT_ID, name, NO_SUFFIX)


def check_name(name: str) -> None:
    """Raises InvalidInput where no secret can have that name."""
    if not _NAME.fullmatch(name) or any(part in (".", "..") for part in name.split("/")):
        raise InvalidInput(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
            code="ValidationException",
            hint="On this server no “!”, which is kept for other services, and no part of it is “.” or “..”.",
        )


def find(secret_id: str) -> Secret | None:
    """The secret that a SecretId names; decides nothing.

    Raises:
        InvalidInput: It is the ARN of something else.
    """
    if not secret_id.startswith("arn:"):
        return Secret.objects.filter(name=secret_id).first()
    named = _named(secret_id)
    name, suffix = named[:-7], named[-6:]
    if _SUFFIX.fullmatch(named[-7:]):
        found = Secret.objects.filter(name=name, suffix=suffix).first()
        if found is not None:
            return found
    return Secret.objects.filter(name=named).first()


def _named(secret_arn: str) -> str:
    parts = secret_arn.split(":", 6)
    is_ours = len(parts) == 7 and parts[2] == "secretsmanager" and parts[4] == settings.ACCOUNT_ID
    if not is_ours or parts[5] != "secret" or not parts[6]:
        raise invalid_parameter(
            f"Invalid ARN: “{secret_arn[:200]}” is not the ARN of a secret here.", f"They look like {arn_of('NAME')}."
        )
    return parts[6]


def tags_of_arn(resource: str) -> dict[str, str]:
    """The tags of the secret with that ARN, for conditions of policies; none where there is none."""
    named = arn.parse(resource).resource.removeprefix("secret:")
    rows = Secret.objects.filter(name=named[:-7], suffix=named[-6:])
    return dict(rows.values_list("tags", flat=True).first() or {})


def secret_for(
    principal: Principal,
    action: str,
    secret_id: str,
    context: Context | None = None,
    *,
    allow_deleted: bool = False,
) -> Secret:
    """Authorize the action on the secret's ARN and tags, then give it.

    Args:
        allow_deleted: Whether one that is marked for deletion will do.

    Raises:
        AccessDenied: Also for one that does not exist; it names the secret as it was asked for, as the suffix would
            tell that there is one.
        NotFound: There is no such secret; told only to those who may ask.
        InvalidInput: InvalidRequestException, it is marked for deletion.
    """
    found = find(secret_id)
    asked = secret_id if secret_id.startswith("arn:") else arn_of(secret_id)
    if found is not None:
        resource_tags.remember(found.arn, found.tags)
    keys = {"secretsmanager:SecretId": secret_id, **(context or {})}
    try:
        authorize(principal, action, found.arn if found is not None else asked, keys)
    except AccessDenied as denied:
        raise denied.about(asked) from None
    if found is None:
        raise missing(secret_id)
    if found.is_deleted and not allow_deleted:
        raise marked_deleted()
    return found


def missing(secret_id: str) -> NotFound:
    """The refusal of a secret that does not exist."""
    return NotFound(
        "Secrets Manager can't find the specified secret.",
        code="ResourceNotFoundException",
        hint=f"None is called {secret_id[:200]}.",
    )


def marked_deleted() -> InvalidInput:
    """The refusal of a secret that waits for its deletion."""
    return invalid_request(
        "You can't perform this operation on the secret because it was marked for deletion.", "Restore it first."
    )
