"""Issue, check and revoke credentials. The only code that sees a secret.

Rules of who may do it stand in `user_credentials.py` and `sts.py`; quotas stand here, beside what they bound.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from codeservices.aws import git_password, model
from codeservices.errors import LimitExceeded
from codeservices.iam import identifiers, rules, secrets
from codeservices.iam.models import AccessKey, CredentialStatus, GitCredential, Role, TemporaryCredential, User
from codeservices.iam.principal import Principal

# IAM and AWS STS quotas: two access keys a user, two service-specific credentials a user and service.
MAX_ACCESS_KEYS = 2
MAX_GIT_CREDENTIALS = 2
# "Last used" is for people: writing it once a minute spares a write for every git request.
_LAST_USED_GRAIN = timedelta(minutes=1)


# Session tags that callers give can't begin so; keys that do are condition keys which a service gave the session.
_SERVICE_PREFIX = "aws:"


@dataclass(frozen=True)
class AccessKeyCredential:
    """What is needed to verify a signature, and who signed."""

    access_key_id: str
    secret: str = field(repr=False)
    principal: Principal
    is_active: bool
    token_hash: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    last_used_region: str = ""

    def accepts_token(self, session_token: str | None) -> bool:
        """Whether a request with this session token may be signed with this key: none for long-term ones."""
        if self.token_hash is None:
            return not session_token
        return session_token is not None and secrets.matches(session_token, self.token_hash)

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True)
class IssuedSession:
    """Temporary credentials as they are handed out, once, and who they make their holder."""

    access_key_id: str
    secret: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: datetime
    principal: Principal


@transaction.atomic
def issue_access_key(user: User) -> tuple[AccessKey, str]:
    """A new active key and its secret, which can't be shown again; raises LimitExceeded at the third."""
    rules.lock(user)
    if user.access_keys.count() >= MAX_ACCESS_KEYS:
        raise LimitExceeded(
            f"User {user.name} has {MAX_ACCESS_KEYS} access keys already; delete one first.", code="LimitExceeded"
        )
    secret = secrets.new_secret_access_key()
    return AccessKey.objects.create(user=user, encrypted_secret=secrets.seal(secret)), secret


@transaction.atomic
def issue_git_credential(user: User) -> tuple[GitCredential, str]:
    """A new git user name with its password, which can't be shown again; raises LimitExceeded at the third."""
    rules.lock(user)
    if user.git_credentials.count() >= MAX_GIT_CREDENTIALS:
        raise LimitExceeded(
            f"User {user.name} has {MAX_GIT_CREDENTIALS} git credentials already; delete one first.",
            code="LimitExceeded",
        )
    password = secrets.new_git_password()
    for number in itertools.count():
        suffix = f"+{number}" if number else ""
        credential = GitCredential(
            user=user,
            service_user_name=f"{user.name}{suffix}-at-{settings.ACCOUNT_ID}",
            password_hash=secrets.keyed_hash(password),
        )
        # Not only this user's own names are taken: one that was renamed keeps its old ones, and "a+1" is a user's too.
        with contextlib.suppress(IntegrityError), transaction.atomic():
            credential.save()
            break
    return credential, password


def reset_git_credential(credential: GitCredential) -> str:
    """A new password under the same id and user name; the old one stops working at once."""
    password = secrets.new_git_password()
    credential.password_hash = secrets.keyed_hash(password)
    credential.save(update_fields=["password_hash"])
    return password


def issue_role_session(
    role: Role,
    session_name: str,
    *,
    seconds: int,
    policies: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    context: Mapping[str, str] | None = None,
    is_mfa_authenticated: bool = False,
) -> IssuedSession:
    """Temporary credentials of a role's session.

    Args:
        policies: JSON documents that bound it.
        tags: Of the session, checked; they beat the role's.
        context: Condition keys that its requests carry.
    """
    kept = {**(tags or {}), **{_SERVICE_PREFIX + key: value for key, value in (context or {}).items()}}
    row = TemporaryCredential(role=role, session_name=session_name, session_policies=list(policies), session_tags=kept)
    return _issue(row, seconds, is_mfa_authenticated)


def issue_user_session(user: User, *, seconds: int, is_mfa_authenticated: bool = False) -> IssuedSession:
    """Temporary credentials of a user."""
    return _issue(TemporaryCredential(user=user), seconds, is_mfa_authenticated)


def _issue(row: TemporaryCredential, seconds: int, is_mfa_authenticated: bool) -> IssuedSession:
    secret, token = secrets.new_secret_access_key(), secrets.new_session_token()
    row.encrypted_secret, row.token_hash = secrets.seal(secret), secrets.keyed_hash(token)
    row.is_mfa_authenticated = is_mfa_authenticated
    # To the second, as the answer tells it.
    row.expires_at = row.issued_at.replace(microsecond=0) + timedelta(seconds=seconds)
    row.save()
    return IssuedSession(row.access_key_id, secret, token, row.expires_at, _session_principal(row))


