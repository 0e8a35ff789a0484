"""Where sessions are kept: Django's store in the database, with a user, an address and two ends to each session."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone

from codeservices.iam.models import ConsoleSession
from codeservices.statements import Parameter, Statement

# What a session says about itself, under one key of its data; put there when somebody signs in.
FACTS = "console"
# Before anybody has signed in, a session carries a sign-in that is under way, and nothing else.
ANONYMOUS_SECONDS = 3600


class SessionStore(DatabaseStore):
    """Sessions that end after a time without requests, and at the latest some time after the sign-in."""

    last_seen_at: datetime | None = None
    # Django's own members, which its type stubs leave out.
    _session_key: str | None
    _get_or_create_session_key: Callable[[], str]

    @classmethod
    def get_model_class(cls) -> Any:
        return ConsoleSession

    def _validate_session_key(self, key: str | None) -> bool:
        """Whether a cookie's text could be a key of ours; what else it holds is no database's business."""
        return key is not None and len(key) >= 8 and key.isascii() and key.isalnum()

    def load(self) -> dict[str, Any]:
        row = _BY_KEY.first(self.session_key or "")
        if row is None or row.expire_date <= timezone.now():
            self._session_key = None
            return {}
        self.last_seen_at = row.last_seen_at
        data: dict[str, Any] = self.decode(row.session_data)
        return data

    def get_expiry_age(self, **kwargs: Any) -> int:
        """Seconds that the cookie may live: until the session's latest end. Its row ends earlier without requests."""
        return max(0, int((latest_end(self.get(FACTS)) - timezone.now()).total_seconds()))

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        key = self._get_or_create_session_key()
        facts, now = data.get(FACTS), timezone.now()
        user_id = data.get("_auth_user_id")
        return self.get_model_class()(
            session_key=key,
            session_data=self.encode(data),
            expire_date=end_after(facts, now),
            # Names the session on pages: who knows it can't use the session.
            session_id=uuid.UUID(bytes=hashlib.sha256(key.encode()).digest()[:16]),
            user_id=int(user_id) if user_id else None,
            created_at=created_at(facts) or now,
            last_seen_at=now,
            source_ip=facts["source_ip"] if facts else "",
            user_agent=facts["user_agent"] if facts else "",
            is_mfa_authenticated=bool(facts and facts["is_mfa_authenticated"]),
        )


_BY_KEY: Final = Statement(lambda: SessionStore.get_model_class().objects.filter(session_key=Parameter()))


def created_at(facts: dict[str, Any] | None) -> datetime | None:
    """When the sign-in was, or None for a session without one."""
    return datetime.fromtimestamp(facts["created_at"], UTC) if facts else None


def latest_end(facts: dict[str, Any] | None) -> datetime:
    """When the session ends whatever happens."""
    begun = created_at(facts)
    if begun is None:
        return timezone.now() + timedelta(seconds=ANONYMOUS_SECONDS)
    return begun + timedelta(seconds=settings.SESSION_COOKIE_AGE)


def end_after(facts: dict[str, Any] | None, now: datetime) -> datetime:
    """When the session ends unless a request comes."""
    return min(latest_end(facts), now + timedelta(seconds=settings.SESSION_IDLE_SECONDS))
