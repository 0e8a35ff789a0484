"""Timing two ways of doing the same thing in one run, by turns, because machines are noisy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def by_turns(ours: Callable[[], object], reference: Callable[[], object], rounds: int = 5) -> tuple[float, float]:
    """Median seconds of each, measured alternately after one unmeasured round."""
    ours(), reference()
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for act, times in zip((ours, reference), spent, strict=True):
            start = time.perf_counter()
            act()
            times.append(time.perf_counter() - start)
    return statistics.median(spent[0]), statistics.median(spent[1])


def row(what: str, ours: float, reference_name: str, reference: float, unit: str = "s") -> None:
    """One line of the table that docs/performance.md keeps."""
    print(
        f"| {what} | {ours:.3g} {unit} | {reference_name} {reference:.3g} {unit} | {ours / reference:.2f} |", flush=True
    )
