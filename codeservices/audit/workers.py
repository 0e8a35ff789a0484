"""Celery's worker processes drain in the background, as web processes do."""

from __future__ import annotations

from typing import Any

from celery.signals import worker_process_init, worker_process_shutdown

from codeservices.audit import drain


def connect() -> None:
    """Called once when the app is ready."""
    worker_process_init.connect(_start, weak=False, dispatch_uid="audit.start")
    worker_process_shutdown.connect(_stop, weak=False, dispatch_uid="audit.stop")


def _start(**_: Any) -> None:
    drain.start()


def _stop(**_: Any) -> None:
    drain.stop()
