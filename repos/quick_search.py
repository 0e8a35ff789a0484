"""Quick search inside repositories: branches by a part of their name, commits by the beginning of their id.

Repositories are looked at in the order of their last push, those pushed to last first, while there is time: whoever
types a name or pastes an id is most often after what is being worked on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final

from django.db.models import F
from django.urls import reverse

from codeservices import registry
from codeservices.errors import ServiceError
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal
from repos.git import abbreviation, log, refs
from repos.models import Repository
from repos.templatetags.repository import code_address

# Of each source; the box is answered while somebody types.
MAX_SECONDS: Final = 0.4
MIN_BRANCH: Final = 3
# As many digits as git shows of an id in a small repository; words such as "feed" are no ids then.
MIN_COMMIT: Final = 7


def register() -> None:
    """Called once when the app is ready."""
    registry.register_search_source(registry.SearchSource("branches", find_branches))
    registry.register_search_source(registry.SearchSource("commits", find_commits))


def find_branches(principal: Principal, text: str, limit: int) -> Iterable[registry.SearchResult]:
    """Branches whose name contains the text."""
    if len(text) < MIN_BRANCH:
        return
    wanted = text.lower()
    for repository in _newest(principal, "codecommit:ListBranches"):
        with repository.git as git:
            names = [name for name, _ in refs.branches(git) if wanted in name.lower()]
        for name in names[:limit]:
            url = code_address(repository.name, "browse", name)
            yield registry.SearchResult("Branch", refs.shown(name), url, repository.name)


def find_commits(principal: Principal, text: str, limit: int) -> Iterable[registry.SearchResult]:
    """The commits whose id begins so, or is that: one of a repository, where it alone is meant."""
    wanted = text.lower()
    is_whole = refs.OID.fullmatch(wanted) is not None
    if len(wanted) < MIN_COMMIT or not (is_whole or abbreviation.ABBREVIATED.fullmatch(wanted)):
        return
    for repository in _newest(principal, "codecommit:GetCommit"):
        try:
            with repository.git as git:
                commit = log.commit(git, wanted if is_whole else abbreviation.commit_oid(git, wanted))
        except ServiceError:  # not here, several, or damaged
            continue
        title = f"{commit.oid[:8]} {commit.subject or '(no message)'}"
        url = reverse("repos:commit", args=[repository.name, commit.oid])
        yield registry.SearchResult("Commit", title, url, repository.name)


def _newest(principal: Principal, action: str) -> Iterator[Repository]:
    """Repositories in which the principal may do this, until the time is over."""
    deadline = time.monotonic() + MAX_SECONDS
    for repository in Repository.objects.order_by(F("last_push_at").desc(nulls_last=True), "-created_at").iterator():
        if time.monotonic() > deadline:
            return
        if is_allowed(principal, action, repository.arn):
            yield repository
