"""A build's network: a bridge of its own, whose name the firewall's rules know.

To make and to remove one takes the engine a dozen processes and as long as a container's whole life. So a worker's
process keeps the network of a build that has ended for its next one, for half a minute (`Networks`). No two builds are
in a network at once, and one is lent out again only when the engine says that nothing is in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import docker
import docker.errors

from builds.runner import engine
from builds.runner.firewall import bridge_prefix

logger = logging.getLogger(__name__)

# The machine whose engine runs the container, by the name that Docker Desktop gives it too.
HOST_NAME = "host.docker.internal"
# On a server that builds now and then, the next one finds it; half a minute after the last one nothing is left there.
KEEP_SECONDS = 30.0
# No build gets a network that is older. So one that is older than that and a build can last is nobody's, whoever made
# it: of a machine or a container that had another name, nothing else tells whether its process lives.
LEND_LIFE = timedelta(days=1)
LIFE = LEND_LIFE + timedelta(days=3)


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


def is_kept(folder: Path, keeper: str, created_at: str) -> bool:
    """Whether a network with this `engine.KEEPER_LABEL` has a process that keeps it.

    A keeper without a lock in our folder that calls its machine otherwise may live: it loses what is older than LIFE.

    Args:
        folder: That of `Networks`.
        created_at: When the network was made, as the engine tells it.
    """
    host, _, name = keeper.rpartition("/")
    path = folder / name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return host != socket.gethostname() and _age(created_at) < LIFE
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        path.unlink(missing_ok=True)
        return False
    finally:
        os.close(descriptor)


def _age(created_at: str) -> timedelta:
    """Since a time as the engine tells it: RFC 3339 with nanoseconds."""
    return datetime.now(UTC) - datetime.fromisoformat(created_at)


@dataclass(frozen=True)
class Kept:
    """A network that this process keeps, and its lock, which ends with the process however that ends."""

    name: str
    lock: int


class Networks:
    """The networks that a worker's process keeps, all of them of the engine on this machine.

    Args:
        install: The installation's account id.
        folder: Where the locks lie, by which the reaper sees that a process lives; the same for all processes here.
        connect: Makes a client, for the thread that removes what nobody needs.
    """

    def __init__(self, install: str, folder: Path, connect: Callable[[], docker.DockerClient]) -> None:
        self._install = install
        self._folder = folder
        self._connect = connect
        self._lock = threading.Lock()
        self._idle: list[Kept] = []
        self._timer: threading.Timer | None = None
        self._is_closed = False

    def take(self, client: docker.DockerClient) -> Kept | None:
        """A network that is there and empty, for the caller alone; None where none is."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                found = self._idle.pop()
            try:
                state = client.api.inspect_network(found.name)
            except engine.ENGINE_ERRORS:
                self.remove(client, found)
                continue
            is_empty = not state.get("Containers")
            if is_empty and _age(state["Created"]) < LEND_LIFE:
                return found
            logger.info("the network %s is %s", found.name, "too old" if is_empty else "not empty")
            self.remove(client, found)

    def reserve(self) -> Kept:
        """The name for a new network, with its lock, which is taken before the engine knows the network."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"codeservices-network-{secrets.token_hex(8)}"
        lock = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return Kept(name, lock)

    def make(self, client: docker.DockerClient, reserved: Kept) -> None:
        """The network of a reserved name."""
        keeper = f"{socket.gethostname()}/{reserved.name}"
        labels = {engine.KEEPER_LABEL: keeper, engine.INSTALL_LABEL: self._install}
        create(client, self._install, reserved.name, labels)

    def give_back(self, client: docker.DockerClient, kept: Kept) -> None:
        """Keep a network whose container is removed for the next build, for a while."""
        with self._lock:
            if not self._is_closed:
                self._idle.append(kept)
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = threading.Timer(KEEP_SECONDS, self._remove_idle)
                self._timer.daemon = True
                self._timer.name = "networks"
                self._timer.start()
                return
        self.remove(client, kept)

    def remove(self, client: docker.DockerClient, kept: Kept) -> None:
        """Remove a network; what can't be removed is left for the reaper."""
        try:
            client.api.remove_network(kept.name)
        except docker.errors.NotFound:
            pass
        except engine.ENGINE_ERRORS as error:
            logger.warning("left for the reaper: network %s: %s", kept.name, error)
        (self._folder / kept.name).unlink(missing_ok=True)
        os.close(kept.lock)

    def close(self) -> None:
        """Remove all that nobody uses, and keep none from now on."""
        with self._lock:
            self._is_closed = True
            if self._timer is not None:
                self._timer.cancel()
        self._remove_idle()

    def _remove_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        if not idle:
            return
        try:
            with contextlib.closing(self._connect()) as client:
                while idle:
                    self.remove(client, idle.pop())
        except engine.ENGINE_ERRORS as error:
            logger.warning("left for the reaper: %s networks: %s", len(idle), error)
            for kept in idle:
                os.close(kept.lock)
