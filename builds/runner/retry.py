"""Does a failed phase's text match the pattern of its on-failure?

The pattern is a stranger's, and some patterns take years: a child process of this interpreter matches, and is ended
when its time is over. Source: regular expressions as in Python's `re`.
"""

from __future__ import annotations

import subprocess
import sys

MATCH_SECONDS = 2.0
_PROGRAM = """import re, sys
pattern, text = sys.stdin.buffer.read().decode("utf-8", "replace").split("\\0", 1)
sys.exit(0 if re.search(pattern, text) else 1)
"""


def matches(pattern: str, text: str, *, seconds: float = MATCH_SECONDS) -> bool:
    """Whether the pattern is found in the text; no, where that takes longer than `seconds`."""
    if pattern == ".*":
        return True
    try:
        child = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            input=f"{pattern}\0{text}".encode("utf-8", "replace"),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return child.returncode == 0