def find_access_key(access_key_id: str) -> AccessKeyCredential | None:
    """The key with its secret, or None where there is none. An inactive key or user is told by `is_active`."""
    if access_key_id.startswith(identifiers.TEMPORARY_KEY):
        return _find_temporary_key(access_key_id)
    key = AccessKey.objects.select_related("user").filter(access_key_id=access_key_id).first()
    if key is None:
        return None
    principal = replace(key.user.principal, access_key_id=key.access_key_id)
    is_active = key.status == CredentialStatus.ACTIVE and key.user.is_active
    return AccessKeyCredential(
        key.access_key_id,
        secrets.unseal(key.encrypted_secret),
        principal,
        is_active,
        last_used_region=key.last_used_region,
    )


def _find_temporary_key(access_key_id: str) -> AccessKeyCredential | None:
    rows = TemporaryCredential.objects.select_related("user", "role")
    row = rows.filter(access_key_id=access_key_id).first()
    if row is None:
        return None
    return AccessKeyCredential(
        access_key_id,
        secrets.unseal(row.encrypted_secret),
        _session_principal(row),
        row.user is None or row.user.is_active,
        token_hash=row.token_hash,
        expires_at=row.expires_at,
    )


def _session_principal(row: TemporaryCredential) -> Principal:
    """Who signs with temporary credentials: the user or the role's session as it is now, bounded as it was issued."""
    if row.role is not None:
        principal = row.role.session(row.session_name)
    else:
        assert row.user is not None
        principal = row.user.principal
    kept: dict[str, str] = row.session_tags
    context = {key: value for key, value in kept.items() if key.startswith(_SERVICE_PREFIX)}
    own = {key: value for key, value in kept.items() if key not in context}
    # Keys that differ in case alone are one, as conditions see them.
    spelled = {key.casefold() for key in own}
    tags = {key: value for key, value in principal.tags if key.casefold() not in spelled} | own
    return replace(
        principal,
        access_key_id=row.access_key_id,
        tags=tuple(sorted(tags.items())),
        session_policies=tuple(row.session_policies),
        session_context=tuple((key.removeprefix(_SERVICE_PREFIX), value) for key, value in sorted(context.items())),
        session_started_at=row.issued_at,
        is_mfa_authenticated=row.is_mfa_authenticated,
    )


def touch_access_key(key: AccessKeyCredential, service: str, region: str) -> None:
    """Remember when and for what a key, or a session's role, was last used; a write at most once a minute."""
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - _LAST_USED_GRAIN)
    if key.principal.role_pk is not None:
        Role.objects.filter(stale, pk=key.principal.role_pk).update(last_used_at=now)
    elif key.token_hash is None:
        other = ~Q(last_used_service=service, last_used_region=region)
        AccessKey.objects.filter(stale | other, access_key_id=key.access_key_id).update(
            last_used_at=now, last_used_service=service, last_used_region=region
        )


def authenticate_basic(username: str, password: str, *, path: str, hosts: Iterable[str]) -> Principal | None:
    """Who the user name and password of a git request belong to; None for anything wrong, whatever it was.

    Args:
        username: A git credential's user name, or an access key id (with %SESSIONTOKEN for temporary keys).
        password: The generated password, or a signature made by `aws codecommit credential-helper`.
        path: The request's path without what git appends, for signatures.
        hosts: The host names that a signature may have been made for, with and without the port.
    """
    if "\0" in username:  # nobody is called so, and PostgreSQL fails on it
        return None
    if git_password.looks_signed(password):
        return _authenticate_signed(username, password, path, hosts)
    credential = GitCredential.objects.select_related("user").filter(service_user_name=username).first()
    stored = credential.password_hash if credential else secrets.keyed_hash("")
    if not secrets.matches(password, stored) or credential is None:
        return None
    if credential.status != CredentialStatus.ACTIVE or not credential.user.is_active:
        return None
    now = timezone.now()
    if credential.last_used_at is None or now - credential.last_used_at > _LAST_USED_GRAIN:
        GitCredential.objects.filter(pk=credential.pk).update(last_used_at=now)
    return credential.user.principal


def _authenticate_signed(username: str, password: str, path: str, hosts: Iterable[str]) -> Principal | None:
    access_key_id, _, session_token = username.partition("%")
    key = find_access_key(access_key_id)
    now = timezone.now()
    if key is None or not key.is_active or not key.accepts_token(session_token or None) or key.is_expired(now):
        return None
    # Clients sign with the region they are configured for, and the request does not say which. There are few: AWS's
    # own, ours, and one of somebody's invention that the same key has signed an API request with.
    likely = (settings.REGION, key.last_used_region, *model.regions())
    region = git_password.verify(
        password, secret=key.secret, path=path, hosts=tuple(hosts), regions=filter(None, likely), now=now
    )
    if region is None:
        return None
    touch_access_key(key, "codecommit", region)
    return key.principal
