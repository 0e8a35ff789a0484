"""Processes that are killed, as SIGKILL kills them, at a point that a test names."""

from __future__ import annotations

import itertools
import os
import signal
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

# What has not come to its point by then hangs.
PATIENCE_SECONDS = 300


def dies(action: Callable[[], object]) -> None:
    """Run it in a process of its own, which has to be killed on the way."""
    connections.close_all()  # a child that ends a connection it shares would end it for its parent
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE_SECONDS)
        try:
            action()
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def kill_in(patched: pytest.MonkeyPatch, where: object, name: str, *, number: int = 1, is_after: bool = True) -> None:
    """Have the process killed at the beginning or at the end of the call of that number."""
    original, calls = getattr(where, name), itertools.count(1)

    def killing(*args: Any, **named: Any) -> Any:
        is_it = next(calls) == number
        if is_it and not is_after:
            os.kill(os.getpid(), signal.SIGKILL)
        found = original(*args, **named)
        if is_it:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    patched.setattr(where, name, killing)
