"""Delete repositories, keep them for a while, restore and purge them.

A deleted repository keeps its row and its directory; its name is free at once. A purge deletes the row and moves the
directory aside in one transaction, and then removes the files: whatever dies in between is finished by `purge_expired`,
which runs on a clock.
"""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from codeservices.errors import Conflict
from codeservices.iam import arn, resource_tags
from codeservices.iam.authorize import authorize, is_allowed
from codeservices.iam.principal import Principal
from repos import names
from repos.access import RepositoryDoesNotExist
from repos.git import store
from repos.models import PushState, Repository
from repos.provision import RepositoryNameExists

logger = logging.getLogger(__name__)

# Ours, since CodeCommit keeps nothing that was deleted. A policy that allows codecommit:* allows them.
RESTORE = "codecommit:RestoreRepository"
PURGE = "codecommit:PurgeRepository"


class PushUnderWay(Conflict):
    """Git still writes to the repository."""

    code = "OperationNotAllowedException"


def delete_repository(principal: Principal, name: str) -> str | None:
    """Delete a repository: no door knows it any more, and for REPOSITORY_RETENTION_DAYS it can be restored.

    Returns:
        The id it had, or None where there was none, which is no error, as in CodeCommit.
    """
    names.check_name(name)
    authorize(principal, "codecommit:DeleteRepository", _arn(name))
    repository = Repository.objects.filter(name=name).first()
    if repository is None:
        return None
    deleted = Repository.objects.filter(pk=repository.pk).update(deleted_at=timezone.now(), deleted_by=principal.arn)
    if not deleted:  # somebody was quicker
        return None
    logger.info("repository %s deleted, was %s", name, repository.repository_id)
    return str(repository.repository_id)


def purge_at(repository: Repository) -> datetime:
    """When a deleted repository is removed for good."""
    assert repository.deleted_at is not None
    return repository.deleted_at + timedelta(days=settings.REPOSITORY_RETENTION_DAYS)


def deleted_repositories(principal: Principal) -> list[Repository]:
    """Those that the principal may restore or purge, deleted last first. One act: codecommit:ListRepositories."""
    authorize(principal, "codecommit:ListRepositories", "*")
    return list(_visible(principal))


def keeps_any(principal: Principal) -> bool:
    """Whether there is one that the principal may restore or purge: a page may then point at the list of them."""
    return next(_visible(principal), None) is not None


def _visible(principal: Principal) -> Iterator[Repository]:
    for repository in Repository.all_objects.exclude(deleted_at=None).order_by("-deleted_at", "-pk"):
        # Of several of one name each is decided by its own tags.
        resource_tags.remember(repository.arn, repository.tags)
        if any(is_allowed(principal, action, repository.arn) for action in (RESTORE, PURGE)):
            yield repository


def deleted_repository(principal: Principal, action: str, name: str, repository_id: uuid.UUID) -> Repository:
    """A deleted repository by the name and the id that it had, for one act.

    Raises:
        AccessDenied: The principal may not do `action` on a repository of that name.
        RepositoryDoesNotExist: It may, but no such repository is kept.
    """
    repository = Repository.all_objects.exclude(deleted_at=None).filter(name=name, repository_id=repository_id).first()
    # The name may have another owner by now: it is the deleted repository's tags that policies see.
    resource_tags.remember(_arn(name), repository.tags if repository is not None else {})
    authorize(principal, action, _arn(name))
    if repository is None:
        raise RepositoryDoesNotExist(
            f"No deleted repository {name} of this id is kept.", hint="It was restored, or its time was over."
        )
    return repository


def restore_repository(principal: Principal, name: str, repository_id: uuid.UUID, new_name: str) -> Repository:
    """Bring a deleted repository back under its old name, or another one; both must be allowed.

    Raises:
        InvalidInput: The new name breaks a rule.
        RepositoryNameExists: It is taken.
        RepositoryMissing: A purge has begun.
    """
    repository = deleted_repository(principal, RESTORE, name, repository_id)
    names.check_name(new_name)
    if new_name != name:
        resource_tags.remember(_arn(new_name), repository.tags)
        authorize(principal, RESTORE, _arn(new_name))
    _ = repository.git  # raises where the objects are gone
    try:
        with transaction.atomic():
            restored = Repository.all_objects.filter(pk=repository.pk, deleted_at=repository.deleted_at).update(
                name=new_name, deleted_at=None, deleted_by="", updated_at=timezone.now()
            )
    except IntegrityError:
        raise RepositoryNameExists(f"Repository named {new_name} already exists") from None
    if not restored:
        raise RepositoryDoesNotExist(f"{name} was restored or purged a moment ago.")
    repository.refresh_from_db()
    logger.info("repository %s restored as %s", repository.repository_id, new_name)
    return repository


def purge_repository(principal: Principal, name: str, repository_id: uuid.UUID) -> None:
    """Remove a deleted repository for good, before its time.

    Raises:
        PushUnderWay: A push that began before the deletion has not ended.
    """
    repository = deleted_repository(principal, PURGE, name, repository_id)
    if not _purge(repository):
        raise PushUnderWay(f"A push to {name} has not ended yet.", hint="Try again in a minute.")


def purge_expired() -> int:
    """Purge the deleted repositories whose time is over, and finish what died half-way; how many were purged.

    A directory without a row is left by a creation that died, and is removed while nothing is in it. One with objects
    is somebody's data beside a database that does not know it: that is told, and left alone.
    """
    horizon = timezone.now() - timedelta(days=settings.REPOSITORY_RETENTION_DAYS)
    count = sum(_purge(one) for one in Repository.all_objects.filter(deleted_at__lte=horizon))
    store.sweep(settings.GIT_ROOT)
    _remove_unknown()
    return count


def _purge(repository: Repository) -> bool:
    """Whether the repository is gone; not while a push still writes to it, nor where it was restored meanwhile."""
    with transaction.atomic():
        locked = Repository.all_objects.select_for_update().filter(pk=repository.pk).exclude(deleted_at=None).first()
        if locked is None or locked.pushes.filter(state=PushState.BEGUN).exists():
            return False
        locked.delete()
        # The last step before the commit: where that fails, the row stays without objects, and the next run removes it.
        aside = store.set_aside(settings.GIT_ROOT, str(locked.repository_id))
    shutil.rmtree(aside, ignore_errors=True)
    logger.info("repository %s purged, was %s", repository.name, repository.repository_id)
    return True


def _remove_unknown() -> None:
    root = settings.GIT_ROOT
    known = {str(one) for one in Repository.all_objects.values_list("repository_id", flat=True)}
    for repository_id in store.repository_ids(root):
        if repository_id in known or Repository.all_objects.filter(repository_id=repository_id).exists():
            continue
        if store.is_empty(root, repository_id):
            store.remove_repository(root, repository_id)
            logger.info("removed the empty directory of %s, whose creation had died", repository_id)
        else:
            logger.warning("the database knows no repository %s, whose directory holds objects", repository_id)


def _arn(name: str) -> str:
    return arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, name)
