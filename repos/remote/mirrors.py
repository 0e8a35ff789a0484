"""Mirrors: set up, run by the clock or on demand, paused after too many failures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from codeservices import work
from codeservices.errors import Conflict, InvalidInput, NotFound, ServiceError
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal
from repos.access import repository_for
from repos.git import patterns, refs
from repos.git.refs import RefCommand
from repos.git.remote_errors import RemoteError
from repos.models import Import, Mirror, MirrorRun, Repository, RunState
from repos.remote import incoming, owners, runs, sources
from repos.remote.runs import Reporter, RunCancelled, RunLost

logger = logging.getLogger(__name__)

# Of no AWS operation, and under no wildcard of AWS's managed policies but codecommit:*: a mirror reaches out of this
# server and overwrites refs, which nobody shall be able to do by accident.
ACTION = "codecommit:MirrorRepository"
RUN_TASK = "repos.tasks.run_mirror"
MIN_INTERVAL_SECONDS, MAX_INTERVAL_SECONDS = 300, 7 * 86400
DEFAULT_INTERVAL_SECONDS = 3600
# After a failure the next run waits twice as long, and a day at most; after so many in a row it waits for a person.
MAX_FAILURES = 8
MAX_BACK_OFF = timedelta(days=1)
KEPT_RUNS = 50
MAX_LOGGED_REFS = 50


@dataclass(frozen=True)
class Plan:
    """How a mirror is to be: which refs (full refnames or patterns; none for all), how often, and whether it prunes."""

    patterns: Sequence[str] = ()
    interval_seconds: int = DEFAULT_INTERVAL_SECONDS
    prunes: bool = True


def put_mirror(
    principal: Principal, name: str, given: sources.Given, plan: Plan, *, overwrites: bool = False
) -> Mirror:
    """Have a repository follow one on another server, or change how it does; the first run begins at once.

    Args:
        overwrites: Refs here that the patterns match may be overwritten; needed where there are any and no mirror yet.

    Raises:
        AccessDenied: Of codecommit:MirrorRepository on the repository.
        InvalidInput, Conflict: A rule is broken, the repository is archived, or would lose refs.
        OutboundRefused, RemoteError: As `sources.look`; nothing was changed.
    """
    repository = repository_for(principal, ACTION, name)
    _check_open(repository)
    if Import.objects.filter(repository=repository, state__in=(RunState.QUEUED, RunState.IN_PROGRESS)).exists():
        raise Conflict(f"{name} is being imported.", hint="Wait for its end, or cancel the import.")
    if not MIN_INTERVAL_SECONDS <= plan.interval_seconds <= MAX_INTERVAL_SECONDS:
        raise InvalidInput(f"A mirror runs every 5 minutes to 7 days, not every {plan.interval_seconds} seconds.")
    if plan.patterns:
        patterns.parse("\n".join(plan.patterns))
    mirror = Mirror.objects.filter(repository=repository).first()
    given = sources.completed(given, mirror)
    sources.look(given)
    wanted = plan.patterns or patterns.ALL_PATTERNS
    if mirror is None:
        mirror = Mirror(repository=repository)
        if not overwrites and any(patterns.matches(one, wanted) for one in refs.all_refs(repository.git)):
            raise Conflict(f"{name} has branches or tags that the mirror would overwrite.", hint="Confirm that first.")
    sources.fill(mirror, given, principal)
    mirror.patterns, mirror.prunes = list(plan.patterns), plan.prunes
    mirror.interval_seconds = plan.interval_seconds
    _wake(mirror)
    with transaction.atomic():
        mirror.save()
        _queue(mirror, principal.name)
    return mirror


def continue_import(run: Import) -> Mirror:
    """What an import becomes that shall be followed from now on: called with its success, in one transaction."""
    mirror = Mirror(
        repository=run.repository,
        url=run.url,
        user_name=run.user_name,
        sealed_password=run.sealed_password,
        tolerates_identity_defects=run.tolerates_identity_defects,
        owner=run.owner,
        owner_name=run.owner_name,
        refnames=_matched(run.repository, patterns.ALL_PATTERNS),
    )
    mirror.next_run_at = timezone.now() + timedelta(seconds=mirror.interval_seconds)
    mirror.save()
    return mirror


def mirror_of(principal: Principal, name: str) -> Mirror:
    """The mirror of a repository, to change it; raises NotFound where there is none."""
    repository = repository_for(principal, ACTION, name)
    mirror = Mirror.objects.filter(repository=repository).first()
    if mirror is None:
        raise NotFound(f"{name} follows no repository on another server.")
    mirror.repository = repository
    return mirror


def pause(principal: Principal, name: str) -> None:
    """No run until it is resumed. Its refs stay closed to pushes, since resuming overwrites them."""
    mirror = mirror_of(principal, name)
    because = f"{principal.name} paused it."
    Mirror.objects.filter(pk=mirror.pk).update(next_run_at=None, paused_because=because, is_paused_by_failures=False)


def resume(principal: Principal, name: str) -> None:
    """Run at once, and by the clock from then on."""
    mirror = mirror_of(principal, name)
    _check_open(mirror.repository)
    _wake(mirror)
    with transaction.atomic():
        mirror.save()
        _queue(mirror, principal.name)


def run_now(principal: Principal, name: str) -> None:
    """Run once, also while paused; nothing more where it runs already."""
    mirror = mirror_of(principal, name)
    _check_open(mirror.repository)
    _queue(mirror, principal.name)


def cancel_run(principal: Principal, name: str) -> None:
    """End the run that is under way; raises Conflict where there is none."""
    mirror = mirror_of(principal, name)
    run = mirror.runs.first()
    if run is None or not runs.cancel(run):
        raise Conflict(f"The mirror of {name} does not run at the moment.")


def remove(principal: Principal, name: str) -> None:
    """Stop following. What was fetched stays, and its refs are open to pushes again."""
    mirror_of(principal, name).delete()


def run_mirror(pk: int) -> bool:
    """The worker's part of one run; whether this call did it. A second one finds the lease taken."""
    run = runs.claim(MirrorRun, pk)
    if run is None:
        return False
    mirror = Mirror.objects.select_related("repository", "owner").get(pk=run.mirror_id)
    state, error, log = RunState.SUCCEEDED, None, ""
    try:
        try:
            log = _run(run, mirror)
        except RunCancelled:
            state, log = RunState.STOPPED, "Cancelled; nothing was moved."
        except ServiceError as failure:
            logger.info("the mirror of %s failed: %s", mirror.repository, failure.message)
            state, error = RunState.FAILED, failure
        except RunLost:
            raise
        except Exception as failure:
            # A defect of ours must not leave the run to its lease's end.
            logger.exception("mirror run %s", run.pk)
            state, error = RunState.FAILED, runs.defect(failure)
        with transaction.atomic():
            runs.finish(run, state, error, log=log)
            _plan_next(mirror, state, error)
    except RunLost:
        logger.warning("mirror run %s was taken from this worker", run.pk)
    return True


