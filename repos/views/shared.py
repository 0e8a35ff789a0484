"""What the pages of a repository share: opening it, the revision in the address, the branch switch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from django.urls import reverse

from codeservices.audit.acts import current_act
from codeservices.errors import NotFound
from codeservices.http import ConsoleRequest
from codeservices.iam.authorize import authorize, is_allowed
from repos.access import repository_for
from repos.git import refs, revspec, tags
from repos.git.revspec import Resolved
from repos.models import Repository
from repos.views import kept

# The switch shows this many branches and tags; typing finds the others.
MAX_CHOICES = 30


@contextmanager
def opened(request: ConsoleRequest, action: str, name: str, **parameters: str) -> Iterator[Repository]:
    """The repository for one act, with its packs let go at the end; `parameters` are noted for the audit trail.

    What is not found in it raises NotFound with the way back to the repository.
    """
    note_parameters(repositoryName=name, **parameters)
    repository = repository_for(request.principal, action, name)
    kept.note(request, repository, action)
    try:
        with repository.git:
            yield repository
    except NotFound as error:  # a branch, a file, a commit: the repository itself is there
        error.way_back = (reverse("repos:repository", args=[name]), name)
        raise


def note_parameters(**parameters: str) -> None:
    """Add to what the audit trail tells of this act's request."""
    act = current_act()
    if act is not None:
        act.parameters |= parameters


def also(request: ConsoleRequest, repository: Repository, action: str) -> None:
    """One more action that this act turned out to be, which then names it; raises AccessDenied."""
    authorize(request.principal, action, repository.arn)
    kept.note(request, repository, action)
    act = current_act()
    if act is not None:
        act.action = action


def may(request: ConsoleRequest, repository: Repository, *actions: str) -> bool:
    """Whether the page may show what needs these actions."""
    return all(is_allowed(request.principal, action, repository.arn) for action in actions)


def spec_of(request: ConsoleRequest) -> str:
    """The part of the address behind "/repositories/NAME/PAGE/".

    Django's decoding replaces bytes that are not UTF-8; the undecoded path that ASGI has beside it keeps them.
    """
    raw: bytes = getattr(request, "scope", {}).get("raw_path") or b""
    path = refs.decode(unquote_to_bytes(raw.partition(b"?")[0])) if raw else request.path_info
    return path.split("/", 4)[4]


def place(request: ConsoleRequest, repository: Repository, at: Resolved) -> dict[str, Any]:
    """The context that the pages of a folder and of a file share: where in the repository this is."""
    parts = at.path.split("/") if at.path else []
    return {
        "repository": repository,
        "tab": "code",
        "at": at,
        "is_permanent": at.name == at.oid,
        "clone_url": repository.clone_url(f"{request.scheme}://{request.get_host()}"),
        "trail": [(part, "/".join(parts[: index + 1])) for index, part in enumerate(parts)],
        "parent_path": "/".join(parts[:-1]),
        "switch_page": "browse",
    }


@dataclass(frozen=True)
class Choice:
    """A branch or tag to switch to; `revision` is what the address calls it."""

    name: str
    revision: str
    is_current: bool


def switch(repository: Repository, at: Resolved, page: str, query: str) -> dict[str, Any]:
    """The context of the branch and tag switch's choices: those whose names contain the query.

    Asked for when the switch is opened: there may be ten thousand.
    """
    everything = refs.all_refs(repository.git)
    wanted = query.strip().lower()
    default = repository.default_branch
    heads = [name.removeprefix(refs.HEADS) for name in everything if name.startswith(refs.HEADS)]
    found = [name for name in heads if wanted in name.lower()]
    first = [name for name in (at.refname.removeprefix(refs.HEADS) if at.refname else None, default) if name in found]
    shown = list(dict.fromkeys([*first, *found[: MAX_CHOICES + len(first)]]))[:MAX_CHOICES]
    branches = [Choice(name, name, at.refname == refs.HEADS + name) for name in shown]
    tagged = [name for name in everything if name.startswith(refs.TAGS) and wanted in name[len(refs.TAGS) :].lower()]
    taken = set(heads) if tagged else set()
    choices = [
        Choice(tag, revision_of_tag(tag, taken), at.refname == refname)
        for refname in tagged[:MAX_CHOICES]
        if (tag := refname.removeprefix(refs.TAGS)) and tags.describe(repository.git, everything[refname]).commit
    ]
    return {
        "repository": repository,
        "at": at,
        "switch_page": page,
        "switch_branches": branches,
        "switch_tags": choices,
        "switch_more": max(0, len(found) - MAX_CHOICES) + max(0, len(tagged) - MAX_CHOICES),
        "default_branch": default,
    }


def oid_of_start(repository: Repository, start: str) -> str:
    """The commit that a new branch or tag begins at, noted for the audit; raises as `revspec.resolve_revision`."""
    with repository.git as git:
        oid = revspec.resolve_revision(git, start).oid
    note_parameters(commitId=oid)
    return oid


def revision_of_tag(tag: str, branches: set[str]) -> str:
    """What an address calls a tag: its name, unless a branch has the same one."""
    return refs.TAGS + tag if tag in branches else tag
