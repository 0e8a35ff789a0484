"""Fetch a repository and authorize in one step, so that no door can do one without the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.conf import settings

from codeservices.errors import Conflict, NotFound
from codeservices.iam import arn, resource_tags
from codeservices.iam.authorize import authorize, is_allowed
from codeservices.iam.principal import Principal
from codeservices.statements import Parameter, Statement
from repos.git import patterns, refs
from repos.models import Import, Mirror, Repository

_BY_NAME = Statement(lambda: Repository.objects.filter(name=Parameter()).select_related("mirror").order_by())


class RepositoryDoesNotExist(NotFound):
    """Told only to those who may do the act on a repository of that name; others get AccessDenied either way."""

    code = "RepositoryDoesNotExistException"


class RepositoryArchived(Conflict):
    """It is read-only. CodeCommit archives nothing; this is the name it has for what a repository's state forbids."""

    code = "OperationNotAllowedException"


class RefKeptByRemote(Conflict):
    """A ref that an import or a mirror keeps is moved by nobody else."""

    code = "ReferenceKeptByMirrorException"


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
    repository = _BY_NAME.first(name)
    if repository is None:
        raise RepositoryDoesNotExist(f"{name} does not exist", hint="Look at the list for its exact spelling.")
    return repository


def authorize_ref(
    principal: Principal, action: str, repository: Repository, refname: str, *, by_remote: bool = False
) -> None:
    """May the principal do `action` to this ref? The one question of every door that moves one: git, API, console.

    Args:
        action: "codecommit:GitPush", "codecommit:DeleteBranch", "codecommit:PutFile", …
        refname: In full, "refs/heads/main"; policies see it as codecommit:References.
        by_remote: The import or the mirror that keeps the ref moves it.

    Raises:
        AccessDenied: Nothing allows it, or a statement denies it.
        RepositoryArchived: No ref of this repository moves.
        RefKeptByRemote: The ref follows another server.
    """
    authorize(principal, action, repository.arn, on_ref(refname))
    check_writable(repository)
    if not by_remote:
        _check_not_kept(repository, refname)


def _check_not_kept(repository: Repository, refname: str) -> None:
    """A ref that a mirror follows would be overwritten by its next run; one set during an import would stop that."""
    run: Import | None = getattr(repository, "import_run", None)
    if run is not None and not run.is_over:
        raise RefKeptByRemote("This repository is being imported.", hint="Wait for its end, or cancel the import.")
    mirror: Mirror | None = getattr(repository, "mirror", None)
    if mirror is not None and patterns.matches(refname, mirror.patterns or patterns.ALL_PATTERNS):
        raise RefKeptByRemote(
            f"It follows {mirror.url}.", hint="Change it there, or remove the mirror in the repository's settings."
        )


def on_ref(refname: str) -> dict[str, str]:
    """The condition key that tells policies which ref an act moves."""
    return {"codecommit:References": refs.escaped(refname)}


def check_writable(repository: Repository) -> None:
    """Raises RepositoryArchived where nobody may change what is in the repository."""
    if repository.archived_at is not None:
        raise RepositoryArchived(
            f"{repository.name} is archived since {repository.archived_at:%Y-%m-%d}: it can be read, not changed.",
            hint="Its settings page has the button that opens it again.",
        )


def repositories_for(principal: Principal) -> Iterator[Repository]:
    """The repositories to list: all that the principal may look at, by name. One act: codecommit:ListRepositories."""
    authorize(principal, "codecommit:ListRepositories", "*")
    for repository in Repository.objects.order_by("name"):
        resource_tags.remember(repository.arn, repository.tags)
        if is_allowed(principal, "codecommit:GetRepository", repository.arn):
            yield repository
