"""Lists of parameters without their values, and the filters of lists.

Source: AWS Systems Manager API Reference, DescribeParameters and ParameterStringFilter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from codeservices.errors import InvalidInput
from codeservices.iam import arn
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from codeservices.secretstore.models import ParameterVersion
from codeservices.secretstore.parameters.access import current_versions
from codeservices.secretstore.parameters.names import is_below
from codeservices.secretstore.parameters.values import KEY_ID

_EQUALITY = ("Equals", "BeginsWith")
_OPTIONS = {
    "Name": (*_EQUALITY, "Contains"),
    "Path": ("OneLevel", "Recursive"),
    "Type": _EQUALITY,
    "KeyId": _EQUALITY,
    "Tier": _EQUALITY,
    "Label": ("Equals",),
    "DataType": _EQUALITY,
    "tag": ("Equals",),
}
KEYS = ("Name", "Path", "Type", "KeyId", "Tier", "DataType", "tag")
KEYS_BY_PATH = ("Type", "KeyId", "Label")


@dataclass(frozen=True)
class Filter:
    """One condition on a list. `key` is "tag:KEY" for tags; without values a tag need only be there."""

    key: str
    option: str = ""
    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Filter:
        """A ParameterStringFilter of a request."""
        return cls(given["Key"], given.get("Option", ""), tuple(given.get("Values", ())))

    @property
    def kind(self) -> str:
        return "tag" if self.key.startswith("tag:") else self.key

    def wants(self, version: ParameterVersion) -> bool:
        """Whether a version fulfils it; the filter has passed `check`."""
        parameter = version.parameter
        if self.kind == "tag":
            tag = self.key.removeprefix("tag:")
            return tag in parameter.tags and (not self.values or parameter.tags[tag] in self.values)
        if self.kind == "Path":
            is_recursive = self.option == "Recursive"
            return any(is_below(parameter.name, one.rstrip("/"), is_recursive=is_recursive) for one in self.values)
        if self.kind == "Label":
            return bool(set(version.labels) & set(self.values))
        text = {
            "Name": parameter.name,
            "Type": version.type,
            "KeyId": KEY_ID if version.is_secure else "",
            "Tier": version.tier,
            "DataType": version.data_type,
        }[self.kind]
        if self.option == "BeginsWith":
            # A hierarchy's name may be asked for without its slash.
            return any(text.startswith((one, f"/{one}") if self.kind == "Name" else one) for one in self.values)
        if self.option == "Contains":
            return any(one in text for one in self.values)
        return text in self.values


def check(filters: Iterable[Filter], keys: Iterable[str]) -> None:
    """Raises InvalidInput where a list has no such filter."""
    seen: set[str] = set()
    for one in filters:
        if one.kind not in keys:
            raise InvalidInput(
                f"The following filter key is not valid: {one.key[:132]}. Valid filter keys include: "
                f"[{', '.join('tag:KEY' if key == 'tag' else key for key in keys)}].",
                code="InvalidFilterKey",
            )
        if one.key in seen:
            raise InvalidInput(f"The filter key {one.key[:132]} is given twice.", code="InvalidFilterKey")
        seen.add(one.key)
        if one.option and one.option not in _OPTIONS[one.kind]:
            raise InvalidInput(
                f"The following filter option is not valid: {one.option}. Valid options for {one.kind} include: "
                f"[{', '.join(_OPTIONS[one.kind])}].",
                code="InvalidFilterOption",
            )
        if not one.values and one.kind != "tag":
            raise InvalidInput(f"The filter {one.kind} needs at least one value.", code="InvalidFilterValue")
        wrong = next((value for value in one.values if one.kind == "Path" and not value.startswith("/")), None)
        if wrong is not None:
            raise InvalidInput(
                f"The path “{wrong[:200]}” must begin with a slash, as in /shop/production.", code="InvalidFilterValue"
            )


def list_resource() -> str:
    """What ssm:DescribeParameters is decided on."""
    return str(arn.Arn("aws", "ssm", settings.REGION, settings.ACCOUNT_ID, "*"))


def describe_parameters(principal: Principal, filters: Iterable[Filter] = ()) -> list[ParameterVersion]:
    """The current version of every parameter that all filters want, for those who may list (ssm:DescribeParameters)."""
    authorize(principal, "ssm:DescribeParameters", list_resource())
    wanted = list(filters)
    check(wanted, KEYS)
    return [
        version for version in current_versions().defer("sealed_value") if all(one.wants(version) for one in wanted)
    ]
