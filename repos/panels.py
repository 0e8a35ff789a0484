"""What repositories show outside their own pages: a dashboard panel, what needs attention, and quick search."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.db.models import F
from django.urls import reverse

from codeservices import registry
from codeservices.iam.authorize import is_allowed
from codeservices.iam.principal import Principal
from repos.models import Mirror, Repository
from repos.remote import mirrors
from repos.upkeep import health, schedule

RECENT_REPOSITORIES = 8
# A disk that goes bad damages many at once; the list of upkeep shows them all.
MAX_NOTICES = 5


def register() -> None:
    """Called once when the app is ready."""
    registry.register_panel(registry.Panel("repositories", "repos/_recent_repositories.html", recent, order=50))
    registry.register_notices(repositories_in_trouble)
    registry.register_notices(mirrors_in_trouble)
    registry.register_search_source(registry.SearchSource("repositories", find))


def recent(principal: Principal) -> dict[str, Any]:
    """The repositories pushed to last, of those that the principal may look at."""
    newest = Repository.objects.order_by(F("last_push_at").desc(nulls_last=True), "-created_at")
    return {"repositories": list(islice(_visible(principal, newest), RECENT_REPOSITORIES))}


def repositories_in_trouble(principal: Principal) -> Iterable[registry.Notice]:
    """Damaged repositories and those whose upkeep does not get on, for those who may have it done."""
    found = [one for one in health.troubled() if is_allowed(principal, schedule.ACTION, one[0].arn)]
    for repository, trouble, sentence in found[:MAX_NOTICES]:
        yield registry.Notice(f"{repository.name} {trouble}", sentence, reverse("repos:upkeep", args=[repository.name]))
    more = len(found) - MAX_NOTICES
    if more > 0:
        what = "1 more repository wants" if more == 1 else f"{more} more repositories want"
        yield registry.Notice(f"{what} attention", "The list of upkeep shows each.", reverse("repos:upkeep_list"))


def mirrors_in_trouble(principal: Principal) -> Iterable[registry.Notice]:
    """Mirrors that were paused after too many failures, for those who may set them going again."""
    paused = Mirror.objects.filter(
        is_paused_by_failures=True, repository__deleted_at=None, repository__archived_at=None
    )
    for mirror in paused.select_related("repository"):
        if is_allowed(principal, mirrors.ACTION, mirror.repository.arn):
            yield registry.Notice(
                f"The mirror {mirror.repository.name} is paused",
                f"It failed {mirror.failure_count} times in a row: {mirror.paused_because}",
                reverse("repos:mirror", args=[mirror.repository.name]),
            )


def find(principal: Principal, text: str, limit: int) -> Iterable[registry.SearchResult]:
    """Repositories whose name contains the text."""
    for repository in islice(_visible(principal, Repository.objects.filter(name__icontains=text)), limit):
        url = reverse("repos:repository", args=[repository.name])
        yield registry.SearchResult("Repository", repository.name, url, repository.description)


def _visible(principal: Principal, repositories: Iterable[Repository]) -> Iterable[Repository]:
    return (one for one in repositories if is_allowed(principal, "codecommit:GetRepository", one.arn))
