"""Create, rename, describe and delete repositories: the row and the bare repository together."""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from codeservices.errors import Conflict, LimitExceeded
from codeservices.iam import arn, rules
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from repos import names
from repos import tags as tag_rules
from repos.access import repository_for
from repos.git import refs, store
from repos.models import Repository

logger = logging.getLogger(__name__)

MAX_REPOSITORIES = 1000


class RepositoryNameExists(Conflict):
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
    """Both the old and the new ARN must be allowed."""
    repository = repository_for(principal, "codecommit:UpdateRepositoryName", old_name)
    names.check_name(new_name)
    authorize(
        principal, "codecommit:UpdateRepositoryName", arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, new_name)
    )
    repository.name, repository.updated_at = new_name, timezone.now()
    try:
        with transaction.atomic():
            repository.save(update_fields=["name", "updated_at"])
    except IntegrityError:
        raise RepositoryNameExists(f"Repository named {new_name} already exists") from None
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
    refs.set_default_branch(repository.git, branch)
    repository.updated_at = timezone.now()
    repository.save(update_fields=["updated_at"])
    return repository


def delete_repository(principal: Principal, name: str) -> str | None:
    """Remove the repository with everything in it; the id it had, or None where there was none (no error, as AWS)."""
    names.check_name(name)
    authorize(principal, "codecommit:DeleteRepository", arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, name))
    repository = Repository.objects.filter(name=name).first()
    if repository is None:
        return None
    repository_id = str(repository.repository_id)
    repository.delete()
    store.remove_repository(settings.GIT_ROOT, repository_id)
    logger.info("repository %s deleted, was %s", name, repository_id)
    return repository_id
