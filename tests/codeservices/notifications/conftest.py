"""A server that signs, a topic of Alice's, and a receiver on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from codeservices import outbound
from codeservices.iam.models import User
from codeservices.notifications import outbox, signing, topics
from codeservices.notifications.models import SigningCertificate, Topic
from tests.codeservices.notifications.sending import ORIGIN
from tests.codeservices.receiver import Receiver, receiver


@pytest.fixture(scope="module")
def certificate(django_db_setup: None, django_db_blocker: Any) -> dict[str, str]:
    """One signing key for all tests of a file: making one takes longer than most of them."""
    with django_db_blocker.unblock(), transaction.atomic():
        made = signing.current()
        transaction.set_rollback(True)
    return {name: getattr(made, name) for name in ("name", "certificate_pem", "sealed_key")}


@pytest.fixture
def here(settings: Any, monkeypatch: pytest.MonkeyPatch, db: None, certificate: dict[str, str]) -> None:
    """This server's address, its key, and receivers on this machine that it may reach."""
    settings.OUTBOUND_RULES = outbound.Rules(["localhost"])
    settings.BASE_URL = ORIGIN
    SigningCertificate.objects.create(**certificate)
    monkeypatch.setattr(outbox, "wake", lambda *_, **__: True)  # the broker; `run_all` is what it would wake


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def topic(alice: User) -> Topic:
    return topics.create_topic(alice.principal, "news")
