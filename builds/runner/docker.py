"""The executor over Docker Engine: one fresh container and one network for each build. Nothing else knows Docker.

Files go in and out through the engine's archive calls, so that an engine on another machine works; nothing of the host
is mounted. `agent.sh` in the container reads work from its attached stdin; the build's output and the agent's answers
come back on the same attached socket, which is read by one thread, without polling.

Measured on Engine 20.10, and kept to here: log driver `none` with an attach made before the start loses no line and is
the fastest; `attach(logs=1)` on such a container wedges the engine.
"""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import socket
import struct
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import docker
import docker.errors
import docker.types
import requests.exceptions
from docker.utils import parse_repository_tag

from builds.images import catalogue
from builds.runner import agent
from builds.runner.executor import Interrupted, Note, Output, PhaseError, Spec, Start

logger = logging.getLogger(__name__)

BUILD_LABEL = "codeservices.build"
INSTALL_LABEL = "codeservices.install"
# The machine whose engine runs the container, by the name that Docker Desktop gives it too.
HOST_NAME = "host.docker.internal"
CA_VARIABLES = (
    "SSL_CERT_FILE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
)
# What apt-get, pip and su need of root, and no more. Not among them: NET_RAW, MKNOD, AUDIT_WRITE and all of the host's.
CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "SETFCAP",
)
# Enough for a parallel compiler run, small enough that a fork bomb stays inside the container.
MAX_PROCESSES = 4096
ENGINE_SECONDS = 60
INTERRUPT_SECONDS = 4
RECEIVE_BYTES = 256 * 1024
HEADER = struct.Struct(">BxxxL")
# A shared shell that keeps dying between commands is given up.
MAX_SHELL_STARTS = 3
OUT_OF_MEMORY_STATUS = 137
ENGINE_ERRORS = (docker.errors.DockerException, requests.exceptions.RequestException, OSError)


def connect(docker_host: str = "", *, timeout_seconds: int = ENGINE_SECONDS) -> docker.DockerClient:
    """A client of the engine at `docker_host`, or of the local one where that is empty; close it after use."""
    if docker_host:
        return docker.DockerClient(base_url=docker_host, timeout=timeout_seconds)
    return docker.from_env(timeout=timeout_seconds)


