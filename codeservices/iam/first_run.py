"""The first administrator with everything needed to begin, and var/admin.json that tells it, once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from codeservices.iam import arn, attachments, passwords, secrets, user_credentials, users
from codeservices.iam.models import User
from codeservices.iam.shell import account, shell_act

ADMINISTRATOR = "admin"
_POLICY = "AdministratorAccess"


def path() -> Path:
    """Where the first credentials stand."""
    return settings.VAR / "admin.json"


def ensure(https_host: str) -> bool:
    """Make the administrator where there is no user at all; whether that was now.

    The file is whole before the database says that the user exists, and gets its name after that: interrupted at any
    point and repeated, there is one administrator and one file that fits it. Where the file was removed later on, as
    it should be, it stays removed.
    """
    addresses = _addresses(https_host)
    draft = path().with_name(".admin.json.new")
    if path().exists():
        _refresh(addresses)
        return False
    if draft.exists() and _fits(draft):
        draft.replace(path())
        _refresh(addresses)
        return True
    draft.unlink(missing_ok=True)
    if User.objects.exists():
        return False
    with transaction.atomic():
        _write(draft, {**addresses, **_create()})
    draft.replace(path())
    return True


def _addresses(https_host: str) -> dict[str, str]:
    return {
        "console_url": f"http://127.0.0.1:{settings.HTTP_PORT}",
        "https_url": settings.BASE_URL or f"https://{https_host}:{settings.HTTPS_PORT}",
        "ca_file": str(settings.TLS_ROOT / "ca.pem"),
    }


def _create() -> dict[str, str]:
    principal = account()
    password = secrets.new_sign_in_password()
    with shell_act("install"):
        users.create_user(principal, ADMINISTRATOR)
    with shell_act("install"):
        passwords.set_password(principal, ADMINISTRATOR, password)
    with shell_act("install"):
        attachments.attach(principal, attachments.USER, ADMINISTRATOR, arn.policy_arn("aws", "/", _POLICY))
    with shell_act("install"):
        key, secret = user_credentials.create_access_key(principal, ADMINISTRATOR)
    with shell_act("install"):
        credential, git_password = user_credentials.create_git_credential(principal, ADMINISTRATOR)
    return {
        "username": ADMINISTRATOR,
        "password": password,
        "AccessKeyId": key.access_key_id,
        "SecretAccessKey": secret,
        "git_username": credential.service_user_name,
        "git_password": git_password,
        "region": settings.REGION,
        "account_id": settings.ACCOUNT_ID,
    }


def _fits(draft: Path) -> bool:
    """Whether the file tells the user that is in the database, rather than one of a transaction that was lost."""
    try:
        key_id = json.loads(draft.read_text())["AccessKeyId"]
    except (ValueError, KeyError):
        return False
    return User.objects.filter(access_keys__access_key_id=key_id).exists()


def _refresh(addresses: dict[str, str]) -> None:
    """The ports may have changed since; all else in the file stays as it is."""
    try:
        told: dict[str, Any] = json.loads(path().read_text())
    except ValueError:
        return
    if any(told.get(name) != value for name, value in addresses.items()):
        draft = path().with_name(".admin.json.new")
        _write(draft, told | addresses)
        draft.replace(path())


def _write(target: Path, content: dict[str, Any]) -> None:
    target.unlink(missing_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
