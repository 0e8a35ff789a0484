"""FakeExecutor: a place to run builds that is steered by the command's text.

Understood, one a line or joined by ` && `: `echo TEXT`, `exit N`, `sleep SECONDS` (ends early when interrupted),
`export NAME=VALUE`, `cd PATH`, `pwd`, `write PATH TEXT`, `show PATH`, `die` (the container ends), `overfill` (its files
take too much), `test -n "${NAME+x}"`, `printf %s "${NAME}"`, `{ printf %s "TEXT $NAME"; } 2>/dev/null` and `true`. In
version 0.1 each command starts anew. It passes the contract tests that DockerExecutor passes.
"""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from builds.runner.executor import Interrupted, Note, Output, PhaseError, Spec, Start


class FakeExecutor:
    """`commands` are the texts that ran, `succeeding` their flags, `calls` the names of the methods called."""

    def __init__(self, *, missing_image: str = "", files: dict[str, bytes] | None = None) -> None:
        self.missing_image = missing_image
        self.files = dict(files or {})
        self.commands: list[str] = []
        self.users: list[str] = []
        self.succeeding: list[bool] = []
        self.calls: list[str] = []
        self._interrupted = threading.Event()
        self._variables: dict[str, str] = {}
        self._directory = "/"
        self._is_shared = True

    def provision(self, spec: Spec, note: Note) -> None:
        self._call("provision")
        if spec.image == self.missing_image:
            raise PhaseError(
                "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE",
                f"Unable to pull customer's container image. CannotPullContainerError: {spec.image}: not found",
            )

    def put(self, tar: Iterable[bytes]) -> None:
        self._call("put")
        with tarfile.open(fileobj=io.BytesIO(b"".join(tar))) as archive:
            for member in archive:
                content = archive.extractfile(member)
                if content is not None:
                    self.files[f"/{member.name.lstrip('/')}"] = content.read()

    def start(self, start: Start) -> None:
        self._call("start")
        self._variables = dict(start.variables)
        self._directory = start.directory
        self._is_shared = start.is_shared

    def run(self, command: str, output: Output, *, user: str = "", is_succeeding: bool = True) -> int:
        self._call("run")
        self.commands.append(command)
        self.users.append(user)
        self.succeeding.append(is_succeeding)
        kept = (dict(self._variables), self._directory)
        status = 0
        quoted = re.fullmatch(r'\{ printf %s "(.*)"; \} 2>/dev/null', command)
        if quoted is not None:
            command = f"text {quoted[1]}"
        for step in re.split(r"\n| && ", command):
            status = self._step(step.strip(), output)
            if status:
                break
        if not self._is_shared:
            self._variables, self._directory = kept
        return status

    def why(self, status: int) -> str:
        return "this fake has no memory left" if status == 137 else ""

    def _step(self, step: str, output: Output) -> int:
        word, _, rest = step.partition(" ")
        if word == "echo":
            output(re.sub(r"\$(\w+)", lambda match: self._variables.get(match[1], ""), rest).encode() + b"\n")
        elif word == "text":
            output(re.sub(r"\$(\w+)", lambda match: self._variables.get(match[1], ""), rest).encode())
        elif word == "write":
            name, _, content = rest.partition(" ")
            self.files[posixpath.join(self._directory, name)] = content.encode()
        elif word == "show":
            output(self.files.get(posixpath.join(self._directory, rest), b"(none)") + b"\n")
        elif word == "exit":
            return int(rest)
        elif word == "sleep":
            self._interrupted.wait(float(rest))
            self._check()
        elif word == "export":
            name, _, value = rest.partition("=")
            self._variables[name] = value
        elif word == "cd":
            self._directory = posixpath.join(self._directory, rest)
        elif word == "pwd":
            output(f"{self._directory}\n".encode())
        elif word == "test":
            return 0 if rest.split("{")[1].split("+")[0] in self._variables else 1
        elif word == "printf":
            output(self._variables[rest.split("{")[1].split("}")[0]].encode())
        elif word == "die":
            raise PhaseError(
                "INTERNAL_SERVICE_ERROR", "Build container found dead before completing the build.", is_fault=True
            )
        elif word == "overfill":
            raise PhaseError("CLIENT_ERROR", "The build was ended because of its files.", is_final=True)
        elif word not in ("true", ""):
            return 127
        return 0

    @contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes] | None]:
        self._call("read")
        found = {name: data for name, data in self.files.items() if name == path or name.startswith(f"{path}/")}
        if not found:
            yield None
            return
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, data in sorted(found.items()):
                info = tarfile.TarInfo(posixpath.relpath(name, posixpath.dirname(path)))
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        yield iter([packed.getvalue()])

    def interrupt(self) -> None:
        self._interrupted.set()

    def end(self) -> None:
        self.calls.append("end")

    def close(self) -> None:
        self.calls.append("close")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        self._check()

    def _check(self) -> None:
        if self._interrupted.is_set():
            raise Interrupted
