"""Put and delete parameters.

Source: AWS Systems Manager API Reference, PutParameter, DeleteParameter and DeleteParameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction
from django.utils import timezone

from codeservices.errors import Conflict, InvalidInput, LimitExceeded
from codeservices.iam import resource_tags, rules
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from codeservices.secretstore import tags as tagging
from codeservices.secretstore.models import Parameter, ParameterType, ParameterVersion
from codeservices.secretstore.parameters import names, values
from codeservices.secretstore.parameters.access import (
    arn_of,
    current_versions,
    find,
    missing,
    parameter_for,
    referred,
)
from codeservices.secretstore.parameters.names import refused

MAX_VERSIONS = 100  # AWS Systems Manager User Guide, "Working with parameter versions"
MAX_NAMES = 10


@dataclass(frozen=True)
class Wanted:
    """A parameter as PutParameter asks for it; None leaves what is there, or the default."""

    name: str
    value: str = field(repr=False)
    type: str | None = None
    description: str | None = None
    allowed_pattern: str | None = None
    data_type: str | None = None
    tier: str | None = None
    key_id: str | None = None
    policies: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    overwrite: bool = False


def put_parameter(principal: Principal, wanted: Wanted) -> ParameterVersion:
    """Make a parameter, or a new version of one that is there where `overwrite` says so.

    Raises:
        AccessDenied: Of ssm:PutParameter, or with tags ssm:AddTagsToResource.
        InvalidInput: A value breaks a rule.
        Conflict: ParameterAlreadyExists.
        LimitExceeded: There are too many, or the oldest version can't make room.
    """
    name = names.check(wanted.name)
    found = find(referred(name))
    if found is not None:
        resource_tags.remember(found.arn, found.tags)
    context = {"ssm:Overwrite": "true" if wanted.overwrite else "false", **tagging.context(wanted.tags)}
    authorize(principal, "ssm:PutParameter", arn_of(name), context)
    if wanted.tags:
        authorize(principal, "ssm:AddTagsToResource", arn_of(name), tagging.context(wanted.tags))
    _check_request(wanted)
    try:
        with transaction.atomic():
            return _put(principal, name, wanted)
    except IntegrityError:  # another request made it meanwhile
        raise _exists(name) from None


def _check_request(wanted: Wanted) -> None:
    if wanted.policies and wanted.policies.strip() not in ("[]", "[{}]"):
        raise InvalidInput(
            "Parameter policies are not available on this server.",
            code="InvalidPolicyTypeException",
            hint="Leave Policies out: parameters here neither expire nor notify.",
        )
    if wanted.tags and wanted.overwrite:
        raise refused(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please "
            "remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or "
            "RemoveTagsFromResource."
        )
    tagging.check(wanted.tags, "ValidationException", "TooManyTagsError")


def _put(principal: Principal, name: str, wanted: Wanted) -> ParameterVersion:
    resource_name = name.removeprefix("/")
    parameter = Parameter.objects.select_for_update().filter(resource_name=resource_name).first()
    before = parameter.versions.get(number=parameter.version) if parameter is not None else None
    if parameter is not None and parameter.name != name:
        raise Conflict(
            f"The parameter {parameter.name} already has the ARN that {name} would have.", code="ParameterAlreadyExists"
        )
    if parameter is not None and not wanted.overwrite:
        raise _exists(name)
    made = _version(name, wanted, before)
    values.check(wanted.value, made.data_type, made.allowed_pattern)
    if parameter is None or before is None:
        rules.lock_account()
        _check_room(made.tier)
        parameter = Parameter.objects.create(name=name, resource_name=resource_name, tags=dict(wanted.tags))
    else:
        if made.tier != before.tier:
            rules.lock_account()
            _check_room(made.tier)
        _drop_oldest(parameter)
        parameter.version = before.number + 1
        parameter.save(update_fields=["version"])
    made.parameter, made.number = parameter, parameter.version
    made.sealed_value = values.seal(name, made.number, wanted.value)
    made.modified_by, made.modified_at = principal.arn, timezone.now()
    made.save(force_insert=True)
    return made


def _version(name: str, wanted: Wanted, before: ParameterVersion | None) -> ParameterVersion:
    """The new version but for its value: what the request leaves out stays as it was."""
    kind = wanted.type or (before.type if before is not None else None)
    if kind is None:
        raise refused("A parameter type is required when you create a parameter.")
    if before is not None and kind != before.type:
        raise InvalidInput(
            f"The parameter {name} is a {before.type}, and a parameter's type can't be changed to {kind}.",
            code="HierarchyTypeMismatchException",
            hint="Delete it and make it anew, or make one with another name.",
        )
    values.check_key(wanted.key_id, is_secure=kind == ParameterType.SECURE_STRING)

    def kept(given: str | None, of_before: str, default: str) -> str:
        if given is not None:
            return given
        return of_before if before is not None else default

    old = before or ParameterVersion()
    return ParameterVersion(
        type=kind,
        tier=values.tier_for(wanted.tier, old.tier if before is not None else None, wanted.value),
        description=kept(wanted.description, old.description, ""),
        allowed_pattern=kept(wanted.allowed_pattern, old.allowed_pattern, ""),
        data_type=kept(wanted.data_type, old.data_type, values.TEXT) or values.TEXT,
    )


def _check_room(tier: str) -> None:
    limit = {kind.value: count for kind, count in values.MAX_PARAMETERS.items()}[tier]
    if current_versions().filter(tier=tier).count() >= limit:
        raise LimitExceeded(
            f"This account has {limit:,} parameters of the tier {tier} already.", code="ParameterLimitExceeded"
        )


def _drop_oldest(parameter: Parameter) -> None:
    """Make room for one more version."""
    if parameter.versions.count() < MAX_VERSIONS:
        return
    oldest = parameter.versions.order_by("number")[0]
    if oldest.labels:
        raise LimitExceeded(
            f"You attempted to create a new version of {parameter.name} by calling the PutParameter API with the "
            f"overwrite flag. Version {oldest.number}, the oldest version, can't be deleted because it has a label "
            "associated with it. Move the label to another version of the parameter, and try again.",
            code="ParameterMaxVersionLimitExceeded",
        )
    oldest.delete()


def delete_parameter(principal: Principal, name: str) -> None:
    """Remove a parameter with all its versions; raises NotFound where there is none."""
    found = parameter_for(principal, "ssm:DeleteParameter", _only_name(name))
    if not Parameter.objects.filter(pk=found.pk).delete()[0]:
        raise missing(found.name)


def delete_parameters(principal: Principal, given: Iterable[str]) -> tuple[list[str], list[str]]:
    """Remove several; the names of those removed and of those that aren't there. All must be allowed, or none goes."""
    asked = list(dict.fromkeys(_only_name(name) for name in given))
    rows = {name: find(referred(name)) for name in asked}
    for name, row in rows.items():
        if row is not None:
            resource_tags.remember(row.arn, row.tags)
        authorize(principal, "ssm:DeleteParameters", arn_of(name))
    Parameter.objects.filter(pk__in=[row.pk for row in rows.values() if row is not None]).delete()
    return [name for name, row in rows.items() if row is not None], [name for name, row in rows.items() if row is None]


def _only_name(text: str) -> str:
    asked = referred(text)
    if asked.is_arn or asked.selector:
        raise refused(f"Name the whole parameter by its name, not “{text[:200]}”.")
    return asked.name


def _exists(name: str) -> Conflict:
    return Conflict(
        "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
        code="ParameterAlreadyExists",
        hint=f"It is {name}.",
    )
