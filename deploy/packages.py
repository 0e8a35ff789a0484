"""Debian packages: which are missing, and installing them as root with visible progress."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from deploy import places, say

# A program that the package brings; a machine that has it from elsewhere needs no package.
_PROGRAMS = {
    "git": "git",
    "redis-server": "redis-server",
    "debootstrap": "debootstrap",
    "docker.io": "dockerd",
    "chromium-headless-shell": "chromium-headless-shell",
    "iptables": "iptables",
    "openssh-client": "ssh-keygen",
}
_POSTGRESQL = Path("/usr/lib/postgresql")
_SEARCH_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"

# git serves the wire, redis-server is the broker, debootstrap makes the base image where no image registry answers.
TO_RUN = ("git", "redis-server", "debootstrap")
# On top of that the tests drive a browser and a second kind of database, and compare with what ssh-keygen makes.
TO_TEST = (*TO_RUN, "postgresql", "chromium-headless-shell", "openssh-client")


def is_there(package: str) -> bool:
    """Whether what the package brings can be used on this machine."""
    if package == "postgresql":
        return any(_POSTGRESQL.glob("*/bin/initdb"))
    return shutil.which(_PROGRAMS[package], path=_SEARCH_PATH) is not None


def missing(wanted: Iterable[str], *, is_there: Callable[[str], bool] = is_there) -> list[str]:
    """Those of the wanted packages that have to be installed, in the order given."""
    return [package for package in wanted if not is_there(package)]


def command(names: Sequence[str]) -> str:
    """What a person types to install them."""
    return f"sudo apt-get update && sudo apt-get install -y {' '.join(names)}"


def refusal(names: Sequence[str], *, is_root: bool, has_apt: bool) -> str | None:
    """Why the packages can't be installed here, with what to do; None where they can."""
    listed = ", ".join(names)
    if not has_apt:
        return (
            f"Needed and not found: {listed}. This machine has no apt-get, so install them with its own package manager"
            " (or use Debian 12), then run the same command again."
        )
    if not is_root:
        return f"Needed and not found: {listed}. Install them with: {command(names)}"
    return None


def ensure(wanted: Iterable[str]) -> None:
    """Install what is missing of the wanted packages.

    Raises:
        Refusal: Not root, no apt, or apt failed; the sentence has the command that fixes it.
    """
    names = missing(wanted)
    if not names:
        return
    sentence = refusal(names, is_root=say.is_root(), has_apt=shutil.which("apt-get") is not None)
    if sentence:
        raise say.Refusal(sentence)
    log = places.logs_root() / "install.log"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": _SEARCH_PATH}
    # Another apt at work (a machine that has just started updates itself) is waited for.
    patience = ["-q", "-o", "DPkg::Lock::Timeout=300"]
    failure = f"apt-get failed. Put it right and run the same command again: {command(names)}"
    with say.step(f"Debian packages: {', '.join(names)}"):
        say.run(["dpkg", "--configure", "-a"], log=log, env=environment, failure=f"dpkg is stuck. {failure}")
        say.run(["apt-get", *patience, "update"], log=log, env=environment, failure=failure)
        install = ["apt-get", *patience, "install", "-y", "--no-install-recommends", *names]
        say.run(install, log=log, env=environment, failure=failure)
    left = missing(names)
    if left:
        raise say.Refusal(f"apt-get ended well but {', '.join(left)} can't be found. Look into {log}.")
