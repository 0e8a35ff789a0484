"""The world behind the doors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from codeservices import registry
from codeservices.audit import drain
from codeservices.iam.models import User
from tests import gitrepo
from tests.codeservices import worlds
from tests.codeservices.worlds import World


class Clock:
    """The time that the product sees; it stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = timezone.now()

    def now(self) -> datetime:
        return self.moment

    def advance(self, **duration: float) -> None:
        self.moment += timedelta(**duration)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(timezone, "now", made.now)
    return made


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> worlds.History:
    """A repository with one commit, a branch beside main and a tag, to be copied; and that commit's oid."""
    repository = gitrepo.create(tmp_path_factory.mktemp("history"))
    oid = gitrepo.commit(repository, {"src/app.py": "print()\n"})
    gitrepo.update_ref(repository, "refs/heads/side", oid)
    gitrepo.tag(repository, "v1", oid)
    return repository, oid


@pytest.fixture
def world(alice: User, bob: User, carol: User, history: worlds.History, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world that is made for one test."""
    monkeypatch.setattr(registry, "health_checks", [])
    return worlds.make({"alice": alice, "bob": bob, "carol": carol}, history).now()


@pytest.fixture
def undrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the audit trail is told waits for `drain.drain()`: moving it there is a quarter of the work of a page."""
    monkeypatch.setattr(drain, "soon", lambda: None)


@pytest.fixture(scope="module")
def lasting_world(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    redis_server: str,
    history: worlds.History,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[worlds.LastingWorld]:
    """A world that is made once for all tests of a file, which see it through `lasting_world.begin`."""
    with django_db_blocker.unblock(), worlds.lasting(history, tmp_path_factory.mktemp("world")) as made:
        yield made
