"""Random passwords. Source: AWS Secrets Manager API Reference, GetRandomPassword."""

from __future__ import annotations

import secrets
import string

from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from codeservices.secretstore.secrets_manager.access import invalid_parameter

DEFAULT_LENGTH = 32
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def random_password(
    principal: Principal,
    length: int = DEFAULT_LENGTH,
    *,
    excluded: str = "",
    lowercase: bool = True,
    uppercase: bool = True,
    digits: bool = True,
    punctuation: bool = True,
    space: bool = False,
    each_kind: bool = True,
) -> str:
    """A password of the kinds of characters asked for, at least one of each kind with `each_kind`.

    Raises:
        InvalidInput: No character is left, or the length is less than there are kinds.
    """
    authorize(principal, "secretsmanager:GetRandomPassword", "*")
    asked = [
        (lowercase, string.ascii_lowercase),
        (uppercase, string.ascii_uppercase),
        (digits, string.digits),
        (punctuation, PUNCTUATION),
        (space, " "),
    ]
    kinds = [[one for one in kind if one not in excluded] for is_asked, kind in asked if is_asked]
    alphabet = [one for kind in kinds for one in kind]
    if not alphabet or (each_kind and not all(kinds)):
        raise invalid_parameter("The characters that are excluded leave none of a kind that is asked for.")
    if each_kind and length < len(kinds):
        raise invalid_parameter(
            f"The password length {length} is too short based on the required types.",
            f"{len(kinds)} kinds of characters are asked for.",
        )
    chosen = [secrets.choice(kind) for kind in kinds] if each_kind else []
    chosen += [secrets.choice(alphabet) for _ in range(length - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)
