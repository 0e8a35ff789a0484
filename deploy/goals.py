"""The goals of the Makefile by name."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence

from codeservices.env import SettingError
from deploy import checks, down, logs, places, say, status, up


def _logs() -> int:
    logs.logs(follow=bool(os.environ.get("FOLLOW")))
    return 0


def _up() -> int:
    up.up()
    return 0


def _down() -> int:
    down.down()
    return 0


_GOALS: dict[str, Callable[[], int]] = {
    "up": _up,
    "down": _down,
    "status": lambda: 0 if status.status() else 1,
    "logs": _logs,
    "lint": checks.lint,
    "test": checks.test,
    "test-faults": checks.test_faults,
    "bench": checks.bench,
}


def run(arguments: Sequence[str]) -> int:
    """Run the goal that is named; its exit code."""
    if len(arguments) != 1 or arguments[0] not in _GOALS:
        print(f"usage: python3 deploy/bootstrap.py {'|'.join(_GOALS)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return _GOALS[arguments[0]]()
    except (say.Refusal, SettingError) as error:
        return say.refuse(error)
    except KeyboardInterrupt:
        say.line("\nInterrupted. The same command goes on from here.")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except PermissionError as error:
        return say.refuse(
            say.Refusal(f"{error.filename} belongs to another user. Take it: sudo chown -R $(id -un) {places.var()}")
        )
