"""A build's environment variables: in order of precedence, with CodeBuild's own, and which of them are secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from builds.buildspec import RESERVED_PREFIX, Buildspec

PLAINTEXT = "PLAINTEXT"
PARAMETER_STORE = "PARAMETER_STORE"
SECRETS_MANAGER = "SECRETS_MANAGER"
TYPES = (PLAINTEXT, PARAMETER_STORE, SECRETS_MANAGER)
# Masking shorter values would blank out half of a log ("yes", "1").
MIN_SECRET_CHARACTERS = 4
# Values that look like an access key id are masked wherever they come from.
# Source: AWS CodeBuild User Guide, "Environment variables in build environments", note on access key ids.
ACCESS_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,28}\b")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class VariablesError(Exception):
    """Variables that can't be used; `problems` holds a sentence for each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(self.problems))


@dataclass(frozen=True)
class Variable:
    """One variable as a project or a StartBuild call gives it.

    Attributes:
        value: The value itself, or for the two stores the name under which it is kept.
        type: PLAINTEXT, PARAMETER_STORE or SECRETS_MANAGER.
    """

    name: str
    value: str = field(repr=False)
    type: str = PLAINTEXT


@dataclass(frozen=True)
class SourceFacts:
    """What a build is told of a secondary source; empty where it has nothing of the kind."""

    directory: str
    repo_url: str = ""
    version: str = ""


@dataclass(frozen=True)
class Facts:
    """What CodeBuild tells a build about itself.

    Attributes:
        secondary_sources: By the identifiers that the project gives them.
        started_at: Aware; becomes milliseconds since the epoch.
        resolved_source_version: Empty for sources without commits, which leaves the variable unset.
        trigger: "branch/main" where a push started the build, else empty.
    """

    region: str
    build_arn: str
    build_id: str
    image: str
    number: int
    initiator: str
    kms_key_id: str
    log_path: str
    project_arn: str
    source_directory: str
    started_at: datetime
    source_repo_url: str = ""
    source_version: str = ""
    resolved_source_version: str = ""
    secondary_sources: Mapping[str, SourceFacts] = field(default_factory=dict)
    trigger: str = ""


@dataclass(frozen=True)
class Environment:
    """The resolved variables.

    Attributes:
        variables: Everything the build's shell starts with.
        secrets: Values to mask in the log.
        left_out: Names no shell can export; the log says so.
    """

    variables: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    left_out: tuple[str, ...] = ()


def check(variables: Iterable[Variable]) -> None:
    """Refuse what a project or a StartBuild call may not set.

    Raises:
        VariablesError: with every problem.
    """
    problems: list[str] = []
    seen: set[str] = set()
    for variable in variables:
        if not variable.name or "=" in variable.name or "\0" in variable.name:
            problems.append(f"“{variable.name}” is no name of an environment variable.")
        elif variable.name.startswith(RESERVED_PREFIX):
            problems.append(f"{variable.name}: names that start with {RESERVED_PREFIX} are reserved for CodeBuild.")
        elif variable.name in seen:
            problems.append(f"{variable.name} is given twice.")
        if variable.type not in TYPES:
            problems.append(f"{variable.name}: the type must be one of {', '.join(TYPES)}, not “{variable.type}”.")
        if "\0" in variable.value:
            problems.append(f"{variable.name}: the value holds a NUL character.")
        seen.add(variable.name)
    if problems:
        raise VariablesError(problems)


def merge(
    buildspec: Buildspec, project: Iterable[Variable] = (), overrides: Iterable[Variable] = ()
) -> dict[str, Variable]:
    """The variables by name: StartBuild beats the project, which beats the buildspec.

    Source: AWS CodeBuild User Guide, "Build environment variables": precedence.
    """
    found = {name: Variable(name, value) for name, value in buildspec.variables.items()}
    found |= {name: Variable(name, value, PARAMETER_STORE) for name, value in buildspec.parameter_store.items()}
    found |= {name: Variable(name, value, SECRETS_MANAGER) for name, value in buildspec.secrets_manager.items()}
    for layer in (project, overrides):
        found |= {variable.name: variable for variable in layer}
    return found


def resolve(merged: Mapping[str, Variable], stored: Mapping[str, str], facts: Facts) -> Environment:
    """All variables with their values; CodeBuild's own can't be overridden.

    Args:
        merged: As `merge` gives them.
        stored: Variable name to value for those of the two stores.
    """
    variables: dict[str, str] = {"AWS_DEFAULT_REGION": facts.region, "AWS_REGION": facts.region}
    secrets: set[str] = set()
    left_out: list[str] = []
    for name, variable in merged.items():
        value = variable.value if variable.type == PLAINTEXT else stored[name]
        if variable.type != PLAINTEXT:
            secrets.add(value)
        secrets.update(ACCESS_KEY_ID.findall(value))
        if _IDENTIFIER.fullmatch(name):
            variables[name] = value
        else:
            left_out.append(name)
    variables |= own(facts)
    kept = tuple(sorted(secret for secret in secrets if len(secret.strip()) >= MIN_SECRET_CHARACTERS))
    return Environment(variables, kept, tuple(left_out))


def own(facts: Facts) -> dict[str, str]:
    """The variables CodeBuild sets itself.

    Source: AWS CodeBuild User Guide, "Environment variables in build environments".
    """
    variables = {
        "CODEBUILD_BUILD_ARN": facts.build_arn,
        "CODEBUILD_BUILD_ID": facts.build_id,
        "CODEBUILD_BUILD_IMAGE": facts.image,
        "CODEBUILD_BUILD_NUMBER": str(facts.number),
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_CI": "true",
        "CODEBUILD_INITIATOR": facts.initiator,
        "CODEBUILD_KMS_KEY_ID": facts.kms_key_id,
        "CODEBUILD_LOG_PATH": facts.log_path,
        "CODEBUILD_PROJECT_ARN": facts.project_arn,
        "CODEBUILD_SRC_DIR": facts.source_directory,
        "CODEBUILD_START_TIME": str(int(facts.started_at.timestamp() * 1000)),
        "HOME": "/root",
    }
    optional = {
        "CODEBUILD_SOURCE_REPO_URL": facts.source_repo_url,
        "CODEBUILD_SOURCE_VERSION": facts.source_version,
        "CODEBUILD_RESOLVED_SOURCE_VERSION": facts.resolved_source_version,
        "CODEBUILD_WEBHOOK_TRIGGER": facts.trigger,
    }
    for identifier, source in facts.secondary_sources.items():
        optional[f"CODEBUILD_SRC_DIR_{identifier}"] = source.directory
        optional[f"CODEBUILD_SOURCE_REPO_URL_{identifier}"] = source.repo_url
        optional[f"CODEBUILD_SOURCE_VERSION_{identifier}"] = source.version
    return variables | {name: value for name, value in optional.items() if value}


def may_export(name: str, merged: Mapping[str, Variable]) -> bool:
    """Whether `env.exported-variables` may hand on this variable: no AWS_* names, no values of the two stores."""
    variable = merged.get(name)
    is_stored = variable is not None and variable.type != PLAINTEXT
    return not (name.startswith("AWS_") or is_stored or not _IDENTIFIER.fullmatch(name))
