"""A build's network: a bridge of its own, whose name the firewall's rules know."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import docker

from builds.runner.firewall import bridge_prefix

# The machine whose engine runs the container, by the name that Docker Desktop gives it too.
HOST_NAME = "host.docker.internal"


def create(client: docker.DockerClient, install: str, name: str, labels: Mapping[str, str]) -> Any:
    """The network, which holds nothing yet. It has IPv4 alone; the firewall closes IPv6 whole."""
    return client.networks.create(
        name,
        driver="bridge",
        labels=dict(labels),
        options={
            "com.docker.network.bridge.name": f"{bridge_prefix(install)}{secrets.token_hex(3)}",
            "com.docker.network.bridge.enable_icc": "false",
        },
    )
