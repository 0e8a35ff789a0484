"""The block `phases`: commands, `finally`, on-failure, run-as and runtime-versions."""

from __future__ import annotations

import re

from builds.buildspec.model import DEFAULT_RETRIES, MAX_RETRIES, NOT_A_BLOCK, PHASES, OnFailure, Phase
from builds.yaml_nodes import Block, Node

KEYS = ("run-as", "on-failure", "commands", "finally")
MAX_PATTERN_CHARACTERS = 1000
_RETRY = re.compile(r"RETRY(?:-(?P<count>[0-9]{1,9}))?(?:-(?P<pattern>.+))?", re.DOTALL)
# Source: useradd(8), "CAVEATS"; names that adduser may make beyond it hold dots and capitals.
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?")


def read_phases(root: Node, node: Node | None) -> tuple[dict[str, Phase], dict[str, str]]:
    """Each of the four phases, and install's runtime-versions."""
    phases = {name: Phase() for name in PHASES}
    if node is None:
        root.problem("phases is missing: at least one of install, pre_build, build, post_build is needed.")
        return phases, {}
    if node.is_null or (node.is_mapping and not node.raw.value):
        node.problem("is empty: at least one of install, pre_build, build, post_build is needed.")
        return phases, {}
    if not node.is_mapping:
        node.problem(f"{NOT_A_BLOCK}: {node.key} must be a map, but it is {node.kind()}.", is_whole=True)
        return phases, {}
    runtime_versions: dict[str, str] = {}
    for name, child in node.mapping().items():
        if name not in PHASES:
            child.problem(f"“{name}” is no phase; the phases are {', '.join(PHASES)}.")
            continue
        is_install = name == "install"
        keys = (*KEYS, "runtime-versions") if is_install else KEYS
        block = Block() if child.is_null else child.block(keys)
        if is_install and block.has("runtime-versions"):
            runtime_versions = block["runtime-versions"].text_map()
        if not is_install and "commands" not in block and (child.is_mapping or child.is_null):
            child.problem("has no commands.")
        phases[name] = _phase(block)
    return phases, runtime_versions


def read_user(node: Node) -> str:
    """The name of a user of the image."""
    user = node.text()
    if node.is_scalar and not _USER.fullmatch(user):
        node.problem(f"must be the name of a user, but it is {node.kind()}.")
    return user


def _phase(block: Block) -> Phase:
    return Phase(
        commands=_commands(block["commands"]) if "commands" in block else (),
        finally_commands=_commands(block["finally"]) if block.has("finally") else (),
        on_failure=_on_failure(block["on-failure"]) if block.has("on-failure") else OnFailure(),
        run_as=read_user(block["run-as"]) if block.has("run-as") else "",
        is_present=True,
    )


def _commands(node: Node) -> tuple[str, ...]:
    if node.is_null:
        node.problem("is empty: it must be a list of commands, each on a line that starts with “- ”.")
        return ()
    commands: list[str] = []
    for index, item in enumerate(node.sequence()):
        expected = f"Expected Commands[{index}] to be of string type: found"
        if item.is_mapping:
            # Nearly always an unquoted “: ” inside a command.
            item.problem(
                f"{expected} subkeys instead at line {item.line}, value of the key tag on line {max(1, item.line - 1)} "
                "might be empty. Put the command in quotes where it holds a colon and a blank.",
                is_whole=True,
            )
        elif item.is_sequence:
            item.problem(f"{expected} a list instead at line {item.line}.", is_whole=True)
        elif item.is_null:
            item.problem(f"{expected} nothing at line {item.line}.", is_whole=True)
        else:
            commands.append(item.text())
    return tuple(commands)


def _on_failure(node: Node) -> OnFailure:
    value = node.text()
    if value in ("ABORT", "CONTINUE"):
        return OnFailure(value)
    match = _RETRY.fullmatch(value)
    if match is None:
        if node.is_scalar:
            node.problem(
                "must be ABORT, CONTINUE, RETRY, RETRY-COUNT, RETRY-REGEX or RETRY-COUNT-REGEX, "
                f"but it is {node.kind()}."
            )
        return OnFailure()
    retries = DEFAULT_RETRIES if match["count"] is None else int(match["count"])
    if retries > MAX_RETRIES:
        node.problem(f"may ask for {MAX_RETRIES} tries at most, not {retries}.")
    pattern = match["pattern"] or ".*"
    _check_pattern(node, pattern)
    return OnFailure("RETRY", retries, pattern)


def _check_pattern(node: Node, pattern: str) -> None:
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        node.problem(f"has a pattern of more than {MAX_PATTERN_CHARACTERS:,} characters.")
        return
    try:
        re.compile(pattern)
    except re.error as error:
        node.problem(f"“{pattern}” is no regular expression: {error}.")
    except (OverflowError, RecursionError):
        node.problem("has a pattern that repeats or nests more than can be matched.")
