"""Where imports and mirrors fetch from: the rule of its URL, its password, and a first look at it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cryptography.fernet import InvalidToken
from django.conf import settings

from codeservices.errors import InvalidInput
from codeservices.iam import secrets
from codeservices.iam.principal import Principal
from repos.git import patterns, remote, store
from repos.git.remote_errors import RemoteError
from repos.git.store import BareRepository
from repos.models import RemoteSource

MAX_USER_NAME_CHARACTERS = 256
MAX_PASSWORD_CHARACTERS = 4096


@dataclass(frozen=True)
class Given:
    """A source as a person gave it; an empty password may stand for the one that is stored."""

    url: str
    user_name: str = ""
    password: str = field(default="", repr=False)
    tolerates_identity_defects: bool = False


def look(given: Given) -> remote.RemoteRefs:
    """Ask the other server for its refs, so that a wrong URL or password is told at once; takes at most 20 seconds.

    Raises:
        OutboundRefused: The URL leads where this server does not connect.
        InvalidInput: The URL, user name or password breaks a rule.
        RemoteError: The server can't be reached or refuses.
    """
    there = _open(given.url, given.user_name, given.password)
    with quarantine(str(uuid.uuid4()), str(uuid.uuid4()), {}) as scratch:
        found = there.refs(scratch)
    if not any(patterns.matches(refname, patterns.ALL_PATTERNS) for refname in found.refs):
        raise RemoteError(
            "There is no branch and no tag at this URL.",
            code="RemoteEmpty",
            hint="Either the repository is empty, or the URL is that of a page.",
        )
    return found


def completed(given: Given, stored: RemoteSource | None) -> Given:
    """With the stored password, where none was given and it would go to the same repository as before.

    For another URL or user name it has to be typed: who may change a URL must not learn a password by that.
    """
    url = remote.check_url(given.url)
    is_same = stored is not None and (stored.url, stored.user_name) == (url, given.user_name)
    password = given.password
    if not password and is_same:
        assert stored is not None
        password = _password(stored)
    return Given(url, given.user_name, password, given.tolerates_identity_defects)


def fill(source: RemoteSource, given: Given, principal: Principal) -> None:
    """Put a source that was looked at on a row, owned by whoever gave it; the caller saves."""
    if principal.user_pk is None:
        raise InvalidInput("Only a user can have this server fetch from another one.")
    source.url = remote.check_url(given.url)
    source.user_name = given.user_name
    source.sealed_password = secrets.seal(given.password) if given.password else ""
    source.tolerates_identity_defects = given.tolerates_identity_defects
    source.owner_id = principal.user_pk
    source.owner_name = principal.name


def open_source(source: RemoteSource) -> remote.Remote:
    """The other server as it is now: the URL is judged and resolved anew.

    Raises:
        OutboundRefused, RemoteError.
    """
    return _open(source.url, source.user_name, _password(source))


@contextmanager
def quarantine(repository_id: str, attempt_id: str, refs: dict[bytes, bytes]) -> Iterator[BareRepository]:
    """A place to fetch into; it and what earlier attempts for the repository left behind go with the block."""
    store.remove_incoming(settings.GIT_ROOT, repository_id)
    made = store.create_incoming(settings.GIT_ROOT, repository_id, attempt_id, refs)
    try:
        with made:
            yield made
    finally:
        store.remove_incoming(settings.GIT_ROOT, repository_id)


def _open(url: str, user_name: str, password: str) -> remote.Remote:
    if len(user_name) > MAX_USER_NAME_CHARACTERS or len(password) > MAX_PASSWORD_CHARACTERS:
        raise InvalidInput(
            f"A user name has at most {MAX_USER_NAME_CHARACTERS} characters, a password {MAX_PASSWORD_CHARACTERS:,}."
        )
    if ":" in user_name or not user_name.isprintable() or not password.isprintable():
        raise InvalidInput("A user name has no colon, and neither it nor a password has line feeds.")
    return remote.open_remote(
        url, settings.OUTBOUND_RULES, user_name=user_name, password=password, ca_bundle=settings.OUTBOUND_CA_BUNDLE
    )


def _password(source: RemoteSource) -> str:
    try:
        return secrets.unseal(source.sealed_password) if source.sealed_password else ""
    except InvalidToken:
        raise RemoteError(
            "The stored password can't be read: it was encrypted with another master key.",
            code="PasswordUnreadable",
            hint="Enter it again.",
        ) from None
