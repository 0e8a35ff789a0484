"""Import a repository from another server: look first, make the repository, let a worker fetch, retry or cancel."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from codeservices import work
from codeservices.errors import Conflict, NotFound, ServiceError
from codeservices.iam import arn
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from repos import names, provision
from repos.access import repository_for
from repos.git import patterns, refs
from repos.git.refs import RefCommand
from repos.models import Import, Mirror, Repository, RunState
from repos.remote import incoming, mirrors, owners, runs, sources
from repos.remote.runs import Reporter, RunCancelled, RunLost

logger = logging.getLogger(__name__)

RUN_TASK = "repos.tasks.run_import"
# The password of an import that failed and that nobody tried again is forgotten after so long.
PASSWORD_LIFE = timedelta(days=7)


def start_import(
    principal: Principal, name: str, description: str, given: sources.Given, *, becomes_mirror: bool = False
) -> Import:
    """Look at another server's repository, make one here for it, and queue the fetch.

    Raises:
        AccessDenied: Of codecommit:CreateRepository and GitPush on the name; to keep following, of MirrorRepository.
        InvalidInput, Conflict, LimitExceeded: As `provision.create_repository`.
        OutboundRefused, RemoteError: As `sources.look`; nothing was made.
    """
    names.check_name(name)
    names.check_description(description)
    resource = arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, name)
    for action in ("codecommit:CreateRepository", "codecommit:GitPush"):
        authorize(principal, action, resource)
    if becomes_mirror:
        authorize(principal, mirrors.ACTION, resource)
    if Repository.objects.filter(name=name).exists():
        raise provision.RepositoryNameExists(f"Repository named {name} already exists")
    sources.look(given)
    run = Import(becomes_mirror=becomes_mirror)
    sources.fill(run, given, principal)
    run.repository = provision.create_repository(principal, name, description)
    with transaction.atomic():
        run.save()
        transaction.on_commit(lambda: work.wake(RUN_TASK, run.pk))
    return run


def import_of(principal: Principal, action: str, name: str) -> Import:
    """The import of a repository, for one act; raises NotFound where it was not imported."""
    repository = repository_for(principal, action, name)
    run = Import.objects.filter(repository=repository).first()
    if run is None:
        raise NotFound(f"{name} was not imported from another server.")
    run.repository = repository
    return run


def retry(principal: Principal, name: str, given: sources.Given) -> Import:
    """Queue a failed or cancelled import again, from the same URL or a corrected one.

    An empty password stands for the stored one while URL and user name stay the same.

    Raises:
        AccessDenied: Of codecommit:GitPush on the repository.
        Conflict: It runs, or has succeeded, or the repository has a mirror.
        OutboundRefused, RemoteError: As `sources.look`; nothing was changed.
    """
    run = import_of(principal, "codecommit:GitPush", name)
    if run.state not in (RunState.FAILED, RunState.STOPPED):
        raise Conflict(f"The import of {name} can't be tried again: it is {run.get_state_display().lower()}.")
    if Mirror.objects.filter(repository=run.repository).exists():
        raise Conflict(f"{name} follows a repository by now, so it can't be imported.", hint="Remove the mirror first.")
    given = sources.completed(given, run)
    sources.look(given)
    sources.fill(run, given, principal)
    now = timezone.now()
    with transaction.atomic():
        claimed = Import.objects.filter(pk=run.pk, state=run.state).update(
            url=run.url,
            user_name=run.user_name,
            sealed_password=run.sealed_password,
            tolerates_identity_defects=run.tolerates_identity_defects,
            owner=run.owner_id,
            owner_name=run.owner_name,
            **_fresh(now),
        )
        if not claimed:
            raise Conflict(f"Somebody else has just tried the import of {name} again.")
        transaction.on_commit(lambda: work.wake(RUN_TASK, run.pk))
    return run


def cancel(principal: Principal, name: str) -> None:
    """End an import early; nothing of it is kept. Raises Conflict where it is over."""
    run = import_of(principal, "codecommit:GitPush", name)
    if not runs.cancel(run):
        raise Conflict(f"The import of {name} is over already.")


def run_import(pk: int) -> bool:
    """The worker's part: fetch and move in; whether this call did it. A second one finds the lease taken."""
    run = runs.claim(Import, pk)
    if run is None:
        return False
    repository = run.repository
    report = Reporter(run)
    try:
        try:
            log = _run(run, repository, report)
        except RunCancelled:
            runs.finish(run, RunState.STOPPED, log="Cancelled; nothing was kept.")
        except ServiceError as error:
            logger.info("the import of %s failed: %s", repository, error.message)
            runs.finish(run, RunState.FAILED, error)
        except Exception as error:
            # A defect of ours must not leave the import to its lease's end.
            logger.exception("import %s", run.pk)
            runs.finish(run, RunState.FAILED, runs.defect(error))
        else:
            with transaction.atomic():
                if run.becomes_mirror:
                    mirrors.continue_import(run)
                runs.finish(run, RunState.SUCCEEDED, log=log, sealed_password="", user_name="")
    except RunLost:
        logger.warning("import %s was taken from this worker", run.pk)
    return True


def sweep() -> None:
    """What a clock sets right: workers that fell silent, messages that were lost, passwords nobody needs any more."""
    runs.end_expired(Import, RUN_TASK)
    runs.resend(Import, RUN_TASK)
    old = Import.objects.filter(
        state__in=(RunState.FAILED, RunState.STOPPED), ended_at__lt=timezone.now() - PASSWORD_LIFE
    )
    old.exclude(sealed_password="").update(sealed_password="")


def _run(run: Import, repository: Repository, report: Reporter) -> str:
    """Fetch and move in; the log."""
    if repository.deleted_at is not None or repository.archived_at is not None:
        raise Conflict(f"{repository.name} was deleted or archived meanwhile.")
    principal = owners.principal_of(run)
    with incoming.fetched(run, repository, str(run.attempt_id), patterns.ALL_PATTERNS, report) as arrived:
        commands = _commands(repository, arrived.refs)
        if commands:
            additional: dict[str, object] = {"importedFrom": run.url}
            incoming.move(principal, repository, commands, arrived, "codecommit:GitPush", additional)
    runs.change(run, moved_count=len(commands))
    branches = sum(name.startswith(refs.HEADS) for name in arrived.refs)
    tags = sum(name.startswith(refs.TAGS) for name in arrived.refs)
    return "\n".join([f"Imported {branches:,} branches and {tags:,} tags.", *arrived.left_out])


def _commands(repository: Repository, arrived: dict[str, str]) -> list[RefCommand]:
    """New refs alone: an import overwrites nothing that was pushed meanwhile."""
    here = refs.all_refs(repository.git)
    taken = [name for name, oid in arrived.items() if here.get(name, oid) != oid]
    if taken:
        raise Conflict(
            f"{refs.shown(taken[0])} exists here with other commits, so nothing was imported.",
            hint="Delete it here, or import into a new repository.",
        )
    return [RefCommand(name, refs.ZERO_OID, oid) for name, oid in arrived.items() if name not in here]


def _fresh(now: datetime) -> dict[str, object]:
    """The fields of a run as they are before its first attempt."""
    return {
        "state": RunState.QUEUED,
        "queued_at": now,
        "message_at": now,
        "started_at": None,
        "ended_at": None,
        "cancel_requested_at": None,
        "lease_owner": "",
        "attempt_count": 0,
        "phase": "",
        "percent": None,
        "object_count": 0,
        "object_total": 0,
        "received_bytes": 0,
        "error_code": "",
        "error_message": "",
        "error_hint": "",
        "log": "",
    }