def reap(client: docker.DockerClient, install: str, keep: Callable[[], Collection[str]]) -> list[str]:
    """Remove containers, networks and volumes of this installation's builds that nobody runs; the builds' ids.

    Args:
        keep: The ids of builds that run. Asked after the engine was, so that a build that begins meanwhile is safe: its
            lease is older than its container.
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
        build_id = (network.attrs.get("Labels") or {}).get(BUILD_LABEL, "")
        if build_id not in kept:
            with contextlib.suppress(docker.errors.APIError):
                network.remove()
                reaped.add(build_id)
    for volume in volumes:
        build_id = volume.attrs["Labels"][BUILD_LABEL]
        if build_id not in kept:
            with contextlib.suppress(docker.errors.APIError):
                volume.remove()
                reaped.add(build_id)
    return sorted(reaped)


class DockerExecutor:
    """See `builds.runner.executor` for the calls and their order.

    Args:
        install: The installation's account id; orphans are found by it.
        docker_host: As in DOCKER_HOST, or empty for the local engine.
        ca_bundle: CA certificates in PEM that the build's programs shall trust; may be empty.
        variables: Variables every build gets unless it sets them itself: proxies.
        on_image: Told before a container is made of an image: the engine's id, the image's name, and whether it was
            not there and had to be pulled or made.
    """

    def __init__(
        self,
        install: str,
        *,
        docker_host: str = "",
        ca_bundle: bytes = b"",
        variables: Mapping[str, str] | None = None,
        on_image: Callable[[str, str, bool], None] = lambda engine_id, image, is_new: None,
    ) -> None:
        self._on_image = on_image
        self._is_new_image = False
        self._install = install
        self._docker_host = docker_host
        self._ca_bundle = ca_bundle
        self._defaults = dict(variables or {})
        self._client: docker.DockerClient | None = None
        self._container: Any = None
        self._network: Any = None
        self._stream: Any = None
        self._socket: socket.socket | None = None
        self._is_interrupted = False
        self._note: Note = lambda sentence: None
        self._session = secrets.token_hex(16)
        self._start: Start | None = None
        self._began = time.time()
        self._shell_user: str | None = None
        self._frame_bytes = 0
        self._header = b""
        self._held = b""

    # ---- making it -------------------------------------------------------------------------------------------------

    def provision(self, spec: Spec, note: Note) -> None:
        self._note = note
        try:
            self._client = connect(self._docker_host)
            image = self._image(self._client, spec.image, note)
            host = self._client.info()
            self._on_image(host["ID"], catalogue.resolve(spec.image), self._is_new_image)
            memory_bytes, cpus = _clamp(spec, host, note)
            if spec.is_privileged:
                note("Privileged mode is not allowed on this server; the build runs without it")
            labels = {BUILD_LABEL: spec.build_id, INSTALL_LABEL: self._install}
            # A part of the nonce, so that what an earlier try left behind is never in the way.
            name = f"codeservices-{re.sub(r'[^A-Za-z0-9_.-]', '-', spec.build_id)}-{self._session[:6]}"
            self._network = self._client.networks.create(
                name, driver="bridge", labels=labels, options={"com.docker.network.bridge.enable_icc": "false"}
            )
            self._check()
            self._container = self._client.containers.create(
                image,
                name=name,
                entrypoint=["/bin/sh", f"{agent.READONLY}/agent.sh"],
                user="0:0",
                stdin_open=True,
                labels=labels,
                network=self._network.id,
                extra_hosts={HOST_NAME: "host-gateway"},
                init=True,
                cap_drop=["ALL"],
                cap_add=list(CAPABILITIES),
                security_opt=["no-new-privileges"],
                pids_limit=MAX_PROCESSES,
                mem_limit=memory_bytes,
                memswap_limit=memory_bytes,
                nano_cpus=int(cpus * 1e9),
                log_config=docker.types.LogConfig(type="none"),
                healthcheck={"test": ["NONE"]},
            )
        except ENGINE_ERRORS as error:
            self._check()
            raise _engine_fault("make the build's container", error) from error
        self._check()

    def _image(self, client: docker.DockerClient, asked: str, note: Note) -> str:
        """The image's id in the engine, after a pull or a making where it isn't there."""
        image = catalogue.resolve(asked)
        try:
            return str(client.api.inspect_image(image)["Id"])
        except docker.errors.ImageNotFound:
            pass
        except docker.errors.APIError as error:
            if error.status_code != requests.codes.bad_request:
                raise
            raise _pull_error(asked, error.explanation) from error
        self._is_new_image = True
        definition = catalogue.definition_of(image)
        if definition is not None:
            note(f"Making {image}, which takes a minute the first time")
            try:
                catalogue.build(client, definition, lambda line: self._check())
            except catalogue.ImageError as error:
                raise _pull_error(asked, str(error)) from error
        elif image.startswith(catalogue.NAMESPACE):
            known = ", ".join(f"{catalogue.NAMESPACE}{name}" for name in sorted(catalogue.definitions()))
            raise _pull_error(asked, f"this server has no image {image}; it has {known}")
        else:
            note(f"Pulling {image}")
            self._pull(client, asked, image)
        try:
            return str(client.api.inspect_image(image)["Id"])
        except docker.errors.ImageNotFound as error:
            raise _pull_error(asked, str(error.explanation)) from error

    def _pull(self, client: docker.DockerClient, asked: str, image: str) -> None:
        name, tag = parse_repository_tag(image)
        try:
            for event in client.api.pull(name, tag=tag or "latest", stream=True, decode=True):
                self._check()
                if "error" in event:
                    raise _pull_error(asked, event["error"])
        except docker.errors.APIError as error:
            raise _pull_error(asked, error.explanation) from error

    def put(self, tar: Iterable[bytes]) -> None:
        self._check()
        try:
            self._container.client.api.put_archive(self._container.id, "/", iter(tar))
        except ENGINE_ERRORS as error:
            self._check()
            raise _engine_fault("copy files into the build's container", error) from error

    def start(self, start: Start) -> None:
        self._start = start
        variables = {**self._defaults, **(dict.fromkeys(CA_VARIABLES, agent.CA_PATH) if self._ca_bundle else {})}
        variables.update(start.variables)
        self.put([agent.files(variables, start.directory, self._ca_bundle, start.files)])
        try:
            # Attached before it is started, so that the first byte is ours, and never with logs=1 (see above).
            self._stream = self._container.attach_socket(
                params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1, "logs": 0}
            )
            self._socket = getattr(self._stream, "_sock", self._stream)
            self._socket.settimeout(None)
            self._container.start()
        except ENGINE_ERRORS as error:
            self._check()
            raise _engine_fault("start the build's container", error) from error
        if self._is_interrupted:
            self.interrupt()
        self._check()
        self._send(f"{self._session} {start.directory}\n".encode())

    # ---- commands ----------------------------------------------------------------------------------------------------

    def run(self, command: str, output: Output, *, user: str = "", is_succeeding: bool = True) -> int:
        assert self._start is not None
        text = agent.encode(command)
        flag = b"1" if is_succeeding else b"0"
        who = user or "-"
        for _ in range(MAX_SHELL_STARTS):
            nonce = secrets.token_hex(16)
            has_started = False
            if not self._start.is_shared:
                self._send(b"ALONE %s %s %s %s %s\n" % (nonce.encode(), flag, self._shell(), who.encode(), text))
            else:
                if self._shell_user not in (None, who):
                    self._send(b"LEAVE\n")
                    self._await(self._session, output)
                    self._shell_user = None
                if self._shell_user is None:
                    self._send(b"START %s %s\n" % (self._shell(), who.encode()))
                    self._shell_user, has_started = who, True
                self._send(b"RUN %s %s %s\n" % (nonce.encode(), flag, text))
            status = self._outcome(nonce, output, has_started)
            if status is not None:
                if status == OUT_OF_MEMORY_STATUS and self._was_out_of_memory():
                    self._note("A process was ended because the container reached its memory limit")
                return status
        raise PhaseError("INTERNAL_SERVICE_ERROR", "The build's shell ends before it runs a command.", is_fault=True)

    def _shell(self) -> bytes:
        assert self._start is not None
        return self._start.shell.encode()

    def _outcome(self, nonce: str, output: Output, has_started: bool) -> int | None:
        """A sent command's exit status; None where its shell was gone before it, so that it has to be sent again."""
        has_begun = False
        ended: int | None = None
        while True:
            who, word = self._await(nonce, output)
            if who == nonce and word == "begun":
                has_begun = True
            elif who == nonce:
                return int(word)
            elif word == "lost":
                # A shell that could not even start (no such shell, no such user) is the command's failure.
                return ended if has_started else None
            else:
                self._shell_user, ended = None, int(word)
                if has_begun:
                    return ended

    def _await(self, nonce: str, output: Output) -> tuple[str, str]:
        """Hand on output until an answer under this nonce or the session's; what it says."""
        answer = re.compile(rb"\x1e(%s|%s) ([a-z]+|[0-9]+)\n" % (nonce.encode(), self._session.encode()))
        starts = (b"\x1e" + nonce.encode(), b"\x1e" + self._session.encode())
        data = self._held
        self._held = b""
        while True:
            match = answer.search(data)
            if match is not None:
                if match.start():
                    output(data[: match.start()])
                self._held = data[match.end() :]
                return match[1].decode(), match[2].decode()
            keep = agent.possible_start(data, starts)
            if keep < len(data):
                if keep:
                    output(data[:keep])
                data = data[keep:]
            elif data:
                output(data)
                data = b""
            received = self._receive()
            if received is None:
                if data:
                    output(data)
                self._raise_dead()
            else:
                data += received

    def _receive(self) -> bytes | None:
        """The payload of the next frames of the attach stream; None at its end."""
        assert self._socket is not None
        while True:
            try:
                data = self._header + self._socket.recv(RECEIVE_BYTES)
            except OSError:
                return None
            if len(data) == len(self._header):
                return None
            self._header = b""
            pieces: list[bytes] = []
            position = 0
            while position < len(data):
                if self._frame_bytes == 0:
                    if len(data) - position < HEADER.size:
                        self._header = data[position:]
                        break
                    self._frame_bytes = HEADER.unpack_from(data, position)[1]
                    position += HEADER.size
                piece = data[position : position + self._frame_bytes]
                pieces.append(piece)
                position += len(piece)
                self._frame_bytes -= len(piece)
            payload = b"".join(pieces)
            if payload:
                return payload

    def _send(self, line: bytes) -> None:
        self._check()
        assert self._socket is not None
        try:
            self._socket.sendall(line)
        except OSError:
            self._raise_dead()

    def _state(self) -> dict[str, Any]:
        try:
            self._container.reload()
        except ENGINE_ERRORS:
            return {}
        return dict(self._container.attrs["State"])

    def _was_out_of_memory(self) -> bool:
        """Whether the engine saw the kernel end a process of the container; its state says so only at its end."""
        options = {"since": int(self._began), "until": int(time.time()) + 1, "decode": True}
        filters = {"container": self._container.id, "event": "oom"}
        try:
            return any(True for _ in self._container.client.api.events(filters=filters, **options))
        except ENGINE_ERRORS:
            return False

    def _raise_dead(self) -> None:
        self._check()
        # The stream ends a moment before the engine knows how the container ended.
        with contextlib.suppress(*ENGINE_ERRORS):
            self._container.wait(timeout=INTERRUPT_SECONDS)
        self._check()
        state = self._state()
        if state.get("OOMKilled") or (state and self._was_out_of_memory()):
            why = "It ran out of memory."
        elif not state:
            why = "Docker Engine does not answer or no longer knows it."
        elif state.get("ExitCode") in (126, 127):
            why = "The image has no shell /bin/sh that works."
        else:
            why = f"It ended with exit status {state.get('ExitCode')}. {state.get('Error') or ''}".strip()
        raise PhaseError(
            "INTERNAL_SERVICE_ERROR", f"Build container found dead before completing the build. {why}", is_fault=True
        )

    # ---- files out, interruption, end --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes] | None]:
        self._check()
        with contextlib.suppress(docker.errors.APIError):
            self._container.kill()  # files are read at rest: no process of the build can swap them meanwhile
        try:
            pieces, _ = self._container.get_archive(path, chunk_size=RECEIVE_BYTES)
        except docker.errors.NotFound:
            yield None
            return
        except ENGINE_ERRORS as error:
            self._check()
            raise _engine_fault(f"read {path} from the build's container", error) from error
        try:
            yield self._checked(pieces)
        finally:
            pieces.close()

    def _checked(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._check()
            yield piece

    def interrupt(self) -> None:
        self._is_interrupted = True
        container, attached = self._container, self._socket
        if container is not None:
            # A client of its own: the other one may be in the middle of a call in the build's thread.
            with (
                contextlib.suppress(*ENGINE_ERRORS),
                contextlib.closing(connect(self._docker_host, timeout_seconds=INTERRUPT_SECONDS)) as client,
            ):
                client.api.kill(container.id)
        if attached is not None:
            with contextlib.suppress(OSError):
                attached.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._stream is not None:
            # The response first: it would flush the stream, which must be open then.
            with contextlib.suppress(OSError, ValueError):
                self._stream._response.close()
            with contextlib.suppress(OSError):
                self._stream.close()
        for thing, options in ((self._container, {"force": True, "v": True}), (self._network, {})):
            if thing is None:
                continue
            try:
                thing.remove(**options)
            except docker.errors.NotFound:
                pass
            except ENGINE_ERRORS as error:
                logger.warning("left for the reaper: %s %s: %s", type(thing).__name__, thing.id[:12], error)
        if self._client is not None:
            with contextlib.suppress(*ENGINE_ERRORS):
                self._client.close()

    def _check(self) -> None:
        if self._is_interrupted:
            raise Interrupted


def _clamp(spec: Spec, host: Mapping[str, Any], note: Note) -> tuple[int, float]:
    """Memory and CPUs of the compute type, no more than the host has: the engine refuses more CPUs."""
    cpus = min(spec.cpus, float(host["NCPU"]))
    memory_bytes = min(spec.memory_bytes, int(host["MemTotal"]))
    if (memory_bytes, cpus) != (spec.memory_bytes, spec.cpus):
        note(
            f"The compute type asks for {spec.cpus:g} vCPUs and {spec.memory_bytes / 2**30:.0f} GiB; "
            f"this host gives {cpus:g} and {memory_bytes / 2**30:.0f} GiB"
        )
    return memory_bytes, cpus


def _pull_error(image: str, why: str | None) -> PhaseError:
    return PhaseError(
        "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE",
        f"Unable to pull customer's container image. CannotPullContainerError: {image}: {why or 'no reason given'}",
    )


def _engine_fault(what: str, error: BaseException) -> PhaseError:
    reason = getattr(error, "explanation", None) or str(error)
    return PhaseError("INTERNAL_SERVICE_ERROR", f"Docker Engine could not {what}: {reason}", is_fault=True)
