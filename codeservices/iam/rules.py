"""What the services of users, groups, roles and policies share: authorizing a row, locking, checking and saving it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from codeservices.errors import AccessDenied, Conflict, InvalidInput, LimitExceeded, NotFound
from codeservices.iam import arn, names, resource_tags
from codeservices.iam.authorize import Context, authorize
from codeservices.iam.models import Group, Policy, Role, User
from codeservices.iam.principal import Principal

Taggable = User | Role | Policy
Row = TypeVar("Row", bound=models.Model)


def authorize_row(
    principal: Principal,
    action: str,
    row: User | Group | Role | Policy | None,
    asked_arn: str,
    context: Context | None = None,
) -> None:
    """Decide on the row's own ARN and tags; a denial names the ARN that was asked for.

    The path and the spelling in the row's own ARN would tell that there is a row.
    """
    if row is not None:
        resource_tags.remember(row.arn, getattr(row, "tags", {}))  # groups carry none
    try:
        authorize(principal, action, row.arn if row else asked_arn, context)
    except AccessDenied as denied:
        raise denied.about(asked_arn) from None


def tags_of_arn(resource: str) -> dict[str, str]:
    """The tags of the user, role or policy with that ARN, for conditions of policies; none where there is none."""
    kind, _, path_and_name = arn.parse(resource).resource.partition("/")
    models_by_kind: dict[str, type[Taggable]] = {"user": User, "role": Role, "policy": Policy}
    if kind not in models_by_kind:
        return {}
    rows = models_by_kind[kind]._default_manager.filter(name__iexact=path_and_name.rpartition("/")[2])
    return next((dict(row.tags) for row in rows if row.arn == resource), {})


def tag_context(tags: Mapping[str, str]) -> dict[str, str | list[str]]:
    """The condition keys that a request with these tags carries."""
    return {"aws:TagKeys": list(tags), **{f"aws:RequestTag/{key}": value for key, value in tags.items()}}


# ---- locks -----------------------------------------------------------------------------------------------------------


def lock(row: Row) -> Row:
    """The row as it is now, held until the transaction ends; raises NotFound where it was removed meanwhile."""
    locked = type(row)._default_manager.select_for_update().filter(pk=row.pk).first()
    if locked is None:
        raise NotFound(f"The {row._meta.verbose_name} with name {row} cannot be found.", code="NoSuchEntity")
    return locked


def lock_account() -> None:
    """Hold the account until the transaction ends, so that two calls can't both take the last place of its quotas.

    An account has no row of its own; the policy that every installation has and nobody can change stands for it.
    """
    Policy.objects.select_for_update(no_key=True).filter(is_aws_managed=True, name="AdministratorAccess").first()


# ---- saving ----------------------------------------------------------------------------------------------------------


def clean(row: models.Model) -> None:
    """Raises InvalidInput (ValidationError) where a field breaks a rule of its model."""
    name = getattr(row, "name", "")
    if not name.isascii():
        # \w in the model's pattern knows the letters of every script; IAM's, and a git user name's, are ASCII's.
        raise InvalidInput(f"“{name}” is no name: its letters must be those of ASCII, a to z.", code="ValidationError")
    owners = [field.name for field in row._meta.fields if field.is_relation]
    try:
        row.clean_fields(exclude=["password", *owners])
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages), code="ValidationError") from None


def save_new(row: models.Model, taken: str) -> None:
    """Check and insert a row; raises Conflict (EntityAlreadyExists) with the sentence where its name is taken."""
    _save(row, taken, None)


def save_one_more(row: models.Model, others: models.QuerySet[Any], most: int, taken: str) -> None:
    """As `save_new`, where the account has fewer than so many others; raises LimitExceeded where it has them."""
    with transaction.atomic():
        lock_account()
        if others.count() >= most:
            kinds = row._meta.verbose_name_plural
            raise LimitExceeded(f"This account has {most} {kinds} already.", code="LimitExceeded")
        save_new(row, taken)


def save_changed(row: models.Model, taken: str, fields: Iterable[str]) -> None:
    """Check a row and write only these fields of it; raises Conflict (EntityAlreadyExists) as `save_new` does."""
    _save(row, taken, list(fields))


def _save(row: models.Model, taken: str, fields: list[str] | None) -> None:
    clean(row)
    try:
        with transaction.atomic():
            row.save(update_fields=fields)
    except IntegrityError:
        raise Conflict(taken, code="EntityAlreadyExists") from None


# ---- tags ------------------------------------------------------------------------------------------------------------


def add_tags(row: Taggable, tags: Mapping[str, str]) -> None:
    """Add tags to those that are there; a key that is there, in any case, gets the new value and spelling."""
    given = names.check_tags(tags)
    with transaction.atomic():
        locked = lock(row)
        locked.tags = names.check_tags({**_without(locked.tags, given), **given})
        locked.save(update_fields=["tags"])


def remove_tags(row: Taggable, keys: Iterable[str]) -> None:
    """Remove tags by their keys in any case; one that isn't there is no error."""
    with transaction.atomic():
        locked = lock(row)
        locked.tags = _without(locked.tags, keys)
        locked.save(update_fields=["tags"])


def _without(tags: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    folded = {key.casefold() for key in keys}
    return {key: value for key, value in tags.items() if key.casefold() not in folded}