def sweep() -> int:
    """What a clock sets right: runs that are due, workers that fell silent, lost messages; how many runs it queued."""
    for run in runs.end_expired(MirrorRun, RUN_TASK):
        error = ServiceError(run.error_message, code=run.error_code, hint=run.error_hint)
        _plan_next(Mirror.objects.get(pk=run.mirror_id), RunState.FAILED, error)
    runs.resend(MirrorRun, RUN_TASK)
    due = Mirror.objects.filter(
        next_run_at__lte=timezone.now(), repository__deleted_at=None, repository__archived_at=None
    )
    return sum(_queue(mirror, "") for mirror in due.exclude(runs__state__in=(RunState.QUEUED, RunState.IN_PROGRESS)))


def _run(run: MirrorRun, mirror: Mirror) -> str:
    """Fetch and move what has changed; the log."""
    repository, report = mirror.repository, Reporter(run)
    _check_open(repository)
    principal = owners.principal_of(mirror)
    if not is_allowed(principal, ACTION, repository.arn):
        raise ServiceError(
            f"{mirror.owner_name}, who set the mirror up, may not do {ACTION} here any more.",
            code="AccessDeniedException",
            status=403,
            hint="Whoever saves the settings anew becomes the owner.",
        )
    wanted = mirror.patterns or patterns.ALL_PATTERNS
    with incoming.fetched(mirror, repository, str(run.attempt_id), wanted, report) as arrived:
        moves, deletes = _commands(mirror, arrived)
        commands = [*deletes, *moves]
        additional: dict[str, object] = {"mirrorOf": mirror.url}
        default = refs.HEADS + (repository.default_branch or "")
        if any(one.refname == default for one in deletes):
            # The other end has another default branch by now: that one is made and chosen, then this one goes.
            assert arrived.head is not None
            incoming.move(principal, repository, moves, arrived, ACTION, additional)
            refs.set_default_branch(repository.git, arrived.head)
            moves = []
        # Removed first, since a new branch may be called like a folder of one that is gone.
        for part in filter(None, (deletes, moves)):
            incoming.move(principal, repository, part, arrived, ACTION, additional)
    mirror.refnames = [refs.escaped(refname) for refname in arrived.refs]
    runs.change(run, moved_count=len(commands))
    told = [_told(command) for command in commands[:MAX_LOGGED_REFS]]
    if len(commands) > MAX_LOGGED_REFS:
        told.append(f"… and {len(commands) - MAX_LOGGED_REFS:,} more.")
    return "\n".join([*(told or ["Everything is up to date."]), *arrived.left_out])


