"""Timing two ways of doing the same thing in one run, by turns, because machines are noisy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def by_turns(ours: Callable[[], object], reference: Callable[[], object], rounds: int = 5) -> tuple[float, float]:
    """Median seconds of each, measured alternately after one unmeasured round."""
    ours(), reference()
    told = figures_by_turns(lambda: seconds(ours), lambda: seconds(reference), rounds)
    return statistics.median(told[0]), statistics.median(told[1])


def figures_by_turns(
    ours: Callable[[], float], reference: Callable[[], float], rounds: int = 5
) -> tuple[list[float], list[float]]:
    """What each measures of itself, alternately."""
    told: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for measure, figures in zip((ours, reference), told, strict=True):
            figures.append(measure())
    return told


def seconds(act: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def row(what: str, ours: float, reference_name: str, reference: float, unit: str = "s") -> None:
    """One line of the table that docs/performance.md keeps."""
    _print(what, ours, reference_name, reference, unit, ours / reference)


def row_of(what: str, told: tuple[list[float], list[float]], reference_name: str, unit: str = "s") -> None:
    """The same from figures taken by turns; the ratio is the median of the rounds' ratios, which noise moves least."""
    ratio = statistics.median(one / other for one, other in zip(*told, strict=True))
    _print(what, statistics.median(told[0]), reference_name, statistics.median(told[1]), unit, ratio)


def _print(what: str, ours: float, reference_name: str, reference: float, unit: str, ratio: float) -> None:
    print(f"| {what} | {ours:.3g} {unit} | {reference_name} {reference:.3g} {unit} | {ratio:.2f} |", flush=True)
