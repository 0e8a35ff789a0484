"""The curated build images: their names, AWS's names for them, and what each is made of.

A definition is a folder beside this module: a Dockerfile, `packages.txt` with the Debian packages that it installs, and
`runtimes.txt` with the versions of languages that a buildspec can ask for. All but `base` stand on `base`. How they are
made is in making.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NAMESPACE = "codeservices/"
# Source: facts of the AWS surface; every aws/codebuild/* image holds all languages, as our "standard" does.
AWS_NAMESPACE = "aws/codebuild/"
AWS_TARGET = "codeservices/standard"
DEFINITIONS = Path(__file__).parent
BASE = "base"
SYSTEM = "Debian 12"
# The languages by the words of runtime-versions, for people.
LABELS = {
    "docker": "Docker",
    "golang": "Go",
    "java": "Java",
    "nodejs": "Node.js",
    "php": "PHP",
    "python": "Python",
    "ruby": "Ruby",
}
# Raised when the way of making changes while the definition does not.
RECIPE = "1"


@dataclass(frozen=True)
class Definition:
    """One curated image.

    Attributes:
        name: "base"; to the engine it is `codeservices/base`.
        folder: Where its Dockerfile is.
    """

    name: str
    folder: Path

    @property
    def image(self) -> str:
        return f"{NAMESPACE}{self.name}"

    @property
    def packages(self) -> tuple[str, ...]:
        return tuple((self.folder / "packages.txt").read_text().split())

    @property
    def description(self) -> str:
        """What is in it, for people: "Debian 12 with Go 1.19 and Java 17"."""
        named = [f"{LABELS.get(name, name)} {versions[-1]}" for name, versions in self.runtimes.items()]
        if not named:
            return f"{SYSTEM} with git, make and the usual tools"
        *most, last = named
        return f"{SYSTEM} with {', '.join(most)} and {last}" if most else f"{SYSTEM} with {last}"

    @property
    def parent(self) -> Definition | None:
        """The image that this one stands on; None for `base`, which stands on Debian."""
        return None if self.name == BASE else definitions()[BASE]

    @property
    def runtimes(self) -> Mapping[str, tuple[str, ...]]:
        """Languages to their versions, oldest first, as a buildspec's runtime-versions names them."""
        path = self.folder / "runtimes.txt"
        found: dict[str, tuple[str, ...]] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            runtime, *versions = line.split()
            found[runtime] = tuple(versions)
        return found

    @property
    def digest(self) -> str:
        """SHA-256 over the recipe's number, every file of the definition and the digest of what it stands on."""
        total = hashlib.sha256(RECIPE.encode())
        for path in sorted(self.folder.iterdir()):
            total.update(f"\0{path.name}\0".encode() + path.read_bytes())
        if self.parent is not None:
            total.update(self.parent.digest.encode())
        return total.hexdigest()


def definitions() -> dict[str, Definition]:
    """Every image that can be made, by name."""
    return {path.parent.name: Definition(path.parent.name, path.parent) for path in DEFINITIONS.glob("*/Dockerfile")}


def curated() -> list[Definition]:
    """Every image that can be made, `base` first, then by name."""
    return sorted(definitions().values(), key=lambda one: (one.name != BASE, one.name))


def resolve(image: str) -> str:
    """The engine's name of the image a project asks for: AWS's names mean `codeservices/standard`."""
    return AWS_TARGET if image.startswith(AWS_NAMESPACE) else image


def definition_of(image: str) -> Definition | None:
    """The definition behind an engine's image name, or None where it is nobody's or not ours to make."""
    name = image.removeprefix(NAMESPACE).removesuffix(":latest")
    return definitions().get(name) if image.startswith(NAMESPACE) else None
