"""The blocks that name files of the workspace: artifacts, cache and reports."""

from __future__ import annotations

from builds.buildspec.model import (
    CACHE_ACTIONS,
    MAX_FALLBACK_KEYS,
    MAX_REPORTS,
    REPORT_FORMATS,
    Artifacts,
    Cache,
    Report,
)
from builds.yaml_nodes import Block, Node

KEYS = ("files", "name", "base-directory", "exclude-paths", "discard-paths", "enable-symlinks", "s3-prefix", "type")


def read_artifacts(node: Node | None) -> tuple[Artifacts | None, dict[str, Artifacts]]:
    """The primary artifact, and the secondary ones by identifier."""
    if node is None or node.is_null:
        return None, {}
    block = node.block((*KEYS, "secondary-artifacts"))
    secondary: dict[str, Artifacts] = {}
    if block.has("secondary-artifacts"):
        for name, child in block["secondary-artifacts"].mapping().items():
            secondary[name] = _artifacts(child, child.block(KEYS))
    return _artifacts(node, block), secondary


def _artifacts(node: Node, block: Block) -> Artifacts:
    return Artifacts(
        files=_files(node, block),
        name=block.text("name"),
        base_directory=block.text("base-directory"),
        exclude_paths=block.patterns("exclude-paths"),
        discard_paths=block.boolean("discard-paths"),
        enable_symlinks=block.boolean("enable-symlinks"),
        s3_prefix=block.text("s3-prefix"),
    )


def read_cache(node: Node) -> Cache:
    """What the next build finds again."""
    block = node.block(("paths", "key", "fallback-keys", "action"))
    fallback = block.texts("fallback-keys")
    if len(fallback) > MAX_FALLBACK_KEYS:
        block["fallback-keys"].problem(f"may list {MAX_FALLBACK_KEYS} keys at most, not {len(fallback)}.")
    if fallback and not block.has("key"):
        block["fallback-keys"].warning("is ignored, since there is no key.")
    return Cache(
        paths=block.patterns("paths"),
        key=block.text("key"),
        fallback_keys=fallback,
        action=block["action"].choice(CACHE_ACTIONS) if block.has("action") else "",
    )


def read_reports(node: Node) -> dict[str, Report]:
    """Report groups by name or ARN."""
    reports: dict[str, Report] = {}
    for name, child in node.mapping().items():
        block = child.block(("files", "base-directory", "discard-paths", "file-format"))
        reports[name] = Report(
            files=_files(child, block),
            base_directory=block.text("base-directory"),
            discard_paths=block.boolean("discard-paths"),
            file_format=_format(block["file-format"]) if block.has("file-format") else "JUNITXML",
        )
    if len(reports) > MAX_REPORTS:
        node.problem(f"may name {MAX_REPORTS} report groups at most, not {len(reports)}.")
    return reports


def _format(node: Node) -> str:
    text = node.text().upper()
    if text not in REPORT_FORMATS and node.is_scalar:
        node.problem(f"must be one of {', '.join(REPORT_FORMATS)}, but it is {node.kind()}.")
    return text


def _files(node: Node, block: Block) -> tuple[str, ...]:
    if not block.has("files"):
        if node.is_mapping:
            node.problem("has no files: it must list at least one path or pattern.")
        return ()
    files = block["files"].patterns()
    if not files and block["files"].is_sequence:
        block["files"].problem("is empty: it must list at least one path or pattern.")
    return files
