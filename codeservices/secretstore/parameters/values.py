"""What a parameter may hold: types, tiers and their sizes, data types; and the value itself, sealed and unsealed.

Source: AWS Systems Manager API Reference, PutParameter; User Guide, "Managing parameter tiers".
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable

from django.conf import settings

from codeservices.errors import InvalidInput, ServiceError
from codeservices.secretstore import sealing
from codeservices.secretstore.models import ParameterTier, ParameterVersion
from codeservices.secretstore.parameters import patterns
from codeservices.secretstore.parameters.names import refused

KEY_ID = "alias/aws/ssm"
TEXT = "text"
INTELLIGENT = "Intelligent-Tiering"
MAX_CHARACTERS = {ParameterTier.STANDARD: 4096, ParameterTier.ADVANCED: 8192}
MAX_PARAMETERS = {ParameterTier.STANDARD: 10_000, ParameterTier.ADVANCED: 100_000}
_NESTED = re.compile(r"\{\{.*\}\}", re.DOTALL)


def _is_json(value: str) -> bool:
    json.loads(value)
    return True


def _is_address(kind: type[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> Callable[[str], bool]:
    return lambda value: bool(kind(value))


_DATA_TYPES: dict[str, Callable[[str], bool]] = {
    TEXT: lambda value: True,
    "boolean": lambda value: value in ("true", "false"),
    "integer": lambda value: re.fullmatch(r"[+-]?[0-9]+", value) is not None,
    "float": lambda value: re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", value) is not None,
    "ipv4-address": _is_address(ipaddress.IPv4Address),
    "ipv6-address": _is_address(ipaddress.IPv6Address),
    "json": _is_json,
    "aws:account:id": lambda value: re.fullmatch(r"[0-9]{12}", value) is not None,
}


def tier_for(wanted: str | None, current: str | None, value: str) -> str:
    """The tier that a value is kept in; raises InvalidInput where the wanted one can't be.

    Args:
        wanted: As a request says it, or None.
        current: Of the version before, which an advanced parameter never leaves.
    """
    if wanted == ParameterTier.STANDARD and current == ParameterTier.ADVANCED:
        raise refused(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the "
            "advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced "
            "parameter and recreate it as a standard parameter."
        )
    is_large = len(value) > MAX_CHARACTERS[ParameterTier.STANDARD]
    is_advanced = ParameterTier.ADVANCED in (wanted, current) or (wanted == INTELLIGENT and is_large)
    tier = ParameterTier.ADVANCED if is_advanced else ParameterTier.STANDARD
    if len(value) > MAX_CHARACTERS[tier]:
        hint = "To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier."
        raise refused(
            f"{tier} tier parameters support a maximum parameter value of {MAX_CHARACTERS[tier]} characters.",
            "" if is_advanced else hint,
        )
    return tier.value


def check(value: str, data_type: str, allowed_pattern: str) -> None:
    """Raises InvalidInput where a value breaks a rule; its sentences never hold the value."""
    if not value:
        raise refused(
            "1 validation error detected: Value at 'value' failed to satisfy constraint: Member must have length "
            "greater than or equal to 1"
        )
    if _NESTED.search(value):
        raise refused(
            "Parameter value can't nest another parameter.", "Values with {{…}} are refused, as Parameter Store does."
        )
    if data_type not in _DATA_TYPES:
        raise refused(
            f"The following data type value is not supported: {data_type[:100]}.",
            f"This server checks {', '.join(_DATA_TYPES)}.",
        )
    try:
        fits = _DATA_TYPES[data_type](value)
    except (ValueError, RecursionError):
        fits = False
    if not fits:
        raise refused(f"The parameter value isn't valid for the data type {data_type}.")
    if allowed_pattern:
        _check_pattern(value, allowed_pattern)


def _check_pattern(value: str, pattern: str) -> None:
    try:
        fits = patterns.matches(pattern, value)
    except patterns.PatternError as error:
        raise InvalidInput(
            "The request does not meet the regular expression requirement.",
            code="InvalidAllowedPatternException",
            hint=str(error),
        ) from None
    if not fits:
        raise InvalidInput(
            f"Parameter value, cannot be validated against allowedPattern: {pattern}",
            code="ParameterPatternMismatchException",
        )


def check_key(key_id: str | None, *, is_secure: bool) -> None:
    """Raises InvalidInput where a request names an encryption key that isn't the only one there is."""
    if key_id is None:
        return
    if not is_secure:
        raise refused("KeyId is required for SecureString type parameter only.")
    own = (KEY_ID, f"arn:aws:kms:{settings.REGION}:{settings.ACCOUNT_ID}:{KEY_ID}")
    if key_id not in own:
        raise InvalidInput(
            f"There is no encryption key “{key_id[:100]}”, as this server has no key service.",
            code="InvalidKeyId",
            hint=f"Leave KeyId out, or say {KEY_ID}.",
        )


def seal(name: str, number: int, value: str) -> str:
    """The value of a version, encrypted for it alone."""
    return sealing.seal(value.encode(), _owner(name, number))


def resealed(version: ParameterVersion) -> str | None:
    """The value encrypted with the key that encrypts now; None where it is already. Raises ServiceError."""
    return sealing.reseal(version.sealed_value, _owner(version.parameter.name, version.number))


def value_of(version: ParameterVersion, *, with_decryption: bool = True) -> str:
    """A version's value; that of a SecureString stays encrypted unless it is asked for.

    Raises:
        InvalidInput: InvalidKeyId, it can't be decrypted with the master key of this installation.
    """
    if version.is_secure and not with_decryption:
        return version.sealed_value
    try:
        return sealing.unseal(version.sealed_value, _owner(version.parameter.name, version.number)).decode()
    except ServiceError as error:
        raise InvalidInput(error.message, code="InvalidKeyId", hint=error.hint) from None


def _owner(name: str, number: int) -> str:
    return f"ssm:{name}:{number}"
