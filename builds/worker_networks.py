"""The networks that a worker's process keeps from one build to the next (see `runner/network.py`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery.signals import worker_process_init, worker_process_shutdown
from django.conf import settings

from builds.runner import engine, network

_networks: network.Networks | None = None


def connect() -> None:
    """Called once when the app is ready: a process of workers that begins may keep networks until it ends."""
    worker_process_init.connect(_open, weak=False, dispatch_uid="builds.networks.open")
    worker_process_shutdown.connect(_close, weak=False, dispatch_uid="builds.networks.close")


def kept() -> network.Networks | None:
    """Those of this process; None where it keeps none."""
    return _networks


def is_kept(keeper: str, created_at: str) -> bool:
    """Whether a network with this label, made at this time, has a process that keeps it."""
    return network.is_kept(_folder(), keeper, created_at)


def _folder() -> Path:
    return Path(settings.RUN_ROOT) / "networks"


def _open(**_: Any) -> None:
    global _networks
    # Whether a process of another machine lives can't be seen from here.
    if engine.is_local(settings.DOCKER_HOST):
        _networks = network.Networks(settings.ACCOUNT_ID, _folder(), lambda: engine.connect(settings.DOCKER_HOST))


def _close(**_: Any) -> None:
    global _networks
    if _networks is not None:
        _networks.close()
    _networks = None
