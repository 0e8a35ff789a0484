"""The connection to Docker Engine, and what on it is an installation's own: containers and networks by their labels."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import docker
import docker.errors
import requests.exceptions

from builds.runner.executor import PhaseError

BUILD_LABEL = "codeservices.build"
INSTALL_LABEL = "codeservices.install"
# Of a network that a worker's process keeps between builds: who keeps it (see network.py).
KEEPER_LABEL = "codeservices.keeper"
ENGINE_SECONDS = 60
ENGINE_ERRORS = (docker.errors.DockerException, requests.exceptions.RequestException, OSError)


# What an engine tells of itself changes when another program is started in its place, and to answer, it starts two
# programs itself each time. So this process remembers it for so long.
KNOWN_SECONDS = 30.0
Known = TypeVar("Known")
# By the address, and when they were asked for.
_versions: dict[str, tuple[float, str]] = {}
_hosts: dict[str, tuple[float, Mapping[str, Any]]] = {}


def connect(docker_host: str = "", *, timeout_seconds: int = ENGINE_SECONDS) -> docker.DockerClient:
    """A client of the engine at `docker_host`, or of the local one where that is empty; close it after use.

    It asks the engine for the version that both speak, or keeps to what the engine said within the last half minute.
    """
    address = _address(docker_host)
    version = _recent(_versions, address) or "auto"
    if docker_host:
        client = docker.DockerClient(base_url=docker_host, version=version, timeout=timeout_seconds)
    else:
        client = docker.from_env(version=version, timeout=timeout_seconds)
    if version == "auto":
        _versions[address] = time.monotonic(), client.api.api_version
    if client.api.base_url.startswith("http+docker:"):
        # No proxy leads to a socket of this machine; to look for one in the environment takes longer than to ask.
        client.api.trust_env = False
    return client


def host_of(client: docker.DockerClient, docker_host: str) -> Mapping[str, Any]:
    """What the engine tells of itself and its machine (`docker info`), now or within the last half minute.

    Args:
        client: Of the engine at `docker_host`, as `connect` takes it.
    """
    address = _address(docker_host)
    found = _recent(_hosts, address)
    if found is None:
        found = client.info()
        _hosts[address] = time.monotonic(), found
    return found


def _recent(known: Mapping[str, tuple[float, Known]], address: str) -> Known | None:
    """What the engine at an address has told within KNOWN_SECONDS."""
    asked_at, found = known.get(address, (0.0, None))
    return found if time.monotonic() - asked_at < KNOWN_SECONDS else None


def _address(docker_host: str) -> str:
    return docker_host or os.environ.get("DOCKER_HOST", "")


def is_local(docker_host: str) -> bool:
    """Whether the engine runs on this machine, so that its files, processes and firewall are this machine's."""
    return not docker_host or docker_host.startswith("unix://")


def fault(what: str, error: BaseException) -> PhaseError:
    """What a build ends with when the engine could not do something: "make the build's container"."""
    reason = getattr(error, "explanation", None) or str(error)
    return PhaseError("INTERNAL_SERVICE_ERROR", f"Docker Engine could not {what}: {reason}", is_fault=True)


def reap(
    client: docker.DockerClient,
    install: str,
    keep: Callable[[], Collection[str]],
    is_kept: Callable[[str, str], bool] = lambda keeper, created_at: False,
) -> list[str]:
    """Remove containers, networks and volumes of this installation's builds that nobody runs; the builds' ids.

    A network that no build has, since its worker keeps it for the next one, goes when nobody keeps it any more.

    Args:
        keep: The ids of builds that run. Asked after the engine was, so that a build that begins meanwhile is safe: its
            lease is older than its container.
        is_kept: Whether a network is kept, by its KEEPER_LABEL and the time at which it was made.
    """
    filters: dict[str, Any] = {"label": f"{INSTALL_LABEL}={install}"}
    containers = client.containers.list(all=True, filters=filters, ignore_removed=True)
    networks = client.networks.list(filters=filters)
    volumes = [one for one in client.volumes.list(filters=filters) if BUILD_LABEL in (one.attrs.get("Labels") or {})]
    if not containers and not networks and not volumes:
        return []
    kept = keep()
    reaped: set[str] = set()
    for container in containers:
        build_id = container.labels.get(BUILD_LABEL, "")
        if build_id not in kept:
            with contextlib.suppress(docker.errors.APIError):
                container.remove(force=True, v=True)
                reaped.add(build_id)
    for network in networks:
        labels = network.attrs.get("Labels") or {}
        keeper, build_id = labels.get(KEEPER_LABEL), labels.get(BUILD_LABEL, "")
        if build_id not in kept and not (keeper and is_kept(keeper, network.attrs["Created"])):
            with contextlib.suppress(docker.errors.APIError):
                network.remove()
                reaped.add(build_id or str(network.name))
    for volume in volumes:
        build_id = volume.attrs["Labels"][BUILD_LABEL]
        if build_id not in kept:
            with contextlib.suppress(docker.errors.APIError):
                volume.remove()
                reaped.add(build_id)
    return sorted(reaped)
