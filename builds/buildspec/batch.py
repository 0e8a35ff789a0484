"""The block `batch`: several builds from one start, as a graph, a list, a matrix or a fan-out."""

from __future__ import annotations

import re
from collections.abc import Mapping

from builds.buildspec.model import RESERVED_PREFIX, Batch, BatchBuild, Matrix
from builds.yaml_nodes import Block, Node

KINDS = ("build-graph", "build-list", "build-matrix", "build-fanout")
MAX_PARALLELISM = 10_000
_ENV_TEXTS = ("compute-type", "image", "type", "fleet")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_]{1,128}")


def read_batch(node: Node) -> Batch:
    """The batch of a buildspec; exactly one of its four kinds."""
    block = node.block(("fast-fail", *KINDS))
    fast_fail = block.boolean("fast-fail")
    kinds = [kind for kind in KINDS if kind in block]
    if len(kinds) != 1:
        if node.is_mapping:
            has = " and ".join(kinds) or "none of them"
            node.problem(f"must have one of {', '.join(KINDS)}, but it has {has}.")
        return Batch("", fast_fail)
    (kind,) = kinds
    inner = block[kind]
    if kind == "build-matrix":
        return Batch(kind, fast_fail, matrix=_matrix(inner))
    if kind == "build-fanout":
        return _fanout(inner, fast_fail)
    return Batch(kind, fast_fail, builds=_builds(inner, has_dependencies=kind == "build-graph"))


def _fanout(node: Node, fast_fail: bool) -> Batch:
    block = node.block(("parallelism", "ignore-failure"))
    if node.is_mapping and "parallelism" not in block:
        node.problem("has no parallelism: it must say among how many builds the tests are dealt out.")
    parallelism = block["parallelism"].integer(1, MAX_PARALLELISM) if "parallelism" in block else 0
    return Batch("build-fanout", fast_fail, parallelism=parallelism, ignore_failure=block.boolean("ignore-failure"))


def _builds(node: Node, *, has_dependencies: bool) -> tuple[BatchBuild, ...]:
    keys = ("identifier", "buildspec", "debug-session", "env", "ignore-failure")
    builds: dict[str, BatchBuild] = {}
    nodes: dict[str, Node] = {}
    for item in node.sequence():
        block = item.block((*keys, "depend-on") if has_dependencies else keys)
        if item.is_mapping and "identifier" not in block:
            item.problem("has no identifier.")
        if not block:
            continue
        environment, variables = _environment(block["env"]) if block.has("env") else ({}, {})
        build = BatchBuild(
            identifier=_identifier(block["identifier"], builds) if "identifier" in block else "",
            buildspec=block.text("buildspec"),
            depends_on=block["depend-on"].texts() if has_dependencies and block.has("depend-on") else (),
            environment=environment,
            variables=variables,
            debug_session=block.boolean("debug-session"),
            ignore_failure=block.boolean("ignore-failure"),
        )
        builds[build.identifier], nodes[build.identifier] = build, block.get("depend-on", item)
    if node.is_sequence and not builds:
        node.problem("is empty: it must list at least one build.")
    _check_dependencies(builds, nodes)
    return tuple(builds.values())


def _identifier(node: Node, known: Mapping[str, BatchBuild]) -> str:
    identifier = node.text()
    if node.is_scalar and not _IDENTIFIER.fullmatch(identifier):
        node.problem(f"must be letters, digits and underscores, but it is {node.kind()}.")
    elif identifier in known:
        node.problem(f"“{identifier}” is another build's already.")
    return identifier


def _check_dependencies(builds: Mapping[str, BatchBuild], nodes: Mapping[str, Node]) -> None:
    """Every build depends on builds of the graph, and none on itself, however far around."""
    for name, build in builds.items():
        for other in build.depends_on:
            if other not in builds:
                nodes[name].problem(f"“{other}” is no identifier of this graph.")
    open_builds = {name: set(build.depends_on) & set(builds) for name, build in builds.items()}
    while ready := [name for name, waits in open_builds.items() if not waits]:
        for name in ready:
            del open_builds[name]
        for waits in open_builds.values():
            waits.difference_update(ready)
    if open_builds:
        first = next(iter(open_builds))
        nodes[first].problem(f"the builds {', '.join(sorted(open_builds))} wait for each other.")


def _matrix(node: Node) -> Matrix:
    block = node.block(("static", "dynamic"))
    static = block.inner("static", ("ignore-failure", "env"))
    dynamic = block.inner("dynamic", ("buildspec", "env"))
    varied = dynamic.inner("env", ("compute-type", "image", "variables"))
    variables = varied["variables"].mapping() if varied.has("variables") else {}
    _check_names(variables)
    return Matrix(
        buildspecs=dynamic.patterns("buildspec"),
        compute_types=varied.patterns("compute-type"),
        images=varied.patterns("image"),
        variables={name: child.patterns() for name, child in variables.items()},
        environment=_overrides(static.inner("env", ("type", "privileged-mode"))),
        ignore_failure=static.boolean("ignore-failure"),
    )


def _environment(node: Node) -> tuple[dict[str, str], dict[str, str]]:
    """What one build overrides of its environment, and its variables."""
    block = node.block((*_ENV_TEXTS, "privileged-mode", "variables"))
    found = {key: block[key].text() for key in _ENV_TEXTS if block.has(key)}
    if block.has("privileged-mode"):
        found["privileged-mode"] = str(block["privileged-mode"].boolean()).lower()
    variables = block["variables"].mapping() if block.has("variables") else {}
    _check_names(variables)
    return _overrides(block), {name: child.text() for name, child in variables.items()}


def _overrides(block: Block) -> dict[str, str]:
    found = {key: block.text(key) for key in _ENV_TEXTS if block.has(key)}
    if block.has("privileged-mode"):
        found["privileged-mode"] = str(block.boolean("privileged-mode")).lower()
    return found


def _check_names(variables: Mapping[str, Node]) -> None:
    for name, child in variables.items():
        if name.startswith(RESERVED_PREFIX):
            child.problem(f"names that start with {RESERVED_PREFIX} are reserved for CodeBuild.")
