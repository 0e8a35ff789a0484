"""What a fetch has brought, judged as what a push brings: by the same program, quarantine.py."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from repos.git import quarantine
from repos.git.configuration import HOOKS, environment_of
from repos.git.refs import RefCommand
from repos.git.remote_errors import RemoteError
from repos.git.store import BareRepository

# The linux kernel's tree is looked at within seconds.
INSPECT_SECONDS = 600.0


def inspect(incoming: BareRepository, commands: Iterable[RefCommand]) -> None:
    """Look at the objects in a quarantine that was fetched into, and at the trees of the refs that are to move.

    The quarantine borrows no more objects by itself after this: do it last.

    Raises:
        RemoteError: An object is too large or a path too long, or they can't be checked.
    """
    borrowed = incoming.path / "objects/info/alternates"
    more = {}
    if borrowed.exists():
        # As a push has them: what the quarantine itself holds can be told from what it borrows.
        more["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = f'"{borrowed.read_text().strip()}"'
        borrowed.unlink()
    given = "".join(f"{one.old_oid} {one.new_oid} x\n" for one in commands)
    try:
        ended = subprocess.run(
            [HOOKS / "pre-receive"],
            input=given.encode("ascii"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment_of(incoming, more),
            cwd=incoming.path,
            timeout=INSPECT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RemoteError(
            "What was fetched has so many paths that they can't be checked.", code="ObjectsRefused"
        ) from None
    if ended.returncode:
        told = (
            ended.stderr.decode("utf-8", "replace")
            .partition(quarantine.REFUSED)[2]
            .partition("\nNothing of this push")[0]
        )
        raise RemoteError(told.strip() or "What was fetched can't be checked.", code="ObjectsRefused")
