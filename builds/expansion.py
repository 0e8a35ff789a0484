"""Texts of a buildspec that the build's own shell expands: names of artifacts, keys of caches."""

from __future__ import annotations

from builds.runner.plan import Tools


def expanded(tools: Tools, text: str) -> str | None:
    """What the shell makes of a text within double quotes, without blanks around it; None where it fails.

    What its commands write to stderr is no part of it. Only while the container runs.
    """
    raw = tools.capture(f'{{ printf %s "{text}"; }} 2>/dev/null')
    return None if raw is None else raw.decode("utf-8", "replace").strip()
