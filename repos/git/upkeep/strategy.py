"""Which upkeep a repository's state calls for.

The thresholds weigh what a job costs against what everybody pays without it: a clone of a repository without a bitmap
walks all of its history, a page reads each loose ref as a file of its own.
"""

from __future__ import annotations

import enum
import math

from repos.git.upkeep.state import State


class Job(enum.StrEnum):
    """The kinds of upkeep, in the order in which they are done."""

    LEFTOVERS = "LEFTOVERS"
    PACK_REFS = "PACK_REFS"
    COMMIT_GRAPH = "COMMIT_GRAPH"
    REPACK = "REPACK"
    FULL_REPACK = "FULL_REPACK"
    EXPIRE = "EXPIRE"
    FSCK = "FSCK"


# Loose refs that are always worth a packing; above that, the more the larger packed-refs is, since it is written whole.
# Source: gitaly internal/git/housekeeping/optimization_strategy.go.
MIN_LOOSE_REFS = 16
MAX_LOOSE_OBJECTS = 400
MAX_NEW_PACKS = 8
# So much that no bitmap covers makes a clone noticeably slower.
MAX_NEW_OBJECTS = 2000
MAX_NEW_PACK_BYTES = 16 * 1024**2
MAX_MISSING_COMMITS = 100


def due_jobs(state: State) -> list[Job]:
    """What the state calls for at once. A full repack, expiry and fsck are for the calendar to ask."""
    jobs = []
    if state.leftovers:
        jobs.append(Job.LEFTOVERS)
    if state.loose_refs > max_loose_refs(state.packed_refs_bytes):
        jobs.append(Job.PACK_REFS)
    if _needs_graph(state):
        jobs.append(Job.COMMIT_GRAPH)
    if _needs_repack(state):
        jobs.append(Job.REPACK)
    return jobs


def max_loose_refs(packed_refs_bytes: int) -> int:
    """How many loose refs may lie beside packed refs of that size."""
    about = packed_refs_bytes / 100  # a line of packed-refs has about so many bytes
    return max(MIN_LOOSE_REFS, int(math.log(about) / math.log(1.15)) if about > 1 else 0)


def _needs_graph(state: State) -> bool:
    if not state.refs or not (state.packs or state.loose_objects):
        return False
    if not state.graph_commits or not state.has_changed_paths:
        return True
    return (state.missing_commits or 0) >= MAX_MISSING_COMMITS


def _needs_repack(state: State) -> bool:
    return (
        state.loose_objects > MAX_LOOSE_OBJECTS
        or state.new_packs > MAX_NEW_PACKS
        or state.new_objects > MAX_NEW_OBJECTS
        or state.new_pack_bytes > MAX_NEW_PACK_BYTES
        or (state.packs > 0 and not state.has_bitmap and state.objects > state.cruft_objects)
    )
