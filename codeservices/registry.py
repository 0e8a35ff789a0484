"""What apps register in `ready()`, so that `codeservices` shows it without importing them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from codeservices.iam.principal import Principal


@dataclass(frozen=True)
class Panel:
    """A part of the dashboard: a template and the function that makes its context for a principal."""

    name: str
    template: str
    context: Callable[[Principal], dict[str, Any]]
    order: int = 100


@dataclass(frozen=True)
class SearchResult:
    """One line of the quick search: what kind of thing, its title, where it leads, and a second line."""

    kind: str
    title: str
    url: str
    detail: str = ""


@dataclass(frozen=True)
class SearchSource:
    """Finds what a principal may see by a few typed letters, at most `limit` of them."""

    name: str
    find: Callable[[Principal, str, int], Iterable[SearchResult]]


@dataclass(frozen=True)
class HealthCheck:
    """Answers None when the part works, else one sentence that says what is wrong.

    Attributes:
        is_advisory: It is shown by /readyz without turning it into 503.
        has_notices: Notices tell the same thing by thing, so the dashboard leaves the check out.
    """

    name: str
    check: Callable[[], str | None]
    is_advisory: bool = False
    has_notices: bool = False


@dataclass(frozen=True)
class Meter:
    """Figures for /metrics: rows of (metric name, help, labels, value)."""

    name: str
    read: Callable[[], Iterable[tuple[str, str, dict[str, str], float]]]


@dataclass(frozen=True)
class Notice:
    """Something that waits for a person: what, one sentence on why, and the page where it is put right."""

    title: str
    sentence: str
    url: str


@dataclass(frozen=True)
class CommitStatus:
    """What became of a commit: a status ("SUCCEEDED"), its words, and the page that tells more."""

    state: str
    word: str
    url: str


@dataclass(frozen=True)
class SealedColumn:
    """A column of values that are encrypted with the master key, and so have to follow when it is changed.

    Attributes:
        reseal: Gives a row's value encrypted with the key that encrypts now; None where it is already.
    """

    model: type[Model]
    field: str
    reseal: Callable[[Any], str | bytes | None]

    def __str__(self) -> str:
        return f"{self.model._meta.label}.{self.field}"


CommitStatuses = Callable[[Principal, str, Collection[str]], Mapping[str, CommitStatus]]
CommitStatusState = Callable[[], Hashable]
Notices = Callable[[Principal], Iterable[Notice]]
RoleUses = Callable[[Principal, str], Iterable[SearchResult]]

panels: list[Panel] = []
search_sources: list[SearchSource] = []
health_checks: list[HealthCheck] = []
meters: list[Meter] = []
notices: list[Notices] = []
role_uses: list[RoleUses] = []
commit_status_sources: list[tuple[CommitStatuses, CommitStatusState]] = []
sealed_columns: list[SealedColumn] = []
console_actions: set[str] = set()


def register_panel(panel: Panel) -> None:
    """Add a dashboard panel; panels are shown by their order."""
    panels.append(panel)
    panels.sort(key=lambda one: one.order)


def register_search_source(source: SearchSource) -> None:
    """Add a source to the quick search."""
    search_sources.append(source)


def register_health_check(check: HealthCheck) -> None:
    """Add a line to /readyz."""
    health_checks.append(check)


def register_meter(meter: Meter) -> None:
    """Add figures to /metrics."""
    meters.append(meter)


def register_notices(find: Notices) -> None:
    """Add a function that finds what waits for a principal, for the dashboard's “needs attention”."""
    notices.append(find)


def register_role_uses(find: RoleUses) -> None:
    """Add a function that finds what uses a role, by the role's ARN, among what a principal may see."""
    role_uses.append(find)


def register_sealed(model: type[Model], field: str, reseal: Callable[[Any], str | bytes | None]) -> None:
    """Add a column of values that are encrypted with the master key."""
    sealed_columns.append(SealedColumn(model, field, reseal))


def register_commit_statuses(find: CommitStatuses, state: CommitStatusState) -> None:
    """Add a function that finds, by repository name and oids, what became of commits, as far as a principal may see.

    Args:
        state: Gives another value whenever any commit's status may have changed; quick, however many there are. Of
            what is old it may miss that it is gone.
    """
    commit_status_sources.append((find, state))


def commit_statuses(principal: Principal, repository_name: str, oids: Iterable[str]) -> dict[str, CommitStatus]:
    """What became of these commits of a repository, by oid; those of which nothing is known are left out."""
    wanted = set(oids)
    found: dict[str, CommitStatus] = {}
    for find, _ in commit_status_sources if wanted else ():
        found = {**find(principal, repository_name, wanted), **found}
    return found


def commit_status_state() -> Hashable:
    """A value that is another one whenever what `commit_statuses` finds may be, but for what is old and gone."""
    return tuple(state() for _, state in commit_status_sources)


def register_actions(*names: str) -> None:
    """Add IAM actions ("codecommit:GitPull") that doors ask for and that are no operation of the AWS API."""
    console_actions.update(names)