def _commands(mirror: Mirror, arrived: incoming.Incoming) -> tuple[list[RefCommand], list[RefCommand]]:
    """(what to set, what to remove) so that the refs here are as those that arrived."""
    here = refs.all_refs(mirror.repository.git)
    moves = [
        RefCommand(refname, here.get(refname, refs.ZERO_OID), oid)
        for refname, oid in arrived.refs.items()
        if here.get(refname) != oid
    ]
    brought = set(map(refs.unescaped, mirror.refnames))
    gone = sorted(brought & set(here) - set(arrived.refs)) if mirror.prunes else []
    if gone and not arrived.refs:
        raise RemoteError(
            "The other end has none of the branches and tags any more that it had, so nothing was removed here.",
            code="RemoteEmpty",
            hint="Look at the other end; remove the mirror if this is meant.",
        )
    default = mirror.repository.default_branch
    # The default branch can't be removed, so it stays until the other end names another one.
    kept = refs.HEADS + default if default is not None and arrived.head in (None, default) else ""
    return moves, [RefCommand(refname, here[refname], refs.ZERO_OID) for refname in gone if refname != kept]


def _plan_next(mirror: Mirror, state: RunState, error: ServiceError | None) -> None:
    """When to run next, after a run has ended; a mirror that was paused meanwhile stays so."""
    now = timezone.now()
    rows = Mirror.objects.filter(pk=mirror.pk)
    interval = timedelta(seconds=mirror.interval_seconds)
    waiting = rows.exclude(next_run_at=None)
    if state == RunState.SUCCEEDED:
        rows.update(failure_count=0, refnames=mirror.refnames)
        waiting.update(next_run_at=now + interval)
    elif state == RunState.FAILED:
        assert error is not None
        failures = mirror.failure_count + 1
        rows.update(failure_count=failures)
        if failures >= MAX_FAILURES:
            waiting.update(next_run_at=None, is_paused_by_failures=True, paused_because=error.message)
            logger.warning("the mirror of %s is paused after %s failures", mirror.repository, failures)
        else:
            back_off = max(interval, min(interval * 2**failures, MAX_BACK_OFF))
            waiting.update(next_run_at=now + back_off)
    else:
        waiting.update(next_run_at=now + interval)
    kept = mirror.runs.values_list("pk", flat=True)[:KEPT_RUNS]
    mirror.runs.exclude(pk__in=list(kept)).delete()


def _wake(mirror: Mirror) -> None:
    mirror.next_run_at = timezone.now() + timedelta(seconds=mirror.interval_seconds)
    mirror.failure_count, mirror.paused_because, mirror.is_paused_by_failures = 0, "", False


def _queue(mirror: Mirror, requested_by: str) -> bool:
    """A run, unless one waits or runs already; whether it was made."""
    try:
        with transaction.atomic():
            run = MirrorRun.objects.create(mirror=mirror, requested_by=requested_by)
            transaction.on_commit(lambda: work.wake(RUN_TASK, run.pk))
    except IntegrityError:
        return False
    return True


def _check_open(repository: Repository) -> None:
    if repository.deleted_at is not None:
        raise Conflict(f"{repository.name} is deleted, so its mirror rests.")
    if repository.archived_at is not None:
        raise Conflict(f"{repository.name} is archived, so its mirror rests.", hint="Take it out of the archive first.")


def _matched(repository: Repository, wanted: Sequence[str]) -> list[str]:
    return [refs.escaped(name) for name in refs.all_refs(repository.git) if patterns.matches(name, wanted)]


def _told(command: RefCommand) -> str:
    name = refs.shown(command.refname)
    if command.is_delete:
        return f"removed {name}, which was at {command.old_oid[:8]}"
    if command.is_create:
        return f"new {name} at {command.new_oid[:8]}"
    return f"{name} from {command.old_oid[:8]} to {command.new_oid[:8]}"
