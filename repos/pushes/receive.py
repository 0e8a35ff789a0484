"""A push, from the refs it asks for to its row in the outbox; recovery of half-done ones; delivery.

A row is committed before the first byte of the pack reaches git (BEGUN), and turned into what really moved after git
has ended (RECORDED), or DROPPED. A crash in between leaves a BEGUN row, which `recover` compares with the refs. The
outbox delivers at least once, and once in effect: what it tells triggers is committed together with DELIVERED.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from codeservices import work
from codeservices.audit import record
from codeservices.audit.acts import current_act
from codeservices.audit.writer import AuditUnavailable
from codeservices.errors import ServiceError
from codeservices.iam.principal import Principal
from repos import quota, usage
from repos.access import RepositoryDoesNotExist, check_writable
from repos.git import locks, program, refs
from repos.git.refs import RefCommand
from repos.models import Push, PushState, Repository
from repos.pushes import interrupted, rules
from repos.pushes import lock as push_lock
from repos.pushes.lock import PushLock
from repos.signals import ref_updated
from repos.triggers import deliveries as trigger_deliveries

logger = logging.getLogger(__name__)

DELIVER_TASK = "repos.tasks.deliver_push"
# A push that another machine began is left to that machine, unless it is silent for a day.
FOREIGN_AGE = timedelta(days=1)
# The worker that was woken for a push has this long before the sweep wakes another.
DELIVERY_GRACE = timedelta(seconds=10)


@dataclass(frozen=True)
class BegunPush:
    """A push under way: its row, and the lock to hand to git and to release once `finish` has returned."""

    push: Push
    lock: PushLock


def begin(
    principal: Principal,
    repository: Repository,
    commands: Sequence[RefCommand],
    *,
    options: Sequence[str] = (),
    is_atomic: bool = False,
) -> BegunPush:
    """Judge every ref of a push and write its row, committed, before git sees it.

    Args:
        principal: Who pushes.
        repository: Where to.
        commands: What is to move.
        options: What `git push -o` gave, as `refs.decode` has it.
        is_atomic: Whether the client asks for all refs or none.

    Raises:
        PushRefused: A ref may not move, or none may; the message says which and why.
    """
    with rules.refusing_all(commands):
        check_writable(repository)
        if not all(command.is_delete for command in commands):
            quota.check(repository)
        rules.judge(principal, repository, commands)
        return write_down(principal, repository, commands, options=options, is_atomic=is_atomic)


def write_down(
    principal: Principal,
    repository: Repository,
    commands: Sequence[RefCommand],
    *,
    options: Sequence[str] = (),
    is_atomic: bool = False,
) -> BegunPush:
    """The row of refs that are about to move, all of them judged: committed, with its lock held.

    Raises:
        RepositoryDoesNotExist, RepositoryArchived: It was deleted or archived since it was looked up.
        RepositoryBusy: Objects are being deleted, for longer than a push waits.
        AuditUnavailable: The act can't be recorded, so nothing may move.
    """
    act = current_act()
    push = Push(
        # A push and its event have one id: recovery finds the one by the other.
        push_id=act.event_id if act is not None and not act.is_begun else uuid.uuid4(),
        repository=repository,
        principal_arn=principal.arn,
        principal_name=principal.name,
        commands=[_row(command) for command in commands],
        options=[refs.escaped(option) for option in options],
        is_atomic=is_atomic,
        owner=socket.gethostname()[:128],
    )
    lock = push_lock.take(_lock_folder(), str(push.push_id))
    assert lock is not None, "nobody else knows the id of a new push"
    try:
        lock.hold(locks.moving_refs(repository.git))
        _save_while_open(push)
        if act is not None:
            record.begin(act, is_deferred=True)
    except AuditUnavailable:
        lock.release()
        push.delete()
        raise
    except BaseException:
        lock.release()
        raise
    return BegunPush(push, lock)


def _save_while_open(push: Push) -> None:
    """A purge looks for begun pushes after the deletion, and this looks for a deletion after the push has begun.

    It was looked up long ago, where much had to be fetched or a client is slow.
    """
    try:
        with transaction.atomic():
            push.save()
    except IntegrityError:  # purged already
        if Repository.objects.filter(pk=push.repository_id).exists():
            raise
        raise _deleted(push.repository) from None
    found = Repository.objects.filter(pk=push.repository_id).first()
    try:
        if found is None:
            raise _deleted(push.repository)
        check_writable(found)
    except ServiceError:
        push.delete()
        raise


def _deleted(repository: Repository) -> RepositoryDoesNotExist:
    return RepositoryDoesNotExist(f"{repository.name} was deleted a moment ago.")


def finish(push: Push, accepted: Collection[str] | None) -> Push:
    """Record which refs a push moved, after git has ended, and wake a worker to deliver it.

    Args:
        push: As `begin` gave it. One that is finished already is left as it is.
        accepted: The refnames that git reported as moved; None where it was killed or reported nothing, to remove
            what it left and to compare with the refs. No process of the push may live then, and nobody hold its
            `moving_refs`.
    """
    asked = [command for command in push.ref_commands if command.old_oid != command.new_oid]
    if accepted is None:
        moved = interrupted.moved(push, asked)
    else:
        moved = [command for command in asked if command.refname in accepted]
    _choose_default_branch(push.repository, moved)
    now = timezone.now()
    state = PushState.RECORDED if moved else PushState.DROPPED
    with transaction.atomic():
        claimed = Push.objects.filter(pk=push.pk, state=PushState.BEGUN).update(
            state=state, commands=[_row(command) for command in moved] if moved else push.commands, recorded_at=now
        )
        if claimed and moved:
            Repository.objects.filter(pk=push.repository_id).update(last_push_at=now)
            transaction.on_commit(lambda: work.wake(DELIVER_TASK, push.pk))
    if claimed and moved:
        usage.measure_size(push.repository)  # the next push is judged by it
    push.refresh_from_db()
    return push


def recover() -> int:
    """Finish or drop the pushes that a crash left BEGUN; how many. Those that somebody works on are left alone.

    Where the crash came after a push was recorded and before its event was written, that is written now.
    """
    count = 0
    for push in Push.objects.filter(state=PushState.BEGUN).select_related("repository"):
        if push.owner != socket.gethostname()[:128] and push.begun_at > timezone.now() - FOREIGN_AGE:
            continue
        with _alone_with(push) as is_alone:
            # Whoever held the lock until now may have finished it.
            if is_alone and Push.objects.filter(pk=push.pk, state=PushState.BEGUN).exists():
                _settle(finish(push, None))
                count += 1
                logger.warning("push %s was left half-done and is now %s", push.push_id, push.state)
    for push in Push.objects.filter(push_id__in=record.left_open()).exclude(state=PushState.BEGUN):
        with _alone_with(push) as is_alone:
            if is_alone:
                _settle(push)
                logger.warning("push %s was left without its event and has it now", push.push_id)
    push_lock.remove_abandoned(_lock_folder())
    return count


@contextlib.contextmanager
def _alone_with(push: Push) -> Iterator[bool]:
    """Hold the lock of a push for the block; false where another process holds it, which works on it."""
    lock = push_lock.take(_lock_folder(), str(push.push_id))
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.release()


def _settle(push: Push) -> None:
    """Complete the event of a push whose process died: one event, which tells what git did."""
    error = None
    additional: dict[str, object] = {"recovered": True}
    if push.state == PushState.DROPPED:
        sentence = "The server process ended during this change of refs, of which nothing was applied."
        error = ServiceError(sentence, code="ProcessEnded")
    else:
        additional["movedReferences"] = [command["refname"] for command in push.commands]
    record.settle(push.push_id, error=error, additional=additional)


def deliver(push_pk: int) -> bool:
    """Write what a recorded push tells its triggers, and tell the listeners; whether this call did it.

    The state, the rows of the triggers and what listeners write are one transaction. A push that ended after its
    repository was deleted waits for that to be restored.
    """
    with transaction.atomic():
        claimed = Push.objects.filter(pk=push_pk, state=PushState.RECORDED, repository__deleted_at=None).update(
            state=PushState.DELIVERED, delivered_at=timezone.now()
        )
        if not claimed:
            return False
        push = Push.objects.select_related("repository").get(pk=push_pk)
        commands = push.ref_commands
        trigger_deliveries.record(push, commands)
        _announce(push, commands)
    return True


def undelivered() -> list[int]:
    """The keys of recorded pushes, oldest first, whose message was lost or whose delivery failed."""
    waiting = Push.objects.filter(
        state=PushState.RECORDED, repository__deleted_at=None, recorded_at__lt=timezone.now() - DELIVERY_GRACE
    )
    return list(waiting.order_by("pk").values_list("pk", flat=True))


def _announce(push: Push, commands: Sequence[RefCommand]) -> None:
    """Say ref_updated of each. Listeners warm and tidy: one that fails is logged, and holds up no trigger."""
    try:
        with transaction.atomic():
            for command in commands:
                ref_updated.send(
                    sender=Push,
                    repository=push.repository,
                    refname=command.refname,
                    old_oid=command.old_oid,
                    new_oid=command.new_oid,
                    push=push,
                )
    except Exception:  # the refs have moved: no listener, whatever it raises, can make the push fail
        logger.exception("a listener failed on push %s", push.push_id)


def _choose_default_branch(repository: Repository, moved: Sequence[RefCommand]) -> None:
    """The first branch that is pushed becomes the default; of several, the one that people call so."""
    made = [
        command.refname.removeprefix(refs.HEADS)
        for command in moved
        if command.refname.startswith(refs.HEADS) and not command.is_delete
    ]
    if not made or refs.default_branch(repository.git) is not None:
        return
    chosen = next((name for name in ("main", "master", "trunk") if name in made), made[0])
    try:
        refs.set_default_branch(repository.git, chosen)
    except (refs.BranchMissing, program.GitError) as error:
        # The branch is gone again, or another push is choosing: the push itself is none the worse.
        logger.warning("the default branch of %s stays unset: %s", repository, error.message)


def _lock_folder() -> Path:
    return Path(settings.RUN_ROOT) / "pushes"


def _row(command: RefCommand) -> dict[str, str]:
    return {
        "refname": refs.escaped(command.refname),
        "old_oid": command.old_oid,
        "new_oid": command.new_oid,
    }
