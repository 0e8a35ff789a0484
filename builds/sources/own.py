"""Sources of type CODECOMMIT: repositories of this server, read as the build's service role."""

from __future__ import annotations

from builds.models import repository_name_of
from builds.sources import versions
from builds.sources.clones import Clone
from builds.sources.wanted import Wanted, sentence
from codeservices.errors import AccessDenied, NotFound
from repos.access import repository_for
from repos.models import Repository


def find(wanted: Wanted) -> Clone:
    """The commit of a CODECOMMIT source.

    Raises:
        PhaseError: CLIENT_ERROR in CodeBuild's words.
    """
    name = repository_name_of(dict(wanted.source))
    found = repository(wanted, name or wanted.location).git
    try:
        oid, refname = versions.resolve(found, versions.parse(wanted.version))
    except NotFound as error:
        raise wanted.refused("reference not found", sentence(error)) from error
    return Clone(wanted, f"{wanted.root}/{name}", wanted.location, found, oid, refname, is_own=True)


def repository(wanted: Wanted, name: str) -> Repository:
    """A repository that the role may pull; PhaseError says why not."""
    try:
        with wanted.reading():
            return repository_for(wanted.principal, "codecommit:GitPull", name)
    except AccessDenied as error:
        raise wanted.refused("authorization failed", error.message) from error
    except NotFound as error:
        hint = "It was deleted or renamed: give the project the clone URL of a repository that exists."
        raise wanted.refused("repository not found", f"{name}. {hint}") from error
