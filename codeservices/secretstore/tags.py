"""The tags of parameters and secrets: rules that both have.

Sources: AWS Systems Manager API Reference, Tag and AddTagsToResource; AWS Secrets Manager API Reference, Tag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from django.db import transaction

from codeservices.errors import InvalidInput, ServiceError
from codeservices.iam import rules
from codeservices.secretstore.models import Parameter, Secret

MAX_TAGS = 50
MAX_KEY_CHARACTERS = 128
MAX_VALUE_CHARACTERS = 256


def given(rows: Iterable[Mapping[str, str]], code: str) -> dict[str, str]:
    """The tags of a request; one without a key, or a key that is there twice, is refused with the error's code."""
    found: dict[str, str] = {}
    for row in rows:
        if "Key" not in row:
            raise InvalidInput("A tag has no key.", code=code)
        if row["Key"] in found:
            raise InvalidInput(f"The tag key “{row['Key'][:40]}” is given twice.", code=code)
        found[row["Key"]] = row.get("Value", "")
    return found


def check(tags: Mapping[str, str], code: str, too_many: str) -> dict[str, str]:
    """The tags themselves.

    Raises:
        InvalidInput: A key or value that no tag may have (with `code`), or more than MAX_TAGS (with `too_many`).
    """
    if len(tags) > MAX_TAGS:
        raise InvalidInput(f"At most {MAX_TAGS} tags are kept, not {len(tags)}.", code=too_many)
    for key, value in tags.items():
        if not 1 <= len(key) <= MAX_KEY_CHARACTERS or len(value) > MAX_VALUE_CHARACTERS:
            raise InvalidInput(
                f"A tag's key has 1 to {MAX_KEY_CHARACTERS} characters and its value at most {MAX_VALUE_CHARACTERS}; "
                f"“{key[:40]}” breaks that.",
                code=code,
            )
    check_not_system(tags, code)
    return dict(tags)


def check_not_system(keys: Iterable[str], code: str) -> None:
    """Raises InvalidInput where a key is one that AWS keeps for itself."""
    system = next((key for key in keys if key.lower().startswith("aws:")), None)
    if system is not None:
        raise InvalidInput(f"Tag keys that begin with aws: are reserved; “{system[:40]}” does.", code=code)


def change(row: Parameter | Secret, gone: ServiceError, wanted: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
    """Give a row the tags that `wanted` makes of those that are there now; raises `gone` where the row is removed."""
    with transaction.atomic():
        locked = type(row)._default_manager.select_for_update().filter(pk=row.pk).first()
        if locked is None:
            raise gone
        locked.tags = wanted(locked.tags)
        locked.save(update_fields=["tags"])


def without(tags: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    """The tags that are left when these keys are removed."""
    unwanted = set(keys)
    return {key: value for key, value in tags.items() if key not in unwanted}


def context(tags: Mapping[str, str]) -> dict[str, str | list[str]]:
    """The condition keys of a request with tags; none where it has none."""
    return rules.tag_context(tags) if tags else {}
