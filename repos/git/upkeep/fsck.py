"""Whether a repository is whole: every object as its name says, everything that a ref reaches there.

It is git's full fsck, which reads and hashes each object: `--connectivity-only` would miss a blob whose bytes have
changed on the disk, which is what a check once a week is for. A finding counts when a second look confirms it, since
pushes go on meanwhile.
"""

from __future__ import annotations

from repos.git import program, refs
from repos.git.configuration import CONFIGURATION
from repos.git.upkeep.jobs import LockedRepository

FSCK_SECONDS = 12 * 3600.0
MAX_FINDINGS = 100
MAX_LINE = 300
# What git tells beside findings; a warning is about a defect that it tolerates.
_NO_FINDINGS = (b"notice: ", b"warning in ", b"warning: ", b"dangling ", b"unreachable ", b"Checking ", b"Verifying ")
# The sum of git's bits for what is wrong (builtin/fsck.c), or a defect so bad that it goes no further.
_MAX_VERDICT = 63
_DIED = 128


def check(locked: LockedRepository) -> list[str]:
    """What is wrong, as git says it, at most MAX_FINDINGS lines fit to be shown; none where the repository is whole.

    Raises:
        GitError: It could not be found out.
    """
    return _look(locked) and _look(locked)


def _look(locked: LockedRepository) -> list[str]:
    place = bytes(locked.repository.path) + b"/"
    findings: list[str] = []
    try:
        for line in program.lines(
            locked.repository,
            ["fsck", "--full", "--no-dangling", "--no-progress"],
            timeout_seconds=FSCK_SECONDS,
            options=locked.options(_tolerated(), is_complaint_output=True),
        ):
            if line and len(findings) < MAX_FINDINGS and not line.startswith(_NO_FINDINGS):
                findings.append(refs.shown(refs.decode(line.replace(place, b"")))[:MAX_LINE])
    except program.GitTimeout:
        raise
    except program.GitError as error:
        has_verdict = 0 < error.exit_code <= _MAX_VERDICT or error.exit_code == _DIED
        if not has_verdict or any("Out of memory" in line for line in findings):
            raise
        return findings or [f"git fsck ended with {error.exit_code} and told no reason."]
    return []


def _tolerated() -> dict[str, str]:
    """The defects of old histories that a push may carry are none here either."""
    prefix = "receive.fsck."
    return {f"fsck.{key.removeprefix(prefix)}": value for key, value in CONFIGURATION.items() if key.startswith(prefix)}
