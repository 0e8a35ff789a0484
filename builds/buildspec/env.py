"""The block `env` of version 0.2 and its forerunner `environment_variables` of version 0.1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from builds.buildspec.model import RESERVED_PREFIX, SHELLS, WINDOWS_SHELLS
from builds.secret_reference import SecretReference
from builds.yaml_nodes import Node

KEYS = (
    "shell",
    "variables",
    "parameter-store",
    "secrets-manager",
    "exported-variables",
    "git-credential-helper",
)
_SHELL_BY_WORD = {**{shell: shell for shell in SHELLS}, "sh": "/bin/sh", "/bin/bash": "bash"}


@dataclass
class Env:
    """The environment block while it is read."""

    shell: str = "/bin/sh"
    variables: dict[str, str] = field(default_factory=dict)
    parameter_store: dict[str, str] = field(default_factory=dict)
    secrets_manager: dict[str, str] = field(default_factory=dict)
    exported_variables: tuple[str, ...] = ()
    has_git_credential_helper: bool = False


def read_environment_variables(node: Node) -> Env:
    """`environment_variables` of version 0.1: `plaintext` and nothing else."""
    env = Env()
    block = node.block(("plaintext",)) if not node.is_null else {}
    if "plaintext" in block and not block["plaintext"].is_null:
        env.variables = _by_name(block["plaintext"])
    return env


def read_env(node: Node) -> Env:
    """`env` of version 0.2."""
    env = Env()
    block = node.block(KEYS) if node.is_mapping else {}
    if not block:
        node.problem("must have at least one key.")
    present = {key: child for key, child in block.items() if not child.is_null}
    if "shell" in present:
        env.shell = _shell(present["shell"])
    if "variables" in present:
        env.variables = _by_name(present["variables"])
    if "parameter-store" in present:
        env.parameter_store = _by_name(present["parameter-store"], _check_parameter)
    if "secrets-manager" in present:
        env.secrets_manager = _by_name(present["secrets-manager"], _check_secret)
    if "exported-variables" in present:
        env.exported_variables = present["exported-variables"].texts()
    if "git-credential-helper" in present:
        env.has_git_credential_helper = present["git-credential-helper"].boolean()
    return env


def _shell(node: Node) -> str:
    shell = node.text()
    if shell in WINDOWS_SHELLS:
        node.problem(f"“{shell}” is a shell of Windows; builds run in Linux containers: bash or /bin/sh.")
    elif shell not in _SHELL_BY_WORD and node.is_scalar:
        node.problem(f"must be bash or /bin/sh, but it is {node.kind()}.")
    return _SHELL_BY_WORD.get(shell, "/bin/sh")


def _by_name(node: Node, check: Callable[[str], None] = lambda text: None) -> dict[str, str]:
    """A map from variables to texts, each checked; names that CodeBuild keeps for itself are refused."""
    found: dict[str, str] = {}
    for name, child in node.mapping().items():
        if name.startswith(RESERVED_PREFIX):
            child.problem(f"names that start with {RESERVED_PREFIX} are reserved for CodeBuild.")
        elif not name or "=" in name or "\0" in name:
            child.problem(f"“{name}” is no name of an environment variable.")
        found[name] = child.text()
        try:
            if child.is_scalar:
                check(found[name])
        except ValueError as error:
            child.problem(str(error))
    return found


def _check_parameter(text: str) -> None:
    if not text.strip():
        raise ValueError("is empty: it must be the name of a parameter.")


def _check_secret(text: str) -> None:
    if not text.strip():
        raise ValueError("is empty: it must be SECRET-ID:JSON-KEY:VERSION-STAGE:VERSION-ID or a part of that.")
    SecretReference.parse(text)
