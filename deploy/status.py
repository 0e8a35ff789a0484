"""`make status`: each process, since when, the addresses, and what /readyz says."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from typing import Any

from deploy import engine, health, places, say, supervisor


def age(seconds: float) -> str:
    """A duration in its two largest units at most, as `3 d 4 h` or `40 s`."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{left} s"


def row_text(row: Mapping[str, Any]) -> str:
    """One line of the table."""
    if row["statename"] == "RUNNING":
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row["start"]))
        return f"  {row['name']:<10} running   pid {row['pid']:<8} since {since} ({age(row['now'] - row['start'])})"
    return f"  {row['name']:<10} {row['statename'].lower():<9} {row.get('spawnerr') or ''}".rstrip()


def status() -> bool:
    """Print it all; whether the system is healthy."""
    rows = supervisor.processes()
    if not rows:
        left = len(supervisor.orphans())
        say.line(f"The supervisor is gone and left {left} processes behind." if left else "Not running.")
        say.line("Start it with: make up")
        return False
    say.line("Processes")
    for row in rows:
        say.line(row_text(row))
    _, http_port = places.http_address()
    _, https_port = places.https_address()
    say.line("Addresses")
    say.line(f"  http://127.0.0.1:{http_port}    this machine only")
    say.line(f"  https://{socket.gethostname()}:{https_port}    CA: {places.var() / 'tls' / 'ca.pem'}")
    say.line("Parts")
    say.line(f"  docker     {engine.describe()}")
    ready = health.ask()
    for name, sentence in ready.report.get("parts", {}).items():
        say.line(f"  {name:<10} {sentence or 'ok'}")
    tls = health.tls_problem()
    say.line(f"  https      {tls or 'ok'}")
    is_healthy = ready.is_ready and tls is None and all(row["statename"] == "RUNNING" for row in rows)
    say.line("Healthy." if is_healthy else f"Not healthy: {ready.problem or tls or 'a process is not running'}.")
    return is_healthy
