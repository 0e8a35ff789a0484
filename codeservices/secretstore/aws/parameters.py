"""The operations of Parameter Store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from codeservices.aws.dispatch import Call, operation
from codeservices.aws.paging import page
from codeservices.errors import InvalidInput
from codeservices.secretstore import tags as tagging
from codeservices.secretstore.models import ParameterVersion
from codeservices.secretstore.parameters import labels, listing, reading, writing
from codeservices.secretstore.parameters.listing import Filter
from codeservices.secretstore.parameters.reading import Read
from codeservices.secretstore.parameters.values import KEY_ID, value_of

PAGE = 10
HISTORY_PAGE = 50

Row = TypeVar("Row")


@operation("ssm", "PutParameter")
def put_parameter(call: Call) -> dict[str, Any]:
    given = call.params
    made = writing.put_parameter(
        call.principal,
        writing.Wanted(
            name=given["Name"],
            value=given["Value"],
            type=given.get("Type"),
            description=given.get("Description"),
            allowed_pattern=given.get("AllowedPattern"),
            data_type=given.get("DataType"),
            tier=given.get("Tier"),
            key_id=given.get("KeyId"),
            policies=given.get("Policies"),
            tags=tagging.given(given.get("Tags", ()), "ValidationException"),
            overwrite=given.get("Overwrite", False),
        ),
    )
    return {"Version": made.number, "Tier": made.tier}


@operation("ssm", "GetParameter")
def get_parameter(call: Call) -> dict[str, Any]:
    return {"Parameter": _value(call, reading.get_parameter(call.principal, call.params["Name"]))}


@operation("ssm", "GetParameters")
def get_parameters(call: Call) -> dict[str, Any]:
    found, invalid = reading.get_parameters(call.principal, call.params["Names"])
    return {"Parameters": [_value(call, one) for one in found], "InvalidParameters": invalid}


@operation("ssm", "GetParametersByPath")
def get_parameters_by_path(call: Call) -> dict[str, Any]:
    found = reading.get_parameters_by_path(
        call.principal, call.params["Path"], _filters(call), is_recursive=call.params.get("Recursive", False)
    )
    return _listed(
        call, found, lambda one: f"{one.version.parameter.name} {one.selector}", lambda one: _value(call, one)
    )


@operation("ssm", "GetParameterHistory")
def get_parameter_history(call: Call) -> dict[str, Any]:
    found = reading.get_parameter_history(call.principal, call.params["Name"])

    def shape(version: ParameterVersion) -> dict[str, Any]:
        shown = {**_metadata(version), "Value": _text(call, version), "Labels": version.labels}
        del shown["ARN"]
        return shown

    return _listed(call, found, lambda one: f"{one.number:020d}", shape, limit=HISTORY_PAGE)


@operation("ssm", "DescribeParameters")
def describe_parameters(call: Call) -> dict[str, Any]:
    if call.params.get("Shared"):
        return {"Parameters": []}  # there is one account, which nobody shares anything with
    old = [Filter(one["Key"], values=tuple(one["Values"])) for one in call.params.get("Filters", ())]
    if old and "ParameterFilters" in call.params:
        raise InvalidInput("Give Filters or ParameterFilters, not both.", code="ValidationException")
    found = listing.describe_parameters(call.principal, old or _filters(call))
    return _listed(call, found, lambda one: one.parameter.name, _metadata)


@operation("ssm", "DeleteParameter")
def delete_parameter(call: Call) -> dict[str, Any]:
    writing.delete_parameter(call.principal, call.params["Name"])
    return {}


@operation("ssm", "DeleteParameters")
def delete_parameters(call: Call) -> dict[str, Any]:
    deleted, invalid = writing.delete_parameters(call.principal, call.params["Names"])
    return {"DeletedParameters": deleted, "InvalidParameters": invalid}


@operation("ssm", "LabelParameterVersion")
def label_parameter_version(call: Call) -> dict[str, Any]:
    number, invalid = labels.label_version(
        call.principal, call.params["Name"], call.params.get("ParameterVersion"), call.params["Labels"]
    )
    return {"InvalidLabels": invalid, "ParameterVersion": number}


@operation("ssm", "UnlabelParameterVersion")
def unlabel_parameter_version(call: Call) -> dict[str, Any]:
    removed, invalid = labels.unlabel_version(
        call.principal, call.params["Name"], call.params["ParameterVersion"], call.params["Labels"]
    )
    return {"RemovedLabels": removed, "InvalidLabels": invalid}


@operation("ssm", "AddTagsToResource")
def add_tags_to_resource(call: Call) -> dict[str, Any]:
    tags = tagging.given(call.params["Tags"], "ValidationException")
    labels.tag(call.principal, call.params["ResourceType"], call.params["ResourceId"], tags)
    return {}


@operation("ssm", "RemoveTagsFromResource")
def remove_tags_from_resource(call: Call) -> dict[str, Any]:
    labels.untag(call.principal, call.params["ResourceType"], call.params["ResourceId"], call.params["TagKeys"])
    return {}


@operation("ssm", "ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any]:
    tags = labels.tags_of(call.principal, call.params["ResourceType"], call.params["ResourceId"])
    return {"TagList": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}


# ---- shapes ----------------------------------------------------------------------------------------------------------


def _filters(call: Call) -> list[Filter]:
    return [Filter.of(one) for one in call.params.get("ParameterFilters", ())]


def _text(call: Call, version: ParameterVersion) -> str:
    return value_of(version, with_decryption=call.params.get("WithDecryption", False))


def _value(call: Call, found: Read) -> dict[str, Any]:
    version = found.version
    return {
        "Name": version.parameter.name,
        "Type": version.type,
        "Value": _text(call, version),
        "Version": version.number,
        "Selector": found.selector or None,
        "LastModifiedDate": version.modified_at,
        "ARN": version.parameter.arn,
        "DataType": version.data_type,
    }


def _metadata(version: ParameterVersion) -> dict[str, Any]:
    return {
        "Name": version.parameter.name,
        "ARN": version.parameter.arn,
        "Type": version.type,
        "KeyId": KEY_ID if version.is_secure else None,
        "LastModifiedDate": version.modified_at,
        "LastModifiedUser": version.modified_by,
        "Description": version.description or None,
        "AllowedPattern": version.allowed_pattern or None,
        "Version": version.number,
        "Tier": version.tier,
        "Policies": [],
        "DataType": version.data_type,
    }


def _listed(
    call: Call, rows: Iterable[Row], key: Callable[[Row], str], shape: Callable[[Row], Any], limit: int = PAGE
) -> dict[str, Any]:
    """A page of a list, with the token of the next one."""
    shown, token = page(
        rows,
        key=key,
        kind=call.model.name,
        token=call.params.get("NextToken") or None,
        limit=call.params.get("MaxResults", limit),
        refusal=InvalidInput("The specified token isn't valid.", code="InvalidNextToken"),
    )
    return {"Parameters": [shape(row) for row in shown], "NextToken": token}
