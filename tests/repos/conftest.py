"""Fixtures for reading repositories."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from codeservices import work
from codeservices.outbound import Rules
from repos.git import store
from repos.models import Repository
from repos.remote import imports, mirrors
from tests import factories, foreign_git, gitrepo
from tests.repos.plumbing import Plumbing


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Plumbing]:
    """An empty bare repository to fill object by object."""
    plumbing = Plumbing(tmp_path / "made.git")
    yield plumbing
    plumbing.repository.close()


@pytest.fixture
def demo(db: None) -> Iterator[Repository]:
    """An empty repository of the console called "demo"; its git is open."""
    repository = factories.repository("demo")
    with repository.git:
        yield repository


@pytest.fixture
def sent_tasks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of tasks that would have been sent to a worker."""
    found: list[str] = []
    monkeypatch.setattr(work.current_app, "send_task", lambda name, args, **options: found.append(name))
    return found


@pytest.fixture
def stored(db):
    """A repository of the console called "demo", to fill object by object."""
    repository = factories.repository("demo")
    with repository.git as git:
        yield Plumbing(git.path)


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[foreign_git.ForeignServer]:
    """Somebody else's git server, on loopback."""
    with foreign_git.serving(tmp_path / "served") as running:
        yield running


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[store.BareRepository]:
    """Its repository "demo": two branches, a tag, notes, and a pull request's ref."""
    made = store.BareRepository(tmp_path / "served" / "demo")
    made.path.mkdir(parents=True)
    gitrepo.git(made.path, "init", "--quiet", "--bare", "--initial-branch=trunk", ".")
    oid = gitrepo.commit(made, {"a": "1"}, branch="trunk")
    gitrepo.commit(made, {"a": "2"}, branch="feature/x")
    gitrepo.tag(made, "v1", oid, "First")
    for refname in ("refs/notes/commits", "refs/pull/1/head"):
        gitrepo.update_ref(made, refname, oid)
    yield made
    made.close()


@pytest.fixture
def sent(settings, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The messages that wake workers for imports and mirrors; loopback may be fetched from."""
    settings.OUTBOUND_RULES = Rules(["127.0.0.1"])
    messages: list[tuple[str, int]] = []

    def wake(task: str, pk: int) -> None:
        if task in (imports.RUN_TASK, mirrors.RUN_TASK):
            messages.append((task, pk))

    monkeypatch.setattr(work, "wake", wake)
    return messages
