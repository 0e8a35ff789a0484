"""Which of the builds that wait goes next: priority first, then projects take turns, oldest build first.

Of each project only its first waiting build stands in the way of others, so that a hundred builds of one project delay
a single build of another by one build, not by a hundred. Among projects of equal priority the one with the fewest
builds running goes first, then the one that was served longest ago.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Waiting:
    """A build that waits: its number in the order of arrival, its project's name, its priority (higher goes first)."""

    pk: int
    project: str
    priority: int = 0


@dataclass(frozen=True)
class Standing:
    """How a project stands.

    Attributes:
        running: How many of its builds run.
        limit: How many may; None is any number.
        served_at: When one of its builds was last taken, in seconds; 0 is never.
    """

    running: int = 0
    limit: int | None = None
    served_at: float = 0.0


def order(waiting: Iterable[Waiting], standings: Mapping[str, Standing], *, within_limits: bool) -> Iterator[Waiting]:
    """Builds in the order in which workers that become free take them.

    Args:
        standings: By project; a project that is not in it runs nothing and has no limit.
        within_limits: Only the builds that may begin now, each beside those before it. Without it all builds, as if
            every build ended before the next is taken: the order that people are shown.
    """
    queues: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for one in waiting:
        queues[one.project].append((-one.priority, one.pk))
    heads: list[tuple[int, int, float, int, str]] = []
    for project, queue in queues.items():
        standing = standings.get(project, Standing())
        heapq.heapify(queue)
        first, pk = queue[0]
        heads.append((first, standing.running, standing.served_at, pk, project))
    heapq.heapify(heads)
    # Whoever is served takes a turn behind all that were served before.
    turn = max((head[2] for head in heads), default=0.0)
    while heads:
        _, running, _, _, project = heapq.heappop(heads)
        limit = standings.get(project, Standing()).limit
        if within_limits and limit is not None and running >= limit:
            continue
        queue = queues[project]
        priority, pk = heapq.heappop(queue)
        yield Waiting(pk, project, -priority)
        turn += 1.0
        if queue:
            following, next_pk = queue[0]
            heapq.heappush(heads, (following, running + within_limits, turn, next_pk, project))
