"""Issue, check and revoke credentials. The only code that sees a secret.

Rules of who may do it stand in `users.py`; quotas stand here, beside what they bound.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from codeservices.aws import sigv4
from codeservices.errors import LimitExceeded
from codeservices.iam import rules, secrets
from codeservices.iam.models import AccessKey, CredentialStatus, GitCredential, User
from codeservices.iam.principal import Principal

# IAM and AWS STS quotas: two access keys a user, two service-specific credentials a user and service.
MAX_ACCESS_KEYS = 2
MAX_GIT_CREDENTIALS = 2
# "Last used" is for people: writing it once a minute spares a write for every git request.
_LAST_USED_GRAIN = timedelta(minutes=1)


@dataclass(frozen=True)
class AccessKeyCredential:
    """What is needed to verify a signature, and who signed."""

    access_key_id: str
    secret: str
    principal: Principal
    is_active: bool
    session_token: str | None = None
    expires_at: datetime | None = None


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


def find_access_key(access_key_id: str) -> AccessKeyCredential | None:
    """The key with its secret, or None where there is none. An inactive key or user is told by `is_active`."""
    key = AccessKey.objects.select_related("user").filter(access_key_id=access_key_id).first()
    if key is None:
        return None
    principal = Principal(
        "user",
        key.user.arn,
        settings.ACCOUNT_ID,
        key.user.user_id,
        key.user.name,
        user_pk=key.user.pk,
        access_key_id=key.access_key_id,
    )
    is_active = key.status == CredentialStatus.ACTIVE and key.user.is_active
    return AccessKeyCredential(key.access_key_id, secrets.unseal(key.encrypted_secret), principal, is_active)


def touch_access_key(access_key_id: str, service: str, region: str) -> None:
    """Remember when and for what a key was last used; a write at most once a minute."""
    now = timezone.now()
    key = AccessKey.objects.filter(access_key_id=access_key_id).first()
    if key is None or (
        key.last_used_at is not None
        and now - key.last_used_at < _LAST_USED_GRAIN
        and (key.last_used_service, key.last_used_region) == (service, region)
    ):
        return
    AccessKey.objects.filter(pk=key.pk).update(last_used_at=now, last_used_service=service, last_used_region=region)


def authenticate_basic(username: str, password: str, *, path: str, hosts: Iterable[str]) -> Principal | None:
    """Who the user name and password of a git request belong to; None for anything wrong, whatever it was.

    Args:
        username: A git credential's user name, or an access key id (with %SESSIONTOKEN for temporary keys).
        password: The generated password, or a signature made by `aws codecommit credential-helper`.
        path: The request's path without what git appends, for signatures.
        hosts: The host names that a signature may have been made for, with and without the port.
    """
    if sigv4.looks_like_git_password(password):
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
    if key is None or not key.is_active or (key.session_token or "") != session_token:
        return None
    if not sigv4.verify_git_password(
        password, secret=key.secret, path=path, hosts=tuple(hosts), regions=(settings.REGION,), now=timezone.now()
    ):
        return None
    touch_access_key(access_key_id, "codecommit", settings.REGION)
    return key.principal
