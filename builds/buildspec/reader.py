"""A whole buildspec from its text: the top of the file, and each block by the module that knows it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from builds.buildspec.artifacts import read_artifacts, read_cache, read_reports
from builds.buildspec.batch import read_batch
from builds.buildspec.env import Env, read_env, read_environment_variables
from builds.buildspec.model import NOT_A_BLOCK, VERSIONS, Buildspec, BuildspecError, Proxy
from builds.buildspec.phases import read_phases, read_user
from builds.yaml_nodes import MAX_NODES, Block, Node, Problem, TooManyNodes, Walk, compose

KEYS = (
    "version",
    "run-as",
    "env",
    "environment_variables",
    "proxy",
    "batch",
    "phases",
    "reports",
    "artifacts",
    "cache",
)


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
            buildspec = _read(root, walk)
        except (TooManyNodes, RecursionError):
            walk.problems.append(Problem(0, "", f"More than {MAX_NODES:,} values; each use of an alias counts."))
    if walk.problems or buildspec is None:
        raise BuildspecError(walk.problems)
    return buildspec


def looks_inline(buildspec: str) -> bool:
    """Whether a project's `buildspec` is the YAML itself instead of a path: inferred, the API does not publish it."""
    return "\n" in buildspec.strip() or re.match(r"\s*version\s*:", buildspec) is not None


def _read(root: Node, walk: Walk) -> Buildspec | None:
    if not root.is_mapping:
        root.problem(f"The file must be a map with the keys version and phases, but it is {root.kind()}.")
        return None
    top = Block(root.mapping())
    _warn_of_misspelt(top)
    version = _version(root, top)
    env = _env(top, version)
    phases, runtime_versions = read_phases(root, top.get("phases"))
    artifacts, secondary = read_artifacts(top.get("artifacts"))
    return Buildspec(
        version=version,
        phases=phases,
        shell=env.shell,
        run_as=read_user(top["run-as"]) if top.has("run-as") else "",
        variables=env.variables,
        parameter_store=env.parameter_store,
        secrets_manager=env.secrets_manager,
        exported_variables=env.exported_variables,
        has_git_credential_helper=env.has_git_credential_helper,
        runtime_versions=runtime_versions,
        artifacts=artifacts,
        secondary_artifacts=secondary,
        cache=read_cache(top["cache"]) if top.has("cache") else None,
        reports=read_reports(top["reports"]) if top.has("reports") else {},
        proxy=_proxy(top["proxy"]) if top.has("proxy") else Proxy(),
        batch=read_batch(top["batch"]) if top.has("batch") else None,
        warnings=tuple(sorted(walk.warnings)),
    )


def _warn_of_misspelt(top: Mapping[str, Node]) -> None:
    """Other keys at the top are allowed, as holders of anchors for example, unless they look like a slip."""
    for name, node in top.items():
        near = name.strip().lower().replace("_", "-")
        meant = next((key for key in KEYS if near in (key, f"{key}s") or f"{near}s" == key), "")
        if name not in KEYS and meant:
            node.warning(f"is no known key and is ignored. Did you mean {meant}?")


def _version(root: Node, top: Mapping[str, Node]) -> str:
    node = top.get("version")
    if node is None:
        root.problem("version is missing: the first line should be “version: 0.2”.")
        return ""
    version = node.text().strip()
    if version not in VERSIONS and node.is_scalar:
        node.problem(f"must be 0.1 or 0.2, but it is {node.kind()}.")
    return version


def _env(top: Mapping[str, Node], version: str) -> Env:
    """The environment under the name that it has in this version; the other's name is ignored."""
    name, other = ("environment_variables", "env") if version == "0.1" else ("env", "environment_variables")
    if other in top:
        top[other].warning(f"is ignored in version {version or '0.2'}, which has {name} instead.")
    node = top.get(name)
    if node is None:
        return Env()
    if not node.is_mapping and not node.is_null:
        node.problem(f"{NOT_A_BLOCK}: {node.key} must be a map, but it is {node.kind()}.", is_whole=True)
        return Env()
    return read_environment_variables(node) if version == "0.1" else read_env(node)


def _proxy(node: Node) -> Proxy:
    block = node.block(("upload-artifacts", "logs"))
    return Proxy(block.boolean("upload-artifacts"), block.boolean("logs"))
