"""Rules for the names, paths and tags of users, groups, roles and policies.

Source: IAM User Guide, "IAM and AWS STS quotas": name requirements and character limits; IAM API Reference, Tag.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.core.validators import RegexValidator

from codeservices.errors import InvalidInput, LimitExceeded

MAX_TAGS = 50
MAX_TAG_KEY_CHARACTERS = 128
MAX_TAG_VALUE_CHARACTERS = 256
# Letters, digits, blanks and _ . : / = + - @ of any language, as the API's model has it.
_TAG_TEXT = re.compile(r"[\w\s.:/=+\-@]*")

USER_NAME = r"\A[\w+=,.@-]{1,64}\Z"
validate_user_name = RegexValidator(
    USER_NAME, "A user name has 1 to 64 letters, digits or the characters _ + = , . @ -."
)
validate_role_name = RegexValidator(
    r"\A[\w+=,.@-]{1,64}\Z", "A role name has 1 to 64 letters, digits or the characters _ + = , . @ -."
)
validate_name = RegexValidator(
    r"\A[\w+=,.@-]{1,128}\Z", "A name has 1 to 128 letters, digits or the characters _ + = , . @ -."
)
validate_path = RegexValidator(r"\A/([\x21-\x7e]+/)?\Z", "A path begins and ends with a slash, as in /division/team/.")


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags themselves.

    Raises:
        LimitExceeded: More than MAX_TAGS.
        InvalidInput: A key or value that no tag may have.
    """
    if len(tags) > MAX_TAGS:
        raise LimitExceeded(f"At most {MAX_TAGS} tags are kept, not {len(tags)}.", code="LimitExceeded")
    if len({key.casefold() for key in tags}) < len(tags):
        raise InvalidInput(
            "Two tags have the same key; keys that differ in case alone are the same.", code="InvalidInput"
        )
    for key, value in tags.items():
        check_tag(key, value, code="InvalidInput")
        if key.lower().startswith("aws:"):
            raise InvalidInput(f"Tag keys that begin with aws: are reserved; “{key[:40]}” does.", code="InvalidInput")
    return dict(tags)


def check_tag(key: str, value: str, *, code: str) -> None:
    """Raise InvalidInput, with the service's own code, where no tag of any service may be like that."""
    if not 1 <= len(key) <= MAX_TAG_KEY_CHARACTERS or len(value) > MAX_TAG_VALUE_CHARACTERS:
        raise InvalidInput(
            f"A tag's key has 1 to {MAX_TAG_KEY_CHARACTERS} characters and its value at most "
            f"{MAX_TAG_VALUE_CHARACTERS}; “{key[:40]}” breaks that.",
            code=code,
        )
    if not (_TAG_TEXT.fullmatch(key) and _TAG_TEXT.fullmatch(value)):
        raise InvalidInput(
            f"A tag has letters, digits, blanks and _ . : / = + - @ only; “{key[:40]}” breaks that.", code=code
        )
