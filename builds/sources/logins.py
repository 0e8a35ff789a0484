"""Which user name and password a fetch from another git server uses: a stored credential, or a secret that it names."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cryptography.fernet import InvalidToken

from builds.models import SourceCredential
from builds.sources.wanted import Wanted, sentence
from codeservices.errors import ServiceError
from codeservices.iam import secrets
from codeservices.secretstore.services import secret_value

BASIC_AUTH, PERSONAL_ACCESS_TOKEN, SECRETS_MANAGER = "BASIC_AUTH", "PERSONAL_ACCESS_TOKEN", "SECRETS_MANAGER"
# What each server wants to read as the user name beside a token.
# Source: the documentation of GitHub ("Authenticating as an installation"), GitLab ("Clone using a token") and
# Bitbucket ("Using access tokens").
TOKEN_USER_NAMES = {
    "GITHUB": "x-access-token",
    "GITHUB_ENTERPRISE": "x-access-token",
    "GITLAB": "oauth2",
    "GITLAB_SELF_MANAGED": "oauth2",
    "BITBUCKET": "x-token-auth",
}


@dataclass(frozen=True)
class Login:
    """What a git server is told; both empty is nobody."""

    user_name: str = ""
    password: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.user_name or self.password)


NOBODY = Login()


def host_of(url: str) -> str:
    """The host of a URL as credentials are bound to it: in lower case, with the port where it is not that of HTTPS."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    return host if parts.port in (None, 443) else f"{host}:{parts.port}"


def login_for(wanted: Wanted, url: str) -> Login:
    """How to sign in at a URL of a source, or of one of its submodules.

    A secret that the source itself names goes to the source's own host; a stored credential to the host it is bound to,
    whatever project asks: who may make a project must not learn a token by pointing it at a server of his own.

    Raises:
        PhaseError: The secret can't be read as the role, or holds no credentials.
    """
    host = host_of(url)
    auth = wanted.source.get("auth") or {}
    if auth.get("type") == SECRETS_MANAGER:
        if host != host_of(wanted.location):
            return NOBODY
        return _of_secret(wanted, str(auth.get("resource", "")), wanted.kind)
    if urlsplit(url).scheme != "https":
        return NOBODY
    found = {one.server_type: one for one in SourceCredential.objects.filter(host=host)}
    credential = found.get(wanted.kind) or next(iter(found.values()), None)
    if credential is None:
        return NOBODY
    if credential.secret_arn:
        return _of_secret(wanted, credential.secret_arn, credential.server_type)
    try:
        token = secrets.unseal(bytes(credential.encrypted_token).decode("ascii"))
    except InvalidToken:
        why = "The stored credential was encrypted with another master key: import it again."
        raise wanted.refused("authentication required", why) from None
    return _login(credential.server_type, credential.auth_type, credential.username, token)


def unbound(wanted: Wanted) -> SourceCredential | None:
    """A credential of the source's type that has not been bound to any host yet, for a hint."""
    return SourceCredential.objects.filter(server_type=wanted.kind, host="").first()


def _of_secret(wanted: Wanted, secret_id: str, server_type: str) -> Login:
    """The credentials in a secret: {"ServerType", "AuthType", "Token", "Username"}, or the token alone.

    Source: AWS CodeBuild User Guide, "Create and store a token in a Secrets Manager secret".
    """
    try:
        with wanted.reading():
            text = secret_value(wanted.principal, secret_id)
    except ServiceError as error:
        raise wanted.refused("authorization failed", f"{secret_id}: {sentence(error)}") from error
    try:
        values = json.loads(text)
    except ValueError:
        values = {"Token": text.strip()}
    token = values.get("Token") if isinstance(values, dict) else None
    if not isinstance(token, str) or not token:
        why = f"{secret_id} holds no credentials: it must be JSON with ServerType, AuthType and Token."
        raise wanted.refused("authorization failed", why)
    given = {name: str(values.get(name) or "") for name in ("ServerType", "AuthType", "Username")}
    return _login(given["ServerType"] or server_type, given["AuthType"], given["Username"], token)


def _login(server_type: str, auth_type: str, user_name: str, token: str) -> Login:
    if auth_type == BASIC_AUTH and user_name:
        return Login(user_name, token)
    return Login(TOKEN_USER_NAMES.get(server_type, "x-access-token"), token)
