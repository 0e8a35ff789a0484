"""Create, rename, describe and archive repositories; what deletes them is in deletion.py."""

from __future__ import annotations

import logging
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from codeservices.audit.acts import current_act
from codeservices.errors import Conflict, LimitExceeded
from codeservices.iam import arn, rules
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from repos import names, protection
from repos import tags as tag_rules
from repos.access import check_writable, repository_for
from repos.git import refs, store
from repos.models import Repository

logger = logging.getLogger(__name__)

MAX_REPOSITORIES = 1000
# Ours, since CodeCommit archives nothing. A policy that allows codecommit:* allows them.
ARCHIVE = "codecommit:ArchiveRepository"
UNARCHIVE = "codecommit:UnarchiveRepository"


class RepositoryNameExists(Conflict):
    """The name is taken."""

    code = "RepositoryNameExistsException"


def create_repository(
    principal: Principal, name: str, description: str = "", tags: dict[str, str] | None = None
) -> Repository:
    """An empty bare repository. The directory is made first: a row never points at nothing.

    Raises:
        InvalidInput: The name, the description or a tag breaks a rule.
        RepositoryNameExists: The name is taken.
    """
    names.check_name(name)
    names.check_description(description)
    tags = tag_rules.check(tags or {})
    authorize(
        principal,
        "codecommit:CreateRepository",
        arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, name),
        rules.tag_context(tags) if tags else None,
    )
    if Repository.objects.filter(name=name).exists():
        raise RepositoryNameExists(f"Repository named {name} already exists")
    if Repository.objects.count() >= MAX_REPOSITORIES:
        raise LimitExceeded(
            f"This installation has {MAX_REPOSITORIES} repositories already.", code="RepositoryLimitExceededException"
        )
    repository = Repository(name=name, description=description, tags=tags)
    store.create_repository(settings.GIT_ROOT, str(repository.repository_id))
    try:
        with transaction.atomic():
            repository.save()
    except IntegrityError:
        store.remove_repository(settings.GIT_ROOT, str(repository.repository_id))
        raise RepositoryNameExists(f"Repository named {name} already exists") from None
    logger.info("repository %s created as %s", name, repository.repository_id)
    return repository


def rename_repository(principal: Principal, old_name: str, new_name: str) -> Repository:
    """Give it another name, which its branches' protections follow.

    Both the old and the new ARN must be allowed.
    """
    repository = repository_for(principal, "codecommit:UpdateRepositoryName", old_name)
    names.check_name(new_name)
    authorize(
        principal, "codecommit:UpdateRepositoryName", arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, new_name)
    )
    if new_name == old_name:
        raise RepositoryNameExists(f"Repository named {new_name} already exists")
    repository.name, repository.updated_at = new_name, timezone.now()
    try:
        with transaction.atomic():
            repository.save(update_fields=["name", "updated_at"])
            protected = protection.follow_rename(repository, old_name)
    except IntegrityError:
        raise RepositoryNameExists(f"Repository named {new_name} already exists") from None
    act = current_act()
    if act is not None and protected:
        act.additional["branchProtectionsMoved"] = protected
    return repository


def describe_repository(principal: Principal, name: str, description: str) -> Repository:
    """Set or clear the description."""
    repository = repository_for(principal, "codecommit:UpdateRepositoryDescription", name)
    repository.description, repository.updated_at = names.check_description(description), timezone.now()
    repository.save(update_fields=["description", "updated_at"])
    return repository


def set_default_branch(principal: Principal, name: str, branch: str) -> Repository:
    """Point HEAD at an existing branch; setting the same one again is no error."""
    repository = repository_for(principal, "codecommit:UpdateDefaultBranch", name)
    check_writable(repository)
    refs.set_default_branch(repository.git, branch)
    repository.updated_at = timezone.now()
    repository.save(update_fields=["updated_at"])
    return repository


def archive_repository(principal: Principal, name: str) -> Repository:
    """Make it read-only: no ref moves by any door until it is opened again. Archiving twice is no error."""
    repository = repository_for(principal, ARCHIVE, name)
    if repository.archived_at is None:
        _set_archived(repository, timezone.now())
        logger.info("repository %s archived", name)
    return repository


def unarchive_repository(principal: Principal, name: str) -> Repository:
    """Open an archived repository again."""
    repository = repository_for(principal, UNARCHIVE, name)
    _set_archived(repository, None)
    return repository


def _set_archived(repository: Repository, moment: datetime | None) -> None:
    repository.archived_at, repository.updated_at = moment, timezone.now()
    repository.save(update_fields=["archived_at", "updated_at"])
