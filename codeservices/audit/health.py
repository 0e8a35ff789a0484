"""What /readyz and /metrics say of the audit trail."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from django.db import DatabaseError

from codeservices import registry
from codeservices.audit import drain, trail, writer
from codeservices.audit.models import ChainHead, Trail

# An hour of a busy server; what lies there longer than that is stuck.
MAX_BACKLOG_BYTES = 64 * 1024 * 1024


def register() -> None:
    """Called once when the app is ready."""
    registry.register_health_check(registry.HealthCheck("audit", check_spool))
    registry.register_health_check(registry.HealthCheck("audit trail", check_trail, is_advisory=True))
    registry.register_meter(registry.Meter("audit", read))


def check_spool() -> str | None:
    """Changes are refused while nothing can be written, so this is one of the parts without which we aren't ready."""
    root = drain.spool_root()
    probe = root / f".probe-{secrets.token_hex(4)}"
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        return f"The audit trail can't be written, so changes are refused: {error}."
    return None


def check_trail() -> str | None:
    """What an administrator has to look at, while everything goes on."""
    thread = drain.running()
    if thread is not None and thread.last_failure:
        return f"Audit events wait in the spool: {thread.last_failure}"
    try:
        backlog = drain.backlog_bytes()
        head = ChainHead.objects.filter(pk=1).first()
        known = trail.read_head_file()
        failing = Trail.objects.exclude(latest_error="").first()
    except (DatabaseError, ValueError) as error:
        return f"The audit trail can't be looked at: {error}"
    if backlog > MAX_BACKLOG_BYTES:
        return f"{backlog // 1024**2} MiB of audit events wait in the spool."
    if head is not None and known is not None and known.sequence > head.sequence:
        return f"The audit trail ends at event {head.sequence}; head.json knows {known.sequence}. Verify it."
    if failing is not None:
        return f"The trail {failing.name} delivers nothing: {failing.latest_error}"
    return None


def read() -> Iterable[tuple[str, str, dict[str, str], float]]:
    """The trail's figures for /metrics."""
    head = ChainHead.objects.filter(pk=1).first()
    recorded = head.sequence if head is not None else 0
    yield "codeservices_audit_events_total", "Events recorded since the installation was made.", {}, recorded
    yield "codeservices_audit_backlog_bytes", "Bytes of events that wait in the spool.", {}, drain.backlog_bytes()
    failures = writer.current().failures
    yield "codeservices_audit_failures_total", "Events that the spool of this process did not take.", {}, failures
