"""A buildspec's `runtime-versions` against the versions that an image holds.

The curated images hold one version of each language, Debian's, so that to select one is to check that it is there.

Source: AWS CodeBuild User Guide, "Specify runtime versions in the buildspec file"; its messages as logs show them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from builds.images import catalogue

NO_SELECTION = "No runtime version selected in buildspec."
NOT_SUPPORTED = "Skipping install of runtimes. Runtime version selection is not supported by this build image"
# The builds of one JDK version are alike: Amazon's, Debian's, or the number alone.
_JDK = re.compile(r"(?:corretto|openjdk)?(?P<number>[0-9]+)")
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<plain>[A-Za-z_][A-Za-z0-9_]*))")


class RuntimeVersionError(Exception):
    """A language or a version that the image does not hold; the text has a sentence for each."""


def select(image: str, wanted: Mapping[str, str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """What the log says of the runtimes of a build.

    Args:
        image: As the project names it.
        wanted: runtime-versions as written: "3.11", "3.x", "latest", "corretto17", "$VARIABLE".
        variables: The build's variables, for the last form.

    Raises:
        RuntimeVersionError: The image is a curated one and lacks something of it.
    """
    if not wanted:
        return (NO_SELECTION,)
    definition = catalogue.definition_of(catalogue.resolve(image))
    if definition is None:
        return (NOT_SUPPORTED,)
    problems: list[str] = []
    notes: list[str] = []
    for runtime, written in wanted.items():
        versions = definition.runtimes.get(runtime, ())
        version = _VARIABLE.sub(lambda match: variables.get(match["braced"] or match["plain"], ""), written).strip()
        found = _newest(runtime, version, versions)
        if not versions:
            problems.append(_unknown_runtime(runtime, definition))
        elif not found:
            named = version or written
            problems.append(
                f"Unknown runtime version named '{named}' of {runtime}. "
                f"This build image has the following versions: {', '.join(versions)}"
            )
        else:
            notes.append(f"Selecting '{runtime}' runtime version '{found}' based on manual selections...")
    if problems:
        raise RuntimeVersionError("; ".join(problems))
    return tuple(notes)


def _newest(runtime: str, wanted: str, versions: tuple[str, ...]) -> str:
    """The newest version that is meant; empty where there is none."""
    if wanted == "latest":
        return versions[-1] if versions else ""
    if wanted.endswith(".x"):
        prefix = wanted.removesuffix("x")
        return next((one for one in reversed(versions) if f"{one}.".startswith(prefix)), "")
    return next((one for one in versions if _same(runtime, wanted, one)), "")


def _same(runtime: str, wanted: str, version: str) -> bool:
    if runtime != "java":
        return wanted == version
    asked = _JDK.fullmatch(wanted)
    return asked is not None and asked["number"] == version


def _unknown_runtime(runtime: str, definition: catalogue.Definition) -> str:
    has = ", ".join(sorted(definition.runtimes)) or "none"
    others = [one.image for one in catalogue.curated() if runtime in one.runtimes]
    hint = f"; {' and '.join(others)} have it" if others else ""
    return f"Unknown runtime named '{runtime}'. This build image has the following runtimes: {has}{hint}"
