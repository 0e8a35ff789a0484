"""What the terminal shows: steps with elapsed seconds, and refusals in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

# Nothing waits silently for longer than this.
HEARTBEAT_SECONDS = 2.0
_TAIL_BYTES = 8192


class Refusal(Exception):
    """It can't go on; the text is one sentence with the command that fixes it."""


def line(text: str = "") -> None:
    """Print one line at once, also into a pipe."""
    print(text, flush=True)


def _seconds(start: float) -> str:
    return f"{time.monotonic() - start:.0f} s"


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step; when it ends well say so with its duration."""
    start = time.monotonic()
    line(f"==> {title}")
    yield
    line(f"    done ({_seconds(start)})")


def last_line(path: Path) -> str:
    """The last line with anything in it of a log that may be growing; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            lines = [part.strip() for part in file.read().decode("utf-8", "replace").replace("\r", "\n").split("\n")]
    except OSError:
        return ""
    return next((text for text in reversed(lines) if text), "")


def run(
    argv: Sequence[str | Path],
    *,
    log: Path,
    failure: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command whose output goes to a log file, showing the log's last line every other second.

    Raises:
        Refusal: `failure` and the end of the output, when the command exits with anything but 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with log.open("ab") as output:
        begin = output.tell()
        child = subprocess.Popen(
            [str(part) for part in argv], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, cwd=cwd
        )
        try:
            while True:
                try:
                    code = child.wait(HEARTBEAT_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    line(f"    {_seconds(start)}  {last_line(log)[:100]}".rstrip())
        except BaseException:
            child.terminate()
            child.wait()
            raise
    if code != 0:
        with log.open("rb") as file:
            file.seek(begin)
            ending = file.read().decode("utf-8", "replace").strip().splitlines()[-15:]
        for text in ending:
            line(f"    | {text}")
        raise Refusal(failure)


def wait_for(probe: Callable[[], str | None], *, timeout_seconds: float, failure: str) -> None:
    """Poll `probe` until it answers None; anything else is a sentence on what is still missing, shown while waiting.

    Raises:
        Refusal: `failure` with the last such sentence, after `timeout_seconds`.
    """
    start = time.monotonic()
    shown = start
    while (missing := probe()) is not None:
        now = time.monotonic()
        if now - start > timeout_seconds:
            raise Refusal(f"{failure} {missing}".strip())
        if now - shown >= HEARTBEAT_SECONDS:
            line(f"    {_seconds(start)}  {missing}")
            shown = now
        time.sleep(0.2)


def is_root() -> bool:
    """Whether this process may install packages and start daemons."""
    return os.geteuid() == 0


def refuse(error: Exception) -> int:
    """Show a refusal; the exit code that goes with it."""
    sys.stdout.flush()
    print(f"\n{error}", file=sys.stderr, flush=True)
    return 1
