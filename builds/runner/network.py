"""A build's network: a bridge of its own, whose name the firewall's rules know."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

import docker

# The machine whose engine runs the container, by the name that Docker Desktop gives it too.
HOST_NAME = "host.docker.internal"


def bridge_prefix(install: str) -> str:
    """With what the names of all bridges of an installation's builds begin; nine characters.

    A name of an interface has 15 characters at most (IFNAMSIZ), so an account id does not fit in whole.
    """
    return f"cs{hashlib.sha256(install.encode()).hexdigest()[:6]}-"


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
