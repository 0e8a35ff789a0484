"""Labels of parameter versions, and the tags of parameters.

Source: AWS Systems Manager API Reference, LabelParameterVersion, UnlabelParameterVersion, AddTagsToResource.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction

from codeservices.errors import InvalidInput, LimitExceeded, NotFound
from codeservices.iam.principal import Principal
from codeservices.secretstore import tags as tagging
from codeservices.secretstore.models import Parameter, ParameterVersion
from codeservices.secretstore.parameters.access import missing, parameter_for
from codeservices.secretstore.parameters.names import is_label

MAX_LABELS = 10
_INVALID_ID = "InvalidResourceId"


def label_version(principal: Principal, name: str, number: int | None, labels: Iterable[str]) -> tuple[int, list[str]]:
    """Give a version labels, which other versions of the parameter lose.

    Args:
        number: The version, or None for the current one.

    Returns:
        The version's number, and the labels that no version may have.
    """
    parameter = parameter_for(principal, "ssm:LabelParameterVersion", name)
    wanted = list(dict.fromkeys(labels))
    given = [label for label in wanted if is_label(label)]
    with transaction.atomic():
        locked = _locked(parameter)
        version = _version(locked, number if number is not None else locked.version)
        if len({*version.labels, *given}) > MAX_LABELS:
            raise LimitExceeded(
                f"A parameter version can have a maximum of {MAX_LABELS} labels.",
                code="ParameterVersionLabelLimitExceeded",
                hint="Move one or more labels to another version and try again.",
            )
        for other in locked.versions.exclude(pk=version.pk):
            _set(other, [label for label in other.labels if label not in given])
        _set(version, list(dict.fromkeys([*version.labels, *given])))
    return version.number, [label for label in wanted if label not in given]


def unlabel_version(principal: Principal, name: str, number: int, labels: Iterable[str]) -> tuple[list[str], list[str]]:
    """Take labels from a version; those taken, and those that it hadn't."""
    parameter = parameter_for(principal, "ssm:UnlabelParameterVersion", name)
    wanted = list(dict.fromkeys(labels))
    with transaction.atomic():
        version = _version(_locked(parameter), number)
        removed = [label for label in wanted if label in version.labels]
        _set(version, [label for label in version.labels if label not in removed])
    return removed, [label for label in wanted if label not in removed]


def _locked(parameter: Parameter) -> Parameter:
    locked = Parameter.objects.select_for_update().filter(pk=parameter.pk).first()
    if locked is None:
        raise missing(parameter.name)
    return locked


def _version(parameter: Parameter, number: int) -> ParameterVersion:
    found = parameter.versions.filter(number=number).first()
    if found is None:
        raise NotFound(
            f"Systems Manager could not find version {number} of {parameter.name}. Verify the version and try again.",
            code="ParameterVersionNotFound",
        )
    return found


def _set(version: ParameterVersion, labels: list[str]) -> None:
    if labels != version.labels:
        version.labels = labels
        version.save(update_fields=["labels"])


# ---- tags ------------------------------------------------------------------------------------------------------------


def tags_of(principal: Principal, resource_type: str, name: str) -> dict[str, str]:
    """The tags of a parameter."""
    return dict(_tagged(principal, "ssm:ListTagsForResource", resource_type, name, {}).tags)


def tag(principal: Principal, resource_type: str, name: str, tags: Mapping[str, str]) -> None:
    """Add tags, or give those that are there new values."""
    parameter = _tagged(principal, "ssm:AddTagsToResource", resource_type, name, tagging.context(tags))
    tagging.change(parameter, missing(parameter.name), lambda there: _checked({**there, **tags}))


def untag(principal: Principal, resource_type: str, name: str, keys: Iterable[str]) -> None:
    """Remove tags by their keys; one that isn't there is no error."""
    unwanted = sorted(set(keys))
    parameter = _tagged(principal, "ssm:RemoveTagsFromResource", resource_type, name, {"aws:TagKeys": unwanted})
    tagging.check_not_system(unwanted, "ValidationException")
    tagging.change(parameter, missing(parameter.name), lambda there: tagging.without(there, unwanted))


def _checked(tags: Mapping[str, str]) -> dict[str, str]:
    return tagging.check(tags, "ValidationException", "TooManyTagsError")


def _tagged(
    principal: Principal, action: str, resource_type: str, name: str, context: Mapping[str, str | list[str]]
) -> Parameter:
    if resource_type != "Parameter":
        raise InvalidInput(
            f"Of the resources of Systems Manager this server has parameters alone, no {resource_type}.",
            code="InvalidResourceType",
            hint="Say Parameter as the ResourceType.",
        )
    try:
        return parameter_for(principal, action, name, context)
    except NotFound as absent:
        raise NotFound(absent.message, code=_INVALID_ID) from None
