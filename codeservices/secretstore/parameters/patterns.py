"""Does a value match its parameter's AllowedPattern?

Whoever may write a parameter gives both the pattern and the value, and some patterns take for ever on some values. A
child process of its own finds out, with a time limit and nothing in its environment; the value goes through a pipe.
"""

from __future__ import annotations

import json
import subprocess
import sys

# A fair pattern on 8 KB takes a few milliseconds, and the child a few dozen to start.
TIMEOUT_SECONDS = 2.0
_PROGRAM = """
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
resource.setrlimit(resource.RLIMIT_CPU, (5, 5))  # where the server that would end it is killed
pattern, value = json.load(sys.stdin)
try:
    compiled = re.compile(pattern)
except (re.error, OverflowError, RecursionError, MemoryError):
    sys.exit(3)
sys.exit(0 if compiled.search(value) else 4)
"""


class PatternError(Exception):
    """The pattern is no regular expression, or it takes too long."""


def matches(pattern: str, value: str) -> bool:
    """Whether the pattern is found in the value; `^` and `$` bind it to the ends.

    Raises:
        PatternError: It is no regular expression, or it was still at work after TIMEOUT_SECONDS.
    """
    try:
        ended = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            input=json.dumps([pattern, value]).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PatternError(f"It takes more than {TIMEOUT_SECONDS:.0f} seconds on this value.") from None
    if ended.returncode not in (0, 4):
        raise PatternError("It is no regular expression.")
    return ended.returncode == 0
