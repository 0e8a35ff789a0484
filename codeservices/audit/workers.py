"""Celery's worker processes drain in the background, as web processes do.

A pool of processes says of each that it begins and ends. A pool of threads has the worker's own process alone, of which
the worker itself says so; a pool of processes must not have a thread there when it forks another.
"""

from __future__ import annotations

from typing import Any

from celery.concurrency import thread
from celery.signals import worker_process_init, worker_process_shutdown, worker_ready, worker_shutdown

from codeservices.audit import drain, writer


def connect() -> None:
    """Called once when the app is ready."""
    worker_process_init.connect(_start, weak=False, dispatch_uid="audit.start")
    worker_process_shutdown.connect(_stop, weak=False, dispatch_uid="audit.stop")
    worker_ready.connect(_start_beside_threads, weak=False, dispatch_uid="audit.start_beside_threads")
    worker_shutdown.connect(_stop, weak=False, dispatch_uid="audit.stop_beside_threads")


def _start(**_: Any) -> None:
    drain.start()


def _start_beside_threads(sender: Any, **_: Any) -> None:
    if isinstance(getattr(sender, "pool", None), thread.TaskPool):
        drain.start()


def _stop(**_: Any) -> None:
    writer.close()
