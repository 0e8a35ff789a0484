"""The Condition element: operators, their IfExists forms and set prefixes, compiled to functions of a request's keys.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Set operators for multivalued context
keys".
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from operator import eq, ge, gt, le, lt
from typing import Any

from codeservices.iam.policy import patterns
from codeservices.iam.policy.patterns import Keys, Pattern

Test = Callable[[Keys], bool]  # does the condition hold for a request's keys, which are in lower case?
One = Callable[[str], object]  # does one value of the request match any of the policy's?

_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?")
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}(?:-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?)?"
)


# ---- families: read one value of the policy (or raise ValueError), and join those of one key -------------------------


@dataclass(frozen=True)
class Family:
    """Operators that compare the same kind of value.

    Attributes:
        read: One value of the policy, whether the policy has variables; raises ValueError with a sentence.
        join: Several such values to a function that says whether one value of the request matches any.
    """

    read: Callable[[str, bool], Any]
    join: Callable[[Sequence[Any]], One]


def _read_exact(text: str, variables: bool) -> Pattern:
    return patterns.read(text, variables=variables, wildcards=False)


def _join_exact(values: Sequence[Pattern]) -> One:
    return frozenset(value.literal for value in values).__contains__


def _join_folded(values: Sequence[Pattern]) -> One:
    texts = frozenset((value.literal or "").casefold() for value in values)
    return lambda requested: requested.casefold() in texts


def _read_like(text: str, variables: bool) -> Pattern:
    return patterns.read(text, variables=variables)


def _join_like(values: Sequence[Pattern]) -> One:
    matchers = [patterns.matcher(value.fixed_parts) for value in values]
    if len(matchers) == 1:
        return matchers[0]
    return lambda requested: any(matches(requested) for matches in matchers)


def _read_arn(text: str, variables: bool) -> Pattern:
    pattern = patterns.read(text, variables=variables)
    if not pattern.variables and pattern.prefix != "" and len(_arn_parts(pattern.fixed_parts)) != 6:
        raise ValueError(f"“{patterns.shown(text)}” is no ARN; write arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE or *.")
    return pattern


def _join_arn(values: Sequence[Pattern]) -> One:
    """Each of the six parts of an ARN is matched by itself: a wildcard never reaches over a colon before the last."""
    is_any = any(value.prefix == "" for value in values)
    wanted = [matchers for matchers in (_arn_parts(value.fixed_parts) for value in values) if len(matchers) == 6]

    def one(requested: str) -> bool:
        pieces = requested.split(":", 5)
        if len(pieces) != 6 or is_any:
            return len(pieces) == 6
        return any(all(matches(piece) for matches, piece in zip(matchers, pieces, strict=True)) for matchers in wanted)

    return one


@lru_cache(maxsize=1024)
def _arn_parts(parts: tuple[patterns.Part, ...]) -> list[patterns.Matcher]:
    return [patterns.matcher(piece) for piece in patterns.split(parts, ":", 5)]


def number(text: str) -> int | float:
    """A decimal number; whole ones are exact whatever their size. Raises ValueError for anything else."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"“{patterns.shown(text)}” is no number.")
    try:
        return int(text)
    except ValueError:
        return float(text)


