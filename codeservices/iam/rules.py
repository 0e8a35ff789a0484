"""What the services of users, groups, roles and policies share: authorizing a row, checking and saving it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from codeservices.errors import AccessDenied, Conflict, InvalidInput
from codeservices.iam import names
from codeservices.iam.authorize import Context, authorize
from codeservices.iam.models import Group, Policy, Role, User
from codeservices.iam.principal import Principal

Taggable = User | Role | Policy


def authorize_row(
    principal: Principal,
    action: str,
    row: User | Group | Role | Policy | None,
    asked_arn: str,
    context: Context | None = None,
) -> None:
    """Decide on the row's own ARN; a denial names the ARN that was asked for, since path and spelling tell of a row."""
    try:
        authorize(principal, action, row.arn if row else asked_arn, context)
    except AccessDenied as denied:
        raise denied.about(asked_arn) from None


def tag_context(tags: dict[str, str]) -> dict[str, str | list[str]]:
    """The condition keys that a request with these tags carries."""
    return {"aws:TagKeys": list(tags), **{f"aws:RequestTag/{key}": value for key, value in tags.items()}}


def clean(row: models.Model) -> None:
    """Raises InvalidInput (ValidationError) where a field breaks a rule of its model."""
    # An inline policy has one owner of three: a column that may be empty is not asked for.
    empty = [each.name for each in row._meta.concrete_fields if each.null and getattr(row, each.attname) is None]
    try:
        row.clean_fields(exclude=["password", *empty])
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages), code="ValidationError") from None


def save_new(row: models.Model, taken: str) -> None:
    """Check and insert a row; raises Conflict (EntityAlreadyExists) with the sentence where its name is taken."""
    clean(row)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise Conflict(taken, code="EntityAlreadyExists") from None


def add_tags(row: Taggable, tags: Mapping[str, str]) -> None:
    """Add tags to those that are there; a key that is there gets the new value."""
    with transaction.atomic():
        locked = type(row).objects.select_for_update().get(pk=row.pk)
        locked.tags = names.check_tags({**locked.tags, **names.check_tags(tags)})
        locked.save(update_fields=["tags"])


def remove_tags(row: Taggable, keys: Iterable[str]) -> None:
    """Remove tags by their keys; one that isn't there is no error."""
    unwanted = set(keys)
    with transaction.atomic():
        locked = type(row).objects.select_for_update().get(pk=row.pk)
        locked.tags = {key: value for key, value in locked.tags.items() if key not in unwanted}
        locked.save(update_fields=["tags"])
