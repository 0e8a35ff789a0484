"""Fetch a repository and authorize in one step, so that no door can do one without the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.conf import settings

from codeservices.errors import NotFound
from codeservices.iam import arn, resource_tags
from codeservices.iam.authorize import authorize, is_allowed
from codeservices.iam.principal import Principal
from repos.git import refs
from repos.models import Repository


class RepositoryDoesNotExist(NotFound):
    """Told only to those who may do the act on a repository of that name; others get AccessDenied either way."""

    code = "RepositoryDoesNotExistException"


def repository_for(
    principal: Principal, action: str, name: str, context: Mapping[str, str | Sequence[str]] | None = None
) -> Repository:
    """The repository called `name`, for one act.

    The decision is made on the ARN of the name before anything is looked up: whether the repository exists does not
    leak to those who may not act on it.

    Raises:
        AccessDenied: The principal may not do `action` on a repository of that name.
        RepositoryDoesNotExist: It may, but there is none.
    """
    authorize(principal, action, arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, name), context)
    repository = Repository.objects.filter(name=name).first()
    if repository is None:
        raise RepositoryDoesNotExist(f"{name} does not exist", hint="Look at the list for its exact spelling.")
    return repository


def authorize_ref(principal: Principal, action: str, repository: Repository, refname: str) -> None:
    """May the principal do `action` to this ref? The one question of every door that moves one: git, API, console.

    Args:
        action: "codecommit:GitPush", "codecommit:DeleteBranch", "codecommit:PutFile", …
        refname: In full, "refs/heads/main"; policies see it as codecommit:References.

    Raises:
        AccessDenied: Nothing allows it, or a statement denies it.
    """
    authorize(principal, action, repository.arn, {"codecommit:References": refs.escaped(refname)})


def repositories_for(principal: Principal) -> Iterator[Repository]:
    """The repositories to list: all that the principal may look at, by name. One act: codecommit:ListRepositories."""
    authorize(principal, "codecommit:ListRepositories", "*")
    for repository in Repository.objects.order_by("name"):
        resource_tags.remember(repository.arn, repository.tags)
        if is_allowed(principal, "codecommit:GetRepository", repository.arn):
            yield repository
