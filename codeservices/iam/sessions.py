"""Sessions of the console: who is signed in where, and ending it. Views, API and commands call these functions."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import QuerySet
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from codeservices.errors import NotFound
from codeservices.iam import session_store
from codeservices.iam.models import ConsoleSession, User
from codeservices.iam.own import authorize_own
from codeservices.iam.principal import Principal

# "Last seen" is for people: a write a minute spares one for every request.
SEEN_GRAIN = timedelta(minutes=1)


@receiver(user_logged_in)
def _write_facts(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Whatever signed somebody in: the session says since when and from where."""
    info = getattr(request, "info", None)
    request.session[session_store.FACTS] = {
        "created_at": timezone.now().timestamp(),
        "source_ip": info.source_ip[:64] if info is not None else "",
        "user_agent": info.user_agent[:512] if info is not None else "",
        "is_mfa_authenticated": False,
        "method": "password",
        "must_change_password": False,
    }


def fact(session: SessionBase, name: str) -> Any:
    """What the session says of itself under that name; None where nobody is signed in."""
    facts = session.get(session_store.FACTS)
    return facts.get(name) if facts else None


def note(session: SessionBase, **facts: Any) -> None:
    """Add facts to a session in which somebody is signed in."""
    session[session_store.FACTS] = {**session[session_store.FACTS], **facts}


def touch(session: Any) -> None:
    """Remember that the session was used now, at most once in SEEN_GRAIN; its end moves on with that."""
    now = timezone.now()
    if session.last_seen_at is None or now - session.last_seen_at < SEEN_GRAIN:
        return
    end = session_store.end_after(session.get(session_store.FACTS), now)
    ConsoleSession.objects.filter(session_key=session.session_key).update(last_seen_at=now, expire_date=end)


def live_sessions(user: User) -> QuerySet[ConsoleSession]:
    """The user's sessions that have not ended, the last used first."""
    return user.sessions.filter(expire_date__gt=timezone.now()).order_by("-last_seen_at", "session_id")


def end_session(principal: Principal, user: User, session_id: str) -> None:
    """End one session of a user at once.

    Raises:
        NotFound: The user has no such session (any more).
    """
    authorize_own(principal, "iam:UpdateLoginProfile", user)
    try:
        gone, _ = user.sessions.filter(session_id=uuid.UUID(session_id)).delete()
    except ValueError:
        gone = 0
    if not gone:
        raise NotFound("This session has ended already.", code="NoSuchEntity")


def end_sessions(principal: Principal, user: User, *, except_key: str | None = None) -> int:
    """End all sessions of a user at once, but for the one with that key; how many there were."""
    authorize_own(principal, "iam:UpdateLoginProfile", user)
    return end_all(user, except_key=except_key)


def end_all(user: User, *, except_key: str | None = None) -> int:
    """What a new password or a lock-out brings with it; nothing is authorized here."""
    return user.sessions.exclude(session_key=except_key or "").delete()[0]


def remove_ended() -> int:
    """Remove the rows of sessions that have ended."""
    return ConsoleSession.objects.filter(expire_date__lt=timezone.now()).delete()[0]