def moment(text: str) -> int | float:
    """Seconds since 1970 of a date in ISO 8601 (W3C's profile; UTC where it names no zone) or of epoch seconds."""
    if _NUMBER.fullmatch(text):
        return number(text)
    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)
        # Without a day the standard library reads no date; a fraction beyond microseconds it cuts.
        found = datetime.fromisoformat(text if len(text) > 7 else f"{text}-01")
    except ValueError:
        raise ValueError(
            f"“{patterns.shown(text)}” is no date; write it like 2026-01-31T12:00:00Z or as seconds since 1970."
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _ordered(read: Callable[[str], int | float], compare: Callable[[Any, Any], bool]) -> Family:
    def join(values: Sequence[int | float]) -> One:
        def one(requested: str) -> bool:
            try:
                found = read(requested)
            except ValueError:
                return False
            return any(compare(found, value) for value in values)

        return one

    return Family(lambda text, variables: read(text), join)


def boolean(text: str) -> bool:
    """True or false in any case; raises ValueError for anything else."""
    if text.lower() not in ("true", "false"):
        raise ValueError(f"“{patterns.shown(text)}” is neither true nor false.")
    return text.lower() == "true"


def binary(text: str) -> bytes:
    """The bytes of a text in base64; raises ValueError."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"“{patterns.shown(text)}” is not in base64.") from None


def _join_equal(read: Callable[[str], bool | bytes]) -> Callable[[Sequence[bool | bytes]], One]:
    def join(values: Sequence[bool | bytes]) -> One:
        def one(requested: str) -> bool:
            try:
                return read(requested) in values
            except ValueError:
                return False

        return one

    return join


def _network(text: str, variables: bool) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"“{patterns.shown(text)}” is no address; write 203.0.113.0/24, 203.0.113.7 or 2001:db8::/32."
        ) from None


@lru_cache(maxsize=4096)
def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address; one of IPv4 that came in over IPv6 (::ffff:192.0.2.1) is the IPv4 one. Raises ValueError."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"“{patterns.shown(text)}” is no address.") from None
    return getattr(found, "ipv4_mapped", None) or found


def _join_networks(values: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> One:
    def one(requested: str) -> bool:
        try:
            found = address(requested)
        except ValueError:
            return False
        return any(found in network for network in values)

    return one


_EXACT = Family(_read_exact, _join_exact)
_FOLDED = Family(_read_exact, _join_folded)
_LIKE = Family(_read_like, _join_like)
_ARN = Family(_read_arn, _join_arn)
_ADDRESS = Family(_network, _join_networks)

# Operator name to (family, whether it is negated).
_OPERATORS: dict[str, tuple[Family, bool]] = {
    "StringEquals": (_EXACT, False),
    "StringNotEquals": (_EXACT, True),
    "StringEqualsIgnoreCase": (_FOLDED, False),
    "StringNotEqualsIgnoreCase": (_FOLDED, True),
    "StringLike": (_LIKE, False),
    "StringNotLike": (_LIKE, True),
    "NumericEquals": (_ordered(number, eq), False),
    "NumericNotEquals": (_ordered(number, eq), True),
    "NumericLessThan": (_ordered(number, lt), False),
    "NumericLessThanEquals": (_ordered(number, le), False),
    "NumericGreaterThan": (_ordered(number, gt), False),
    "NumericGreaterThanEquals": (_ordered(number, ge), False),
    "DateEquals": (_ordered(moment, eq), False),
    "DateNotEquals": (_ordered(moment, eq), True),
    "DateLessThan": (_ordered(moment, lt), False),
    "DateLessThanEquals": (_ordered(moment, le), False),
    "DateGreaterThan": (_ordered(moment, gt), False),
    "DateGreaterThanEquals": (_ordered(moment, ge), False),
    "Bool": (Family(lambda text, variables: boolean(text), _join_equal(boolean)), False),
    "BinaryEquals": (Family(lambda text, variables: binary(text), _join_equal(binary)), False),
    "IpAddress": (_ADDRESS, False),
    "NotIpAddress": (_ADDRESS, True),
    "ArnEquals": (_ARN, False),
    "ArnLike": (_ARN, False),
    "ArnNotEquals": (_ARN, True),
    "ArnNotLike": (_ARN, True),
}
NAMES = (*_OPERATORS, "Null")
_PREFIXES = ("ForAllValues", "ForAnyValue")


# ---- operators -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operator:
    """One operator as a policy names it, such as `ForAnyValue:StringLikeIfExists`; `family` is None for Null."""

    family: Family | None
    is_negated: bool
    if_exists: bool
    prefix: str

    def read(self, text: str, variables: bool) -> Any:
        """One value that a policy gives it; raises ValueError with a sentence where it is none of its kind."""
        return boolean(text) if self.family is None else self.family.read(text, variables)

    def test(self, key: str, values: Sequence[Any]) -> Test:
        """The condition that this operator makes of a key and the policy's values, as `read` gave them."""
        key = key.lower()
        if self.family is None:
            return partial(_null, key, frozenset(values))
        if any(isinstance(value, Pattern) and value.variables for value in values):
            return self._changing(self.family, key, values)
        return self._fixed(key, self.family.join(values))

    @property
    def when_absent(self) -> bool:
        """The outcome where the request lacks the key, or has it without any value.

        No value meets a positive comparison, each a negated one; with ForAnyValue there must be one.
        """
        return self.if_exists or (self.prefix != "ForAnyValue" and (self.is_negated or bool(self.prefix)))

    def _fixed(self, key: str, one: One) -> Test:
        """Compare what the request has for a key.

        Of several values of the request, one match is enough without a prefix and with ForAnyValue, and none may be
        missing with ForAllValues. A negated operator asks that a value equals none of the policy's (NOR): all the
        values of the request without a prefix and with ForAllValues, at least one with ForAnyValue.
        """
        is_negated, when_absent = self.is_negated, self.when_absent
        needs_every = bool(self.prefix) and (self.prefix == "ForAllValues") != is_negated

        def test(keys: Keys) -> bool:
            found = keys.get(key)
            if isinstance(found, str):
                return (not one(found)) is is_negated
            if not found:
                return when_absent
            matches = (one(value) for value in found)
            return (all(matches) if needs_every else any(matches)) is not is_negated

        return test

    def _changing(self, family: Family, key: str, values: Sequence[Pattern]) -> Test:
        """The same with variables among the policy's values, which are filled in from each request.

        A value with a variable that has none matches nothing. Under a negated operator the condition does not hold
        then: nothing is known to differ from it.
        """

        def test(keys: Keys) -> bool:
            found = keys.get(key)
            if not found and not isinstance(found, str):
                return self.when_absent
            filled = [value.filled(keys) for value in values]
            known = [value for value in filled if value is not None]
            if self.is_negated and len(known) < len(filled):
                return False
            return self._fixed(key, family.join(known))(keys)

        return test


def operator(name: str) -> Operator:
    """The operator of that name; raises ValueError with a sentence."""
    prefix, _, base = name.rpartition(":")
    if prefix and prefix not in _PREFIXES:
        raise ValueError(f"“{patterns.shown(prefix)}” is no prefix of a condition operator.")
    if_exists = base.endswith("IfExists")
    base = base.removesuffix("IfExists")
    if base == "Null":
        if if_exists or prefix:
            raise ValueError("The condition operator Null takes neither IfExists nor a set prefix.")
        return Operator(None, False, False, "")
    if base not in _OPERATORS:
        raise ValueError(f"“{patterns.shown(name)}” is no condition operator.")
    family, is_negated = _OPERATORS[base]
    return Operator(family, is_negated, if_exists, prefix)


def _null(key: str, wanted: frozenset[bool], keys: Keys) -> bool:
    found = keys.get(key)
    is_absent = found is None or (not isinstance(found, str) and not found)
    return is_absent in wanted
