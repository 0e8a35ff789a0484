"""Sizes of build containers by their names in the API.

Source: AWS CodeBuild User Guide, "Build environment compute modes and types", whose first three sizes are those of its
first years.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

GIB = 1024**3
_ENTRY = re.compile(r"([A-Z][A-Z0-9_]{0,63})=([0-9]+(?:\.[0-9]+)?)/([0-9]+(?:\.[0-9]+)?)")
# A container with less memory can't run its shell and a compiler.
SMALLEST_GIB = 0.0625
SMALLEST_VCPUS = 0.1


@dataclass(frozen=True)
class ComputeType:
    """One size of build container.

    Attributes:
        name: As in the API.
        memory_bytes, vcpus: The most that a container gets; a smaller host gives what it has.
    """

    name: str
    memory_bytes: int
    vcpus: float

    @property
    def label(self) -> str:
        """For people: "Small: 3 GiB, 2 vCPU"."""
        size = self.name.removeprefix("BUILD_GENERAL1_").capitalize().replace("xlarge", "XLarge")
        return f"{size}: {self.memory_bytes / GIB:g} GiB, {self.vcpus:g} vCPU"


USUAL = (
    ComputeType("BUILD_GENERAL1_SMALL", 3 * GIB, 2),
    ComputeType("BUILD_GENERAL1_MEDIUM", 7 * GIB, 4),
    ComputeType("BUILD_GENERAL1_LARGE", 15 * GIB, 8),
    ComputeType("BUILD_GENERAL1_XLARGE", 72 * GIB, 36),
    ComputeType("BUILD_GENERAL1_2XLARGE", 144 * GIB, 72),
)


def with_others(entries: Sequence[str]) -> Mapping[str, ComputeType]:
    """The usual types and those that entries like "BUILD_GENERAL1_SMALL=4/2" (GiB, vCPUs) add or change, by name.

    Raises:
        ValueError: An entry is none; the text says so.
    """
    found = {one.name: one for one in USUAL}
    for entry in entries:
        match = _ENTRY.fullmatch(entry)
        if match is None or float(match[2]) < SMALLEST_GIB or float(match[3]) < SMALLEST_VCPUS:
            raise ValueError(f"“{entry}” is no compute type, such as BUILD_GENERAL1_SMALL=3/2 (GiB, vCPUs)")
        found[match[1]] = ComputeType(match[1], int(float(match[2]) * GIB), float(match[3]))
    return found
