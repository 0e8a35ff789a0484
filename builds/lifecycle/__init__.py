"""Start, queue, run, stop, finish: the only code that sets Build.status.

States move only forward and by compare-and-set (see lease.py). A build is IN_PROGRESS from its start; it is queued as
long as no worker holds a lease on it. Where two rows are locked it is the project's first, then the build's.
"""

from builds.lifecycle.endings import end, finish
from builds.lifecycle.queue import QUEUE, Wait, claim, claim_next, wait_of, wake_next
from builds.lifecycle.records import RUN_TASK
from builds.lifecycle.removal import delete_build
from builds.lifecycle.runs import run
from builds.lifecycle.starts import retry_build, start_build
from builds.lifecycle.stops import end_stopped, stop_build
from builds.lifecycle.sweeps import end_expired_leases, reap, requeue_builds

__all__ = [
    "QUEUE",
    "RUN_TASK",
    "Wait",
    "claim",
    "claim_next",
    "delete_build",
    "end",
    "end_expired_leases",
    "end_stopped",
    "finish",
    "reap",
    "requeue_builds",
    "retry_build",
    "run",
    "start_build",
    "stop_build",
    "wait_of",
    "wake_next",
]
