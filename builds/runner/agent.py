"""The worker's side of `agent.sh`: the form of a command, of an answer, and the files the agent starts with."""

from __future__ import annotations

import io
import re
import shlex
import tarfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from builds.runner.layer import Entry

READONLY = "/codebuild/readonly"
CA_PATH = f"{READONLY}/ca-bundle.pem"
# The first byte of an answer.
ANSWER = b"\036"
# The longest answer: 036, 32 hex digits, a blank, a word or a status, a newline.
_ANSWER_BYTES = 48
_AGENT = Path(__file__).with_name("agent.sh").read_bytes()
_SHELL = Path(__file__).with_name("shell.sh").read_bytes()
_PLAIN = re.compile(rb"[^ \x21-\x5b\x5d-\x7e]")


def encode(command: str) -> bytes:
    """A command as one line of ASCII that printf's %b turns back, with a newline behind it."""
    raw = _PLAIN.sub(lambda match: b"\\0%03o" % match[0][0], command.encode("utf-8", "surrogateescape") + b"\n")
    return b"\\0040" + raw[1:] if raw.startswith(b" ") else raw


def possible_start(data: bytes, starts: tuple[bytes, ...]) -> int:
    """Where an answer may begin whose rest is still to come; the length of `data` where none may."""
    position = data.find(ANSWER, max(0, len(data) - _ANSWER_BYTES))
    while position >= 0:
        rest = data[position:]
        if any(rest.startswith(start) or start.startswith(rest) for start in starts):
            return position
        position = data.find(ANSWER, position + 1)
    return len(data)


def files(
    variables: Mapping[str, str], directory: str, ca_bundle: bytes, more: Mapping[str, bytes] | None = None
) -> list[Entry]:
    """What the container's first process needs, parents first."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items())]
    environment = "".join(lines).encode("utf-8", "surrogateescape")
    found = [Entry(path, 0o755) for path in ("/codebuild", READONLY, "/codebuild/output", *_parents(directory))]
    found += [
        Entry("/codebuild/tmp", 0o777),
        Entry(f"{READONLY}/agent.sh", 0o644, _AGENT),
        Entry(f"{READONLY}/shell.sh", 0o644, _SHELL),
        Entry(f"{READONLY}/environment.sh", 0o600, environment),
    ]
    if ca_bundle:
        found.append(Entry(CA_PATH, 0o644, ca_bundle))
    return [*found, *(Entry(path, 0o644, content) for path, content in (more or {}).items())]


def packed(entries: Iterable[Entry]) -> bytes:
    """The entries as a tar."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            info = tarfile.TarInfo(entry.path.lstrip("/"))
            info.mode, info.mtime = entry.mode, int(time.time())
            if entry.content is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(entry.content)
            tar.addfile(info, io.BytesIO(entry.content or b""))
    return target.getvalue()


def _parents(directory: str) -> list[str]:
    parts = directory.strip("/").split("/")
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))][2:]
