"""What a build may run on: compute types, and the image where none is chosen.

Source: AWS CodeBuild User Guide, "Build environment compute modes and types", and its price list of 2017, which has no
public successor in dollars per minute for all types.
"""

from __future__ import annotations

from dataclasses import dataclass

from builds.images import catalogue

GIB = 1024**3


@dataclass(frozen=True)
class ComputeType:
    """One size of build container.

    Attributes:
        name: As in the API.
        memory_bytes, vcpus: The most that a container gets; a smaller host gives what it has.
        price_label: What AWS asked for a started minute, or empty where nothing is known; only for comparison.
    """

    name: str
    memory_bytes: int
    vcpus: int
    price_label: str = ""

    @property
    def label(self) -> str:
        """For people: "Small: 4 GiB, 2 vCPU"."""
        size = self.name.removeprefix("BUILD_GENERAL1_").capitalize().replace("xlarge", "XLarge")
        return f"{size}: {self.memory_bytes // GIB} GiB, {self.vcpus} vCPU"


COMPUTE_TYPES = {
    one.name: one
    for one in (
        ComputeType("BUILD_GENERAL1_SMALL", 4 * GIB, 2, "$0.005 a minute"),
        ComputeType("BUILD_GENERAL1_MEDIUM", 8 * GIB, 4, "$0.010 a minute"),
        ComputeType("BUILD_GENERAL1_LARGE", 16 * GIB, 8, "$0.020 a minute"),
        ComputeType("BUILD_GENERAL1_XLARGE", 72 * GIB, 36),
        ComputeType("BUILD_GENERAL1_2XLARGE", 144 * GIB, 72),
    )
}
DEFAULT_COMPUTE_TYPE = "BUILD_GENERAL1_SMALL"
DEFAULT_IMAGE = f"{catalogue.NAMESPACE}base"


def compute_type(name: str) -> ComputeType:
    """The compute type of that name; raises KeyError."""
    return COMPUTE_TYPES[name]


def label_of(name: str) -> str:
    """A compute type for people; a name that is none is shown as it is."""
    known = COMPUTE_TYPES.get(name)
    return known.label if known else name
