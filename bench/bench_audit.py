"""What recording one change costs its act; reference: the plain INSERT. In a database of its own."""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import timing

ACTS = 200
RESOURCE = "arn:aws:codecommit:us-east-1:123456789012:demo"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="codeservices-bench-") as folder:
        os.environ.update(CODESERVICES_VAR=folder, DJANGO_SETTINGS_MODULE="codeservices.settings")
        os.environ.pop("DATABASE_URL", None)
        import django

        django.setup()
        measure()


def measure() -> None:
    from django.core.management import call_command
    from django.utils import timezone

    from codeservices.audit import drain, members, trail, verify, writer
    from codeservices.audit.acts import Act, RequestInfo
    from codeservices.audit.models import ChainHead, Event
    from codeservices.audit.record import begin, record
    from codeservices.iam.principal import Principal

    call_command("migrate", verbosity=0)
    # Rows without a place in the chain, as the reference writes them, would be taken into a young one.
    ChainHead.objects.update(created_at=timezone.now() - 2 * trail.ADOPTION)
    alice = Principal("user", "arn:aws:iam::123456789012:user/alice", "123456789012", "AIDAALICE", "alice")

    def change() -> Act:
        act = Act(alice, RequestInfo(str(uuid.uuid4()), "192.0.2.1", "bench", "api"), event_name="DeleteRepository")
        act.note("codecommit:DeleteRepository", RESOURCE)
        act.parameters["repositoryName"] = "demo"
        return act

    def spooled() -> None:
        for _ in range(ACTS):
            act = change()
            begin(act)
            record(act)

    def inserted() -> None:
        for _ in range(ACTS):
            act = change()
            values = members.of_act(act, event_id=act.event_id, at=timezone.now())
            trail.rows().bulk_create([Event(**values | {"event_time": timezone.now()})])

    drain.start()
    ours, reference = timing.by_turns(spooled, inserted)
    writer.close()
    timing.row("recording one change: begun and ended", ours / ACTS * 1e6, "one INSERT", reference / ACTS * 1e6, "µs")
    trail.rows().filter(sequence__isnull=True)._raw_delete("default")
    found = verify.verify()
    if found.fault is not None or found.count != 6 * ACTS:
        raise AssertionError(found.sentence)


if __name__ == "__main__":
    main()
