"""Source credentials: import, list, delete, and to which host each may go. Tokens are never answered again.

Source: AWS CodeBuild API Reference, ImportSourceCredentials, ListSourceCredentials, DeleteSourceCredentials.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from builds.models import SourceCredential
from builds.sources.logins import BASIC_AUTH, PERSONAL_ACCESS_TOKEN, SECRETS_MANAGER, host_of
from codeservices.errors import Conflict, InvalidInput, NotFound
from codeservices.iam import secrets
from codeservices.iam.authorize import authorize, is_allowed
from codeservices.iam.principal import Principal

logger = logging.getLogger(__name__)

IMPORT, LIST, DELETE = (f"codebuild:{name}SourceCredentials" for name in ("Import", "List", "Delete"))
# These have one address for everybody; which one a self-managed server has, somebody has to say.
HOSTS = {"GITHUB": "github.com", "BITBUCKET": "bitbucket.org", "GITLAB": "gitlab.com"}
SERVER_TYPES = (*HOSTS, "GITHUB_ENTERPRISE", "GITLAB_SELF_MANAGED")
MAX_TOKEN_CHARACTERS = 4096
MAX_USER_NAME_CHARACTERS = 255
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?")
_SECRET_ARN = re.compile(r"arn:aws:secretsmanager:[^:\s]+:[0-9]{12}:secret:[^\s]{1,512}")


def import_credentials(principal: Principal, fields: Mapping[str, Any]) -> SourceCredential:
    """Store a token for the git servers of one type, or replace the one that is stored.

    Args:
        fields: ImportSourceCredentials' members: token, serverType, authType, username, shouldOverwrite; and `host`,
            which AWS does not know: where a token for a self-managed server may go. Without it, see `bind`.

    Raises:
        AccessDenied: Of codebuild:ImportSourceCredentials.
        InvalidInput: A member breaks a rule.
        Conflict: ResourceAlreadyExistsException, there is one and it may not be overwritten.
    """
    authorize(principal, IMPORT, "*")
    checked = _checked(fields)
    names_a_secret = checked["authType"] == SECRETS_MANAGER
    values: dict[str, Any] = {
        "auth_type": checked["authType"],
        "username": checked["username"],
        "encrypted_token": b"" if names_a_secret else secrets.seal(checked["token"]).encode("ascii"),
        "secret_arn": checked["token"] if names_a_secret else "",
        "created_at": timezone.now(),
    }
    if checked["host"]:  # else a new token goes where the old one went
        values["host"] = checked["host"]
    exists = SourceCredential.objects.filter(server_type=checked["serverType"]).exists()
    if exists and not fields.get("shouldOverwrite", True):
        raise Conflict(f"Source credentials for {checked['serverType']} already exist and were not overwritten.")
    stored, _ = SourceCredential.objects.update_or_create(server_type=checked["serverType"], defaults=values)
    logger.info("source credentials %s imported", stored)
    return stored


def list_credentials(principal: Principal) -> list[SourceCredential]:
    """All of them; raises AccessDenied of codebuild:ListSourceCredentials."""
    authorize(principal, LIST, "*")
    return list(SourceCredential.objects.all())


def delete_credentials(principal: Principal, arn: str) -> str:
    """Forget a token; its ARN. Raises AccessDenied, InvalidInput, NotFound."""
    authorize(principal, DELETE, "*")
    if not arn.startswith("arn:aws:codebuild:"):
        raise InvalidInput(f"Invalid ARN: “{arn[:200]}” is not that of source credentials.")
    found = next((one for one in SourceCredential.objects.all() if one.arn == arn), None)
    if found is None:
        raise NotFound(f"Could not find source credentials: {arn}")
    found.delete()
    logger.info("source credentials %s deleted", found)
    return arn


def bind(principal: Principal, source: Mapping[str, Any]) -> None:
    """Where a token for a self-managed server was imported without its host, as the AWS CLI does: the first project of
    that type saved by somebody who may import credentials says where it goes, and from then on it goes nowhere else.
    """
    kind = source.get("type", "")
    if kind in HOSTS or kind not in SERVER_TYPES or not is_allowed(principal, IMPORT, "*"):
        return
    SourceCredential.objects.filter(server_type=kind, host="").update(host=host_of(str(source.get("location", ""))))


def _checked(fields: Mapping[str, Any]) -> dict[str, str]:
    given = {
        name: str(fields.get(name) or "").strip() for name in ("token", "serverType", "authType", "username", "host")
    }
    kind, how, token = given["serverType"], given["authType"], given["token"]
    if kind not in SERVER_TYPES:
        raise InvalidInput(f"Invalid server type: {kind or 'none given'}", hint=f"Use {', '.join(SERVER_TYPES)}.")
    if how == "OAUTH":
        raise InvalidInput("Invalid auth type: an OAUTH connection can't be imported.", hint="Import a token.")
    if how == "CODECONNECTIONS":
        raise InvalidInput("Invalid auth type: this installation has no connections.", hint="Import a token.")
    if how not in (BASIC_AUTH, PERSONAL_ACCESS_TOKEN, SECRETS_MANAGER):
        raise InvalidInput(f"Invalid auth type: {how or 'none given'}")
    if how == BASIC_AUTH and kind != "BITBUCKET":
        raise InvalidInput(f"Invalid auth type: BASIC_AUTH is for BITBUCKET, not for {kind}.")
    if (how == BASIC_AUTH) != bool(given["username"]):
        raise InvalidInput(
            "A username is required for the auth type BASIC_AUTH."
            if how == BASIC_AUTH
            else "A username is not valid for this auth type: it goes with BASIC_AUTH."
        )
    if not token or len(token) > MAX_TOKEN_CHARACTERS or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInput(f"A token has 1 to {MAX_TOKEN_CHARACTERS:,} printable characters and no blanks.")
    if how == SECRETS_MANAGER and not _SECRET_ARN.fullmatch(token):
        raise InvalidInput("For the auth type SECRETS_MANAGER the token is the ARN of a secret.")
    name = given["username"]
    if len(name) > MAX_USER_NAME_CHARACTERS or ":" in name or not name.isprintable():
        raise InvalidInput(f"A username has at most {MAX_USER_NAME_CHARACTERS} characters and no colon.")
    host = given["host"].lower().rstrip(".").removesuffix(":443")
    if kind in HOSTS:
        if host not in ("", HOSTS[kind]):
            raise InvalidInput(f"Credentials of type {kind} are for {HOSTS[kind]}, not for {host}.")
        host = HOSTS[kind]
    elif host and not _HOST.fullmatch(host):
        raise InvalidInput(f"“{host}” is no host.", hint="Give it as in git.example.com, or git.example.com:8443.")
    return given | {"host": host}
