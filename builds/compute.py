"""What a build may run on: compute types, and the image where none is chosen."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings

from builds.compute_types import ComputeType
from builds.images import catalogue

DEFAULT_COMPUTE_TYPE = "BUILD_GENERAL1_SMALL"
DEFAULT_IMAGE = f"{catalogue.NAMESPACE}base"


def compute_types() -> Mapping[str, ComputeType]:
    """The compute types of this installation by name, from small to large."""
    found: Mapping[str, ComputeType] = settings.COMPUTE_TYPES
    return {one.name: one for one in sorted(found.values(), key=lambda one: (one.memory_bytes, one.vcpus))}


def compute_type(name: str) -> ComputeType:
    """The compute type of that name; raises KeyError."""
    return compute_types()[name]


def refusal(name: str) -> str:
    """Why no build runs on a compute type of that name; "" where one may.

    Lambda and fleet types are AWS's own machinery, which nothing here stands for.
    """
    if name in compute_types():
        return ""
    known = ", ".join(compute_types())
    if name.startswith("BUILD_LAMBDA_"):
        return f"Compute types of Lambda are not available here: builds run in containers. There are {known}."
    if name in ("ATTRIBUTE_BASED_COMPUTE", "CUSTOM_INSTANCE_TYPE"):
        return f"{name} belongs to fleets, which are not available here. There are {known}."
    return f"There are {known}; CODESERVICES_COMPUTE_TYPES can name more."


def label_of(name: str) -> str:
    """A compute type for people; a name that is none is shown as it is."""
    known = compute_types().get(name)
    return known.label if known else name
