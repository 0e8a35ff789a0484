"""What a buildspec says, once it is read: frozen values, and the words that may stand in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from builds.yaml_nodes import Problem

VERSIONS = ("0.1", "0.2")
PHASES = ("install", "pre_build", "build", "post_build")
SHELLS = ("/bin/sh", "bash")
WINDOWS_SHELLS = ("powershell.exe", "cmd.exe")
RESERVED_PREFIX = "CODEBUILD_"
MAX_PROBLEMS = 100
MAX_REPORTS = 5
MAX_FALLBACK_KEYS = 5
MAX_RETRIES = 100
DEFAULT_RETRIES = 3
# CodeBuild's words where one of the large blocks is no map.
NOT_A_BLOCK = "wrong number of container tags, expected 1"
CACHE_ACTIONS = ("restore", "save")
REPORT_FORMATS = (
    "CUCUMBERJSON",
    "JUNITXML",
    "NUNITXML",
    "NUNIT3XML",
    "TESTNGXML",
    "VISUALSTUDIOTRX",
    "CLOVERXML",
    "COBERTURAXML",
    "JACOCOXML",
    "SIMPLECOV",
)


class BuildspecError(Exception):
    """A buildspec can't be used.

    Attributes:
        problems: Every fault, by line; of very many the first, and a sentence that counts the others.
    """

    def __init__(self, problems: list[Problem]) -> None:
        found = sorted(problems)
        if len(found) > MAX_PROBLEMS:
            count, line = len(found) - MAX_PROBLEMS, found[MAX_PROBLEMS].line
            found[MAX_PROBLEMS:] = [Problem(line, "", f"{count:,} more problems from here on.")]
        self.problems = tuple(found)
        super().__init__("; ".join(str(problem) for problem in self.problems))

    def context(self, name: str) -> str:
        """The message of the phase's context: CodeBuild's sentence where it has one for the only fault there is.

        Args:
            name: The file's.
        """
        first, *others = self.problems
        return first.sentence if first.is_whole and not others else f"{name}: {self}"


@dataclass(frozen=True)
class OnFailure:
    """What follows a failed phase. `retries` and `pattern` count for "RETRY" only."""

    action: str = ""  # "", "ABORT", "CONTINUE" or "RETRY"
    retries: int = 0
    pattern: str = ".*"


@dataclass(frozen=True)
class Phase:
    """One of the four phases with commands; all empty where the file leaves it out."""

    commands: tuple[str, ...] = ()
    finally_commands: tuple[str, ...] = ()
    on_failure: OnFailure = OnFailure()
    run_as: str = ""
    is_present: bool = False


@dataclass(frozen=True)
class Artifacts:
    """Which files of the workspace are kept."""

    files: tuple[str, ...]
    name: str = ""
    base_directory: str = ""
    exclude_paths: tuple[str, ...] = ()
    discard_paths: bool = False
    enable_symlinks: bool = False
    s3_prefix: str = ""


@dataclass(frozen=True)
class Cache:
    """Which files of the workspace the next build finds again."""

    paths: tuple[str, ...]
    key: str = ""
    fallback_keys: tuple[str, ...] = ()
    action: str = ""  # "", "restore" or "save"


@dataclass(frozen=True)
class Report:
    """Where test results lie and how they are written."""

    files: tuple[str, ...]
    base_directory: str = ""
    discard_paths: bool = False
    file_format: str = "JUNITXML"


@dataclass(frozen=True)
class Proxy:
    """What goes through the environment's explicit proxy."""

    upload_artifacts: bool = False
    logs: bool = False


@dataclass(frozen=True)
class BatchBuild:
    """One build of a batch's graph or list, with what it overrides.

    Attributes:
        environment: "compute-type", "image", "privileged-mode", "type" and "fleet", as written.
    """

    identifier: str
    buildspec: str = ""
    depends_on: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    debug_session: bool = False
    ignore_failure: bool = False


@dataclass(frozen=True)
class Matrix:
    """Builds for every combination of the `dynamic` values; `static` is the same for all."""

    buildspecs: tuple[str, ...] = ()
    compute_types: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    ignore_failure: bool = False


@dataclass(frozen=True)
class Batch:
    """Several builds from one start.

    Attributes:
        kind: "build-graph", "build-list", "build-matrix" or "build-fanout".
        builds: Of a graph or a list.
        parallelism: Of a fan-out: among how many builds the tests are dealt out.
    """

    kind: str
    fast_fail: bool = False
    builds: tuple[BatchBuild, ...] = ()
    matrix: Matrix = Matrix()
    parallelism: int = 0
    ignore_failure: bool = False


@dataclass(frozen=True)
class Buildspec:
    """A whole buildspec.

    Attributes:
        version: "0.1" or "0.2". In 0.1 each command has a shell of its own, in 0.2 one shell runs all.
        phases: Each of "install", "pre_build", "build" and "post_build".
        variables: Plain variables, values as written.
        parameter_store, secrets_manager: Variable to the name of its secret value.
        runtime_versions: Language to version, as written.
        warnings: What the file says in vain: keys that are none, keys of the other version.
    """

    version: str
    phases: Mapping[str, Phase]
    shell: str = "/bin/sh"
    run_as: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    parameter_store: Mapping[str, str] = field(default_factory=dict)
    secrets_manager: Mapping[str, str] = field(default_factory=dict)
    exported_variables: tuple[str, ...] = ()
    has_git_credential_helper: bool = False
    runtime_versions: Mapping[str, str] = field(default_factory=dict)
    artifacts: Artifacts | None = None
    secondary_artifacts: Mapping[str, Artifacts] = field(default_factory=dict)
    cache: Cache | None = None
    reports: Mapping[str, Report] = field(default_factory=dict)
    proxy: Proxy = Proxy()
    batch: Batch | None = None
    warnings: tuple[Problem, ...] = ()

    def user(self, phase: str) -> str:
        """As whom a phase's commands run; empty is root."""
        return self.phases[phase].run_as or self.run_as

    def without_effect(self) -> tuple[str, ...]:
        """A sentence for each block that is right and that a build on this server does not carry out."""
        sentences: list[str] = []
        if self.batch is not None:
            sentences.append("The block batch counts for batch builds only, which this server does not run")
        if self.reports:
            sentences.append("The block reports is not carried out by this server: no test results are collected")
        if self.proxy.upload_artifacts or self.proxy.logs:
            sentences.append("The block proxy has no effect: artifacts and logs never leave through the container")
        return tuple(sentences)
