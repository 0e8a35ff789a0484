"""YAML to Buildspec, or one error holding every problem.

`model.py` says what a buildspec is, `reader.py` reads the whole and the other modules one block each. What they take,
static/schema/buildspec.json takes too: the schema for editors. Errors are in CodeBuild's words where those are known.

Source: AWS CodeBuild User Guide, "Build specification reference for CodeBuild", versions 0.1 and 0.2.
"""

from builds.buildspec.model import (
    PHASES,
    RESERVED_PREFIX,
    Artifacts,
    Buildspec,
    BuildspecError,
    Cache,
    OnFailure,
    Phase,
    Report,
)
from builds.buildspec.reader import looks_inline, parse

# The schema for editors, below static/.
SCHEMA = "schema/buildspec.json"

__all__ = [
    "PHASES",
    "RESERVED_PREFIX",
    "SCHEMA",
    "Artifacts",
    "Buildspec",
    "BuildspecError",
    "Cache",
    "OnFailure",
    "Phase",
    "Report",
    "looks_inline",
    "parse",
]
