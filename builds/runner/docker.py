"""The executor over Docker Engine: one fresh container and one network for each build.

Files go in and out through the engine's archive calls, so that an engine on another machine works; nothing of the host
is mounted. Only the agent's own go straight into the container's layer where that lies on this machine (layer.py).
`agent.sh` in the container reads work from its attached stdin; the build's output and the agent's answers come back on
the same attached stream (attached.py). What the container is made of stands in image.py, network.py and containers.py;
firewall.py closes its network off, disk.py watches its size.
"""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
import docker.errors

from builds.runner import agent, attached, containers, disk, engine, layer, network
from builds.runner.attached import Attached, StreamEnded
from builds.runner.executor import Interrupted, Note, Output, PhaseError, Spec, Start
from builds.runner.image import Image, Images, Pulling

logger = logging.getLogger(__name__)

CA_VARIABLES = (
    "SSL_CERT_FILE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
)
INTERRUPT_SECONDS = 4
# Without work the agent ends by itself; one that a build keeps from it is killed.
END_SECONDS = 2.0
# A shared shell that keeps dying between commands is given up.
MAX_SHELL_STARTS = 3
OUT_OF_MEMORY_STATUS = 137


class DockerExecutor:
    """See `builds.runner.executor` for the calls and their order.

    Args:
        install: The installation's account id; orphans are found by it.
        docker_host: As in DOCKER_HOST, or empty for the local engine.
        ca_bundle: CA certificates in PEM that the build's programs shall trust; may be empty.
        variables: Variables every build gets unless it sets them itself: proxies.
        pulling: How images come here that the engine lacks.
        close_network: Sees to the firewall before a build's container can start; raises PhaseError where it must not.
            Called from another thread than the build's.
        on_image: Told before a container is made of an image: the engine's id, the image's name, and whether it was
            not there and had to be pulled or made.
        networks: Keeps networks between builds; without it each build makes and removes its own.
    """

    def __init__(
        self,
        install: str,
        *,
        docker_host: str = "",
        ca_bundle: bytes = b"",
        variables: Mapping[str, str] | None = None,
        pulling: Pulling | None = None,
        close_network: Callable[[Note], None] = lambda note: None,
        on_image: Callable[[str, str, bool], None] = lambda engine_id, image, is_new: None,
        networks: network.Networks | None = None,
    ) -> None:
        self._networks = networks
        self._kept: network.Kept | None = None
        self._on_image = on_image
        self._install = install
        self._docker_host = docker_host
        self._ca_bundle = ca_bundle
        self._defaults = dict(variables or {})
        self._pulling = pulling or Pulling()
        self._close_network = close_network
        self._client: docker.DockerClient | None = None
        self._spec: Spec | None = None
        self._image: Image | None = None
        self._host: Mapping[str, Any] = {}
        self._container: Any = None
        self._network: Any = None
        self._attached: Attached | None = None
        self._is_running = False
        self._is_ending = False
        self._watch: disk.Watch | None = None
        self._put_bytes = 0
        self._is_interrupted = False
        self._ended: PhaseError | None = None
        self._session = secrets.token_hex(16)
        self._start: Start | None = None
        self._shell_user: str | None = None
        self._times_out_of_memory = 0
        self._why = ""

    # ---- making it -------------------------------------------------------------------------------------------------

    def provision(self, spec: Spec, note: Note) -> None:
        self._spec = spec
        try:
            self._client = engine.connect(self._docker_host)
            self._image = Images(self._client, self._pulling, self._check, note, ca_bundle=self._ca_bundle).ensure(
                spec.image, spec.login
            )
            self._check()
            labels = {engine.BUILD_LABEL: spec.build_id, engine.INSTALL_LABEL: self._install}
            # A part of the nonce, so that what an earlier try left behind is never in the way.
            name = f"codeservices-{re.sub(r'[^A-Za-z0-9_.-]', '-', spec.build_id)}-{self._session[:6]}"
            network_name, make_network = self._find_network(self._client, name, labels)
            # The engine takes longer for a network than for all the rest, and needs it only when the container starts.
            with ThreadPoolExecutor(2, "network") as beside:
                readied = [beside.submit(make_network), beside.submit(self._close_network, note)]
                host = self._host = engine.host_of(self._client, self._docker_host)
                self._on_image(str(host["ID"]), self._image.reference, self._image.is_new)
                self._container = containers.create(
                    self._client, host, spec, self._image.id, name, network_name, labels, note
                )
                for one in readied:
                    one.result()
        except engine.ENGINE_ERRORS as error:
            self._check()
            raise engine.fault("make the build's container", error) from error
        self._check()

    def _find_network(
        self, client: docker.DockerClient, name: str, labels: Mapping[str, str]
    ) -> tuple[str, Callable[[], None]]:
        """The name of a network for this build alone, and what makes it."""
        assert self._spec is not None
        networks = self._networks
        # What a privileged build does to its network may outlast it.
        if networks is None or self._spec.is_privileged:

            def make_own() -> None:
                self._network = network.create(client, self._install, name, labels)

            return name, make_own
        self._kept = networks.take(client)
        if self._kept is not None:
            return self._kept.name, lambda: None
        reserved = self._kept = networks.reserve()
        return reserved.name, lambda: networks.make(client, reserved)

    def put(self, tar: Iterable[bytes]) -> None:
        self._check()
        try:
            self._container.client.api.put_archive(self._container.id, "/", self._checked(self._counted(tar)))
        except engine.ENGINE_ERRORS as error:
            self._check()
            raise engine.fault("copy files into the build's container", error) from error

    def _put_files(self, entries: Sequence[layer.Entry]) -> None:
        if engine.is_local(self._docker_host):
            root = layer.folder(self._container.attrs, self._host)
            if root is not None:
                try:
                    layer.write(root, entries)
                    return
                except OSError as error:
                    logger.info("the engine copies the files into %s: %s", self._container.id[:12], error)
        self.put([agent.packed(entries)])

    def _counted(self, tar: Iterable[bytes]) -> Iterator[bytes]:
        """The container's disk is watched from its start on; what comes before that is counted on its way in."""
        assert self._spec is not None
        limit = self._spec.disk_bytes
        for piece in tar:
            if self._attached is None:
                self._put_bytes += len(piece)
                if limit and self._put_bytes > limit:
                    raise disk.exceeded(self._put_bytes, limit)
            yield piece

    def start(self, start: Start) -> None:
        assert self._spec is not None
        self._start = start
        variables = {**self._defaults, **(dict.fromkeys(CA_VARIABLES, agent.CA_PATH) if self._ca_bundle else {})}
        variables.update(start.variables)
        self._put_files(agent.files(variables, start.directory, self._ca_bundle, start.files))
        try:
            self._attached = Attached(self._container)
            self._container.start()
            self._is_running = True
        except engine.ENGINE_ERRORS as error:
            self._check()
            raise containers.start_error(error, self._image) from error
        if self._is_interrupted:
            self.interrupt()
        self._check()
        mode = "privileged" if self._spec.is_privileged else "confined"
        self._send(f"{self._session} {mode} {start.directory}\n".encode())
        self._watch_disk(self._spec.disk_bytes)

    def _watch_disk(self, limit_bytes: int) -> None:
        if not limit_bytes:
            return
        self._watch = disk.Watch(
            self._container,
            limit_bytes,
            lambda used_bytes: self._end(disk.exceeded(used_bytes, limit_bytes)),
            is_local=engine.is_local(self._docker_host),
            connect=lambda: engine.connect(self._docker_host),
        )
        self._watch.start()

    # ---- commands ----------------------------------------------------------------------------------------------------

    def run(self, command: str, output: Output, *, user: str = "", is_succeeding: bool = True) -> int:
        assert self._start is not None
        text = agent.encode(command)
        flag = b"1" if is_succeeding else b"0"
        who = user or "-"
        self._why = ""
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
                self._explain(status)
                return status
        raise PhaseError("INTERNAL_SERVICE_ERROR", "The build's shell ends before it runs a command.", is_fault=True)

    def why(self, status: int) -> str:
        return self._why if status else ""

    def _explain(self, status: int) -> None:
        """Whether memory is why the command failed: the kernel ended a process of the container since the last one."""
        if status == 0:
            return
        times = containers.times_out_of_memory(self._container, is_patient=status == OUT_OF_MEMORY_STATUS)
        if times > self._times_out_of_memory:
            self._times_out_of_memory = times
            self._why = f"a process was ended because the container reached its memory limit of {self._memory()}"

    def _memory(self) -> str:
        return f"{self._container.attrs['HostConfig']['Memory'] / 2**30:.3g} GiB"

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
        assert self._attached is not None
        try:
            return self._attached.answer((nonce, self._session), output)
        except StreamEnded:
            raise self._death() from None

    def _send(self, line: bytes) -> None:
        self._check()
        assert self._attached is not None
        try:
            self._attached.send(line)
        except StreamEnded:
            raise self._death() from None

    def _death(self) -> PhaseError:
        """Why the container is no more; raises what has ended it on purpose."""
        self._check()
        # The stream ends a moment before the engine knows how the container ended.
        with contextlib.suppress(*engine.ENGINE_ERRORS):
            self._container.wait(timeout=INTERRUPT_SECONDS)
        self._check()
        return containers.death(self._container, self._image)

    # ---- files out, interruption, end --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes] | None]:
        self._check()
        if self._watch is not None:
            self._watch.stop()
            self._check()
        with contextlib.suppress(docker.errors.APIError):
            self._container.kill()  # files are read at rest: no process of the build can swap them meanwhile
        try:
            pieces, _ = self._container.get_archive(path, chunk_size=attached.RECEIVE_BYTES)
        except docker.errors.NotFound:
            yield None
            return
        except engine.ENGINE_ERRORS as error:
            self._check()
            raise engine.fault(f"read {path} from the build's container", error) from error
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
        self._kill()

    def _end(self, error: PhaseError) -> None:
        """End every process of the build because of what it did; the call in progress and all later ones raise it."""
        self._ended = error
        self._kill()

    def _kill(self) -> None:
        container, stream = self._container, self._attached
        if container is not None:
            # A client of its own: the other one may be in the middle of a call in the build's thread.
            with (
                contextlib.suppress(*engine.ENGINE_ERRORS),
                contextlib.closing(engine.connect(self._docker_host, timeout_seconds=INTERRUPT_SECONDS)) as client,
            ):
                client.api.kill(container.id)
        if stream is not None:
            stream.shut_down()

    def end(self) -> None:
        if self._watch is not None:
            self._watch.stop()
        if self._attached is None or not self._is_running:
            return
        self._is_running = False
        self._is_ending = True
        # The output ends with the first process, and with that the kernel ends all others. That the engine knows of it,
        # a tenth of a second later, is left to `close`. A stream that was shut here tells nothing.
        is_shut = self._is_interrupted or self._ended is not None
        if is_shut or not self._attached.finish(END_SECONDS):
            self._kill()
            self._wait_for_exit()

    def _wait_for_exit(self) -> None:
        """Wait until the engine knows that the container has ended: one that runs, it would start a program to kill."""
        self._is_ending = False
        try:
            self._container.wait(timeout=INTERRUPT_SECONDS)
        except engine.ENGINE_ERRORS as error:
            logger.warning("not known to have ended: container %s: %s", self._container.id[:12], error)

    def close(self) -> None:
        if self._watch is not None:
            self._watch.stop()
        if self._attached is not None:
            self._attached.close()
        if self._is_ending:
            self._wait_for_exit()
        is_gone = self._container is None or _removed(self._container, force=True, v=True)
        if self._network is not None:
            _removed(self._network)
        if self._networks is not None and self._kept is not None and self._client is not None:
            kept, self._kept = self._kept, None
            if is_gone and self._container is not None:
                self._networks.give_back(self._client, kept)
            else:
                self._networks.remove(self._client, kept)
        if self._client is not None:
            with contextlib.suppress(*engine.ENGINE_ERRORS):
                self._client.close()

    def _check(self) -> None:
        if self._is_interrupted:
            raise Interrupted
        if self._ended is not None:
            raise self._ended


def _removed(thing: Any, **options: Any) -> bool:
    """Remove a container or network; whether it is gone."""
    try:
        thing.remove(**options)
    except docker.errors.NotFound:
        pass
    except engine.ENGINE_ERRORS as error:
        logger.warning("left for the reaper: %s %s: %s", type(thing).__name__, thing.id[:12], error)
        return False
    return True
