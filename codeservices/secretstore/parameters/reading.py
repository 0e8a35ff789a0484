"""Read parameters: one or several by name, all below a path, the history of one. Reading many is one act.

Source: AWS Systems Manager API Reference, GetParameter, GetParameters, GetParametersByPath, GetParameterHistory; User
Guide, "Restricting access to specific parameters and paths": which action on which ARN decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from codeservices.errors import NotFound
from codeservices.iam import resource_tags
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from codeservices.secretstore.models import Parameter, ParameterVersion
from codeservices.secretstore.parameters import listing
from codeservices.secretstore.parameters.access import (
    arn_of,
    current_versions,
    find,
    missing,
    parameter_for,
    referred,
)
from codeservices.secretstore.parameters.names import Reference, check_path, is_below
from codeservices.secretstore.parameters.values import value_of


@dataclass(frozen=True)
class Read:
    """A version that was asked for, and the “:3” or “:label” it was asked by; empty where the current one was."""

    version: ParameterVersion
    selector: str = ""


def get_parameter(principal: Principal, name: str) -> Read:
    """One parameter, or a version of one.

    Raises:
        AccessDenied: Of ssm:GetParameter.
        NotFound: ParameterNotFound or ParameterVersionNotFound.
    """
    asked = referred(name)
    return _read(parameter_for(principal, "ssm:GetParameter", asked), asked)


def get_parameters(principal: Principal, given: Iterable[str]) -> tuple[list[Read], list[str]]:
    """Several in the order of their names, and those texts that name none. All must be allowed (ssm:GetParameters)."""
    found: list[Read] = []
    invalid: list[str] = []
    for text in dict.fromkeys(given):
        asked = referred(text)
        parameter = find(asked)
        if parameter is not None:
            resource_tags.remember(parameter.arn, parameter.tags)
        authorize(principal, "ssm:GetParameters", arn_of(asked.name))
        try:
            if parameter is None:
                raise NotFound(text)
            found.append(_read(parameter, asked))
        except NotFound:
            invalid.append(text)
    return sorted(found, key=lambda one: (one.version.parameter.name, one.selector)), invalid


def get_parameters_by_path(
    principal: Principal, path: str, filters: Iterable[listing.Filter] = (), *, is_recursive: bool = False
) -> list[Read]:
    """Every parameter below a path; the path's own ARN decides, and none of what is found is asked about."""
    below = check_path(path)
    context = {"ssm:Recursive": "true" if is_recursive else "false"}
    authorize(principal, "ssm:GetParametersByPath", arn_of(below or "/"), context)
    wanted = list(filters)
    listing.check(wanted, listing.KEYS_BY_PATH)
    label = next((one for one in wanted if one.key == "Label"), None)
    rows = ParameterVersion.objects.select_related("parameter") if label else current_versions()
    if below:
        rows = rows.filter(parameter__resource_name__istartswith=f"{below[1:]}/")
    return [
        Read(version, f":{next(iter(set(version.labels) & set(label.values)))}" if label else "")
        for version in rows
        if is_below(version.parameter.name, below, is_recursive=is_recursive)
        and all(one.wants(version) for one in wanted)
    ]


def get_parameter_history(principal: Principal, name: str) -> list[ParameterVersion]:
    """Every version that is kept, oldest first; raises NotFound and AccessDenied (ssm:GetParameterHistory)."""
    parameter = parameter_for(principal, "ssm:GetParameterHistory", name)
    return list(parameter.versions.select_related("parameter").order_by("number"))


def parameter_value(principal: Principal, name: str) -> str:
    """The decrypted value of a parameter, or of NAME:VERSION or NAME:LABEL, as CodeBuild reads it: ssm:GetParameters.

    Raises:
        AccessDenied: Of ssm:GetParameters.
        NotFound: ParameterNotFound, with the name.
        InvalidInput: No parameter can be called so.
    """
    found, invalid = get_parameters(principal, [name])
    if invalid:
        raise NotFound(f"Parameter does not exist: {name[:500]}", code="ParameterNotFound")
    return value_of(found[0].version)


def _read(parameter: Parameter, asked: Reference) -> Read:
    versions = parameter.versions.select_related("parameter")
    if not asked.selector:
        current = versions.filter(number=parameter.version).first()
        if current is None:  # somebody has deleted it meanwhile
            raise missing(parameter.name)
        return Read(current)
    if asked.version is not None:
        found = versions.filter(number=asked.version).first()
        sought = f"version {asked.version}"
    else:
        found = next((one for one in versions if asked.selector in one.labels), None)
        sought = f"label {asked.selector}"
    if found is None:
        raise NotFound(
            f"Systems Manager could not find {sought} of {parameter.name}. Verify the {sought.partition(' ')[0]} "
            "and try again.",
            code="ParameterVersionNotFound",
        )
    return Read(found, f":{asked.selector}")
