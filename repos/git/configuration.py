"""How every git process is called: one fixed configuration, one environment, nothing of the machine's or a user's."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from codeservices.env import SUPERVISED
from repos.git.store import BareRepository

# The only hook there is: quarantine.py, run by receive-pack.
HOOKS = Path(__file__).with_name("hooks")
INTERNAL_REFS = "refs/internal"

# Three defects that the histories of many old projects carry and that harm nobody.
TOLERATED_DEFECTS = ("badTimezone", "missingSpaceBeforeDate", "zeroPaddedFilemode")

# Source: git-config(1), and what gitaly sets for every command (internal/git/command_description.go).
CONFIGURATION: Mapping[str, str] = {
    "core.hooksPath": "/dev/null",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.fsmonitor": "false",
    "core.quotePath": "false",
    "core.alternateRefsCommand": "exit 0 #",
    "core.fsync": "objects,derived-metadata,reference",
    "core.fsyncMethod": "fsync",
    "log.mailmap": "false",  # people as commits name them, and no look into the tip's tree for another name
    "gc.auto": "0",  # upkeep has its own task; a push must not wait for it
    "maintenance.auto": "false",
    "pack.windowMemory": "100m",
    "protocol.allow": "never",
    "protocol.file.allow": "always",
    "transfer.hideRefs": INTERNAL_REFS,
    "transfer.fsckObjects": "true",
    "receive.fsckObjects": "true",
    **{f"receive.fsck.{defect}": "ignore" for defect in TOLERATED_DEFECTS},
    "receive.autogc": "false",
    "receive.advertisePushOptions": "true",
    "receive.unpackLimit": "1",  # one pack and one fsync, where each of a hundred loose objects would need its own
    "receive.denyNonFastForwards": "false",
    "receive.denyDeletes": "false",
    # CodeCommit's DeleteBranch refuses the default branch (DefaultBranchCannotBeDeleted); a push is the same door.
    "receive.denyDeleteCurrent": "refuse",
    "uploadpack.allowFilter": "true",
    # A partial clone asks for its blobs by their oids. Protocol 2 grants that to whoever may read; so do 0 and 1.
    "uploadpack.allowAnySHA1InWant": "true",
}
ENVIRONMENT: Mapping[str, str] = {
    "HOME": "/nonexistent",
    "XDG_CONFIG_HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    # An oid always means its own bytes, and a commit's parents are those it names: so it is to dulwich, to the
    # commit-graph and to who has reviewed or signed it, and whoever may push refs/replace must not change that.
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": "/nonexistent",  # one that exists, even empty, makes every command print a hint
    "LC_ALL": "C",
    "TZ": "UTC",
    "CODESERVICES_PYTHON": sys.executable,  # for the hook
}

Argument = str | bytes


def argv_of(repository: BareRepository, args: Sequence[Argument], configuration: Mapping[str, str]) -> list[bytes]:
    """The whole argument list of `git ARGS` on a repository, with more configuration for this call."""
    argv = [b"git", b"--no-pager"]
    for key, value in {**CONFIGURATION, "safe.directory": str(repository.path), **configuration}.items():
        argv += [b"-c", os.fsencode(f"{key}={value}")]
    return argv + [arg if isinstance(arg, bytes) else arg.encode("utf-8", "surrogateescape") for arg in args]


def name_of(args: Sequence[Argument]) -> str:
    """The command's name, for messages."""
    return args[0] if isinstance(args[0], str) else args[0].decode("utf-8", "replace")


def environment_of(repository: BareRepository, more: Mapping[str, str]) -> dict[str, str]:
    """The variables of a git process. Of our own, PATH reaches git and the mark of our supervisor's children: no GIT_*
    of whoever started us, no secret."""
    ours = {"PATH": os.environ.get("PATH", os.defpath)}
    if SUPERVISED in os.environ:
        ours[SUPERVISED] = os.environ[SUPERVISED]
    return {**ours, **ENVIRONMENT, "GIT_DIR": str(repository.path), **more}


def fingerprint() -> str:
    """Text that changes where the program is another one or is configured otherwise: it may then answer otherwise."""
    path = shutil.which("git") or ""
    status = os.stat(path) if path else None  # noqa: PTH116  no Path is at hand
    stamp = f"{path} {status.st_ino} {status.st_size} {status.st_mtime_ns}" if status else ""
    return f"{stamp} {sorted(CONFIGURATION.items())}"
