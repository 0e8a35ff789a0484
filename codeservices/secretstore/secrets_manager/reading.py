"""Read secrets: their values, what is known of them, lists.

Source: AWS Secrets Manager API Reference, GetSecretValue, ListSecrets, ListSecretVersionIds and Filter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from codeservices.errors import NotFound
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from codeservices.secretstore.models import Secret, SecretVersion
from codeservices.secretstore.secrets_manager import versions
from codeservices.secretstore.secrets_manager.access import invalid_parameter, invalid_request, secret_for
from codeservices.secretstore.secrets_manager.versions import Content

_WORDS = re.compile(r"[\s/_+=.@-]+")


def get_secret_value(
    principal: Principal, secret_id: str, *, version_id: str = "", version_stage: str = ""
) -> tuple[SecretVersion, Content]:
    """A version with what it holds: the one with that id or stage, else AWSCURRENT.

    Raises:
        AccessDenied: Of secretsmanager:GetSecretValue.
        NotFound: There is no such secret or version.
        InvalidInput: It is marked for deletion, or the version doesn't have the stage.
    """
    context = {"secretsmanager:VersionStage": version_stage or versions.CURRENT}
    if version_id:
        context = {"secretsmanager:VersionId": version_id}
        if version_stage:
            context["secretsmanager:VersionStage"] = version_stage
    secret = secret_for(principal, "secretsmanager:GetSecretValue", secret_id, context)
    found = versions.choose(secret, version_id, version_stage)
    content = versions.content_of(found)
    _note_use(found)
    return found, content


def _note_use(version: SecretVersion) -> None:
    """The day of the last use, written once a day."""
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    if version.last_used_at != today:
        SecretVersion.objects.filter(pk=version.pk).update(last_used_at=today)
    if version.secret.last_used_at != today:
        Secret.objects.filter(pk=version.secret_id).update(last_used_at=today)


def secret_value(
    principal: Principal, secret_id: str, json_key: str = "", version_stage: str = "", version_id: str = ""
) -> str:
    """A secret's text, or the member `json_key` of the JSON object that it is, as CodeBuild reads it.

    Raises:
        AccessDenied: Of secretsmanager:GetSecretValue.
        NotFound: There is no such secret, version or member.
        InvalidInput: It holds no text, or no JSON object where a key is asked for; the sentences never hold the value.
    """
    version, content = get_secret_value(principal, secret_id, version_id=version_id, version_stage=version_stage)
    name = version.secret.name
    if content.is_binary:
        raise invalid_request(f"The secret {name} holds binary data, which no variable can have.")
    text = content.data.decode()
    if not json_key:
        return text
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise invalid_request(f"The secret {name} holds no JSON object, so it has no key {json_key[:100]}.")
    if json_key not in members:
        raise NotFound(f"The secret {name} has no key {json_key[:100]}.", code="ResourceNotFoundException")
    value = members[json_key]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Filter:
    """One condition on a list: any of `values` fits; one that begins with “!” must not."""

    key: str
    values: tuple[str, ...]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Filter:
        """A Filter of a request; raises InvalidInput where it has no key or no values."""
        if not given.get("Key") or not given.get("Values"):
            raise invalid_parameter("Each filter needs a Key and Values.")
        return cls(given["Key"], tuple(given["Values"]))

    def wants(self, secret: Secret) -> bool:
        """Whether a secret passes; values that begin with ! exclude."""
        negated = [value[1:] for value in self.values if value.startswith("!")]
        asked = [value for value in self.values if not value.startswith("!")]
        if any(self._fits(secret, value) for value in negated):
            return False
        return not asked or any(self._fits(secret, value) for value in asked)

    def _fits(self, secret: Secret, value: str) -> bool:
        if self.key == "name":
            return secret.name.startswith(value)
        if self.key == "description":
            return _has_words(secret.description, value)
        if self.key == "tag-key":
            return any(key.startswith(value) for key in secret.tags)
        if self.key == "tag-value":
            return any(one.startswith(value) for one in secret.tags.values())
        if self.key == "all":
            texts = (secret.name, secret.description, *secret.tags, *secret.tags.values())
            return any(_has_words(text, value) for text in texts)
        return False  # nothing here is another region's or service's


def _has_words(text: str, value: str) -> bool:
    """Whether each word of the value begins a word of the text, whatever the case."""
    words = [word for word in _WORDS.split(text.casefold()) if word]
    wanted = [word for word in _WORDS.split(value.casefold()) if word]
    return bool(wanted) and all(any(word.startswith(one) for word in words) for one in wanted)


def list_secrets(
    principal: Principal, filters: Iterable[Filter] = (), *, include_deleted: bool = False
) -> list[Secret]:
    """Every secret that all filters want, its versions' stages at hand, for those who may list."""
    authorize(principal, "secretsmanager:ListSecrets", "*")
    wanted = list(filters)
    rows: QuerySet[Secret] = Secret.objects.order_by().prefetch_related(
        Prefetch("versions", SecretVersion.objects.defer("sealed_value"))
    )
    if not include_deleted:
        rows = rows.filter(purge_at=None)
    return [secret for secret in rows if all(one.wants(secret) for one in wanted)]


def stages_of(secret: Secret) -> dict[str, list[str]]:
    """Version ids with their stages, of those that have any."""
    return {one.version_id: list(one.stages) for one in secret.versions.all() if one.stages}


def list_versions(
    principal: Principal, secret_id: str, *, include_deprecated: bool
) -> tuple[Secret, list[SecretVersion]]:
    """The versions with a stage, or all that are kept, newest first."""
    secret = secret_for(principal, "secretsmanager:ListSecretVersionIds", secret_id, allow_deleted=True)
    rows = secret.versions.defer("sealed_value").order_by("-pk")
    return secret, [one for one in rows if one.stages or include_deprecated]


def sort_key(secret: Secret, by: str) -> str:
    """A text that orders secrets by one of their dates or by name, never the same for two."""
    dates: dict[str, datetime | None] = {
        "created-date": secret.created_at,
        "last-changed-date": secret.changed_at,
        "last-accessed-date": secret.last_used_at,
    }
    if by not in dates:
        return secret.name
    moment = dates[by]
    return f"{moment.isoformat() if moment is not None else ''} {secret.name}"
