"""YAML to Buildspec, or one error holding every problem."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from builds.yaml_nodes import MAX_NODES, Node, Problem, TooManyNodes, Walk, compose

VERSIONS = ("0.1", "0.2")
PHASES = ("install", "pre_build", "build", "post_build")
SHELLS = ("/bin/sh", "bash")
WINDOWS_SHELLS = ("powershell.exe", "cmd.exe")
RESERVED_PREFIX = "CODEBUILD_"
MAX_REPORTS = 5
MAX_FALLBACK_KEYS = 5
MAX_RETRIES = 100
DEFAULT_RETRIES = 3
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
_RETRY = re.compile(r"RETRY(?:-(?P<count>\d+))?(?:-(?P<pattern>.+))?", re.DOTALL)


class BuildspecError(Exception):
    """A buildspec can't be used.

    Attributes:
        problems: Every fault, by line.
    """

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("; ".join(str(problem) for problem in self.problems))


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
class Buildspec:
    """A whole buildspec.

    Attributes:
        version: "0.1" or "0.2". In 0.1 each command has a shell of its own, in 0.2 one shell runs all.
        phases: Each of "install", "pre_build", "build" and "post_build".
        variables: Plain variables, values as written.
        parameter_store, secrets_manager: Variable to the name of its secret value.
        runtime_versions: Language to version, as written.
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

    def user(self, phase: str) -> str:
        """As whom a phase's commands run; empty is root."""
        return self.phases[phase].run_as or self.run_as


def parse(text: str) -> Buildspec:
    """Read a whole buildspec without running any of it.

    Args:
        text: The file's contents, decoded; nothing else is read.

    Raises:
        BuildspecError: `problems` holds every fault: line (from 1), key ("phases.build.commands"), sentence.

    Source: AWS CodeBuild User Guide, "Build specification reference for CodeBuild", versions 0.1, 0.2.
    """
    walk = Walk()
    root = compose(text, walk)
    buildspec: Buildspec | None = None
    if root is not None:
        try:
            buildspec = _Reader(root, walk).read()
        except (TooManyNodes, RecursionError):
            walk.problems.append(Problem(0, "", f"More than {MAX_NODES:,} values; each use of an alias counts."))
    if walk.problems or buildspec is None:
        raise BuildspecError(walk.problems)
    return buildspec


def looks_inline(buildspec: str) -> bool:
    """Whether a project's `buildspec` is the YAML itself instead of a path: inferred, the API does not publish it."""
    return "\n" in buildspec.strip() or re.match(r"\s*version\s*:", buildspec) is not None


