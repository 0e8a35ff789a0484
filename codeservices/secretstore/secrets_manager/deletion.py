"""Delete secrets with a way back, restore them, and remove those whose way back has ended.

Source: AWS Secrets Manager API Reference, DeleteSecret and RestoreSecret.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from codeservices.errors import NotFound
from codeservices.iam.principal import Principal
from codeservices.secretstore.models import Secret
from codeservices.secretstore.secrets_manager.access import (
    arn_of,
    invalid_parameter,
    invalid_request,
    missing,
    secret_for,
)

MIN_DAYS, MAX_DAYS = 7, 30


def delete_secret(
    principal: Principal, secret_id: str, *, days: int | None = None, force: bool = False
) -> tuple[str, str, datetime]:
    """Mark a secret for deletion in some days (30 unless said), or with `force` remove it now.

    Returns:
        Its ARN, its name, and when it goes.

    Raises:
        NotFound: There is none; with `force` that is no error.
        InvalidInput: The days are out of range, given with `force`, or it is marked already.
    """
    context: dict[str, str] = {}
    if days is not None:
        context["secretsmanager:RecoveryWindowInDays"] = str(days)
    if force:
        context["secretsmanager:ForceDeleteWithoutRecovery"] = "true"
    if days is not None and force:
        raise invalid_parameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
    if days is not None and not MIN_DAYS <= days <= MAX_DAYS:
        raise invalid_parameter(
            f"The RecoveryWindowInDays value must be between {MIN_DAYS} and {MAX_DAYS} days (inclusive)."
        )
    now = timezone.now()
    try:
        secret = secret_for(principal, "secretsmanager:DeleteSecret", secret_id, context, allow_deleted=True)
    except NotFound:
        if not force:
            raise
        return (secret_id if secret_id.startswith("arn:") else arn_of(secret_id)), secret_id, now
    if force:
        Secret.objects.filter(pk=secret.pk).delete()
        return secret.arn, secret.name, now
    purge_at = now + timedelta(days=MAX_DAYS if days is None else days)
    if not Secret.objects.filter(pk=secret.pk, purge_at=None).update(purge_at=purge_at, changed_at=now):
        raise invalid_request(
            "You can't perform this operation on the secret because it was marked for deletion.",
            "Use ForceDeleteWithoutRecovery to remove it now.",
        )
    return secret.arn, secret.name, purge_at


def restore_secret(principal: Principal, secret_id: str) -> Secret:
    """Take back a deletion; one that isn't marked for it stays as it is."""
    secret = secret_for(principal, "secretsmanager:RestoreSecret", secret_id, allow_deleted=True)
    with transaction.atomic():
        locked = Secret.objects.select_for_update().filter(pk=secret.pk).first()
        if locked is None:
            raise missing(secret_id)
        if locked.purge_at is not None:
            locked.purge_at, locked.changed_at = None, timezone.now()
            locked.save(update_fields=["purge_at", "changed_at"])
    return locked


def purge_deleted(now: datetime) -> int:
    """Remove the secrets whose way back has ended by then; how many."""
    with transaction.atomic():
        due = list(Secret.objects.select_for_update().filter(purge_at__lte=now).values_list("pk", flat=True))
        Secret.objects.filter(pk__in=due).delete()
    return len(due)
