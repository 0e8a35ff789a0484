"""Is a port free, and if not, who has it?"""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path

from deploy import say

_LISTEN = "0A"


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now.

    Raises:
        Refusal: The address is not one of this machine's, or ports this low need root.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
            trial.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise say.Refusal(f"Nobody can listen on {host} port {port}: {error.strerror}.") from error
    return True


def holder(port: int) -> str:
    """Who listens on a TCP port, as `pid 4711 (nginx)`; empty where the kernel does not tell us."""
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").glob("[0-9]*"):
        if wanted & _open_files(process):
            return f"pid {process.name} ({(process / 'comm').read_text().strip()})"
    return ""


def _open_files(process: Path) -> set[str]:
    """Where a process's file descriptors lead; none for another user's process or one that has just ended."""
    found = set()
    try:
        for link in (process / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed since it was listed
                found.add(str(link.readlink()))
    except OSError:
        return set()
    return found


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes


def require_free(host: str, port: int, *, variable: str, goal: str = "up") -> None:
    """Refuse with the port, who holds it where that is known, and the variable that chooses another one."""
    if is_free(host, port):
        return
    by = holder(port)
    who = f"is taken by {by}" if by else "is taken by another program"
    other = next(number for number in (*range(port + 1, 65536), 0) if number == 0 or is_free(host, number))
    raise say.Refusal(f"Port {port} {who}. Stop it, or choose another port: {variable}={other} make {goal}")