class _Reader:
    """Reads the tree of nodes once, from the top; problems gather in the walk."""

    def __init__(self, root: Node, walk: Walk) -> None:
        self.root = root
        self.walk = walk

    def read(self) -> Buildspec | None:
        if not self.root.is_mapping:
            self.root.problem(f"The file must be a map with the keys version and phases, but it is {self.root.kind()}.")
            return None
        top = self.root.mapping()
        version = self._version(top)
        env = self._env(top, version)
        phases, runtime_versions = self._phases(top)
        artifacts, secondary = self._all_artifacts(top)
        return Buildspec(
            version=version,
            phases=phases,
            shell=env.shell,
            run_as=top["run-as"].text() if "run-as" in top else "",
            variables=env.variables,
            parameter_store=env.parameter_store,
            secrets_manager=env.secrets_manager,
            exported_variables=env.exported_variables,
            has_git_credential_helper=env.has_git_credential_helper,
            runtime_versions=runtime_versions,
            artifacts=artifacts,
            secondary_artifacts=secondary,
            cache=self._cache(top["cache"]) if _has(top, "cache") else None,
            reports=self._reports(top["reports"]) if _has(top, "reports") else {},
        )

    def _version(self, top: dict[str, Node]) -> str:
        node = top.get("version")
        if node is None:
            self.root.problem("version is missing: the first line should be “version: 0.2”.")
            return ""
        version = node.text().strip()
        if version not in VERSIONS and node.is_scalar:
            node.problem(f"must be 0.1 or 0.2, but it is {node.kind()}.")
        return version

    def _env(self, top: dict[str, Node], version: str) -> _Env:
        env = _Env()
        # The old name is ignored in 0.2, and the new one in 0.1.
        if version == "0.1":
            if _has(top, "environment_variables"):
                block = top["environment_variables"].mapping()
                if "plaintext" in block:
                    env.variables = self._names(block["plaintext"])
            return env
        if "env" not in top:
            return env
        block = top["env"].mapping()
        if not block and top["env"].is_mapping:
            top["env"].problem("must have at least one key.")
        if "shell" in block:
            env.shell = self._shell(block["shell"])
        if _has(block, "variables"):
            env.variables = self._names(block["variables"])
        if _has(block, "parameter-store"):
            env.parameter_store = self._names(block["parameter-store"])
        if _has(block, "secrets-manager"):
            env.secrets_manager = self._names(block["secrets-manager"])
        if _has(block, "exported-variables"):
            env.exported_variables = block["exported-variables"].texts()
        if "git-credential-helper" in block:
            env.has_git_credential_helper = block["git-credential-helper"].boolean()
        return env

    def _shell(self, node: Node) -> str:
        shell = node.text()
        if shell in WINDOWS_SHELLS:
            node.problem(f"“{shell}” is a shell of Windows; builds run in Linux containers: bash or /bin/sh.")
        elif shell not in (*SHELLS, "sh", "/bin/bash") and node.is_scalar:
            node.problem(f"must be bash or /bin/sh, but it is {node.kind()}.")
        return {"sh": "/bin/sh", "/bin/bash": "bash"}.get(shell, shell)

    def _names(self, node: Node) -> dict[str, str]:
        """A map from variables to texts; names that CodeBuild keeps for itself are refused."""
        for name, child in node.mapping().items() if node.is_mapping else ():
            if name.startswith(RESERVED_PREFIX):
                child.problem(f"names that start with {RESERVED_PREFIX} are reserved for CodeBuild.")
        return node.text_map()

    def _phases(self, top: dict[str, Node]) -> tuple[dict[str, Phase], dict[str, str]]:
        phases = {name: Phase() for name in PHASES}
        node = top.get("phases")
        if node is None:
            self.root.problem("phases is missing: at least one of install, pre_build, build, post_build is needed.")
            return phases, {}
        if node.is_null or (node.is_mapping and not node.raw.value):
            node.problem("is empty: at least one of install, pre_build, build, post_build is needed.")
            return phases, {}
        runtime_versions: dict[str, str] = {}
        for name, child in node.mapping().items():
            if name not in PHASES:
                child.problem(f"“{name}” is no phase; the phases are {', '.join(PHASES)}.")
                continue
            block = child.mapping() if not (child.is_null and name == "install") else {}
            if name == "install" and _has(block, "runtime-versions"):
                runtime_versions = block["runtime-versions"].text_map()
            elif child.is_mapping and name != "install" and "commands" not in block:
                child.problem("has no commands.")
            phases[name] = Phase(
                commands=self._commands(block["commands"]) if "commands" in block else (),
                finally_commands=self._commands(block["finally"]) if _has(block, "finally") else (),
                on_failure=self._on_failure(block["on-failure"]) if "on-failure" in block else OnFailure(),
                run_as=block["run-as"].text() if "run-as" in block else "",
                is_present=True,
            )
        return phases, runtime_versions

    def _commands(self, node: Node) -> tuple[str, ...]:
        if node.is_null:
            node.problem("is empty: it must be a list of commands, each on a line that starts with “- ”.")
            return ()
        commands: list[str] = []
        for index, item in enumerate(node.sequence()):
            if item.is_mapping:
                # CodeBuild's own sentence; nearly always an unquoted “: ” inside a command.
                item.problem(
                    f"Expected Commands[{index}] to be of string type: found subkeys instead at line {item.line}, "
                    f"value of the key tag on line {max(1, item.line - 1)} might be empty. "
                    "Put the command in quotes where it holds a colon and a blank."
                )
            elif item.is_sequence:
                item.problem(f"Expected Commands[{index}] to be of string type: found a list at line {item.line}.")
            elif item.is_null:
                item.problem(f"Expected Commands[{index}] to be of string type: found nothing at line {item.line}.")
            elif "\0" in item.raw.value:
                item.problem("holds a NUL character, which no shell takes.")
            else:
                commands.append(item.text())
        return tuple(commands)

    def _on_failure(self, node: Node) -> OnFailure:
        value = node.text()
        if value in ("ABORT", "CONTINUE"):
            return OnFailure(value)
        match = _RETRY.fullmatch(value)
        if match is None:
            node.problem(f"must be ABORT, CONTINUE or RETRY, RETRY-COUNT, RETRY-REGEX, but it is {node.kind()}.")
            return OnFailure()
        retries = int(match["count"] or DEFAULT_RETRIES)
        if retries > MAX_RETRIES:
            node.problem(f"may ask for {MAX_RETRIES} tries at most, not {retries}.")
        pattern = match["pattern"] or ".*"
        try:
            re.compile(pattern)
        except re.error as error:
            node.problem(f"“{pattern}” is no regular expression: {error}.")
        return OnFailure("RETRY", retries, pattern)

    def _all_artifacts(self, top: dict[str, Node]) -> tuple[Artifacts | None, dict[str, Artifacts]]:
        if not _has(top, "artifacts"):
            return None, {}
        node = top["artifacts"]
        block = node.mapping()
        secondary: dict[str, Artifacts] = {}
        if _has(block, "secondary-artifacts"):
            for name, child in block["secondary-artifacts"].mapping().items():
                secondary[name] = self._artifacts(child, child.mapping())
        return self._artifacts(node, block), secondary

    def _artifacts(self, node: Node, block: dict[str, Node]) -> Artifacts:
        files: tuple[str, ...] = ()
        if not _has(block, "files"):
            if node.is_mapping:
                node.problem("has no files: it must list at least one path or pattern.")
        else:
            files = block["files"].texts()
            if not files and block["files"].is_sequence:
                block["files"].problem("is empty: it must list at least one path or pattern.")
        exclude = block.get("exclude-paths")
        return Artifacts(
            files=files,
            name=_text(block, "name"),
            base_directory=_text(block, "base-directory"),
            exclude_paths=() if exclude is None else (exclude.text(),) if exclude.is_scalar else exclude.texts(),
            discard_paths=_boolean(block, "discard-paths"),
            enable_symlinks=_boolean(block, "enable-symlinks"),
            s3_prefix=_text(block, "s3-prefix"),
        )

    def _cache(self, node: Node) -> Cache:
        block = node.mapping()
        fallback = block["fallback-keys"].texts() if _has(block, "fallback-keys") else ()
        if len(fallback) > MAX_FALLBACK_KEYS:
            block["fallback-keys"].problem(f"may list {MAX_FALLBACK_KEYS} keys at most.")
        action = _text(block, "action")
        if action not in ("", "restore", "save"):
            block["action"].problem(f"must be restore or save, but it is “{action}”.")
        paths = block["paths"].texts() if _has(block, "paths") else ()
        return Cache(paths, _text(block, "key"), fallback, action)

    def _reports(self, node: Node) -> dict[str, Report]:
        reports: dict[str, Report] = {}
        for name, child in node.mapping().items():
            block = child.mapping()
            if not _has(block, "files") and child.is_mapping:
                child.problem("has no files: it must list at least one path or pattern.")
            file_format = (_text(block, "file-format") or "JUNITXML").upper()
            if file_format not in REPORT_FORMATS:
                block["file-format"].problem(f"must be one of {', '.join(REPORT_FORMATS)}.")
            reports[name] = Report(
                files=block["files"].texts() if _has(block, "files") else (),
                base_directory=_text(block, "base-directory"),
                discard_paths=_boolean(block, "discard-paths"),
                file_format=file_format,
            )
        if len(reports) > MAX_REPORTS:
            node.problem(f"may name {MAX_REPORTS} report groups at most.")
        return reports


@dataclass
class _Env:
    """The env block while it is read."""

    shell: str = "/bin/sh"
    variables: dict[str, str] = field(default_factory=dict)
    parameter_store: dict[str, str] = field(default_factory=dict)
    secrets_manager: dict[str, str] = field(default_factory=dict)
    exported_variables: tuple[str, ...] = ()
    has_git_credential_helper: bool = False


def _has(block: Mapping[str, Node], key: str) -> bool:
    """Whether a key is there with a value: `artifacts:` with nothing behind it counts as left out."""
    return key in block and not block[key].is_null


def _text(block: Mapping[str, Node], key: str) -> str:
    return block[key].text() if key in block else ""


def _boolean(block: Mapping[str, Node], key: str) -> bool:
    return block[key].boolean() if _has(block, key) else False
